"""The numbers behind the Weights page, and the order of the rules on the backbone's matrices."""

import numpy as np
import pytest
import torch

from core.analysis.matrix_view import (
    latent_histogram,
    level_lines,
    matrices,
    optimum_lines,
    weight_view,
)
from core.analysis.sensitivity import importance, ranking
from core.experiment import QuantRecipe
from core.families.registry import find_family
from core.family import Encoded
from core.quantizers import quantize
from core.targets import find_target
from core.teachers.teacher_store import load_teacher
from core.training.batches import evaluation_batches
from tests.conftest import tiny_model
from tests.core.test_quantizers import check_order, random_importance, random_matrix

BERT, CLASSES = find_family("bert"), find_target("classes")


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("granularity", ["layer", "row", "group-32"])
def test_both_histograms_count_every_weight_on_the_same_bins(bits, granularity):
    w = random_matrix(0, 30, 70, tails=0.6)
    q = quantize(w, method="twn", bits=bits, granularity=granularity)
    edges, latent = latent_histogram(w)
    found = weight_view("w", w, q, (edges, latent), (), None).histogram
    inside = edges[0], edges[-1]
    for counts, values in ((found.latent, w), (found.quantized, q.dequantize())):
        assert counts.sum() == w.numel()
        expected, _ = np.histogram(np.clip(values.numpy(), *inside), bins=edges)
        moved = np.abs(counts - expected).sum()
        assert moved <= 0.005 * w.numel()  # a value on an edge may fall to either side


def test_lines_are_the_levels_and_the_threshold_that_cut_the_codes():
    w = random_matrix(1)
    q = quantize(w, method="twn", bits=2, granularity="layer")
    levels, thresholds = level_lines(q)
    alpha, border = q.scale.item(), 0.7 * w.abs().mean().item()
    assert levels == pytest.approx((-alpha, 0.0, alpha))
    assert thresholds == pytest.approx((-border, border))
    best = quantize(w, method="optimal", bits=2, granularity="layer").scale.item()
    assert optimum_lines(w, 2, "layer") == pytest.approx((-best, best))
    assert level_lines(quantize(w, method="lat", bits=8, granularity="row")) == ((), ())


def encoded(count: int = 12) -> Encoded:
    random = np.random.default_rng(0)
    ids = [random.integers(5, 26, size=n).tolist() for n in random.integers(3, 9, size=count)]
    types = [[0] * len(tokens) for tokens in ids]
    return Encoded(
        inputs={"input_ids": ids, "token_type_ids": types},
        units=np.array([len(tokens) for tokens in ids]),
        labels={"class": np.arange(count) % 2},
    )


def finish(generator):
    try:
        while True:
            next(generator)
    except StopIteration as end:
        return end.value


def test_ranking_measures_each_matrix_alone_and_all_up_to_it():
    model = tiny_model()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    batches = list(evaluation_batches(BERT, encoded(), 6))
    errors = finish(ranking(model, BERT, QuantRecipe(), batches))
    assert [error.name for error in errors] == list(matrices(model, BERT))
    # The pooler comes after the last hidden states, so alone it cannot move them.
    assert errors[-1].isolated == 0.0
    assert all(error.isolated > 0 for error in errors[:-1])
    assert errors[0].accumulated == pytest.approx(errors[0].isolated)
    assert errors[-1].accumulated > max(error.isolated for error in errors[:-1]) * 0.5
    assert all(torch.equal(v, before[n]) for n, v in model.state_dict().items())


def test_importance_is_the_root_mean_square_of_the_gradients():
    model = tiny_model()
    batches = list(evaluation_batches(BERT, encoded(), 6))
    found = finish(importance(model, BERT, CLASSES, batches))
    name = "bert.encoder.layer.1.output.dense"
    weight = model.get_submodule(name).weight
    squares = torch.zeros_like(weight)
    for batch in batches:
        model.zero_grad()
        logits = model(**batch.inputs).logits
        torch.nn.functional.cross_entropy(logits, batch.labels["class"]).backward()
        squares += weight.grad.square()
    expected = (squares / len(batches)).sqrt() + 1e-8
    torch.testing.assert_close(found[name], expected, rtol=1e-4, atol=1e-9)
    assert set(found) == set(matrices(model, BERT))


@pytest.mark.slow
@pytest.mark.parametrize("granularity", ["layer", "row"])
@pytest.mark.parametrize("bits", [2, 3])
def test_the_order_of_the_objectives_on_every_matrix_of_the_backbone(bits, granularity):
    for number, (name, weight) in enumerate(
        matrices(load_teacher("movie-sentiment", "minilm-l6"), BERT).items()
    ):
        rows = weight[:: max(1, weight.shape[0] // 4096)]  # the embedding: 4,360 of its rows
        assert rows.numel() > 100_000, name
        check_order(rows, random_importance(number, *rows.shape), bits, granularity)


def test_a_view_of_a_matrix_does_not_keep_the_matrix():
    """Hundreds of views are kept for the next visitor; their matrices are not."""
    w = random_matrix(0, 100, 90)
    q = quantize(w, method="twn", bits=2, granularity="layer")
    view = weight_view("w", w, q, latent_histogram(w), (), None)
    assert view.block_latent.base is None
    assert view.block_codes.base is None
