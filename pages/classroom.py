"""A class: what does it think?"""

import streamlit as st

from pages.ui import admin_panel, state
from pages.ui.classroom import lecturer

TITLE = "What does the class think?"

if not state.may("lead"):
    st.title(TITLE)
    st.markdown("Open a class, and see its answers arrive. That is the lecturer's part.")
    admin_panel.unlock()
else:
    classroom = lecturer.choose()
    if classroom is None:
        st.title(TITLE)
        lecturer.open_one()
    else:
        view = lecturer.view()
        if view != lecturer.PROJECTOR:
            st.title(TITLE)
        lecturer.draw(view, classroom)
