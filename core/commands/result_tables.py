"""The tables of docs/results.md, each made from what ships or from what a bench printed.

    teachers      the shipped teachers, from their cards
    students      the shipped runs that keep their student, from their results
    grid NAME     the cases of a grid over its seeds, as the Compare page shows them
    bench NAME    docs/bench/NAME.json: the JSON of a bench, with its command and its date

Only what ships is read, never this computer's own runs, so everybody gets the same tables. Scores
are shares x 100 on test, ± one standard error.
"""

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from core import api
from core.api.comparisons import GridRow
from core.errors import InputError, one_of, shown
from core.paths import read_text_up_to, shipped
from core.results import Machine, Result, Score
from core.runs.folder import read_folder
from core.runs.grids import find_grid, read_grid
from core.runs.run_store import Run
from core.runs.runner import PROJECT
from core.serialization import from_plain
from core.teacher_folders import read_card

MOST_BYTES = 2**20
NOT_COMPUTED = "No run of this grid ships yet."


def table(name: str) -> str:
    """The Markdown of the table of that name. Raises InputError when there is none."""
    kind, _, rest = name.partition(" ")
    makers: dict[str, Callable[[str], str]] = {
        "teachers": lambda _: teachers(),
        "students": lambda _: students(),
        "grid": grid,
        "bench": bench,
    }
    one_of("Table", kind, makers)
    return makers[kind](rest)


def teachers() -> str:
    """The shipped teachers."""
    paths = sorted((shipped() / "teachers").glob("*/teacher.json"))
    rows = [
        (
            card.task,
            card.model,
            f"{card.train.steps:,}",
            card.test.metric,
            _score(card.dev),
            _score(card.test),
            f"{card.test.examples:,}",
            f"{card.train_seconds:.0f}",
        )
        for card in map(read_card, paths)
    ]
    head = ("task", "model", "steps", "metric", "dev", "test", "test examples", "seconds")
    return markdown(head, rows)


def students() -> str:
    """The shipped students, teacher and untrained student beside."""
    head = ("run", "task", "model", "recipe", "metric", "teacher", "quantized, not trained")
    head += ("student", "dev", "float32", "packed", "times smaller")
    runs = [run for run in _shipped_runs().values() if run.keeps_student]
    rows = [_student(run, run.result) for run in runs if run.result]
    return markdown(head, sorted(rows, key=lambda row: row[1:]))


def _student(run: Run, result: Result) -> tuple[str, ...]:
    assert run.experiment is not None
    quant = run.experiment.quant
    return (
        f"`{run.run_id}`",
        result.task,
        result.model,
        f"{quant.method} {quant.label} {quant.weight_granularity}, {result.steps:,} steps",
        result.metric,
        _points(result.teacher_score, result.teacher_standard_error),
        _points(result.untrained_score, result.untrained_standard_error),
        _points(result.score, result.score_standard_error),
        _points(result.dev_score),
        f"{result.size_bytes_float32:,}",
        f"{result.size_bytes_packed:,}",
        f"{result.compression:.2f}",
    )


def grid(name: str) -> str:
    """The cases of a shipped grid, each against its reference and its teacher."""
    rows = api.grid_rows(read_grid(find_grid(name)), _shipped_runs())
    head = ("case", "seeds", "dev", "test", "difference [95 %]", "teacher", "over teacher [95 %]")
    computed = [_case(row) for row in rows if row.result.runs]
    return markdown((*head, "bytes"), computed) if computed else NOT_COMPUTED


def _case(row: GridRow) -> tuple[str, ...]:
    results = [run.result for run in row.result.runs if run.result]
    first, count = results[0], len(results)
    error, star = row.result.standard_error, ""
    if error is None:
        error, star = first.score_standard_error, " *"
    return (
        row.result.case,
        str(count),
        _points(math.fsum(result.dev_score for result in results) / count),
        _points(row.result.mean, error) + star,
        "reference" if row.is_reference else _difference(row.difference) or row.why,
        _points(first.teacher_score),
        _difference(row.over_teacher),
        f"{sum(result.size_bytes_packed for result in results) / count:,.0f}",
    )


def _difference(found: api.SeedDifference | None) -> str:
    """In bold where its interval leaves out zero; a star where it rests on one seed."""
    if found is None:
        return ""
    low, high = f"{100 * found.low:+.1f}", f"{100 * found.high:+.1f}"
    text = f"{100 * found.difference:+.1f} [{low}, {high}]"
    star = " *" if found.seeds == 1 else ""
    return (f"**{text}**" if found.is_shown else text) + star


def _shipped_runs() -> dict[str, Run]:
    folders = sorted((shipped() / "runs").iterdir())
    return {run.run_id: run for run in map(read_folder, folders)}


def bench(name: str) -> str:
    """What a bench measured, under its command, date and machine."""
    path = PROJECT / "docs" / "bench" / f"{name}.json"
    plain = _bench(path)
    rows, machine = plain["rows"], plain["machine"]
    if isinstance(machine, dict):
        found = from_plain(Machine, machine)
        machine = f"{found.processor}, {found.cores} cores, torch {found.torch}"
    told = f"`{plain['command']}`, {plain['date']}, {machine}. {plain.get('note', '')}".strip()
    columns = {head: _cells([row[head] for row in rows]) for head in rows[0]}
    body = list(zip(*columns.values(), strict=True))
    return "\n\n".join([told, markdown(tuple(columns), body)])


def _bench(path: Path) -> dict[str, Any]:
    try:
        plain = json.loads(read_text_up_to(path, MOST_BYTES))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"The bench {path.name} cannot be read: {error}.") from error
    for name, kind in (("command", str), ("date", str), ("machine", str | dict), ("rows", list)):
        if not isinstance(plain, dict) or not isinstance(plain.get(name), kind):
            raise InputError(f"The bench {path.name} needs {name!r}: what ran, when, where, rows.")
    rows = plain["rows"]
    if not rows or not all(isinstance(row, dict) and [*row] == [*rows[0]] for row in rows):
        raise InputError(f"The rows of the bench {path.name} do not all have the same names.")
    return plain


def _cells(values: Sequence[object]) -> list[str]:
    """The values of a column; its numbers with as many decimals as the longest of them has."""
    decimals = [len(repr(v).partition(".")[2]) for v in values if isinstance(v, float)]
    return [_cell(value, max(decimals, default=0)) for value in values]


def _cell(value: object, decimals: int) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: ""}[value]
    if isinstance(value, int | float):
        return f"{value:,.{decimals}f}"
    if isinstance(value, str):
        return value
    raise InputError(f"A cell of a bench's rows is a number or a text, not {shown(value)}.")


def _score(score: Score) -> str:
    return _points(score.value, score.standard_error)


def _points(value: float, error: float | None = None) -> str:
    return f"{100 * value:.1f}" + ("" if error is None else f" ± {100 * error:.1f}")


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; a bar inside a cell would end it, so it is escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines
    )
