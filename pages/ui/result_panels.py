"""What came out: of a run, of making a teacher, and every metric on every split."""

from collections.abc import Callable, Sequence

import pandas as pd
import streamlit as st

from core import api
from core.errors import InputError
from core.results import Machine, Measured, Result, TeacherCard
from core.runs.run_store import Run
from core.sheets import of_runs
from pages.ui import cached, state
from pages.ui.formatting import WHO, duration, metric_name, metric_title, plain, scored, size
from pages.ui.glossary import TERMS


def of_run(run: Run) -> None:
    """The outcome of a finished run; nothing for others."""
    if run.result:
        outcome(run, run.result)
    if run.card:
        taught(run.card)


def outcome(run: Run, result: Result) -> None:
    """The result of a run as four figures and a few sentences."""
    columns = st.columns(4)
    figures = (
        (WHO["teacher"], result.teacher_score, result.teacher_standard_error),
        (WHO["untrained"], result.untrained_score, result.untrained_standard_error),
        (WHO["student"], result.score, result.score_standard_error),
    )
    for column, (who, value, error) in zip(columns, figures, strict=False):
        help_text = f"± {scored(result.metric, error)} standard error"
        column.metric(who.capitalize(), scored(result.metric, value), help=help_text)
    columns[3].metric(
        "Packed file",
        size(result.size_bytes_packed),
        f"{result.compression:.1f}x smaller than float32",
        delta_color="off",
        delta_arrow="off",
        help=TERMS["packed"],
    )
    st.markdown(against_teacher(run))
    st.caption(
        f"{metric_name(result.metric).capitalize()} on {result.test_examples:,} "
        f"test examples that nothing was selected on. {duration(result.train_seconds)} of "
        f"training on {_threads(result.machine)} ({plain(result.machine.processor)}"
        f"{_program(result.machine)}). Float32 size means 4 bytes a weight."
    )
    scores_table(result.scores)
    as_text = against_teacher(run, bold="", shown=str)
    address = state.server_address()  # not known any more where the file is made
    st.download_button(
        "Download this run as a sheet",
        lambda: of_runs.of_run(
            run, api.events(run), as_text, address, api.note_on_events(run)
        ).encode(),
        file_name=f"ternary-lab-{run.run_id}.html",
        mime="text/html",
        icon=":material/download:",
        help="One file with curves, scores and settings; it needs no network.",
    )


def _threads(machine: Machine) -> str:
    """The number of threads, or all numbers where a training had to change it."""
    if machine.thread_counts:
        return f"{' and '.join(map(str, machine.thread_counts))} threads in turn"
    return f"{machine.threads} thread(s)"


def _program(machine: Machine) -> str:
    """Which version of this program it was, where the record says so."""
    return f", Ternary Lab {plain(machine.ternary_lab)}" if machine.ternary_lab else ""


def against_teacher(run: Run, bold: str = "**", shown: Callable[[str], str] = plain) -> str:
    """The student against its teacher on the same test examples, with the interval, in words: as
    Markdown, or with `bold` and `shown` as text."""
    try:
        found = cached.comparison(run, "teacher", run)
    except InputError as error:
        return f"Whether the student differs from its teacher cannot be told: {shown(str(error))}"
    low, high = 100 * found.low, 100 * found.high
    verdict = {
        "second": "the student is better than its teacher",
        "first": "the student is worse than its teacher",
    }.get(found.better, "no difference shown")
    return (
        f"Student minus teacher on the same examples: {100 * found.difference:+.1f} points "
        f"(95 %: {low:+.1f} to {high:+.1f}; {p_of(found)}): {bold}{verdict}{bold}"
        f"{_by_p_alone(found)}. This is one seed; another one gives another student."
    )


def _by_p_alone(found: api.Comparison) -> str:
    """What is said where the interval and p fall on two sides of the line: p decides."""
    leaves_out_zero = found.low > 0 or found.high < 0
    if leaves_out_zero == bool(found.better):
        return ""
    if found.better:
        return " (p decides; the interval just holds zero)"
    return " (p decides, and is not below 0.05; the interval just leaves out zero)"


def p_of(found: api.Comparison) -> str:
    """ "p = 0.056 by McNemar's exact test"."""
    p = "p < 0.001" if found.p < 0.001 else f"p = {found.p:.3f}"
    return f"{p} by {found.test}"


def scores_table(scores: Sequence[Measured]) -> None:
    """Every metric on every split, where there is more than one of either."""
    if len({(each.split, each.score.metric) for each in scores}) <= 2:
        return
    rows = [
        {
            "model": WHO[each.who],
            "split": each.split,
            "metric": metric_title(each.score.metric),
            "score": 100 * each.score.value,
            "standard error": 100 * each.score.standard_error,
            "examples": each.score.examples,
        }
        for each in scores
    ]
    number = st.column_config.NumberColumn(format="%.1f")
    with st.expander("Every metric on every split"):
        st.dataframe(
            pd.DataFrame(rows),
            hide_index=True,
            column_config={"score": number, "standard error": number},
        )


def taught(card: TeacherCard) -> None:
    """What came of making a teacher."""
    dev, test, size_column = st.columns(3)
    for column, name, score in ((dev, "Dev", card.dev), (test, "Test", card.test)):
        title = f"{name}: {metric_name(score.metric)}"
        column.metric(title, scored(score.metric, score.value, score.standard_error))
    size_column.metric("Size in float32", size(4 * card.parameters))
    how = "Fine-tuned here" if card.fine_tuned else "Fine-tuned elsewhere, taken as it is"
    st.caption(
        f"{how}{_program(card.machine)}. {card.test.examples:,} test examples that nothing was "
        f"selected on. Now a student can learn from it: choose {plain(card.task)} and "
        f"{plain(card.model)} in the form."
    )
    scores_table(card.scores)
