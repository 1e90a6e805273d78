"""A class: what does it think?"""

import streamlit as st

from pages.ui import desk, state
from pages.ui.classroom import board, guesses, lecturer, projector, whereabouts

if not state.may("lead"):
    st.title("What does the class think?")
    st.markdown("Open a class, and see its answers arrive. That is the lecturer's part.")
    desk.unlock()
    st.stop()

view = lecturer.view()
if view != lecturer.PROJECTOR:
    st.title("What does the class think?")
classroom = lecturer.choose()
if classroom is None:
    lecturer.open_one()
    st.stop()

if view == lecturer.PROJECTOR:
    projector.panel(classroom)
elif view == lecturer.ANSWERS:
    guesses.panel(classroom)
elif view == lecturer.WHO_IS_WHERE:
    whereabouts.panel(classroom)
elif view == lecturer.CHALLENGE:
    board.panel(classroom)
else:
    lecturer.invitation(classroom)
    lecturer.keeping(classroom)
