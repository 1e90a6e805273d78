"""The challenge for one person: a budget, the entries by dev score, one chosen and then tested."""

from functools import partial

import pandas as pd
import streamlit as st

from core import api
from core.classroom.students import Student
from core.lessons import budget_challenge as rules
from core.lessons.catalogue import Words
from core.runs.run_store import Run
from pages.ui import state, url_state
from pages.ui.classroom import board
from pages.ui.formatting import metric_name, percent, plain, scored

BUDGETS = (4.5, 5.5, 8.0, 12.0, 20.0)
ENTRY = "entry"  # in the address: the run that was chosen for good


def panel(words: Words, me: Student | None = None) -> None:
    """Ask for one entry; once it is locked, show its test score. Who is in a class enters runs on
    its board instead, and test is shown there, at the end."""
    st.markdown(words.challenge.rule)
    budget = st.segmented_control(
        words.challenge.budget,
        BUDGETS,
        required=True,
        **url_state.by_id("budget", BUDGETS, usual=5.5),
    )
    runs = {run.run_id: run for run in api.runs() if run.result is not None}
    found = rules.entries(runs.values(), budget or BUDGETS[1])
    locked = "" if me else url_state.note(ENTRY)
    if locked in runs:
        _unveiled(runs[locked], words)
        return
    if locked:
        st.warning(words.challenge.not_here.format(run=plain(locked)))
    if not found:
        st.info(words.challenge.none_fits)
    else:
        _choose(found, me, words)
    st.page_link("pages/train.py", label=words.challenge.train, icon=":material/school:")


def _choose(found: list[rules.Entry], me: Student | None, words: Words) -> None:
    _table(found, words)
    st.caption(
        words.challenge.level.format(
            runs=len(found),
            level=rules.level_with_first(found),
            teacher=percent(found[0].teacher_dev),
        )
    )
    titles = {  # with the id: many have the same title, and a browser sends back the words
        entry.run_id: f"{percent(entry.dev)} · {entry.title} · {entry.run_id}" for entry in found
    }
    if me is not None:
        board.enter(me, titles, words)
    else:
        lock = partial(url_state.write_note, ENTRY)
        board.pick(titles, words, words.challenge.lock, ":material/lock:", lock)


def _table(found: list[rules.Entry], words: Words) -> None:
    table = pd.DataFrame(
        [
            {
                "entry": entry.title,
                "run": entry.run_id,
                "size": entry.size_bytes / rules.MIB,
                "dev": 100 * entry.dev,
                "error": 100 * entry.error,
            }
            for entry in found
        ]
    )
    number = st.column_config.NumberColumn
    columns = {
        "entry": words.challenge.entry,
        "run": words.challenge.run,
        "size": number("MiB", format="%.1f"),
        "dev": number("dev (%)", format="%.1f"),
        "error": number(words.challenge.error, format="%.1f"),
    }
    st.dataframe(table, hide_index=True, height=260, column_config=columns)


def _unveiled(run: Run, words: Words) -> None:
    seen = state.attempt(rules.unveil, run)
    if seen is None:
        return
    st.markdown(
        f":material/lock: **{words.challenge.mine}:** {plain(run.title)}, "
        f"{words.challenge.run} {plain(run.run_id)}"
    )
    dev, test, teacher = st.columns(3)
    dev.metric(words.challenge.dev, scored(seen.metric, seen.dev))
    test.metric(words.challenge.test, scored(seen.metric, seen.test, seen.error))
    teacher.metric(words.challenge.teacher, scored(seen.metric, seen.teacher, seen.teacher_error))
    st.caption(words.challenge.luck.format(metric=metric_name(seen.metric).capitalize()))
    st.button(words.challenge.another, on_click=url_state.write_note, args=(ENTRY, ""))
