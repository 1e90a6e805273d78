"""The challenge of a class: its entries by dev score; test only at the end."""

from collections.abc import Callable
from functools import partial

import pandas as pd
import streamlit as st

from core import api
from core.classroom import class_board
from core.classroom.administration import Classroom
from core.classroom.students import Student
from core.lessons import budget_challenge as rules
from core.lessons.catalogue import Words
from core.lessons.lesson import Lesson
from core.runs.run_store import Run
from pages.ui import state

LOOK_SECONDS = 3.0


def panel(classroom: Classroom, lesson: Lesson) -> None:
    """Who entered what, the best dev score first."""
    budget = st.number_input(
        "Budget (MiB)", rules.LEAST_MIB, rules.MOST_MIB, 5.5, 0.5, key="class-budget"
    )
    over = st.toggle(
        "It is over: show test", key="class-over", help="Nobody chooses by test before that."
    )
    _live(classroom, budget, over)


@st.fragment(run_every=LOOK_SECONDS)
def _live(classroom: Classroom, budget: float, over: bool) -> None:
    entered = state.attempt(class_board.entries, classroom.code)
    if entered is None:
        return
    runs = {run.run_id: run for run in api.runs() if run.result is not None}
    table = board(entered, runs, budget, over)
    waiting = sum(entry.run not in runs for entry in entered)
    st.markdown(f"**{len(entered):d}** entries, {waiting:d} of them not finished.")
    if len(table):
        number = st.column_config.NumberColumn(format="%.1f")
        columns = [name for name in table.columns if name not in ("who", "entry", "run")]
        st.dataframe(table, hide_index=True, column_config=dict.fromkeys(columns, number))


def board(
    entered: list[class_board.Entry], runs: dict[str, Run], budget: float, over: bool
) -> pd.DataFrame:
    """A row for each entry that is finished and fits the budget, best dev score first."""
    fit = {one.run_id: one for one in rules.entries(runs.values(), budget)}
    rows = []
    for entry in entered:
        found = fit.get(entry.run)
        if found is None:
            continue
        row = {
            "who": entry.nickname,
            "entry": found.title,
            "run": found.run_id,
            "MiB": found.size_bytes / rules.MIB,
            "dev (%)": 100 * found.dev,
            "standard error": 100 * found.error,
        }
        if over:
            seen = rules.unveil(runs[entry.run])
            row |= {"test (%)": 100 * seen.test, "its standard error": 100 * seen.error}
        rows.append(row)
    rows.sort(key=lambda row: (-row["dev (%)"], row["MiB"], row["who"]))
    return pd.DataFrame(rows)


def enter(me: Student, runs: dict[str, str], words: Words) -> None:
    """Where somebody of a class enters a run; `runs` are titles by run id."""
    pick(runs, words, words.challenge.enter, ":material/flag:", partial(_enter, me))
    st.caption(words.challenge.on_board)


def pick(
    runs: dict[str, str], words: Words, label: str, icon: str, act: Callable[[str], None]
) -> None:
    """Choose one of the runs, and a button that does something with its id."""
    chosen = st.selectbox(
        words.challenge.mine,
        list(runs),
        index=None,
        format_func=lambda one: runs[one],
        key="my-entry",
    )
    st.button(label, icon=icon, disabled=chosen is None, on_click=act, args=(chosen or "",))


def _enter(me: Student, run: str) -> None:
    with state.explained():
        class_board.enter(me, run)
