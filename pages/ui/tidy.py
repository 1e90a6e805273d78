"""A server that gives back what its visitors no longer need.

What a session leaves behind is freed in small pieces, which glibc keeps for the next one; after a
class has gone that is a few hundred megabytes. And what has come since the last tidying is looked
through for garbage after every redraw of every visitor. So one thread of the server tidies now and
then. When the last visitor has gone, what is large and quick to have again is let go.
"""

import threading
import time
import weakref

import streamlit as st

from core import api
from pages.ui import loaded

EVERY_SECONDS = 30.0


class _Visit:
    """Lives in the state of a session, so it goes when Streamlit forgets the session."""


@st.cache_resource
def _visits() -> "weakref.WeakSet[_Visit]":
    return weakref.WeakSet()


def arrive() -> None:
    """Count the session that draws this page."""
    if "visit" not in st.session_state:
        st.session_state["visit"] = visit = _Visit()
        _visits().add(visit)


@st.cache_resource
def start() -> threading.Thread:
    """Have the thread run, once per server."""
    thread = threading.Thread(target=_tidy, args=(_visits(),), name="tidy", daemon=True)
    thread.start()
    return thread


def _tidy(visits: "weakref.WeakSet[_Visit]") -> None:
    somebody_was_here = False
    while True:
        time.sleep(EVERY_SECONDS)
        somebody_was_here = tidy(visits, somebody_was_here)


def tidy(visits: "weakref.WeakSet[_Visit]", somebody_was_here: bool) -> bool:
    """Tidy once, if somebody is or was here since; whether somebody still is."""
    if visits or somebody_was_here:
        api.tidy_memory()  # a session that is over goes with the garbage
        if not visits:
            loaded.let_go()
            api.tidy_memory()
    return bool(visits)
