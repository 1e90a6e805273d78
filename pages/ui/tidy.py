"""A server that gives back what its visitors no longer need.

What a session leaves behind is freed in small pieces, which glibc keeps for the next one; after a
class has gone that is a few hundred megabytes. So one thread of the server hands free memory back
to the system now and then, which takes milliseconds.
"""

import threading
import time

import streamlit as st

from core import api

EVERY_SECONDS = 20.0


@st.cache_resource
def start() -> threading.Thread:
    """Have the thread run, once per server."""
    thread = threading.Thread(target=_tidy, name="tidy", daemon=True)
    thread.start()
    return thread


def _tidy() -> None:
    while True:
        time.sleep(EVERY_SECONDS)
        api.give_back_memory(collect=False)
