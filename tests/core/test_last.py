"""What is remembered about a tensor is never said about another, nor after a change."""

import gc
import threading
import weakref

import pytest
import torch

from core.models import activation
from core.models.activation import ActivationQuantizer
from core.models.student import build_student
from core.quantizers import base, quantize
from core.quantizers.last import Last
from tests.conftest import tiny_model, with_quant


@pytest.fixture
def summed():
    """A function that counts how often it really looks at a tensor: [tensor, how] -> sum + how."""

    class Summed:
        def __init__(self):
            self.looks, self.last = 0, Last()

        def __call__(self, tensor, how=0):
            def find():
                self.looks += 1
                return float(tensor.sum()) + how

            return self.last.about(tensor, how, find)

    return Summed()


def test_the_same_question_is_answered_once(summed):
    x = torch.ones(3)
    assert [summed(x), summed(x), summed(x, 1), summed(x, 1), summed(x)] == [3, 3, 4, 4, 3]
    assert summed.looks == 3


def test_a_changed_tensor_is_a_new_question(summed):
    x = torch.ones(3)
    assert summed(x) == 3
    x[0] = 5
    assert summed(x) == 7
    with torch.no_grad():
        x.add_(1)
    assert summed(x) == 10


def test_a_new_tensor_in_the_place_of_the_old_is_a_new_question(summed):
    for k in range(50):
        assert summed(torch.full((3,), float(k))) == 3 * k


def test_a_tensor_is_not_kept(summed):
    x = torch.ones(3)
    summed(x)
    gone = weakref.ref(x)
    del x
    gc.collect()
    assert gone() is None


def test_each_thread_has_its_own_answer(summed):
    x = torch.ones(3)
    summed(x)
    other = threading.Thread(target=summed, args=(x,))
    other.start()
    other.join()
    assert summed(x) == 3
    assert summed.looks == 2


def test_inference_mode_is_looked_at_anew(summed):
    with torch.inference_mode():
        x = torch.ones(3)
        assert summed(x) == 3
        x[0] = 5
        assert summed(x) == 7


def test_a_rule_and_the_check_before_it_walk_through_a_matrix_once(monkeypatch):
    looks = []
    real = base.magnitudes
    monkeypatch.setattr(base, "magnitudes", lambda w: looks.append(w) or real(w))
    weight = torch.randn(4, 8)
    first = quantize(weight, method="twn", bits=2, granularity="row")
    assert len(looks) == 1
    weight *= 2
    second = quantize(weight, method="twn", bits=2, granularity="row")
    assert len(looks) == 2
    assert torch.equal(second.scale, 2 * first.scale)


@pytest.mark.parametrize("low", [False, True])
def test_query_key_and_value_share_what_they_read_and_nothing_changes(lab, monkeypatch, low):
    experiment = with_quant(lab.experiment, activation_bits=8)
    ids = torch.tensor([[2, 5, 6, 3]])

    def answers() -> list[torch.Tensor]:
        student = build_student(tiny_model(), experiment.quant).train()
        with torch.autocast("cpu", torch.bfloat16, enabled=low):
            logits = student(ids).logits
        logits.float().square().sum().backward()
        return [logits, *(weight.grad for weight in student.parameters())]

    looks = []
    real = activation.fake_quantize_activation
    monkeypatch.setattr(
        activation, "fake_quantize_activation", lambda x, *how: looks.append(x) or real(x, *how)
    )
    shared, few = answers(), len(looks)
    monkeypatch.setattr(Last, "about", lambda _self, _tensor, _how, find: find())
    alone, many = answers(), len(looks) - few
    layers = tiny_model().config.num_hidden_layers
    assert many - few == 2 * layers
    assert all(torch.equal(a, b) for a, b in zip(shared, alone, strict=True))


def test_other_bits_or_another_type_are_another_rounding():
    x = torch.randn(4, 6)
    coarse, fine = ActivationQuantizer(4, "minmax")(x), ActivationQuantizer(8, "minmax")(x)
    assert not torch.equal(coarse, fine)
    with torch.autocast("cpu", torch.bfloat16):
        assert ActivationQuantizer(8, "minmax")(x).dtype == torch.bfloat16
    assert torch.equal(ActivationQuantizer(8, "minmax")(x), fine)
