"""The ladder: one model at one bit-width, from the rule that everybody tries first up to what can
be had without training. Each rung is a student of its own, made from the same teacher and the same
texts, with its score on test and the seconds that making it took.
"""

import time
from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import torch

from core.calibrate.calibrated_student import calibrated
from core.calibrate.ladder_records import WAYS, Ladder, LadderQuestion, Rung, keep
from core.events import Preparing
from core.experiment import Experiment
from core.experiment import TrainRecipe as Reading
from core.family import Batch
from core.machine import describe
from core.packed import file
from core.quantizers.registry import check, rules
from core.tasks.prepare import prepare
from core.tasks.registry import find_task
from core.teachers.teacher_store import family_of_teacher, load_teacher, teacher_tokenizer
from core.training.batches import evaluation_batches
from core.training.scores import Scores
from core.training.static_ranges import calibrate
from core.training.task_data import TaskData, encode_task

Answer = TypeVar("Answer")
BATCH = 32
SEED = 0  # which training texts are drawn


def climb(question: LadderQuestion) -> Generator[Preparing, None, Ladder]:
    """Compute every rung and keep the ladder. Raises InputError where there is no teacher, or the
    recipe's rule has not these bits."""
    quant = question.quant
    check(quant.method, quant.weight_bits, quant.weight_granularity)
    task, family = find_task(question.task), family_of_teacher(question.task, question.model)
    teacher = load_teacher(question.task, question.model)
    yield from prepare(task)
    reading = Reading(steps=1, batch_size=question.texts, max_tokens=task.max_tokens)
    tokenizer = teacher_tokenizer(question.task, question.model)
    data = yield from encode_task(task, family, teacher, tokenizer, reading, SEED)
    batches = list(evaluation_batches(family, data.train, BATCH))
    scores, rungs = Scores(data), []
    yield from scores.all_splits("teacher", teacher)
    for way in _possible(question):
        rung = yield from _told(_rung(question, way, teacher, data, batches), way)
        rungs.append(rung)
    found = Ladder(
        question=question,
        teacher=scores.first("teacher", "test"),
        rungs=tuple(rungs),
        units=sum(int(batch.units.sum()) for batch in batches),
        machine=describe(torch.get_num_threads()),
    )
    keep(found)
    return found


def _possible(question: LadderQuestion) -> list[str]:
    """The ways whose rule has these bits: max-abs has no single one."""
    bits = question.quant.weight_bits
    methods = {name: way.method or question.quant.method for name, way in WAYS.items()}
    return [name for name, method in methods.items() if bits in rules()[method].bits]


def _rung(
    question: LadderQuestion, way: str, teacher: Any, data: TaskData, batches: Sequence[Batch]
) -> Generator[Preparing, None, Rung]:
    """Make one student and score it; only the making is timed."""
    quant = replace(question.quant, method=WAYS[way].method or question.quant.method)
    tokenizer = teacher_tokenizer(question.task, question.model)
    began = time.perf_counter()
    student = yield from calibrated(
        teacher,
        quant,
        data.family,
        batches,
        WAYS[way].calibration,
        lambda student, start: calibrate(student, start, data.task, data.family, tokenizer, quant),
    )
    experiment = Experiment(
        task=question.task, model=question.model, quant=quant, family=data.family.name
    )
    size_bytes = len(file.to_bytes(student, experiment))  # now every matrix is quantized
    seconds = time.perf_counter() - began
    scores = Scores(data)
    yield from scores.all_splits("student", student)
    score = scores.first("student", "test")
    return Rung(way=way, score=score, size_bytes=size_bytes, seconds=seconds)


def _told(
    computing: Generator[Preparing, None, Answer], way: str
) -> Generator[Preparing, None, Answer]:
    """The same, and every word of progress says which rung it is of."""
    try:
        while True:
            step = next(computing)
            yield replace(step, text=f"{WAYS[way].title}: {step.text}")
    except StopIteration as end:
        return end.value
