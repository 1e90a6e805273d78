"""Every function that a page may call; the command line offers the same.

Pages import nothing else of `core` but the value types (experiment, options, results, events,
errors). Whatever needs torch is imported when it is called, so a page that shows results does not
wait for it.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from core.errors import InputError, one_of
from core.events import Event, Preparing
from core.experiment import Experiment, QuantRecipe, TrainRecipe
from core.results import TeacherCard
from core.runs import runner, store
from core.runs.store import Run

if TYPE_CHECKING:
    from core.analysis import WeightView
    from core.quantizers.base import Rule
    from core.tasks.base import Task

MAX_CHARACTERS = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a model comes from. kind: "teacher", "untrained" (the teacher quantized by `quant`,
    not trained) or "run" (the packed student of `run_id`)."""

    kind: str
    task: str
    model: str
    quant: QuantRecipe | None = None
    run_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OpenModel:
    """A loaded model, ready to predict; shared by all sessions, so never changed."""

    source: Source
    task: "Task"
    model: Any
    tokenizer: Any
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """probabilities: one per label of the task; `milliseconds` of the second of two
    forward passes."""

    labels: tuple[str, ...]
    probabilities: tuple[float, ...]
    milliseconds: float
    tokens: int

    @property
    def label(self) -> str:
        """The most probable label."""
        return self.labels[int(np.argmax(self.probabilities))]

    @property
    def margin(self) -> float:
        """Probability of the first label less that of the second."""
        first, second = sorted(self.probabilities, reverse=True)[:2]
        return first - second


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    """A dev example that two models answer differently; answers are label names."""

    text: str
    truth: str
    teacher: str
    untrained: str
    student: str


def tasks() -> "dict[str, Task]":
    """All tasks by name."""
    from core.tasks import base

    return base.tasks()


def rules() -> "dict[str, Rule]":
    """All quantization rules by name."""
    from core import quantizers

    return quantizers.rules()


def teachers() -> list[TeacherCard]:
    """Cards of all teachers on this computer."""
    from core.models.teachers import list_teachers

    return list_teachers()


def runs() -> list[Run]:
    """All runs, the newest first, shipped ones last."""
    return store.list_runs()


def find_run(run_id: str) -> Run:
    """The run of that id; raises InputError when there is none."""
    run = store.find_run(run_id)
    if run is None:
        raise InputError(f"There is no run {run_id}. `python -m core runs` lists what there is.")
    return run


def shown_run(experiment: Experiment | None) -> Run | None:
    """What to show before anything is started: the run of these settings, else any finished one."""
    run = store.find_run(experiment.run_id) if experiment else None
    return run or next((other for other in runs() if other.state == "finished"), None)


def events(run: Run) -> list[Event]:
    """What a run said so far."""
    return store.read_events(run.folder)


def waiting_before(run: Run) -> int:
    """How many runs come before this one."""
    return store.waiting_before(run)


def default_experiment() -> Experiment:
    """The paper's recipe on the quick model, in the precision that is faster on this machine."""
    from core.machine import fastest_precision

    return Experiment(train=TrainRecipe(precision=fastest_precision()))


def check(experiment: Experiment) -> None:
    """Raise InputError when the experiment names a task, teacher, method or bits that are not."""
    from core.models.teachers import load_card
    from core.quantizers.base import check as check_rule
    from core.tasks.base import find_task

    find_task(experiment.task)
    quant = experiment.quant
    check_rule(quant.method, quant.weight_bits, quant.weight_granularity)
    check_rule(quant.method, quant.embedding_bits, quant.embedding_granularity)
    load_card(experiment.task, experiment.model)


def submit(experiment: Experiment) -> Run:
    """Start the run, or return the one that exists; raises InputError as `check` does."""
    check(experiment)
    return runner.submit(experiment)


def stop(run_id: str) -> None:
    """Stop a queued or running run; returns when it is gone, within about two seconds."""
    runner.stop(run_id)


def is_prepared(task: str) -> bool:
    """Whether the text of a task is on this computer."""
    from core.tasks.base import find_task
    from core.tasks.base import is_prepared as prepared

    return prepared(find_task(task))


def prefetch(task: str, model: str = "") -> Iterator[Preparing]:
    """Bring the text of a task (and the backbone of a model) to this computer."""
    from core.tasks.base import find_task, prepare

    yield from prepare(find_task(task))
    if model:
        from core.models.backbones import prepare_backbone

        yield from prepare_backbone(model)


def open_model(source: Source) -> OpenModel:
    """Load a model; raises InputError when it is not there or damaged."""
    from core.models.backbones import load_tokenizer
    from core.models.student import build_student
    from core.models.teachers import load_teacher
    from core.packed import file
    from core.tasks.base import find_task

    one_of("Kind of model", source.kind, ("teacher", "untrained", "run"))
    if source.kind == "run":
        packed = file.read(find_run(source.run_id).folder / "model.safetensors")
        model, size_bytes = packed.model, packed.size_bytes
    else:
        model = load_teacher(source.task, source.model)
        size_bytes = 4 * sum(p.numel() for p in model.parameters())
        if source.kind == "untrained":
            model = build_student(model, source.quant or QuantRecipe()).requires_grad_(False)
            experiment = Experiment(
                task=source.task, model=source.model, quant=source.quant or QuantRecipe()
            )
            size_bytes = len(file.to_bytes(model, experiment))
    return OpenModel(
        source=source,
        task=find_task(source.task),
        model=model,
        tokenizer=load_tokenizer(source.model),
        size_bytes=size_bytes,
    )


def check_text(text: str) -> str:
    """The text without outer blanks; raises InputError when there is nothing or far too much."""
    if not text.strip():
        raise InputError("There is no text. Write a sentence first.")
    if len(text) > MAX_CHARACTERS:
        raise InputError(
            f"The text has {len(text):,} characters; at most {MAX_CHARACTERS:,} can be read here. "
            "Use a shorter piece of it."
        )
    return text.strip()


def predict(opened: OpenModel, *texts: str) -> Prediction:
    """Classify one text (or a pair); raises InputError for an empty or far too long one."""
    from core.training.batches import collate, encode
    from core.training.evaluate import batch_logits

    if len(texts) != len(opened.task.texts):
        raise InputError(f"{opened.task.title} takes {len(opened.task.texts)} text(s).")
    columns = [[check_text(text)] for text in texts]
    limit = opened.model.config.max_position_embeddings
    batch = collate(encode(opened.tokenizer, columns, [0], limit), np.array([0]))
    batch_logits(opened.model, batch)  # the first pass of a new shape pays for its preparation
    began = time.perf_counter()
    logits = batch_logits(opened.model, batch)[0].astype(np.float64)
    milliseconds = (time.perf_counter() - began) * 1000
    shares = np.exp(logits - logits.max())
    return Prediction(
        labels=opened.task.labels,
        probabilities=tuple(float(p) for p in shares / shares.sum()),
        milliseconds=milliseconds,
        tokens=batch.input_ids.shape[1],
    )


def predictions(run: Run) -> dict[str, np.ndarray]:
    """Logits and labels of a finished run, keys like "dev.student" and "test.labels"."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return load_file(run.folder / "predictions.safetensors")
    except (OSError, SafetensorError) as error:
        raise InputError(f"The predictions of run {run.run_id} cannot be read: {error}.") from error


def disagreements(run: Run) -> list[Disagreement]:
    """Dev examples on which teacher and trained student differ.

    Raises InputError when the run has no predictions or the text is not on this computer.
    """
    from core.tasks.base import find_task, load

    assert run.experiment is not None
    task = find_task(run.experiment.task)
    saved = predictions(run)
    dev = load(task).dev
    if len(dev) != len(saved["dev.labels"]):
        raise InputError("The dev examples of this computer are not those of the run.")
    answers = {
        who: saved[f"dev.{who}"].argmax(axis=1) for who in ("teacher", "untrained", "student")
    }
    rows = np.flatnonzero(answers["teacher"] != answers["student"])
    texts = [" / ".join(dev[int(i)][column] for column in task.texts) for i in rows]
    return [
        Disagreement(
            text=text,
            truth=task.labels[int(saved["dev.labels"][i])],
            **{who: task.labels[int(answer[i])] for who, answer in answers.items()},
        )
        for i, text in zip(rows, texts, strict=True)
    ]


def matrix_shapes(opened: OpenModel) -> dict[str, tuple[int, int]]:
    """Name and shape of every matrix that can be quantized."""
    from core.analysis import matrices

    return {name: (w.shape[0], w.shape[1]) for name, w in matrices(opened.model).items()}


def view_weight(
    opened: OpenModel, name: str, method: str, bits: int, granularity: str
) -> "WeightView":
    """One matrix of a full-precision model, quantized as asked."""
    from core.analysis import matrices, weight_view
    from core.quantizers import quantize

    found = matrices(opened.model)
    one_of("Matrix", name, found)
    weight = found[name]
    quantized = quantize(weight, method=method, bits=bits, granularity=granularity, name=name)
    return weight_view(name, weight, quantized)
