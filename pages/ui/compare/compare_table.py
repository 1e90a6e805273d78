"""Runs as rows: every finished run, its model before training, and each teacher once.

A recipe is an experiment without its seed. Several seeds of one recipe are one point with the
mean score; its error bar is then the standard error over the seeds, else that of the test sample.
"""

import functools
import math
import statistics
from collections.abc import Sequence
from typing import Any

import pandas as pd

from core import api
from core.experiment import Experiment
from core.options import changed
from core.results import Result
from core.runs.run_store import Run
from pages.ui.formatting import WHO, shortened

TEACHER, UNTRAINED, STUDENT = WHO["teacher"], WHO["untrained"], WHO["student"]
# Columns of the table that have a column of their own; all other options share one.
OWN = (
    *("task", "model", "method", "weight_bits", "embedding_bits", "activation_bits", "steps"),
    *("weight_granularity", "seed"),
)
TRAINING = ("steps", "other settings", "seed")
FILTERS = ("model", "method", "bits", "granularity", "steps", "other settings", "seed")
MEANS = ("score", "of teacher", "agrees with teacher", "MiB", "times smaller", "seconds")
CLOSE_POINTS = 5.0
Row = dict[str, Any]  # by column
ADDED = ("low", "high", "seeds", "bar", "front")


def runs_table(runs: Sequence[Run]) -> pd.DataFrame:
    """One row a model: every finished run, then once each quantization without training and each
    teacher."""
    rows: list[Row] = []
    others: dict[str, Row] = {}
    telling = _telling([run.experiment for run in runs if run.experiment])
    for run in runs:
        if run.result is None or run.experiment is None:
            continue
        rows.append(_student_row(run, run.experiment, run.result, telling))
        untrained = f"{run.result.model} {run.experiment.quant}"
        if untrained not in others:
            others[untrained] = _untrained_row(rows[-1], run, run.result, untrained)
        if run.result.model not in others:
            others[run.result.model] = _teacher_row(run, run.result)
    rows += sorted(others.values(), key=lambda row: row["who"] == TEACHER)
    return pd.DataFrame(rows)


def _telling(experiments: Sequence[Experiment]) -> set[str]:
    """Names of the options, beyond those with a column, in which these experiments differ."""
    settings = [_settings(experiment) for experiment in experiments]
    names = {name for each in settings for name in each} - set(OWN)
    return {name for name in names if len({each.get(name) for each in settings}) > 1}


def _student_row(run: Run, experiment: Experiment, result: Result, telling: set[str]) -> Row:
    quant, settings = experiment.quant, _settings(experiment)
    others = [
        f"{name.replace('_', ' ')} {shortened(settings[name])}"
        for name in settings
        if name in telling
    ]
    return {
        "who": STUDENT,
        "model": result.model,
        "method": quant.method,
        "bits": quant.label,
        "granularity": quant.weight_granularity,
        "steps": result.steps,
        "other settings": ", ".join(others),
        "seed": experiment.seed,
        "score": 100 * result.score,
        "standard error": 100 * result.score_standard_error,
        "of teacher": _of_teacher(result, result.score),
        "agrees with teacher": _per_cent(api.agreement(run)),
        "MiB": result.size_bytes_packed / 2**20,
        "times smaller": result.compression,
        "seconds": result.train_seconds,
        "point": _recipe(experiment),
        "run": run.run_id,
    }


@functools.lru_cache(maxsize=4000)
def _settings(experiment: Experiment) -> dict[str, str]:
    return changed(experiment)


def _recipe(experiment: Experiment) -> str:
    """The same for all seeds of a recipe."""
    texts = _settings(experiment)
    return " ".join(f"{name}={texts[name]}" for name in sorted(texts) if name != "seed")


def recipe_of(run: Run) -> str:
    """The same for all seeds of a run's recipe."""
    return _recipe(run.experiment) if run.experiment else run.run_id


def _per_cent(share: float | None) -> float:
    return math.nan if share is None else 100 * share


def _of_teacher(result: Result, score: float) -> float:
    """In per cent; NaN of a teacher that knows nothing (a correlation can be below zero)."""
    return 100 * result.of_teacher(score) if result.teacher_score > 0 else math.nan


def _untrained_row(student: Row, run: Run, result: Result, point: str) -> Row:
    """Training settings do not matter to it, so all runs of one quantization share it."""
    return student | {
        "who": UNTRAINED,
        "steps": 0,
        "other settings": "",
        "score": 100 * result.untrained_score,
        "standard error": 100 * result.untrained_standard_error,
        "of teacher": _of_teacher(result, result.untrained_score),
        "agrees with teacher": _per_cent(api.agreement(run, "untrained")),
        "seconds": 0.0,
        "point": point,
    }


def _teacher_row(run: Run, result: Result) -> Row:
    return {
        "who": TEACHER,
        "model": result.model,
        "method": "float32",
        "bits": "32-32-32",
        "granularity": "",
        "steps": 0,
        "other settings": "",
        "seed": 0,
        "score": 100 * result.teacher_score,
        "standard error": 100 * result.teacher_standard_error,
        "of teacher": _of_teacher(result, result.teacher_score),
        "agrees with teacher": 100.0,
        "MiB": result.size_bytes_float32 / 2**20,
        "times smaller": 1.0,
        "seconds": 0.0,
        "point": result.model,
        "run": run.run_id,
    }


def points(table: pd.DataFrame) -> pd.DataFrame:
    """One row a point: the mean over the seeds, `low` and `high` one standard error away, `seeds`,
    `bar` (what the error bar is of), and whether it lies on the `front`. `run` is that of its first
    row."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in table.to_dict("records"):
        named: Row = {str(name): value for name, value in row.items()}
        groups.setdefault((named["who"], named["point"]), []).append(named)
    found = [_point(rows) for rows in groups.values()]
    best = front([(row["MiB"], row["score"]) for row in found if row["who"] != UNTRAINED])
    for row in found:
        row["front"] = row["who"] != UNTRAINED and (row["MiB"], row["score"]) in best
    return pd.DataFrame(found, columns=[*table.columns, *ADDED])


def close_up(found: pd.DataFrame, points: float = CLOSE_POINTS) -> pd.DataFrame:
    """The trained students within so many points of the best of them, and what of the rest lies
    between their sizes and scores: where most recipes stand on each other."""
    students = found.loc[found["who"] == STUDENT]
    near = students.loc[students["score"] >= students["score"].max() - points]
    low, high = near["score"].min(), near["score"].max()
    inside = found["score"].between(low, high)
    inside &= found["MiB"].between(near["MiB"].min(), near["MiB"].max())
    return found.loc[inside]


def settings_of(text: str) -> dict[str, str]:
    """The column "other settings" of a row as names and values."""
    return dict(part.rsplit(" ", 1) for part in text.split(", ") if part)


def _point(rows: list[Row]) -> Row:
    """Rows of one recipe as one."""
    seeds = len(rows)
    means = {name: statistics.fmean(row[name] for row in rows) for name in MEANS}
    error = rows[0]["standard error"]
    if seeds > 1:
        error = statistics.stdev(row["score"] for row in rows) / math.sqrt(seeds)
    return {
        **rows[0],
        **means,
        "standard error": error,
        "low": means["score"] - error,
        "high": means["score"] + error,
        "seeds": seeds,
        "bar": "seeds" if seeds > 1 else "test sample",
    }


def front(found: Sequence[tuple[float, float]]) -> set[tuple[float, float]]:
    """Of (size, score) those that nothing smaller or as small beats: the Pareto front."""
    best, kept = -math.inf, set()
    for size, score in sorted(found, key=lambda one: (one[0], -one[1])):
        if score > best:
            best = score
            kept.add((size, score))
    return kept
