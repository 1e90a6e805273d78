"""A task's text that is not on this computer: a button that fetches it."""

import streamlit as st

from core import api
from pages.ui import cached
from pages.ui.formatting import plain


def is_here(task: str, key: str, why: str = "") -> bool:
    """Whether the text is here. Where it is not, say what it is wanted for (`why`) and offer a
    button; pressed, it fetches with a progress bar and draws the page again. `key` tells the
    buttons of a page apart. Raises InputError when it cannot be fetched."""
    if api.is_prepared(task):
        return True
    source = api.tasks()[task].source
    if why:
        st.caption(why)
    label = f"Fetch {source.size_bytes / 2**20:.1f} MiB from {plain(source.place)}"
    if st.button(label, icon=":material/download:", key=f"fetch-{key}"):
        cached.shown(api.prefetch(task))
        st.rerun()
    return False
