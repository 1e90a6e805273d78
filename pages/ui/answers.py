"""One text through several models, drawn as a table; and where two models disagree."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from core import api
from core.runs.store import Run
from pages.ui import loaded
from pages.ui.words import WHO, size


def table(text: str, models: Sequence[tuple[str, api.Source]]) -> None:
    """Answers of the models (name, source) to one text. Raises InputError for a bad text."""
    text = api.check_text(text)
    rows = []
    for name, source in models:
        answer = loaded.prediction(source, text)
        shares = dict(zip(answer.labels, answer.probabilities, strict=True))
        rows.append(
            {
                "model": name,
                "answer": answer.label,
                **shares,
                "margin": answer.margin,
                "ms": answer.milliseconds,
                "computed by": answer.computed_by,
                "size": size(loaded.model(source).size_bytes),
            }
        )
    share = st.column_config.ProgressColumn(format="%.3f", min_value=0.0, max_value=1.0)
    number = st.column_config.NumberColumn
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        column_config={
            **dict.fromkeys(
                rows[0].keys() - {"model", "answer", "margin", "ms", "computed by", "size"}, share
            ),
            "margin": number(format="%.3f", help="probability of the first less the second label"),
            "ms": number(format="%.1f", help="forward pass of this one text, when first asked"),
        },
    )
    labels = {row["answer"] for row in rows}
    if len(labels) > 1:
        st.info("The models disagree on this text.", icon=":material/call_split:")


def models_of(run: Run) -> list[tuple[str, api.Source]]:
    """Teacher, quantized without training, and trained student of a finished run."""
    experiment = run.experiment
    assert experiment is not None
    return [
        (WHO["teacher"], api.source_of_teacher(experiment.task, experiment.model)),
        (
            WHO["untrained"],
            api.source_of_teacher(experiment.task, experiment.model, experiment.quant),
        ),
        (WHO["student"], api.source_of_run(run)),
    ]


def same_task(one: Run, other: Run) -> bool:
    """Whether both runs answer the same question."""
    return bool(one.result and other.result and one.result.task == other.result.task)


def disagreements(run: Run) -> None:
    """Dev sentences that teacher and student answer differently. Raises InputError."""
    found = api.disagreements(run)
    only = st.segmented_control(
        "Show", ("all", "teacher right", "student right"), default="all", required=True
    )
    shown = [
        row
        for row in found
        if only == "all" or (row.teacher if only == "teacher right" else row.student) == row.truth
    ]
    st.markdown(
        f"**{len(found)} dev sentences** are answered differently by teacher and student; "
        f"{len(shown)} shown."
    )
    columns = ("text", "truth", "teacher", "untrained", "student")
    rows = [{name: getattr(row, name) for name in columns} for row in shown]
    st.dataframe(
        pd.DataFrame(rows, columns=list(columns)),
        hide_index=True,
        column_config={"text": st.column_config.TextColumn(width="large")},
    )
