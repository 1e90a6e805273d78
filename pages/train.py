"""Train: can a ternary student learn from its teacher?"""

import streamlit as st

from core import api
from pages.ui import augmentation, forms, live, run_choice, state
from pages.ui.words import plain

st.title("Can a ternary student learn from its teacher?")

with st.sidebar:
    order = forms.order()
    start = st.button(
        "Start",
        type="primary",
        icon=":material/play_arrow:",
        width="stretch",
        disabled=order is None,
    )

if start and order is not None:
    with state.explained():
        state.watch(api.submit(order))

augmentation.preview(order)
run = state.watched_run() or api.shown_run(order)
if run is None:
    st.info("Choose the settings at the left and press Start.", icon=":material/arrow_back:")
else:
    live.panel(run)

others = [r for r in api.runs() if not r.is_over and (run is None or r.run_id != run.run_id)]
if others:
    st.subheader("Also on this server", divider="gray")
    for other in others:
        left, right = st.columns([4, 1])
        left.markdown(f"{live.WORDS[other.state]} · {plain(run_choice.title(other))}")
        if right.button("Watch", key=f"watch-{other.run_id}"):
            state.watch(other)
            st.rerun()
