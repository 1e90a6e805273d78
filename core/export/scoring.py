"""The score of a packed student, computed with the numbers that its file holds."""

from functools import partial

import torch

from core.family import Encoded
from core.packed.contents import Contents, assemble
from core.results import Score
from core.tasks.prepare import load
from core.tasks.registry import find_task
from core.teachers.teacher_store import teacher_tokenizer
from core.training.evaluate import answers_of, scores_of, split_predictions


def score_contents(contents: Contents, threshold: float) -> Score:
    """The test score in torch; `threshold` is the run's for "no answer".

    Raises InputError when the task's text is not on this computer.
    """
    task = find_task(contents.experiment.task)
    encoded = encoded_for(contents, "test")
    torch.set_num_threads(1)
    family, target = contents.family, task.target
    forward = partial(answers_of, family, assemble(contents))
    computing = split_predictions(forward, family, target, encoded, "Scoring what is stored")
    try:
        while True:
            next(computing)
    except StopIteration as end:
        return scores_of(task, target, end.value, encoded, threshold)[0]


def encoded_for(contents: Contents, split: str) -> Encoded:
    """A split of the student's task, tokenized as it was for its training."""
    experiment = contents.experiment
    task = find_task(experiment.task)
    family, target = contents.family, task.target
    limit = min(experiment.train.max_tokens, family.longest(contents.config))
    tokenizer = teacher_tokenizer(experiment.task, experiment.model)
    return target.encode(family, tokenizer, getattr(load(task), split), task, limit)
