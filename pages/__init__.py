"""One file a page, each a question.

Streamlit takes a folder of this name for its older kind of app until `app.py` has run once. The
first visitor after a start who comes to a page directly (a reload, a shared address) would get
that page alone, without the way through the app, and so would everybody after. So the first page
that is opened like that switches the old kind off and runs again, through `app.py`.
"""

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager

if PagesManager.uses_pages_directory:
    PagesManager.uses_pages_directory = False
    st.rerun()
