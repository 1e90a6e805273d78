"""The teacher's desk: how much room the runs take, and removing those that are over."""

import streamlit as st

from core import api
from core.runs.run_store import runs_folder
from pages.ui import run_choice, state
from pages.ui.formatting import size


def panel() -> None:
    """A closed box at the foot of the page; where there is a PIN, it is asked for first."""
    with st.expander("Room on this server, and old runs"):
        with state.explained():
            st.caption(_room(_used_bytes(str(runs_folder())), api.quota_bytes()))
        if state.may("remove"):
            _remove()
        else:
            unlock()


@st.cache_data(ttl=10, show_spinner=False)
def _used_bytes(folder: str) -> int:
    """What the runs in `folder` take, not counted again for each redraw."""
    return api.used_bytes()


def _room(used_bytes: int, quota_bytes: int | None) -> str:
    if quota_bytes is None:
        return f"All runs of this computer take {size(used_bytes)}. There is no limit."
    return (
        f"All runs of this computer take {size(used_bytes)} of {size(quota_bytes)}. When that is "
        "used up, the next start removes the oldest runs that are over; what ships stays."
    )


def unlock() -> None:
    """The form for the teacher's PIN."""
    with st.form("teacher"):
        given = st.text_input("The teacher's PIN", type="password")
        if st.form_submit_button("Unlock"):
            with state.explained():
                state.become_teacher(given)
                st.rerun()


def _remove() -> None:
    over = {run.run_id: run for run in api.runs() if run.is_over and not run.shipped}
    chosen = st.multiselect(
        "Runs that are over", list(over), format_func=lambda run_id: run_choice.title(over[run_id])
    )
    st.caption("Whoever needs one later can train it again: the same settings give the same run.")
    if st.button("Remove them for good", icon=":material/delete:", disabled=not chosen):
        with state.explained():
            state.remove(chosen)
            _used_bytes.clear()
            st.rerun()
