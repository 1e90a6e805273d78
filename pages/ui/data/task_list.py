"""The tasks that there are: one table, and a look inside one of them."""

import pandas as pd
import streamlit as st

from core import api
from pages.ui import cached, fetch_button, state, url_state
from pages.ui.formatting import KINDS, METRICS, plain


def table() -> None:
    """Every task with what is learned, how it is scored, and what must be downloaded."""
    tasks = list(api.tasks().values())
    here = {task.name: not task.source.size_bytes or api.is_prepared(task.name) for task in tasks}
    rows = [
        {
            "task": task.name,
            "learns": f"{len(task.labels)} classes" if task.labels else KINDS[task.kind],
            "scored by": METRICS[task.metric],
            "MiB to fetch": 0.0 if here[task.name] else task.source.size_bytes / 2**20,
            "here": here[task.name],
            "question": task.description,
            "from": task.source.place,
        }
        for task in tasks
    ]
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        column_config={"MiB to fetch": st.column_config.NumberColumn(format="%.1f")},
    )


def look_inside() -> None:
    """Some examples of a task, or a button that fetches them."""
    name = st.selectbox("Task", list(api.tasks()), **url_state.bound("task"))
    task = api.tasks()[name]
    st.caption(f"**{plain(task.title)}.** {plain(task.description)} {plain(task.citation)}")
    with state.explained():
        if not task.source.size_bytes and not api.is_prepared(name):  # nothing to be asked for
            cached.shown(api.prefetch(name))
        if not fetch_button.is_here(name, "task"):
            return
        st.dataframe(pd.DataFrame(api.examples(name)), hide_index=True)
        st.caption(
            "The first examples of dev, on which every choice is made; test is only reported."
        )
