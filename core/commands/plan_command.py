"""`plan`: which matrix gets how many bits, so that the packed file fits a budget.

What each matrix does is predicted from the importance of its weights, or measured by quantizing it
alone; the choice itself is exact, and so is the size of the file.
"""

import argparse
import json
import shlex
from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING

from core import api
from core.errors import InputError, within
from core.events import Preparing
from core.options import changed
from core.packed.choices import FLOAT32, LAYOUTS, LEFTOVERS, TWO_BIT
from core.recipes.matrix_bits import exceptions

if TYPE_CHECKING:
    from core.plan.allocation import Plan, Planner
    from core.plan.matrix_losses import MatrixLosses

MIB = 2**20
LEAST_MIB, MOST_MIB = 0.001, 100_000.0


def add(commands) -> None:
    """Add the command to a parser's commands."""
    text = "choose the bits of each matrix for a budget in bytes"
    parser = commands.add_parser("plan", help=text, description=text)
    parser.set_defaults(command=plan)
    parser.add_argument("--task", default="movie-sentiment")
    parser.add_argument("--model", default="minilm-l6", help="one that has a teacher for the task")
    parser.add_argument("--budget-mib", type=float, required=True, help="of the whole file, in MiB")
    parser.add_argument("--method", default="twn", help="the rule that quantizes")
    parser.add_argument("--bits", default="2,3,4,8", help="to choose from (default: 2,3,4,8)")
    parser.add_argument(
        "--keep", default="", help="matrices whose bits are given, with commas: name=bits"
    )
    parser.add_argument(
        "--measured",
        action="store_true",
        help="quantize each matrix alone and see how far the answers move, which takes longer than "
        "to predict it from the importance of the weights",
    )
    parser.add_argument("--codes", choices=LAYOUTS, default=TWO_BIT, help="how codes are stored")
    parser.add_argument("--leftovers", choices=LEFTOVERS, default=FLOAT32, help="and other numbers")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def plan(parsed: argparse.Namespace) -> None:
    """Make the plan and say it. Raises InputError for what cannot be planned."""
    within("The budget in MiB", parsed.budget_mib, LEAST_MIB, MOST_MIB)
    widths = _widths(parsed.bits)
    kept = {name: each.bits for name, each in exceptions(_items(parsed.keep)).items()}
    start = api.plan_start(parsed.task, parsed.model, parsed.method, widths)
    opened = api.open_model(api.source_of_teacher(parsed.task, parsed.model))
    if parsed.measured:
        losses = _last(api.measure_losses(opened, start, widths))
    else:
        importances = _last(api.importances(opened))
        losses = _last(api.predict_losses(opened, start, importances, widths))
    planner = api.planner_of(start, losses, widths, parsed.codes, parsed.leftovers)
    found = planner.of_budget(int(parsed.budget_mib * MIB), kept)
    if parsed.json:
        print(json.dumps(_record(parsed, planner, found)))
        return
    _print(parsed, planner, found)


def _items(text: str) -> list[str]:
    return [item for item in text.split(",") if item.strip()]


def _widths(text: str) -> tuple[int, ...]:
    try:
        return tuple(sorted({int(item) for item in _items(text)}))
    except ValueError as error:
        raise InputError(f"--bits must be whole numbers with commas, not {text!r}.") from error


def _last(computing: "Generator[Preparing, None, MatrixLosses | Mapping]"):
    """The return value of a generator."""
    while True:
        try:
            next(computing)
        except StopIteration as end:
            return end.value


def _record(parsed: argparse.Namespace, planner: "Planner", found: "Plan") -> dict:
    uniform = {width: planner.uniform(width) for width in planner.widths}
    return {
        "task": parsed.task,
        "model": parsed.model,
        "method": parsed.method,
        "losses": planner.losses.how,
        "budget_bytes": int(parsed.budget_mib * MIB),
        "size_bytes": found.size_bytes,
        "loss": found.loss,
        "bits": dict(found.bits),
        "uniform": [
            {"bits": width, "size_bytes": each.size_bytes, "loss": each.loss}
            for width, each in uniform.items()
        ],
        "matrix_bits": list(found.experiment.quant.matrix_bits),
        "run_id": found.experiment.run_id,
        "run": _command(found),
    }


def _print(parsed: argparse.Namespace, planner: "Planner", found: "Plan") -> None:
    for matrix in planner.matrices:
        print(f"{found.bits[matrix.name]:>3} bits  {matrix.title}")
    print(
        f"File: {found.size_bytes:,} bytes, {found.size_bytes / MIB:.3f} of "
        f"{parsed.budget_mib:g} MiB"
    )
    print(f"Loss, {planner.losses.how}: {found.loss:.4g}; for all matrices alike:")
    for width in planner.widths:
        alike = planner.uniform(width)
        print(f"{width:>3} bits  {alike.size_bytes / MIB:8.3f} MiB  {alike.loss:.4g}")
    print(f"To train it: {_command(found)}")


def _command(found: "Plan") -> str:
    """What trains the plan, on a machine whose usual precision is that of this one."""
    settings = changed(found.experiment)
    flags = [f"--{name.replace('_', '-')} {shlex.quote(text)}" for name, text in settings.items()]
    return " ".join(["python -m core run", *flags])
