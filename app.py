"""Ternary Lab: `streamlit run app.py`. Only the way through the app; each page is a question."""

from pathlib import Path

import streamlit as st

from pages.ui import browser, fast_charts, idle_memory, redraw_limiter, state, url_state

# Of our own: the browser fetches a named one from a font server on the internet.
ICON = Path(__file__).parent / "pages" / "ui" / "icon.svg"

fast_charts.trust_charts()
idle_memory.start()
idle_memory.arrive()
st.set_page_config(page_title="Ternary Lab", page_icon=ICON, layout="wide")

PAGES = [
    st.Page("pages/start.py", title="Start", icon=":material/home:", default=True),
    st.Page("pages/weights.py", title="Weights", icon=":material/bar_chart:"),
    st.Page("pages/plan.py", title="Plan", icon=":material/grid_on:"),
    st.Page("pages/train.py", title="Train", icon=":material/school:"),
    st.Page("pages/data.py", title="Data", icon=":material/table_rows:"),
    st.Page("pages/compare.py", title="Compare", icon=":material/balance:"),
    st.Page("pages/predict.py", title="Predict", icon=":material/forum:"),
    st.Page("pages/export.py", title="Export", icon=":material/inventory_2:"),
    st.Page("pages/lessons.py", title="Lessons", icon=":material/quiz:"),
    st.Page("pages/classroom.py", title="Class", icon=":material/groups:"),
    st.Page("pages/theory.py", title="Theory", icon=":material/menu_book:"),
]

narrow = browser.listen()
page = st.navigation(PAGES, position="hidden" if narrow else "top")
if narrow:
    browser.menu(PAGES, page)
if state.settings_hold():
    with redraw_limiter.turn(), url_state.checked(page.title):
        page.run()
