"""The score of a packed student, computed with the numbers that its file holds."""

import torch

from core.models.backbones import load_tokenizer
from core.packed.contents import Contents, assemble
from core.results import Score
from core.tasks.base import find_task, load
from core.tasks.metrics import score
from core.training.batches import encode_split
from core.training.evaluate import split_logits


def score_contents(contents: Contents) -> Score:
    """The test score in torch. Raises InputError when the task's text is not on this computer."""
    experiment = contents.experiment
    task = find_task(experiment.task)
    limit = min(experiment.train.max_tokens, contents.config.max_position_embeddings)
    encoded = encode_split(load_tokenizer(experiment.model), load(task).test, task, limit)
    torch.set_num_threads(1)
    computing = split_logits(assemble(contents), encoded, "Scoring what is stored")
    try:
        while True:
            next(computing)
    except StopIteration as end:
        return score(task.metric, end.value, encoded.labels)
