"""Is one value of an option better than another? Asked of all finished runs that say something."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.analysis.pooled import Pooled, pooled
from core.analysis.seeds import SeedDifference
from core.api.comparisons import difference_of_cases
from core.errors import InputError, one_of
from core.options import build, flatten, options
from core.runs.run_files import PREDICTIONS_FILE
from core.runs.run_store import Run, list_runs
from core.tasks.registry import tasks

Settings = tuple[tuple[str, str], ...]  # by the names of the options
OF_THE_PAIR = "seed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What a test split of a task says: the difference, signed so that more is better whatever the
    metric, and the run ids, first and second of each seed."""

    task: str
    split: str
    metric: str
    difference: SeedDifference
    run_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Second value of an option against the first, task by task and all together."""

    option: str
    first: str
    second: str
    parts: tuple[Part, ...]
    together: Pooled


def claim(
    option: str,
    first: str,
    second: str,
    where: Mapping[str, str] | None = None,
    runs: Sequence[Run] | None = None,
) -> Claim:
    """Second minus first over all tasks, from pairs of runs (default: all of this computer) that
    differ in nothing else and kept their answers; `where` narrows them by other options. Of a
    task's pairs those of the settings with the most seeds count. Raises InputError for an unknown
    option or value, or without any pair."""
    known = [each.name for each in options()]
    for name in (option, *(where or {})):
        one_of("Option", name, known)
    first, second = (_spelled(option, value) for value in (first, second))
    where = {name: _spelled(name, value) for name, value in (where or {}).items()}
    if option in (OF_THE_PAIR, "task") or first == second:
        raise InputError("Compare two different values of an option that is not the seed or task.")
    groups = _groups(list_runs() if runs is None else runs, option, (first, second), where)
    found: dict[str, list[Part]] = {}
    for settings in sorted(groups, key=lambda key: (-len(_seeds(groups[key])), key)):
        ones, twos = (groups[settings].get(value, {}) for value in (first, second))
        seeds = sorted(ones.keys() & twos.keys())
        task = dict(settings)["task"]
        if seeds and task not in found:
            pairs = [ones[seed] for seed in seeds], [twos[seed] for seed in seeds]
            splits = ("test", *tasks()[task].more_tests)
            found[task] = [_part(task, split, *pairs) for split in splits]
    if not found:
        raise InputError(
            f"There are no two finished runs that differ only in {option} ({first}, {second}). "
            "Train them, with the same seeds."
        )
    parts = tuple(part for task in sorted(found) for part in found[task])
    together = pooled([part.difference for part in parts])
    return Claim(option=option, first=first, second=second, parts=parts, together=together)


def _spelled(option: str, value: str) -> str:
    """The value as all runs spell it: "1" as "1.0" where that is what the option holds. Raises
    InputError where the option cannot be this."""
    return flatten(build({option: value}))[option]


Group = dict[str, dict[int, Run]]  # value of the option, then seed


def _groups(
    runs: Sequence[Run], option: str, values: tuple[str, str], where: Mapping[str, str]
) -> dict[Settings, Group]:
    """Runs by all settings but the option and the seed."""
    groups: dict[Settings, Group] = defaultdict(lambda: defaultdict(dict))
    for run in runs:
        if run.result is None or run.experiment is None or run.experiment.task not in tasks():
            continue
        if not (run.folder / PREDICTIONS_FILE).exists():  # it shipped without its answers
            continue
        texts = flatten(run.experiment)
        value = texts.pop(option)
        if value in values and all(texts.get(name) == text for name, text in where.items()):
            del texts[OF_THE_PAIR]
            groups[tuple(texts.items())][value][run.experiment.seed] = run
    return groups


def _seeds(group: Group) -> set[int]:
    values = list(group.values())
    return set(values[0]) & set(values[1]) if len(values) == 2 else set()


def _part(task: str, split: str, ones: Sequence[Run], twos: Sequence[Run]) -> Part:
    from core.targets.registry import metric_of

    result = ones[0].result
    assert result is not None
    found = difference_of_cases(ones, twos, split)
    if not metric_of(result.metric).higher_is_better:
        found = SeedDifference(
            difference=-found.difference,
            low=-found.high,
            high=-found.low,
            seeds=found.seeds,
            examples=found.examples,
        )
    ids = tuple(run.run_id for pair in zip(ones, twos, strict=True) for run in pair)
    return Part(task=task, split=split, metric=result.metric, difference=found, run_ids=ids)
