"""Which finished run a page is about: the same choice on each page that tells of one."""

from collections.abc import Sequence

import streamlit as st

from core import api
from core.runs.run_store import Run
from pages.ui import glossary, state, url_state
from pages.ui.formatting import plain


def finished_or_stop() -> list[Run]:
    """The finished runs; where there is none, a word and a way to training, and the page ends."""
    finished = api.finished_runs()
    if not finished:
        st.info("There is no finished run yet. Train one first.")
        st.page_link("pages/train.py", label="To training")
        st.stop()
    return finished


def choose(finished: Sequence[Run]) -> Run:
    """One of them; the address keeps it."""
    runs = {run.run_id: run for run in finished}
    picked = st.selectbox(
        "Run",
        list(runs),
        format_func=lambda run_id: title(runs[run_id]),
        **url_state.by_id("student", list(runs), usual=usual(finished).run_id),
    )
    glossary.explain_bits()
    return runs[picked]


def usual(finished: Sequence[Run]) -> Run:
    """The run that the address asks for by `run`, as on the Train page; else the newest of this
    computer; else the one that Start tells of. What it asks for in vain is said."""
    asked = state.watched_run()
    if asked is not None:
        if asked in finished:
            return asked
        st.error(
            f"Run {plain(asked.run_id)} has no student to show here: it is {plain(asked.state)}, "
            "or kept only what it measured. Choose another one.",
            icon=":material/error:",
        )
    own = (run for run in finished if not run.shipped)
    return next(own, None) or api.showcase(list(finished)) or finished[0]


def title(run: Run) -> str:
    """How a list calls a run."""
    return f"{run.title} ({run.run_id[:6]})"
