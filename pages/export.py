"""Export: how many bytes is it really?"""

import streamlit as st

from core import api
from pages.ui import browser, cached, run_choice, state
from pages.ui.export import export_panels, gate_panel

st.title("How many bytes is it really?")

finished = run_choice.finished_or_stop()

with browser.settings():
    chosen = run_choice.choose(finished)
    kind = export_panels.choose_format()

seen = state.attempt(cached.inspected, api.source_of_run(chosen), kind)
if seen is None:
    st.stop()
export_panels.headline(seen, chosen)
export_panels.areas(seen)

st.header("Against the paper's arithmetic", divider="gray")
export_panels.arithmetic(seen)

st.header("Four ways to write it", divider="gray")
with state.explained():
    export_panels.formats(chosen, kind)
st.caption(
    "All hold the same codes. With leftovers in float16 the student computes with the rounded "
    "numbers; base-3 puts five codes into a byte instead of four."
)

st.header("Does it come back?", divider="gray")
with state.explained():
    export_panels.read_back(chosen, kind)
st.caption("Computed now: the file was written, read again, and compared with the run's student.")

st.header("May it be shipped?", divider="gray")
gate_panel.panel(chosen)

st.header("Take it away", divider="gray")
export_panels.downloads(chosen, kind)

st.header("How fast is it here?", divider="gray")
with state.explained():
    export_panels.race(chosen)
