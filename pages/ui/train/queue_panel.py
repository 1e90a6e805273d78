"""The other runs of this server: what waits, what computes, and what was broken off. The list is
drawn again every few seconds while it can change by itself."""

from collections.abc import Sequence

import streamlit as st

from core import api
from core.runs.run_store import Run
from pages.ui import redraw_limiter, run_choice, state
from pages.ui.formatting import plain
from pages.ui.train import live_run

REFRESH_SECONDS = 5.0
AT_THE_TOP = 3


def under_way(shown: Run | None) -> list[str]:
    """Above the page's own run: those that compute or wait now. Who opens a second tab, or comes
    back without the address, finds his run here. Returns the ids of what was listed."""
    found = [run for run in _others(_id_of(shown)) if not run.is_over][:AT_THE_TOP]
    if found:
        st.markdown("**Under way on this server.** Is one of them yours?")
        _list(found)
    return [run.run_id for run in found]


def panel(shown: Run | None, listed: Sequence[str] = ()) -> None:
    """The others that are not `listed` yet, each with a way to watch it, which is where it can be
    stopped or resumed."""
    shown_id = _id_of(shown)
    every = REFRESH_SECONDS if _others(shown_id) else None
    st.fragment(run_every=every)(_draw)(shown_id, tuple(listed))


def _id_of(shown: Run | None) -> str:
    return shown.run_id if shown else ""


def _others(shown_id: str) -> list[Run]:
    return [run for run in api.runs() if _matters(run) and run.run_id != shown_id]


@redraw_limiter.turn()
def _draw(shown_id: str, listed: Sequence[str]) -> None:
    found = [run for run in _others(shown_id) if run.run_id not in listed]
    if found:
        st.header("Also on this server", divider="gray")
        _list(found)


def _list(runs: Sequence[Run]) -> None:
    for other in runs:
        left, right = st.columns([4, 1])
        step = api.step_kept(other)
        saved = f" · saved after step {step}" if step else ""
        left.markdown(f"{live_run.WORDS[other.state]} · {plain(run_choice.title(other))}{saved}")
        if right.button("Watch", key=f"watch-{other.run_id}"):
            state.watch(other)
            st.rerun()


def _matters(run: Run) -> bool:
    """Runs that are not over, and those that lost their process: a server that starts after a
    crash finds them here."""
    return not run.is_over or (run.state == "interrupted" and api.step_kept(run) > 0)
