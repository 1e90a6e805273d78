"""The score of a packed student, computed with the numbers that its file holds."""

import torch

from core.models.teachers import teacher_tokenizer
from core.packed.contents import Contents, assemble
from core.results import Score
from core.tasks.prepare import load
from core.tasks.registry import find_task
from core.training.batches import Encoded, encode_split
from core.training.evaluate import scores_of, split_predictions


def score_contents(contents: Contents, threshold: float) -> Score:
    """The test score in torch; `threshold` is the run's for "no answer".

    Raises InputError when the task's text is not on this computer.
    """
    task = find_task(contents.experiment.task)
    encoded = encoded_for(contents, "test")
    torch.set_num_threads(1)
    computing = split_predictions(assemble(contents), encoded, "Scoring what is stored")
    try:
        while True:
            next(computing)
    except StopIteration as end:
        return scores_of(task, end.value, encoded, threshold)[0]


def encoded_for(contents: Contents, split: str) -> Encoded:
    """A split of the student's task, tokenized as it was for its training."""
    experiment = contents.experiment
    task = find_task(experiment.task)
    limit = min(experiment.train.max_tokens, contents.config.max_position_embeddings)
    tokenizer = teacher_tokenizer(experiment.task, experiment.model)
    return encode_split(tokenizer, getattr(load(task), split), task, limit)
