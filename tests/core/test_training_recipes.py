"""The options of a training do what they say: schedules, clipping, averaging, stages, dropout."""

import math
from dataclasses import replace

import pytest
import torch

from core.errors import InputError
from core.events import StepDone, WeightsSeen
from core.experiment import DistillRecipe, Experiment, QuantRecipe, TrainRecipe
from core.models.student import weight_quantizers
from core.serialization import canonical_json
from core.training.averaging import Averaging
from core.training.optimizer import Optimizer, learning_rate_at
from core.training.student_training import bits_at, train
from tests.conftest import with_quant, with_train
from tests.core.test_weight_history import pair_of


def test_new_options_leave_the_names_of_old_runs_alone():
    first = Experiment(train=TrainRecipe(learning_rate=2e-4))  # the usual rate was lower once
    assert first.run_id == "eae1f6ea075a"
    assert Experiment(train=TrainRecipe(clip=1.0)).run_id != Experiment().run_id
    assert '"clip":0.0' in canonical_json(Experiment())


def test_schedules_after_the_warm_up():
    recipe = TrainRecipe(steps=10, warmup=0.2, learning_rate=1.0)
    rates = {
        schedule: [
            learning_rate_at(step, replace(recipe, schedule=schedule)) for step in range(1, 11)
        ]
        for schedule in ("linear", "cosine", "constant")
    }
    left = [1 - i / 8 for i in range(8)]
    assert rates["linear"] == pytest.approx([0.5, 1.0, *left])
    waves = [(1 - math.cos(math.pi * x)) / 2 for x in left]
    assert rates["cosine"] == pytest.approx([0.5, 1.0, *waves])
    assert rates["constant"] == pytest.approx([0.5] + [1.0] * 9)


def test_clipping_bounds_all_gradients_together_those_of_rows_too(lab):
    pair = pair_of(lab.experiment)
    optimizer = Optimizer(pair.student, TrainRecipe(clip=0.5))
    (table,) = optimizer.tables.values()
    rows = table.read(torch.tensor([3, 5]))
    rows.grad = torch.full_like(rows, 2.0)
    weight = next(p for p in pair.student.parameters() if p.requires_grad)
    weight.grad = torch.full_like(weight, 1.0)
    for p in pair.student.parameters():
        if p.requires_grad and p.grad is None:
            p.grad = torch.zeros_like(p)
    norm = math.sqrt(4.0 * rows.numel() + weight.numel())
    steps = []
    table.advance = lambda rate: steps.append(rows.grad.clone())
    optimizer.step(0.0)
    torch.testing.assert_close(steps[0], torch.full_like(rows, 2.0 * 0.5 / norm))


def test_averaging_is_the_mean_of_every_tenth_step_of_the_last_share():
    model = torch.nn.Linear(1, 1, bias=False)
    averaging = Averaging(model, 0.5, 50)
    for step in range(1, 51):
        model.weight.data.fill_(float(step))
        if averaging.wants(step):
            averaging.take()
    averaging.coerce_fields()
    assert model.weight.item() == (30 + 40 + 50) / 3
    assert not any(Averaging(model, 0.0, 50).wants(step) for step in range(1, 51))


def test_an_averaged_student_is_another_one(lab):
    plain = with_train(lab.experiment, steps=12, evaluate_every=12)
    one, other = list(train(plain)), list(train(with_train(plain, averaging=1.0)))
    losses = [[e.loss for e in run if isinstance(e, StepDone)] for run in (one, other)]
    assert losses[0] == losses[1]
    assert one[-1].result.layers != other[-1].result.layers


def test_stages_share_the_steps_and_end_at_the_recipe():
    experiment = Experiment(quant=QuantRecipe(stages=(8, 4)), train=TrainRecipe(steps=9))
    assert [bits_at(step, experiment) for step in range(1, 10)] == [8] * 3 + [4] * 3 + [1] * 3
    assert bits_at(1, Experiment()) == 1  # and a matrix's own bits, where those are more


@pytest.mark.parametrize("method", ["twn", "lat", "lsq"])
def test_a_staged_training_quantizes_with_more_bits_first(lab, method):
    experiment = with_quant(
        with_train(lab.experiment, steps=40, evaluate_every=40),
        method=method,
        stages=(8,),
        embedding_bits=4,
    )
    looks = [e for e in train(experiment) if isinstance(e, WeightsSeen)]
    first, *_, last = [next(m for m in e.matrices if "query" in m.name) for e in looks]
    assert first.threshold is None
    assert last.threshold is not None
    assert first.zeros < 0.1 < last.zeros
    pair = pair_of(experiment)
    assert {q.bits for _, _, q in weight_quantizers(pair.student)} == {2, 4}


def test_a_stage_that_the_rule_does_not_know_is_refused(lab):
    with pytest.raises(InputError, match="absmean"):
        list(train(with_quant(lab.experiment, method="absmean", stages=(8,))))
    with pytest.raises(InputError, match="bits of a stage"):
        QuantRecipe(stages=(2,))


def test_dropout_disturbs_the_student_in_training_only(lab):
    calm = pair_of(with_train(lab.experiment, dropout=0.0))
    noisy = pair_of(with_train(lab.experiment, dropout=0.5))
    ids = torch.tensor([[2, 7, 9, 3]])
    with torch.no_grad():
        assert torch.equal(calm.student(ids).logits, noisy.student(ids).logits)
        noisy.student.train()
        assert not torch.equal(noisy.student(ids).logits, noisy.student(ids).logits)


def test_losses_on_maps_and_outputs_are_learned(lab):
    recipe = DistillRecipe(hidden=0, attention=0, logits=0, attention_maps=1, attention_outputs=1)
    experiment = replace(with_train(lab.experiment, steps=30, learning_rate=1e-3), distill=recipe)
    rows = [e for e in train(experiment) if isinstance(e, StepDone)]
    assert all(e.loss == pytest.approx(e.attention_maps + e.attention_outputs) for e in rows)
    assert rows[-1].loss < 0.8 * rows[0].loss
    plain = next(e for e in train(lab.experiment) if isinstance(e, StepDone))
    assert plain.attention_maps == plain.attention_outputs == 0.0


def texts_learned_from(experiment):
    return {tuple(ids) for ids in pair_of(experiment).data.train.inputs["input_ids"]}


def test_a_training_may_have_fewer_examples(lab):
    everything = texts_learned_from(with_train(lab.experiment, steps=1000))
    few = with_train(lab.experiment, steps=1000, examples=10)
    drawn = texts_learned_from(few)
    assert len(drawn) == 10
    assert drawn < everything
    assert texts_learned_from(replace(few, seed=1)) not in (drawn, everything)
    assert texts_learned_from(with_train(few, examples=10**6)) == everything
    assert len(pair_of(with_train(few, steps=1, batch_size=4)).data.train) == 4


def test_copies_are_made_of_the_examples_there_are(lab):
    few = with_train(lab.experiment, steps=1000, examples=10)
    copied = with_train(few, augment=True, augment_copies=2)
    assert len(pair_of(copied).data.train) == 30
    assert texts_learned_from(few) <= texts_learned_from(copied)
