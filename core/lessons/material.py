"""What most reveals begin with: a teacher and one of its matrices, or the runs of a grid's case.

The usual ones are those that ship. Whatever needs torch is imported when it is called.
"""

from typing import TYPE_CHECKING

from core import api
from core.api.models import OpenModel
from core.api.weight_views import Latent
from core.errors import InputError, one_of
from core.lessons.lesson import Settings
from core.lessons.revealing import Models
from core.runs.run_store import Run

if TYPE_CHECKING:
    from torch import Tensor

    from core.analysis.matrix_view import WeightView

TASK, MODEL = "movie-sentiment", "minilm-l3"
MATRIX_SETTING = "matrix"


def teacher(settings: Settings, models: Models) -> OpenModel:
    """The full-precision model that the settings name, opened."""
    task, model = settings.text("task", TASK), settings.text("model", MODEL)
    return models(api.source_of_teacher(task, model))


def matrix_of(opened: OpenModel, name: str) -> "Tensor":
    """One matrix of a model, float32. Raises InputError for an unknown name."""
    from core.analysis.matrix_view import matrices

    found = matrices(opened.model, opened.family)
    one_of("Matrix", name, found)
    return found[name].detach().float()


def title_of(opened: OpenModel, name: str) -> str:
    """What people call a matrix of a model."""
    return api.matrix_title(name, opened.family.name)


def view(opened: OpenModel, name: str, quant: tuple[str, int, str]) -> "WeightView":
    """One matrix under (method, bits, granularity), as the Weights page has it."""
    latent: Latent = api.latent_histogram(opened, name)
    return api.view_weight(opened, name, quant, latent, api.optimum_lines(opened, name, *quant[1:]))


def quant_of(text: str) -> tuple[str, int, str]:
    """(method, bits, granularity) of "twn 2 layer". Raises InputError for another text."""
    parts = text.split()
    if len(parts) != 3 or not parts[1].isdigit():
        raise InputError(f"A column is method, bits and granularity, such as twn 2 layer: {text}.")
    return parts[0], int(parts[1]), parts[2]


def grid_of(name: str) -> api.Grid:
    """The grid of that name. Raises InputError where there is none."""
    found = {grid.name: grid for grid in api.grids()[0]}
    one_of("Grid", name, found)
    return found[name]


def row_of(name: str, case: str) -> api.GridRow:
    """A case of a grid with what has finished of it. Raises InputError where none has."""
    rows = {row.result.case: row for row in api.grid_rows(grid_of(name), finished())}
    one_of("Case", case, rows)
    row = rows[case]
    if not row.result.runs:
        raise InputError(
            f"No run of {name}, {case}, has finished on this computer. Compute it with: "
            f"python -m core sweep {name}"
        )
    return row


def finished() -> dict[str, Run]:
    """All finished runs by id."""
    return {run.run_id: run for run in api.runs() if run.result is not None}


def runs_of(settings: Settings) -> tuple[Run, ...]:
    """The finished runs, one a seed, of the grid and case that the settings name."""
    return row_of(settings.text("grid"), settings.text("case")).result.runs


def run_ids(*rows: api.GridRow) -> tuple[str, ...]:
    """The ids of the runs that some cases rest on."""
    return tuple(run.run_id for row in rows for run in row.result.runs)
