"""The challenge for one person: a budget, the entries by dev score, one chosen and then tested."""

import pandas as pd
import streamlit as st

from core import api
from core.classroom.students import Student
from core.lessons import challenge as rules
from core.runs.store import Run
from pages.ui import address, state
from pages.ui.classroom import board
from pages.ui.words import metric_name, percent, plain, scored

BUDGETS = (4.5, 5.5, 8.0, 12.0, 20.0)
ENTRY = "entry"  # in the address: the run that was chosen for good


def panel(me: Student | None = None) -> None:
    """Ask for one entry; once it is locked, show its test score. Who is in a class enters runs on
    its board instead, and test is shown there, at the end."""
    st.markdown(
        "**The best score within a budget of bytes wins.** An entry is a real run: one that ships, "
        "or one that you train. Choose by dev; test is shown once, at the end."
    )
    budget = st.segmented_control(
        "Budget (MiB)", BUDGETS, required=True, **address.by_id("budget", BUDGETS, usual=5.5)
    )
    runs = {run.run_id: run for run in api.runs() if run.result is not None}
    found = rules.entries(runs.values(), budget or BUDGETS[1])
    locked = "" if me else address.note(ENTRY)
    if locked in runs:
        _unveiled(runs[locked])
        return
    if locked:
        st.warning(f"The address names an entry {plain(locked)} that is not here. Choose another.")
    if not found:
        st.info("No run fits this budget yet. Take a larger one, or train one that does.")
    else:
        _choose(found, me)
    st.page_link("pages/train.py", label="Train an entry of your own", icon=":material/school:")


def _choose(found: list[rules.Entry], me: Student | None) -> None:
    table = pd.DataFrame(
        [
            {
                "entry": entry.title,
                "run": entry.run_id,
                "MiB": entry.size_bytes / rules.MIB,
                "dev (%)": 100 * entry.dev,
                "standard error": 100 * entry.error,
            }
            for entry in found
        ]
    )
    number = st.column_config.NumberColumn(format="%.1f")
    columns = {"MiB": number, "dev (%)": number, "standard error": number}
    st.dataframe(table, hide_index=True, height=260, column_config=columns)
    level = rules.level_with_first(found)
    st.caption(
        f"{len(found):d} runs fit. {level:d} of them lie within one standard error of the first: "
        "dev alone cannot tell these apart. The teacher has "
        f"{percent(found[0].teacher_dev)} on dev."
    )
    titles = {  # with the id: many have the same title, and a browser sends back the words
        entry.run_id: f"{percent(entry.dev)} · {entry.title} · {entry.run_id}" for entry in found
    }
    if me is not None:
        board.enter(me, titles)
        return
    chosen = st.selectbox(
        "My entry", list(titles), index=None, format_func=lambda one: titles[one], key="my-entry"
    )
    st.button(
        "Lock my entry and test it",
        icon=":material/lock:",
        disabled=chosen is None,
        on_click=address.write_note,
        args=(ENTRY, chosen or ""),
    )


def _unveiled(run: Run) -> None:
    seen = state.attempt(rules.unveil, run)
    if seen is None:
        return
    st.markdown(f":material/lock: **My entry:** {plain(run.title)}, run {plain(run.run_id)}")
    dev, test, teacher = st.columns(3)
    dev.metric("Dev", scored(seen.metric, seen.dev))
    test.metric("Test", scored(seen.metric, seen.test, seen.error))
    teacher.metric("Teacher on test", scored(seen.metric, seen.teacher, seen.teacher_error))
    st.caption(
        f"{metric_name(seen.metric).capitalize()}, with one standard error. Whoever chooses the "
        "best of many dev scores chooses luck too: on test an entry tends to fall back."
    )
    st.button("Enter another run", on_click=address.write_note, args=(ENTRY, ""))
