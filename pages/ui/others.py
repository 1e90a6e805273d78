"""The other runs of this server: what waits, what computes, and what was broken off."""

from collections.abc import Sequence

import streamlit as st

from core import api
from core.runs.store import Run
from pages.ui import live, run_choice, state
from pages.ui.words import plain

AT_THE_TOP = 3


def under_way(shown: Run | None) -> list[Run]:
    """Above the page's own run: those that compute or wait now. Who opens a second tab, or comes
    back without the address, finds his run here. Returns what was listed."""
    found = [run for run in _others(shown) if not run.is_over][:AT_THE_TOP]
    if found:
        st.markdown("**Under way on this server.** Is one of them yours?")
        _list(found)
    return found


def panel(shown: Run | None, listed: Sequence[Run] = ()) -> None:
    """The others that are not `listed` yet, each with a way to watch it, which is where it can be
    stopped or resumed."""
    ids = {run.run_id for run in listed}
    found = [run for run in _others(shown) if run.run_id not in ids]
    if not found:
        return
    st.subheader("Also on this server", divider="gray")
    _list(found)


def _others(shown: Run | None) -> list[Run]:
    return [
        run for run in api.runs() if _matters(run) and not (shown and run.run_id == shown.run_id)
    ]


def _list(runs: Sequence[Run]) -> None:
    for other in runs:
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
