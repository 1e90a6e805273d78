"""What is said of moving weights is what they did, and saying it changes nothing."""

import pytest
import torch

from core.events import StepDone, WeightsSeen
from core.models.student import weight_quantizers
from core.training.batches import training_batches
from core.training.optimizer import Optimizer
from core.training.pair import prepare_pair
from core.training.student_step import training_step
from core.training.student_training import train
from core.training.weight_history import BINS, LOOKS, WeightHistory
from tests.conftest import with_quant, with_train


def pair_of(experiment):
    preparing = prepare_pair(experiment)
    while True:
        try:
            next(preparing)
        except StopIteration as end:
            return end.value


@pytest.mark.parametrize("method", ["twn", "lat", "lsq", "absmean"])
@pytest.mark.parametrize("granularity", ["layer", "row", "group-32"])
def test_a_look_against_quantizing_before_and_after_the_step(lab, method, granularity):
    experiment = with_quant(
        with_train(lab.experiment, learning_rate=0.01, steps=20),
        method=method,
        weight_granularity=granularity,
        embedding_granularity=granularity,
    )
    pair = pair_of(experiment)
    optimizer = Optimizer(pair.student, experiment.train)
    batches = training_batches(pair.data.family, pair.data.train, 8, 0)
    watch = WeightHistory(student=pair.student, steps=20)
    for step in range(1, 10):
        assert not watch.expect(step)
        training_step(experiment, pair, optimizer, next(batches), step)
    matrices = [each for each in weight_quantizers(pair.student) if "word" not in each[0]]
    before = {name: quantizer.peek(weight).codes for name, weight, quantizer in matrices}
    assert watch.expect(10)
    training_step(experiment, pair, optimizer, next(batches), 10)
    after = {n: q.peek(w) for n, w, q in weight_quantizers(pair.student)}
    weights = {name: weight for name, weight, _ in matrices}
    seen = {state.name: state for state in watch.look(10).matrices}
    assert set(seen) == set(after)
    for name, codes in before.items():
        moved = (codes != after[name].codes).float().mean().item()
        assert seen[name].changed == pytest.approx(moved, rel=1e-3)
        assert seen[name].scale == pytest.approx(after[name].scale.mean().item(), rel=1e-4)
        zeros = (after[name].codes == 0).float().mean().item()
        assert seen[name].zeros == pytest.approx(zeros, rel=1e-4)
        expected = torch.histc(weights[name].detach(), BINS, seen[name].low, seen[name].high)
        assert (torch.tensor(seen[name].counts) - expected).abs().sum() <= 2  # ends of bins
    assert any(state.changed > 0 for state in seen.values())


@pytest.mark.parametrize("method", ["twn", "lat", "lsq"])
def test_looking_changes_nothing(lab, method, monkeypatch):
    experiment = with_quant(with_train(lab.experiment, steps=12, evaluate_every=12), method=method)
    watched = list(train(experiment))
    monkeypatch.setattr("core.training.weight_history.SHORTEST", 1000)
    blind = list(train(experiment))
    assert [e.step for e in watched if isinstance(e, WeightsSeen)] == [10]
    assert not [e for e in blind if isinstance(e, WeightsSeen)]
    losses = [[e.loss for e in run if isinstance(e, StepDone)] for run in (watched, blind)]
    assert losses[0] == losses[1]


def test_a_long_training_is_looked_at_as_often_as_is_said(lab):
    student = pair_of(lab.experiment).student
    watch = WeightHistory(student=student, steps=2000)
    assert sum(watch.expect(step) for step in range(1, 2001)) == LOOKS
