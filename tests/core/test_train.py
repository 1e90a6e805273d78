"""The training loop: same seed, same events; what is trained is what is saved."""

import gc
from dataclasses import replace

import pytest
import torch

from core.errors import InputError
from core.events import Evaluated, Finished, Started, StepDone
from core.experiment import DistillRecipe
from core.models.student import quantized_weights
from core.packed import file
from core.training import student_step as one_step
from core.training import student_training as module
from core.training.student_training import train
from tests.conftest import with_quant, with_train


def losses_of(events):
    names = ("step", "loss", "hidden", "attention", "logits", "labels", "learning_rate", "tokens")
    return [tuple(getattr(e, n) for n in names) for e in events if isinstance(e, StepDone)]


def test_events_come_in_order_and_end_with_the_result(lab, tmp_path):
    events = list(train(lab.experiment, tmp_path))
    assert isinstance(events[-1], Finished)
    assert [type(e) for e in events].count(Started) == 1
    assert [e.step for e in events if isinstance(e, StepDone)] == [1, 2, 3, 4]
    assert [e.step for e in events if isinstance(e, Evaluated)] == [2, 4]
    result = events[-1].result
    assert result.run_id == lab.experiment.run_id
    assert result.size_bytes_packed == (tmp_path / "model.safetensors").stat().st_size
    assert result.test_examples == 20
    assert len(result.layers) == 1 + 2 * 6 + 1  # embedding, two layers of six, pooler


def test_same_seed_same_events(lab):
    first, second = list(train(lab.experiment)), list(train(lab.experiment))
    assert losses_of(first) == losses_of(second)
    assert first[-1].result.score == second[-1].result.score


def test_another_seed_sees_other_batches(lab):
    other = replace(lab.experiment, seed=1)
    assert losses_of(train(lab.experiment)) != losses_of(train(other))


def test_the_student_learns_to_imitate(lab):
    experiment = with_train(lab.experiment, steps=40, learning_rate=1e-3, evaluate_every=40)
    rows = losses_of(train(experiment))
    first, last = sum(r[1] for r in rows[:6]), sum(r[1] for r in rows[-6:])
    assert last < 0.8 * first


def test_a_loss_of_weight_zero_changes_nothing_but_the_sum(lab):
    labels_only = DistillRecipe(hidden=0, attention=0, logits=0, labels=1)
    rows = losses_of(train(replace(lab.experiment, distill=labels_only)))
    assert all(loss == labels for _, loss, _, _, _, labels, _, _ in rows)
    of_all = losses_of(train(lab.experiment))
    assert rows[0][2:] == of_all[0][2:]  # before the first step the students are the same
    assert rows[-1][2:] != of_all[-1][2:]


@pytest.mark.parametrize("method", ["twn", "lat", "lsq", "lat-exact"])
@pytest.mark.parametrize("bits", [2, 4])
@pytest.mark.parametrize("granularity", ["layer", "row"])
def test_packed_file_gives_the_logits_of_the_trained_student(
    lab, tmp_path, monkeypatch, method, bits, granularity
):
    kept = {}
    monkeypatch.setattr(
        module,
        "to_bytes",
        lambda student, e, origin: (
            kept.update(s=student) or file.to_bytes(student, e, origin=origin)
        ),
    )
    experiment = with_quant(
        lab.experiment,
        method=method,
        weight_bits=bits,
        embedding_bits=bits,
        weight_granularity=granularity,
        embedding_granularity=granularity,
    )
    list(train(experiment, tmp_path))
    packed = file.read(tmp_path / "model.safetensors")
    assert packed.experiment == experiment
    ids = torch.randint(5, 26, (3, 9))
    with torch.no_grad():
        assert torch.equal(packed.model(ids).logits, kept["s"](ids).logits)
    for name, weight in quantized_weights(kept["s"]).items():
        assert torch.equal(packed.weights[name].codes, weight.codes)
        assert torch.equal(packed.weights[name].scale, weight.scale)


def test_closing_stops_and_leaves_no_file(lab, tmp_path):
    training = train(lab.experiment, tmp_path)
    for event in training:
        if isinstance(event, StepDone):
            break
    training.close()
    gc.collect()
    assert list(tmp_path.glob("*.safetensors")) == []
    assert torch.is_grad_enabled()


def test_gradients_stay_on_in_the_consumer(lab):
    assert all(torch.is_grad_enabled() for _ in train(lab.experiment))


def test_a_diverging_run_ends_with_a_sentence(lab):
    experiment = with_train(lab.experiment, learning_rate=1.0, steps=300, warmup=0.0)
    experiment = replace(experiment, distill=DistillRecipe(hidden=1000, attention=1000))
    broken = pytest.MonkeyPatch()
    original = one_step.batch_losses

    def poisoned(*arguments):
        terms = original(*arguments)
        return {**terms, "hidden": terms["hidden"] * float("nan")}

    broken.setattr(one_step, "batch_losses", poisoned)
    try:
        with pytest.raises(InputError, match="Lower the learning rate"):
            list(train(experiment))
    finally:
        broken.undo()


def test_a_missing_teacher_names_the_command(lab):
    with pytest.raises(InputError, match="python -m core teach"):
        list(train(replace(lab.experiment, model="minilm-l6")))


def test_switched_off_parts_stay_full_precision(lab):
    experiment = with_quant(lab.experiment, parts=("attention",), layers=(1,))
    result = list(train(experiment))[-1].result
    assert {layer.part for layer in result.layers} == {"attention"}
    assert all("layer.1." in layer.name for layer in result.layers)
