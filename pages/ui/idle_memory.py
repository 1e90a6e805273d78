"""A server that gives back what its visitors no longer need.

What a session leaves behind is freed in small pieces, which glibc keeps for the next one; after a
class has gone that is a few hundred megabytes. So one thread of the server tidies once a minute.
After the last session closes, caches that are large and cheap to rebuild are cleared.
"""

import threading
import time
from collections.abc import Callable

import streamlit as st
from streamlit.runtime import get_instance
from streamlit.runtime.scriptrunner import get_script_run_ctx

from core import api
from pages.ui import cached

TIDY_SECONDS = 60.0


@st.cache_resource
def _visitors() -> set[str]:
    """The sessions that came since the last tidying, and those that were here then."""
    return set()


def arrive() -> None:
    """Note the session that draws this page."""
    if context := get_script_run_ctx():
        _visitors().add(context.session_id)


@st.cache_resource
def start() -> threading.Thread:
    """Have the thread run, once per server."""
    visitors, is_here = _visitors(), get_instance().is_active_session
    thread = threading.Thread(target=_tidy, args=(visitors, is_here), name="tidy", daemon=True)
    thread.start()
    return thread


def _tidy(visitors: set[str], is_here: Callable[[str], bool]) -> None:
    while True:
        time.sleep(TIDY_SECONDS)
        tidy(visitors, is_here)


def tidy(visitors: set[str], is_here: Callable[[str], bool]) -> None:
    """Tidy once, if there were visitors; when the last of them has gone, let go."""
    if not visitors:
        return
    visitors -= {visitor for visitor in tuple(visitors) if not is_here(visitor)}
    if not visitors:
        cached.let_go()
    api.tidy_memory()
