"""Predict: where do they disagree?"""

import streamlit as st

from core import api
from pages.ui import browser, run_choice, state, url_state
from pages.ui.formatting import plain
from pages.ui.inside import inside_panel
from pages.ui.predict import answer_panels, search_panel

MOST_RIVALS = 3

st.title("Where do they disagree?")

finished = run_choice.finished_or_stop()

with browser.settings():
    chosen = run_choice.choose(finished)
    rivals = {
        run.run_id: run
        for run in finished
        if run != chosen and answer_panels.same_task(run, chosen)
    }
    more = st.multiselect(
        "More runs",
        list(rivals),
        format_func=lambda run_id: run_choice.title(rivals[run_id]),
        max_selections=MOST_RIVALS,
        **url_state.by_id("more", list(rivals), most=MOST_RIVALS),
    )

assert chosen.experiment is not None
task = api.tasks()[chosen.experiment.task]
if len(task.texts) > 1:
    st.markdown(plain(task.description))
ranks = search_panel.is_ranking(task)
texts = () if ranks else answer_panels.ask(task)
models = answer_panels.models_of(chosen)
if ranks:
    models = [models[0], models[-1]]  # the lists of all three would be too narrow to read
models += [(run_choice.title(rivals[run]), api.source_of_run(rivals[run])) for run in more]
view = inside_panel.choose_view()
with state.explained():
    if ranks:
        query, candidates = search_panel.search(models)
        search_panel.where_they_part(models)
        if view == inside_panel.INSIDE:
            texts = search_panel.choose_pair(query, candidates)
    else:
        answer_panels.table(texts, models)
    if view == inside_panel.INSIDE:
        inside_panel.inside(texts, models)
st.caption(
    "Every answer is computed from one example alone. Teachers are stored in half precision and "
    "computed in float32; students are read from their packed files."
)

st.header("On the dev examples", divider="gray")
with state.explained():
    answer_panels.disagreements(chosen)

if not ranks:
    st.header("Search passages", divider="gray")
    search_panel.without_a_run()
