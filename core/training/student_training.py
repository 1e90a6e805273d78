"""Distillation-aware training of a quantized student, as a generator of events.

    for event in train(experiment): ...

Each step (TernaryBERT algorithm 1): quantize the latent weights, run student and teacher on the
batch, compare (see `distillation_losses`), send the gradient straight through to the latent
weights, update them with AdamW. The caller is in charge: it stops the training by closing the
generator. Nothing here prints, logs, or knows of any page.

The student that is scored, packed and saved is the one of the last step. Dev is scored on the
way, test once at the end; nothing is selected on either.
"""

import time
from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path

from core.events import Evaluated, Event, Finished, Started
from core.experiment import Experiment
from core.models.student import (
    enter_stage,
)
from core.packed.file import to_bytes
from core.packed.origin import origin_of
from core.results import Result
from core.serialization import canonical_json
from core.teacher_folders import load_card
from core.training.averaging import Averaging
from core.training.batches import training_batches
from core.training.checkpoints import (
    OTHER_VERSION,
    Checkpoint,
    UnfitCheckpoint,
    check_origin,
    origin,
)
from core.training.layer_reports import layer_reports
from core.training.optimizer import Optimizer
from core.training.pair import DistillationPair, prepare_pair
from core.training.resume import Checkpointer, resume_or_start
from core.training.scores import Scores
from core.training.student_files import write_student
from core.training.student_step import training_step
from core.training.teacher_outputs import cache_outputs
from core.training.threads import machine
from core.training.weight_history import WeightHistory


def train(experiment: Experiment, folder: Path | None = None) -> Generator[Event]:
    """Train the student of `experiment`; the last event is `Finished`.

    With `folder`, the packed student, its latent weights and all predictions are written there
    before `Finished`; and on the way checkpoints, from which the training resumes (see `resume`).
    Raises InputError for whatever a person can mend (no data, no teacher, diverged, disk full).
    """
    yield from resume_or_start(
        lambda resumed: _train(experiment, folder, resumed), folder, experiment.run_id
    )


def _train(
    experiment: Experiment, folder: Path | None, resumed: Checkpoint | None
) -> Generator[Event]:
    began = time.perf_counter()
    earlier = resumed.seconds if resumed else 0.0
    pair = yield from prepare_pair(experiment)
    scores = Scores(pair.data, canonical_json(experiment.quant))
    start = origin(pair.data, pair.teacher) if folder is not None else ""
    if resumed is None:
        yield from _first_scores(experiment, pair, scores)
    else:
        check_origin(resumed, start)
        _recall_first_scores(scores, resumed)
    train_began = time.perf_counter()
    yield from _steps(experiment, pair, scores, folder, resumed, start)
    train_seconds = earlier + time.perf_counter() - train_began
    yield from scores.tests("student", pair.student)
    made_from = origin_of(experiment)
    packed = to_bytes(pair.student, experiment, origin=made_from)
    if folder is not None:
        write_student(folder, experiment.run_id, pair.student, packed, scores.arrays())
    seconds = (train_seconds, earlier + time.perf_counter() - began)
    yield Finished(result=_result(experiment, pair, scores, len(packed), seconds))


def _first_scores(
    experiment: Experiment, pair: DistillationPair, scores: Scores
) -> Iterator[Event]:
    """Score the teacher, and the student before its first step."""
    yield from scores.all_splits("teacher", pair.teacher)
    yield from scores.all_splits("untrained", pair.student)
    yield Started(
        run_id=experiment.run_id,
        total_steps=experiment.train.steps,
        train_examples=len(pair.data.train),
        teacher_dev=scores.first("teacher", "dev"),
        untrained_dev=scores.first("untrained", "dev"),
    )


def _recall_first_scores(scores: Scores, resumed: Checkpoint) -> None:
    try:
        scores.recall(resumed.predictions())
    except KeyError as error:
        raise UnfitCheckpoint(OTHER_VERSION) from error


def _steps(
    experiment: Experiment,
    pair: DistillationPair,
    scores: Scores,
    folder: Path | None,
    resumed: Checkpoint | None,
    start: str,
) -> Iterator[Event]:
    """The training loop: data, step, checkpoint, dev score. The last step is followed by one."""
    recipe, student, data = experiment.train, pair.student, pair.data
    cached = yield from cache_outputs(experiment, data.family, pair.teacher, data.train)
    pair = replace(pair, cached=cached)
    optimizer = Optimizer(student, recipe)
    averaging = Averaging(student, recipe.averaging, recipe.steps)
    watch = WeightHistory(student=student, steps=recipe.steps)
    done = resumed.step if resumed else 0
    enter_stage(student, experiment.quant, bits_at(max(1, done), experiment))
    checkpointer = Checkpointer(
        folder,
        experiment.run_id,
        origin=start,
        learning=(student, optimizer),
        others={"averaging": averaging, "watch": watch},
        predictions=scores.predictions(),
        resumed=resumed,
    )
    if done and _is_due(done, experiment):  # its score was lost with the process
        yield from _dev_score(done, pair, scores, optimizer)
    batches = training_batches(
        data.family, data.train, recipe.batch_size, experiment.seed, skip=done
    )
    for step in range(done + 1, recipe.steps + 1):
        enter_stage(student, experiment.quant, bits_at(step, experiment))
        watched = watch.expect(step)
        events: list[Event] = [training_step(experiment, pair, optimizer, next(batches), step)]
        if watched:
            events.append(watch.look(step))
        _average(averaging, optimizer, step, recipe.steps)
        yield from checkpointer.after_step(events, step)
        if _is_due(step, experiment):
            yield from _dev_score(step, pair, scores, optimizer)


def _is_due(step: int, experiment: Experiment) -> bool:
    """Whether a dev score follows this step."""
    recipe = experiment.train
    return step % recipe.evaluate_every == 0 or step == recipe.steps


def _dev_score(
    step: int, pair: DistillationPair, scores: Scores, optimizer: Optimizer
) -> Iterator[Event]:
    optimizer.finish()
    yield from scores.split("student", pair.student, "dev")
    yield Evaluated(step=step, split="dev", score=scores.first("student", "dev"))


def _average(averaging: Averaging, optimizer: Optimizer, step: int, steps: int) -> None:
    """Collect the weights of this step, and put their mean in place after the last one."""
    if averaging.wants(step):
        optimizer.finish()
        averaging.take()
    if step == steps:
        optimizer.finish()
        averaging.coerce_fields()


def bits_at(step: int, experiment: Experiment) -> int:
    """Bit width for `step` (1-based): the stage's, or 1 in the last stage (`enter_stage` raises it
    to the matrix's own)."""
    stages = (*experiment.quant.stages, 1)
    return stages[(step - 1) * len(stages) // experiment.train.steps]


def _result(
    experiment: Experiment,
    pair: DistillationPair,
    scores: Scores,
    size_bytes_packed: int,
    seconds: tuple[float, float],
) -> Result:
    """The result; `seconds` of the training loop and of everything."""
    student, teacher = scores.first("student", "test"), scores.first("teacher", "test")
    untrained = scores.first("untrained", "test")
    return Result(
        run_id=experiment.run_id,
        task=experiment.task,
        model=experiment.model,
        metric=student.metric,
        score=student.value,
        score_standard_error=student.standard_error,
        teacher_score=teacher.value,
        teacher_standard_error=teacher.standard_error,
        untrained_score=untrained.value,
        untrained_standard_error=untrained.standard_error,
        test_examples=student.examples,
        dev_score=scores.first("student", "dev").value,
        teacher_dev_score=scores.first("teacher", "dev").value,
        size_bytes_float32=4 * sum(p.numel() for p in pair.teacher.parameters()),
        size_bytes_packed=size_bytes_packed,
        steps=experiment.train.steps,
        train_seconds=seconds[0],
        total_seconds=seconds[1],
        machine=machine(),
        layers=layer_reports(pair.student),
        scores=scores.measured(),
        threshold=scores.threshold("student"),
        data_revision=pair.data.revision,
        model_revision=load_card(experiment.task, experiment.model).model_revision,
    )
