"""Train: can a ternary student learn from its teacher?"""

import streamlit as st

from core import api
from pages.ui import forms, live, state

st.title("Can a ternary student learn from its teacher?")

with st.sidebar:
    experiment = forms.experiment()
    start = st.button("Start", type="primary", icon=":material/play_arrow:", width="stretch")

if start and experiment is not None:
    with state.explained():
        state.watch(api.submit(experiment))

run = state.watched_run() or api.shown_run(experiment)
if run is None:
    st.info("Choose the settings at the left and press Start.", icon=":material/arrow_back:")
else:
    live.panel(run)

others = [r for r in api.runs() if not r.is_over and (run is None or r.run_id != run.run_id)]
if others:
    st.subheader("Also on this server", divider="gray")
    for other in others:
        left, right = st.columns([4, 1])
        left.markdown(f"{live.WORDS[other.state]} · {forms.run_title(other)}")
        if right.button("Watch", key=f"watch-{other.run_id}"):
            state.watch(other)
            st.rerun()
