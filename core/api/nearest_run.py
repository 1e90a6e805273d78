"""The run of some settings; where there is none, the nearest one and what sets it apart.

Two runs that differ only in `HARDLY_MATTER` tell the same story: a processor without bfloat16
trains in float32, and the shipped runs were trained in bfloat16. Settings without any effect (the
copies of a training without augmentation) do not count at all.
"""

import functools
from collections.abc import Iterable
from dataclasses import dataclass

from core.api.runs import rules, tasks
from core.experiment import HARDLY_MATTER, LEARNED_ACTIVATIONS, Experiment, Job, Teaching
from core.options import flatten, options
from core.runs import run_store
from core.runs.run_store import Run
from core.serialization import to_plain

# How far a difference in one setting takes two runs apart. Seeds of one recipe are nearest.
_SEED, _TRAINING, _QUANTIZATION, _MODEL = 1.0, 4.0, 10.0, 100.0
_HARDLY = 0.01
_OF_LEARNED_STEPS = ("learned_as", "learned_start", "learned_gradient", "weight_gradient")


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A setting by its option name: as it was asked for, and as the run has it."""

    name: str
    asked: str
    found: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A run to look at. relation: "exact" (of these very settings), "same" (they differ only in
    what hardly matters), "near" (the same task, other settings), "other" (nothing of this task, or
    not a student where one was asked for, or the other way round)."""

    run: Run
    relation: str
    differences: tuple[Difference, ...] = ()


def shown_run(job: Job | None) -> Shown | None:
    """What to show for these settings: their run, finished or not; else the nearest finished one,
    which `relation` and `differences` tell apart. None where nothing is finished.

    `job` is None where the settings cannot be trained as they are.
    """
    run = run_store.find_run(job.run_id) if job else None
    if run is not None:
        return Shown(run=run, relation="exact")
    known = tasks()
    finished = [one for one in run_store.list_runs() if _task_of(one) in known]
    if job and (found := _nearest(job, finished)):
        return found
    task = job.task if job else Experiment().task
    for usual in (Experiment(task=task), Experiment()):
        if example := _nearest(usual, finished):
            return Shown(run=example.run, relation="other")
    return Shown(run=finished[0], relation="other") if finished else None


def _nearest(job: Job, finished: Iterable[Run]) -> Shown | None:
    akin = (related(job, run) for run in finished if _is_akin(run, job))
    return min(akin, key=lambda one: _distance(one.differences), default=None)


def related(job: Job, run: Run) -> Shown:
    """A run as seen from these settings."""
    other = run.experiment or run.teaching
    if other == job:
        return Shown(run=run, relation="exact")
    if other is None or not _is_akin(run, job):
        return Shown(run=run, relation="other")
    found = _differences(job, other)
    is_near = any(one.name not in HARDLY_MATTER for one in found)
    return Shown(run=run, relation="near" if is_near else "same", differences=found)


def _task_of(run: Run) -> str:
    """The task of a finished run; "" of others."""
    if run.result:
        return run.result.task
    return run.card.task if run.card else ""


def _is_akin(run: Run, job: Job) -> bool:
    other = run.experiment or run.teaching
    return isinstance(other, type(job)) and other.task == job.task


def _differences(job: Job, other: Job) -> tuple[Difference, ...]:
    asked, found = _settings(job), _settings(other)
    return tuple(
        Difference(name=name, asked=text, found=found[name])
        for name, text in asked.items()
        if name in found and found[name] != text
    )


@functools.lru_cache(maxsize=4000)
def _settings(job: Job) -> dict[str, str]:
    """The settings that have an effect: option name to text."""
    if isinstance(job, Teaching):
        plain = to_plain(job)
        train = plain.pop("train") if job.fine_tune else {}
        texts = {name: str(value) for name, value in (plain | train).items()}
        return _without(texts, _unused(texts))
    texts = flatten(job)
    return _without(texts, _unused(texts))


def _without(texts: dict[str, str], unused: Iterable[str]) -> dict[str, str]:
    gone = set(unused)
    return {name: text for name, text in texts.items() if name not in gone}


def _unused(texts: dict[str, str]) -> Iterable[str]:
    """Names of the settings that change nothing beside the others."""
    if texts.get("augment") == "False":
        yield from (name for name in texts if name.startswith("augment_"))
    if not _learns_steps(texts):
        yield from ("step_learning_rate", "activation_step_learning_rate", "step_decay")
        yield from ("activation_step_decay", *_OF_LEARNED_STEPS)
    for part in ("weight", "embedding"):
        if texts.get(f"{part}_bits") == "32" and not texts.get("matrix_bits"):
            yield f"{part}_granularity"
    if texts.get("activation_bits") == "32":
        yield from ("activation", "activation_scope")
    if texts.get("activation_scope") != "static":
        yield from ("calibration", "calibration_texts")
    if texts.get("logits") == "0.0":
        yield "temperature"


def _learns_steps(texts: dict[str, str]) -> bool:
    """Whether quantization steps are learned, which have a learning rate of their own."""
    own = [item.rpartition("/")[2] for item in texts.get("matrix_bits", "").split(",")]
    named = [rules().get(method) for method in (texts.get("method", ""), *own)]
    learns_scale = any(rule and rule.learns_scale for rule in named)
    return texts.get("activation") in LEARNED_ACTIVATIONS or learns_scale


def _distance(differences: Iterable[Difference]) -> float:
    groups = _groups()
    return sum(_weight(one.name, groups.get(one.name, "train")) for one in differences)


def _weight(name: str, group: str) -> float:
    if name in HARDLY_MATTER:
        return _HARDLY
    named = {"seed": _SEED, "model": _MODEL}
    return named.get(name, _QUANTIZATION if group == "quant" else _TRAINING)


@functools.cache
def _groups() -> dict[str, str]:
    return {option.name: option.group for option in options()}
