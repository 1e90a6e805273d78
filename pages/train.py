"""Train: can a ternary student learn from its teacher?"""

import streamlit as st

from core import api
from pages.ui import admin_panel, browser, glossary, nearest_note, size_meter, state
from pages.ui.train import augmentation_panel, forms, live_run, queue_panel

st.title("Can a ternary student learn from its teacher?")
glossary.explain_bits()

with browser.settings("Settings and Start"):
    job = forms.job()
    start = st.button(
        "Start",
        type=state.main_button(),
        icon=":material/play_arrow:",
        width="stretch",
        disabled=job is None,
    )
    meter = st.container()

if start and job is not None:
    with state.explained():
        state.start(job)

augmentation_panel.preview(job)
watched = state.watched_run()
shown = api.shown_run(job) if watched is None else None
run = watched or (shown.run if shown else None)
listed = [] if watched else queue_panel.under_way(run)
if watched:
    nearest_note.about_watched(watched, job)
elif shown:
    nearest_note.about(shown, job)
else:
    st.info("Choose the settings and press Start.", icon=":material/tune:")
if run:
    live_run.panel(run)

size_meter.fill(meter, job)
queue_panel.panel(run, listed)
admin_panel.panel()
