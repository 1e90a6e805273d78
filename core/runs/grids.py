"""A grid: many experiments that answer one question, in one JSON file.

    {"name": "ablation-methods",
     "question": "Which rule loses least at two bits?",
     "base": {"task": "movie-sentiment", "train.steps": 300},
     "axes": {"quant.method": ["twn", "lat"]},
     "cases": {"as in the paper": {}, "4-bit activations": {"quant.activation_bits": 4}},
     "reference": "twn, as in the paper",
     "seeds": [0, 1, 2]}

Options are named as in an experiment, "quant.method" or nested; what is not named keeps its
default, on every machine the same. Each combination of the axes' values is a case, and so is each
of `cases`; with both, every combination of the two. A case is computed once per seed, and an
experiment that two cases share only once, for the first of them. `reference` (without it the first
case) is the one that the others are compared with; cases of another task, which has other test
examples, are compared with the first of their task.
"""

import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import InputError, one_of, shown, within
from core.experiment import Experiment
from core.options import build, options
from core.paths import grids, read_text_up_to

FIELDS = ("name", "question", "base", "axes", "cases", "reference", "seeds")
MOST_RUNS, MOST_BYTES = 1000, 2**22


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One run of a grid: the experiment, and the case that it is one seed of."""

    case: str
    experiment: Experiment


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """The runs in their order, and what they are to show."""

    name: str
    question: str
    reference: str
    runs: tuple[Planned, ...]

    @property
    def cases(self) -> tuple[str, ...]:
        """Names of the cases, in order."""
        return tuple(dict.fromkeys(run.case for run in self.runs))

    def reference_of(self, case: str) -> str:
        """The case that this one is compared with: of its own task, maybe itself."""
        tasks = {run.case: run.experiment.task for run in self.runs}
        if tasks[self.reference] == tasks[case]:
            return self.reference
        return next(other for other in self.cases if tasks[other] == tasks[case])


def read_grid(path: Path) -> Grid:
    """The grid of a file. Raises InputError naming the field that is wrong."""
    try:
        text = read_text_up_to(path.resolve(), MOST_BYTES)
        plain = json.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"The grid {path.name} cannot be read: {error}.") from error
    try:
        return grid_of(plain)
    except InputError as error:
        raise InputError(f"Grid {path.name}: {error}") from error


def find_grid(name: str) -> Path:
    """The file of that path, or the shipped grid of that name. Raises InputError for neither."""
    known = {path.stem: path for path in grid_files()}
    if not Path(name).is_file():
        one_of("Grid", name, known)
        return known[name]
    return Path(name)


def grid_files() -> list[Path]:
    """The files of the shipped grids, by name."""
    return sorted(grids().glob("*.json"))


def grid_of(plain: object) -> Grid:
    """The grid of what JSON gave. Raises InputError naming the field that is wrong."""
    fields = _object(plain, "A grid")
    for name in fields:
        one_of("Field", name, FIELDS)
    base = _changes(fields.get("base", {}), "base")
    runs: dict[str, Planned] = {}
    for case, changes in _cases(fields):
        for seed in _seeds(fields):
            experiment = _experiment(base | changes, case, seed)
            runs.setdefault(experiment.run_id, Planned(case=case, experiment=experiment))
    within("The number of runs", len(runs), 1, MOST_RUNS)
    first = next(iter(runs.values())).case
    reference = _text(fields, "reference", first)
    one_of("Reference", reference, dict.fromkeys(run.case for run in runs.values()))
    return Grid(
        name=_text(fields, "name"),
        question=_text(fields, "question"),
        reference=reference,
        runs=tuple(runs.values()),
    )


def _experiment(changes: Mapping[str, Any], case: str, seed: int) -> Experiment:
    values = {option.rpartition(".")[2]: value for option, value in changes.items()}
    try:
        return build({**values, "seed": seed})
    except InputError as error:
        raise InputError(f"Case {shown(case)}: {error}") from error


def _cases(fields: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and changes of every combination of the axes with every case."""
    axes = [
        [(option, value) for value in _list(values, f"axes: {option}")]
        for option, values in _changes(fields.get("axes", {}), "axes").items()
    ]
    named = _object(fields.get("cases", {"": {}}), "cases") or {"": {}}
    cases = [(name, _changes(value, f"case {shown(name)}")) for name, value in named.items()]
    for combination in itertools.product(*axes):
        for name, changes in cases:
            parts = [*_value_names(combination), *([name] if name else [])]
            yield ", ".join(parts) or "default", dict(combination) | changes


def _value_names(combination: tuple[tuple[str, Any], ...]) -> list[str]:
    """ "lat" for a word that no other axis has, else with its option: "steps 300"."""
    values = [value for _, value in combination]
    return [
        value
        if isinstance(value, str) and values.count(value) == 1
        else f"{option.rpartition('.')[2].replace('_', ' ')} {_plain(value)}"
        for option, value in combination
    ]


def _plain(value: Any) -> str:
    return "+".join(map(str, value)) if isinstance(value, list) else str(value)


def _changes(plain: object, where: str) -> dict[str, Any]:
    """Dotted option names to values, of dotted or nested ones."""
    groups = {option.group for option in options()} - {""}
    flat: dict[str, Any] = {}
    for name, value in _object(plain, where).items():
        if name in groups:
            inner = _object(value, f"{where}: {name}")
            flat |= {f"{name}.{key}": each for key, each in inner.items()}
        else:
            flat[name] = value
    known = {f"{o.group}.{o.name}".lstrip(".") for o in options()} - {"seed"}
    for name in flat:
        one_of(f"{where}: option", name, sorted(known))
    return flat


def _seeds(fields: Mapping[str, Any]) -> list[int]:
    return _list(fields.get("seeds", [0]), "seeds")


def _object(plain: object, what: str) -> dict[str, Any]:
    if not isinstance(plain, dict):
        raise InputError(f"{what} must be a JSON object, not {shown(plain)}.")
    return plain


def _list(plain: object, what: str) -> list[Any]:
    if not isinstance(plain, list) or not plain:
        raise InputError(f"{what} must be a list of at least one value, not {shown(plain)}.")
    return plain


def _text(fields: Mapping[str, Any], name: str, usual: str = "") -> str:
    text = fields.get(name, usual)
    if not isinstance(text, str) or not text.strip():
        raise InputError(f"{name} must be a text, not {shown(text)}.")
    return text
