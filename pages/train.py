"""Train: can a ternary student learn from its teacher?"""

import streamlit as st

from core import api
from pages.ui import augmentation, browser, desk, forms, glossary, live, nearest, others, state

st.title("Can a ternary student learn from its teacher?")
glossary.explain_bits()

with browser.settings("Settings and Start"):
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
watched = state.watched_run()
shown = api.shown_run(order) if watched is None else None
run = watched or (shown.run if shown else None)
listed = [] if watched else others.under_way(run)
if watched:
    nearest.about_watched(watched, order)
elif shown:
    nearest.about(shown, order)
else:
    st.info("Choose the settings and press Start.", icon=":material/tune:")
if run:
    live.panel(run)

others.panel(run, listed)
desk.panel()
