"""Questions about weights: one matrix quantized one way, which matrices hurt, what it scores.

Slow answers are generators: they yield `Preparing` and give the answer as their return value.
"""

from collections.abc import Generator
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from core.api.models import OpenModel
from core.errors import one_of
from core.events import Preparing
from core.experiment import QuantRecipe
from core.results import Score

if TYPE_CHECKING:
    from torch import Tensor

    from core.analysis.matrix_view import WeightView
    from core.analysis.sensitivity import FewRows, MatrixError
    from core.family import Encoded, Matrix

RANKING_SENTENCES = 64
IMPORTANCE_SENTENCES = 256
SCORE_EXAMPLES = 200

Latent = tuple[np.ndarray, np.ndarray]


def matrix_shapes(opened: OpenModel) -> dict[str, tuple[int, int]]:
    """Name and shape of every matrix that can be quantized."""
    return {name: (w.shape[0], w.shape[1]) for name, w in _matrices(opened).items()}


def matrix_title(name: str, family: str) -> str:
    """What people call the matrix of that name in a family, e.g. "layer 2, query"."""
    found = _matrix_named(name, family)
    return found.title if found else name


def is_table(name: str, family: str) -> bool:
    """Whether the matrix is looked up by rows: it has the embedding's bits and granularity."""
    found = _matrix_named(name, family)
    return found is not None and found.is_table


def _matrix_named(name: str, family: str) -> "Matrix | None":
    from core.families import find_family
    from core.family import address_of

    found = find_family(family)
    return found.matrix_of(address_of(found, name))


def latent_histogram(opened: OpenModel, name: str) -> Latent:
    """Edges and counts of a matrix's latent weights; no knob changes them."""
    from core.analysis import matrix_view

    return matrix_view.latent_histogram(matrix_of(opened, name))


def optimum_lines(opened: OpenModel, name: str, bits: int, granularity: str) -> tuple[float, ...]:
    """The outermost levels of a matrix's least-squares optimum; no method changes them."""
    from core.analysis import matrix_view

    return matrix_view.optimum_lines(matrix_of(opened, name), bits, granularity)


def view_weight(
    opened: OpenModel,
    name: str,
    quant: tuple[str, int, str],
    latent: Latent,
    optimum: tuple[float, ...] = (),
    importance: "Tensor | None" = None,
) -> "WeightView":
    """One matrix of a full-precision model under (method, bits, granularity).

    `latent` and `optimum` are its `latent_histogram` and `optimum_lines`; `importance`
    (rows, cols) is for rules that use it, and for the weighted error of every rule.
    """
    from core.analysis.matrix_view import weight_view
    from core.quantizers import quantize

    method, bits, granularity = quant
    weight = matrix_of(opened, name)
    quantized = quantize(
        weight,
        method=method,
        bits=bits,
        granularity=granularity,
        importance=importance,
        name=name,
    )
    return weight_view(name, weight, quantized, latent, optimum, importance)


def matrix_of(opened: OpenModel, name: str) -> "Tensor":
    """The matrix of that name, (rows, cols). Raises InputError where there is none."""
    found = _matrices(opened)
    one_of("Matrix", name, found)
    return found[name]


def _matrices(opened: OpenModel) -> "dict[str, Tensor]":
    from core.analysis.matrix_view import matrices

    return matrices(opened.model, opened.family)


def importances(opened: OpenModel) -> Generator[Preparing, None, "dict[str, FewRows]"]:
    """The importance of every weight, from the gradients of 256 training sentences, to be kept:
    `whole()` of a matrix's gives (rows, cols).

    Raises InputError when the task's text is not on this computer.
    """
    from core.analysis.sensitivity import few_rows, importance
    from core.training.batches import evaluation_batches

    encoded = sentences(opened, "train", IMPORTANCE_SENTENCES)
    batches = list(evaluation_batches(opened.family, encoded, 32))
    found = yield from importance(opened.model, opened.family, opened.target, batches)
    return {name: few_rows(values) for name, values in found.items()}


def rank_matrices(
    opened: OpenModel, quant: QuantRecipe
) -> Generator[Preparing, None, "list[MatrixError]"]:
    """How far quantizing each matrix moves the last hidden states of 64 dev sentences.

    Raises InputError when the task's text is not on this computer.
    """
    from core.analysis.sensitivity import ranking
    from core.training.batches import evaluation_batches

    encoded = sentences(opened, "dev", RANKING_SENTENCES)
    batches = list(evaluation_batches(opened.family, encoded, 64))
    return (yield from ranking(opened.model, opened.family, quant, batches))


def untrained_score(opened: OpenModel, quant: QuantRecipe) -> Generator[Preparing, None, Score]:
    """The score on 200 dev examples of the model quantized like this, without training.

    Raises InputError when the task's text is not on this computer.
    """
    from core.models.student import build_student
    from core.training.evaluate import answers_of, scores_of, split_predictions

    encoded = sentences(opened, "dev", SCORE_EXAMPLES)
    student = build_student(opened.model, quant, opened.family)
    task, family, target = opened.task, opened.family, opened.target
    forward = partial(answers_of, family, student)
    computing = split_predictions(forward, family, target, encoded, "Scoring without training")
    predictions = yield from computing
    threshold = target.threshold(task, predictions, encoded)
    return scores_of(task, target, predictions, encoded, threshold)[0]


def sentences(opened: OpenModel, split: str, count: int) -> "Encoded":
    """The first `count` rows of a split. Raises InputError when the text is not here."""
    from core.tasks.prepare import load

    dataset = getattr(load(opened.task), split)
    chosen = dataset.select(range(min(count, len(dataset))))
    limit = min(opened.task.max_tokens, opened.family.longest(opened.config))
    return opened.target.encode(opened.family, opened.tokenizer, chosen, opened.task, limit)
