"""Train: can a ternary student learn from its teacher?"""

import streamlit as st

from core import api
from pages.ui import augmentation, desk, forms, live, others, state

st.title("Can a ternary student learn from its teacher?")

with st.sidebar:
    order = forms.order()
    start = st.button(
        "Start",
        type=state.main_button(),
        icon=":material/play_arrow:",
        width="stretch",
        disabled=order is None,
    )

if start and order is not None:
    with state.explained():
        state.start(order)

augmentation.preview(order)
run = state.watched_run() or api.shown_run(order)
if run is None:
    st.info("Choose the settings at the left and press Start.", icon=":material/arrow_back:")
else:
    live.panel(run)

others.panel(run)
desk.panel()
