"""Matrices quantized ahead, on several threads, are those that each layer would compute."""

from dataclasses import replace

import pytest
import torch

from core.errors import InputError
from core.families.registry import find_family
from core.models import parallel_quantize
from core.models.layers import QuantLinear
from core.models.parallel_quantize import quantize_in_parallel
from core.models.student import build_student, weight_quantizers
from core.quantizers import rules
from tests.conftest import tiny_model

BERT = find_family("bert")

INPUTS = {"input_ids": torch.tensor([[2, 5, 6, 3]]), "attention_mask": torch.ones(1, 4).long()}


@pytest.fixture
def student(lab):
    """Makes a student in training whose loss-aware rules know a second moment."""

    def make(method: str):
        bits = rules()[method].bits[0]
        quant = replace(lab.experiment.quant, method=method, weight_bits=bits, embedding_bits=bits)
        made = build_student(tiny_model(), quant, BERT).train()
        generator = torch.Generator().manual_seed(0)
        for _, weight, quantizer in weight_quantizers(made):
            quantizer.second_moment = torch.rand(weight.shape, generator=generator)
        return made

    return make


@pytest.fixture
def three_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def answers(student, low: bool) -> list[torch.Tensor]:
    """Logits, and the gradient of every latent weight."""
    with torch.autocast("cpu", torch.bfloat16, enabled=low):
        logits = student(**INPUTS).logits
    logits.float().square().sum().backward()
    return [logits, *(weight.grad for _, weight, _ in weight_quantizers(student))]


@pytest.mark.parametrize("low", [False, True])
@pytest.mark.parametrize("method", rules())
def test_the_same_bits_in_both_directions(student, three_threads, method, low):
    one, other = student(method), student(method)
    with torch.autocast("cpu", torch.bfloat16, enabled=low):
        quantize_in_parallel(other)
    layers = [m.weight_quantizer for m in other.modules() if isinstance(m, QuantLinear)]
    ready = [quantizer for quantizer in layers if quantizer and quantizer._prepared is not None]
    assert len(ready) == (0 if rules()[method].learns_scale else 13)
    expected, found = answers(one, low), answers(other, low)
    assert all(torch.equal(a, b) for a, b in zip(expected, found, strict=True))
    assert all(quantizer._prepared is None for quantizer in ready)
    scales = [[q.start_scale for _, _, q in weight_quantizers(s)] for s in (one, other)]
    assert all(a is b is None or torch.equal(a, b) for a, b in zip(*scales, strict=True))


def test_an_answer_that_was_not_used_is_not_used_later(student, three_threads):
    made = student("twn")
    quantize_in_parallel(made)
    with torch.no_grad():
        for _, weight, _ in weight_quantizers(made):
            weight.mul_(2)
    fresh = student("twn")
    fresh.load_state_dict(made.state_dict())
    assert torch.equal(made.train()(**INPUTS).logits, fresh(**INPUTS).logits)


def test_on_one_thread_there_is_nothing_to_share(student, monkeypatch):
    monkeypatch.setattr(parallel_quantize.torch, "get_num_threads", lambda: 1)
    made = student("twn")
    quantize_in_parallel(made)
    assert all(quantizer._prepared is None for _, _, quantizer in weight_quantizers(made))


def test_what_a_layer_refuses_is_refused_here(student, three_threads):
    made = student("twn")
    *_, (_, weight, _) = weight_quantizers(made)
    with torch.no_grad():
        weight[0, 0] = torch.nan
    with pytest.raises(InputError, match="NaN"):
        quantize_in_parallel(made)
