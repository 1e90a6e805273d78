"""The other runs of this server: what waits, what computes, and what was broken off. The list is
drawn anew every few seconds while it can change by itself."""

import streamlit as st

from core import api
from core.runs.store import Run
from pages.ui import live, run_choice, state, turns
from pages.ui.words import plain

REFRESH_SECONDS = 5.0


def panel(shown: Run | None) -> None:
    """List them, each with a way to watch it, which is where it can be stopped or resumed."""
    shown_id = shown.run_id if shown else ""
    every = REFRESH_SECONDS if _others(shown_id) else None
    st.fragment(run_every=every)(_draw)(shown_id)


def _others(shown_id: str) -> list[Run]:
    return [run for run in api.runs() if _matters(run) and run.run_id != shown_id]


@turns.turn()
def _draw(shown_id: str) -> None:
    others = _others(shown_id)
    if not others:
        return
    st.header("Also on this server", divider="gray")
    for other in others:
        left, right = st.columns([4, 1])
        step = api.step_kept(other)
        saved = f" · saved after step {step}" if step else ""
        left.markdown(f"{live.WORDS[other.state]} · {plain(run_choice.title(other))}{saved}")
        if right.button("Watch", key=f"watch-{other.run_id}"):
            state.watch(other)
            st.rerun()


def _matters(run: Run) -> bool:
    """Runs that are not over, and those that lost their process: a server that starts after a
    crash finds them here."""
    return not run.is_over or (run.state == "interrupted" and api.step_kept(run) > 0)
