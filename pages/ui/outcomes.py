"""What came out: of a run, of making a teacher, and every metric on every split."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from core.results import Measured, Result, TeacherCard
from core.runs.store import Run
from pages.ui.words import WHO, duration, metric_name, metric_title, percent, plain, scored, size


def of_run(run: Run) -> None:
    """The outcome of a finished run; nothing for others."""
    if run.result:
        outcome(run.result)
    if run.card:
        taught(run.card)


def outcome(result: Result) -> None:
    """The result of a run as four figures and one sentence."""
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
    )
    share = ""
    if result.teacher_score > 0:  # of nothing, or of less than nothing, there is no share
        share = f"; {percent(result.of_teacher(result.score))} of the teacher's"
    st.caption(
        f"{metric_name(result.metric).capitalize()} on {result.test_examples:,} "
        f"test examples that nothing was selected on{share}. {duration(result.train_seconds)} of "
        f"training on {result.machine.threads} thread(s) ({plain(result.machine.processor)}). "
        "Float32 size means 4 bytes a weight."
    )
    scores_table(result.scores)


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
        f"{how}. {card.test.examples:,} test examples that nothing was selected on. Now a student "
        f"can learn from it: choose {plain(card.task)} and {plain(card.model)} in the form."
    )
    scores_table(card.scores)
