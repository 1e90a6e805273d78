"""Compare: what does each bit cost?"""

import streamlit as st

from core import api
from pages.ui import compare_charts, live, state

st.title("What does each bit cost?")

finished = [run for run in api.runs() if run.result is not None]
names = list(dict.fromkeys(run.result.task for run in finished if run.result))
if not names:
    st.info("There is no finished run yet. Train one first.")
    st.page_link("pages/train.py", label="To training")
    st.stop()

with st.sidebar:
    task = st.selectbox("Task", names, **state.bound("task"))

runs = [run for run in finished if run.result and run.result.task == task]
assert runs[0].result
table = compare_charts.runs_table(runs)
st.markdown("**Up is better, left is smaller.** Click a student to see its run.")
event = st.altair_chart(
    compare_charts.score_against_size(table, runs[0].result.metric, state.is_dark()),
    on_select="rerun",
    alt="Test score against size of teachers, untrained and trained students.",
    key="score-against-size",
)
st.caption(
    "Score on test examples that nothing was selected on; bars are one standard error of the "
    "test sample. Two scores whose bars overlap are not shown to differ. Size is that of the "
    "packed file; for a teacher, 4 bytes a weight."
)
picked = event["selection"].get("picked", [])
if picked:
    chosen = next((run for run in runs if run.run_id == picked[0].get("run")), None)
    if chosen is not None:
        live.panel(chosen)

st.subheader("All of them", divider="gray")
st.dataframe(
    table,
    hide_index=True,
    column_config={
        name: st.column_config.NumberColumn(format="%.1f")
        for name in ("score", "standard error", "of teacher", "MiB", "times smaller", "seconds")
    },
)
st.download_button(
    "Download as CSV",
    lambda: table.to_csv(index=False),
    file_name=f"{task}.csv",
    mime="text/csv",
    icon=":material/download:",
)
