"""A server that gives back what its visitors no longer need.

What a session leaves behind is freed in small pieces, which glibc keeps for the next one; after a
class has gone that is a few hundred megabytes. So one thread of the server hands free memory back
to the system now and then, which takes milliseconds. And when the last visitor has gone, what is
large and quick to have again is let go; models stay, so that the next one need not wait.
"""

import gc
import threading
import time
import weakref

import streamlit as st

from core import api
from pages.ui import loaded

EVERY_SECONDS = 20.0


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
    """Tidy once; whether somebody is here. The last visitor may just have left."""
    if somebody_was_here:
        gc.collect()  # Streamlit's sessions go with the garbage, and nobody draws to collect it
        if not visits:
            loaded.let_go()
    api.give_back_memory(collect=False)
    return bool(visits)
