"""`sweep`: compute a grid of runs, or say what of it is done.

python -m core sweep ablation-methods --list
python -m core sweep my-grid.json --only lat --json
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from core import api
from core.errors import InputError, one_of
from core.lines import percent
from core.machine import check_precision
from core.runs.grids import Grid, Planned, find_grid, read_grid
from core.runs.run_store import Run
from core.runs.sweeps import known_runs, sweep
from core.serialization import to_plain


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What is said of one run; `remaining_seconds` is None where nothing is known or needed."""

    case: str
    seed: int
    run_id: str
    state: str
    score: float | None = None
    standard_error: float | None = None
    teacher: float | None = None
    steps: int
    seconds: float | None = None
    remaining_seconds: float | None = None
    message: str = ""


def add(commands) -> None:
    """Add the command to a parser's commands."""
    text = "compute a grid of runs; what is finished is not computed again"
    parser = commands.add_parser("sweep", help=text, description=text)
    parser.set_defaults(command=sweep_grid)
    parser.add_argument("file", help="a JSON file, or the name of a shipped grid")
    parser.add_argument("--list", action="store_true", help="only say what is done and what not")
    parser.add_argument("--only", action="append", metavar="CASE", help="this case; repeatable")
    parser.add_argument("--json", action="store_true", help="print one run per line as JSON")


def sweep_grid(parsed: argparse.Namespace) -> int:
    """Compute or list; the exit code is 1 when a run did not finish. Raises InputError before
    the first run starts when any of them is wrong."""
    grid = read_grid(find_grid(parsed.file))
    planned = _chosen(grid, parsed.only)
    show = _print_json if parsed.json else _print_line
    if parsed.list:
        known = known_runs()
        for one in planned:
            show(line_of(one, known.get(one.experiment.run_id)))
        return 0
    _check(planned)
    return _compute(planned, show)


def _chosen(grid: Grid, only: Sequence[str] | None) -> list[Planned]:
    for case in only or ():
        one_of("Case", case, grid.cases)
    return [one for one in grid.runs if not only or one.case in only]


def _check(planned: Sequence[Planned]) -> None:
    for one in planned:
        try:
            api.check(one.experiment)
            check_precision(one.experiment.train.precision)
        except InputError as error:
            raise InputError(f"Case {one.case!r}: {error}") from error


def _compute(planned: Sequence[Planned], show) -> int:
    failed: list[Line] = []
    left = {one.experiment.run_id: one.experiment.train.steps for one in planned}
    rates: list[float] = []  # seconds a step of everything that was done, scoring included
    sweeping = sweep(planned)
    try:
        for one, run in sweeping:
            steps = left.pop(one.experiment.run_id)
            if run.result:
                rates.append(run.result.total_seconds / steps)
            remaining = sum(left.values()) * sum(rates) / len(rates) if rates else None
            line = line_of(one, run, remaining)
            show(line)
            failed += [line] if run.state != "finished" else []
    finally:
        sweeping.close()  # type: ignore[attr-defined]
    for line in failed:
        print(f"error: {line.case}, seed {line.seed}: {line.message}", file=sys.stderr)
    return 1 if failed else 0


def line_of(one: Planned, run: Run | None, remaining: float | None = None) -> Line:
    """What is said of a run; None is one that nobody asked for yet."""
    result = run.result if run else None
    state = run.state if run else "open"
    message = run.message if run else ""
    if run is not None and run.is_over and result is None:
        message = message or f"The run is {state}. Sweep again to compute it."
    return Line(
        case=one.case,
        seed=one.experiment.seed,
        run_id=one.experiment.run_id,
        state=state,
        score=result.score if result else None,
        standard_error=result.score_standard_error if result else None,
        teacher=result.teacher_score if result else None,
        steps=one.experiment.train.steps,
        seconds=result.total_seconds if result else None,
        remaining_seconds=remaining,
        message=message,
    )


def _print_json(line: Line) -> None:
    print(json.dumps(to_plain(line)), flush=True)


def _print_line(line: Line) -> None:
    outcome = line.state
    if line.score is not None and line.teacher is not None:
        outcome = (
            f"{percent(line.score)} ± {percent(line.standard_error or 0)}  "
            f"teacher {percent(line.teacher)}"
        )
    took = f"  {line.seconds:.0f} s" if line.seconds is not None else ""
    left = f"  {line.remaining_seconds / 60:.0f} min left" if line.remaining_seconds else ""
    print(
        f"{line.run_id}  {line.case}, seed {line.seed}  {outcome}  {line.steps} steps{took}{left}",
        flush=True,
    )
