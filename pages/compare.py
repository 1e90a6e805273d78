"""Compare: what does each bit cost?"""

import streamlit as st

from core import api
from pages.ui import browser, glossary, url_state
from pages.ui.compare import compare_panels, compare_table, grid_panel, pair_panel, published_panel

st.title("What does each bit cost?")
glossary.explain_bits()

finished = [run for run in api.runs() if run.result is not None]
names = list(dict.fromkeys(run.result.task for run in finished if run.result))
if not names:
    st.info("There is no finished run yet. Train one first.")
    st.page_link("pages/train.py", label="To training")
    st.stop()

views = compare_panels.VIEWS
view = url_state.segments("View", views, views[0], "view", label_visibility="collapsed")
if view == "Ablations":
    grid_panel.panel({run.run_id: run for run in finished})
    st.stop()

settings = browser.settings()
with settings:
    task = st.selectbox("Task", names, **url_state.bound("task"))
runs = {run.run_id: run for run in finished if run.result and run.result.task == task}
first = next(iter(runs.values())).result
assert first
if view == "Two models":
    pair_panel.panel(runs)
    st.stop()

with settings:
    table = compare_panels.filtered(compare_table.runs_table(list(runs.values())))
points = compare_table.points(table)
if view == "Published":
    published_panel.panel(points, task)
    st.stop()

if view == "All settings":
    compare_panels.all_settings(points, first.metric)
else:
    compare_panels.score_against_size(points, first.metric, runs)
st.header("All of them", divider="gray")
compare_panels.table_and_download(table, task)
