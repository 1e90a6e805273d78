"""Plan: where do the bits count?"""

import streamlit as st

from pages.ui import browser, state
from pages.ui.plan import by_hand, matrix_losses_panel, plan_panels, plan_settings

st.title("Where do the bits count?")
st.markdown(
    "Not every matrix minds being rounded. Under a budget in bytes, this page gives each matrix "
    "the bits that help most; the choice is exact, and the file never a byte too large."
)

# Without `st.stop`: after it, nothing could be said of the address any more.
with browser.settings():
    asked = state.attempt(plan_settings.choose)
found = matrix_losses_panel.losses(asked) if asked else None
planner = state.attempt(plan_panels.planner, asked, found) if asked and found else None

if asked and planner:
    top, pictures = st.container(), st.container()
    st.header("Bits by hand", divider="gray")
    hand = by_hand.controls(planner)
    with top:
        shown = state.attempt(plan_panels.shown, asked, planner, hand)
    if shown:
        with top:
            plan_panels.numbers(shown)
            plan_panels.next_steps(shown)
        with pictures:
            plan_panels.pictures(shown)
