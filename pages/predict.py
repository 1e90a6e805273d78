"""Predict: where do they disagree?"""

import streamlit as st

from core import api
from pages.ui import answers, forms, state

st.title("Where do they disagree?")

finished = api.finished_runs()
if not finished:
    st.info("There is no finished run yet. Train one first.")
    st.page_link("pages/train.py", label="To training")
    st.stop()

with st.sidebar:
    runs = {run.run_id: run for run in finished}
    first = st.selectbox(
        "Run",
        list(runs),
        format_func=lambda run_id: forms.run_title(runs[run_id]),
        **state.bound("student"),
    )
    chosen = runs[first]
    rivals = [run for run in finished if run != chosen and answers.same_task(run, chosen)]
    more = st.multiselect(
        "More runs",
        [run.run_id for run in rivals],
        format_func=lambda run_id: forms.run_title(runs[run_id]),
        max_selections=3,
        **state.kept("more-runs"),
    )

assert chosen.experiment is not None
task = api.tasks()[chosen.experiment.task]
if len(task.texts) > 1:
    st.markdown(task.description)
texts = answers.ask(task)
models = answers.models_of(chosen)
models += [(forms.run_title(runs[run_id]), api.source_of_run(runs[run_id])) for run_id in more]
with state.explained():
    answers.table(texts, models)
st.caption(
    "Every answer is computed from one example alone. Teachers are stored in half precision and "
    "computed in float32; students are read from their packed files."
)

st.subheader("On the dev examples", divider="gray")
with state.explained():
    answers.disagreements(chosen)
