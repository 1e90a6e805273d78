"""Runs side by side: one table, and the score against the size."""

import math
from collections.abc import Sequence

import altair as alt
import pandas as pd

from core.results import Result
from core.runs.store import Run
from pages.ui.palette import ORANGE, Layered, ink, student_blue, top_legend
from pages.ui.words import WHO, metric_title


def runs_table(runs: Sequence[Run]) -> pd.DataFrame:
    """One row a model: every finished run, and once each teacher."""
    rows, teachers = [], set()
    for run in runs:
        if run.result is None or run.experiment is None:
            continue
        result, quant = run.result, run.experiment.quant
        rows.append(
            {
                "who": WHO["student"],
                "model": result.model,
                "method": quant.method,
                "bits": quant.label,
                "granularity": quant.weight_granularity,
                "steps": result.steps,
                "seed": run.experiment.seed,
                "score": 100 * result.score,
                "standard error": 100 * result.score_standard_error,
                "of teacher": _of_teacher(result, result.score),
                "MiB": result.size_bytes_packed / 2**20,
                "times smaller": result.compression,
                "seconds": result.train_seconds,
                "run": run.run_id,
            }
        )
        rows.append(_untrained_row(rows[-1], run))
        if result.model not in teachers:
            teachers.add(result.model)
            rows.append(_teacher_row(run))
    return pd.DataFrame(rows)


def _of_teacher(result: Result, score: float) -> float:
    """In per cent; NaN of a teacher that knows nothing (a correlation can be below zero)."""
    return 100 * result.of_teacher(score) if result.teacher_score > 0 else math.nan


def _untrained_row(student: dict, run: Run) -> dict:
    result = run.result
    assert result is not None
    return student | {
        "who": WHO["untrained"],
        "steps": 0,
        "score": 100 * result.untrained_score,
        "standard error": 100 * result.untrained_standard_error,
        "of teacher": _of_teacher(result, result.untrained_score),
        "seconds": 0.0,
    }


def _teacher_row(run: Run) -> dict:
    result = run.result
    assert result is not None
    return {
        "who": WHO["teacher"],
        "model": result.model,
        "method": "float32",
        "bits": "32-32-32",
        "granularity": "",
        "steps": 0,
        "seed": 0,
        "score": 100 * result.teacher_score,
        "standard error": 100 * result.teacher_standard_error,
        "of teacher": _of_teacher(result, result.teacher_score),
        "MiB": result.size_bytes_float32 / 2**20,
        "times smaller": 1.0,
        "seconds": 0.0,
        "run": run.run_id,
    }


def score_against_size(table: pd.DataFrame, metric: str, dark: bool) -> Layered:
    """Test score over size (log), one standard error to both sides; click a point for its run."""
    table = table.assign(
        low=table["score"] - table["standard error"], high=table["score"] + table["standard error"]
    )
    names = list(WHO.values())
    pick = alt.selection_point(name="picked", fields=["run"], on="click")
    x = alt.X("MiB:Q", scale=alt.Scale(type="log"), title="size (MiB, logarithmic)")
    colours = [ink(dark), ORANGE, student_blue(dark)]
    filled = [ink(dark), "transparent", student_blue(dark)]
    who = alt.Color("who:N", scale=alt.Scale(domain=names, range=colours), legend=top_legend())
    shape = alt.Shape(
        "who:N", scale=alt.Scale(domain=names, range=["square", "circle", "circle"]), legend=None
    )
    base = alt.Chart(table).encode(x=x, color=who)
    bars = base.mark_rule().encode(y=alt.Y("low:Q", scale=alt.Scale(zero=False)), y2="high:Q")
    points = base.mark_point(size=110, strokeWidth=2).encode(
        y=alt.Y("score:Q", title=f"test {metric_title(metric)}", scale=alt.Scale(zero=False)),
        shape=shape,
        fill=alt.Fill("who:N", scale=alt.Scale(domain=names, range=filled), legend=None),
        tooltip=[
            "who:N",
            "model:N",
            "method:N",
            "bits:N",
            "steps:Q",
            alt.Tooltip("score:Q", format=".1f"),
            alt.Tooltip("MiB:Q", format=".2f"),
        ],
    )
    return alt.layer(bars, points.add_params(pick)).properties(height=420)
