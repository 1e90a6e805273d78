"""What is kept of the teacher's outputs is what it would say; only few examples are kept."""

from dataclasses import replace

import pytest
import torch

from core.experiment import DistillRecipe
from core.models.attention import NAME
from core.training import teacher_outputs, train
from core.training.batches import encode, training_batches
from core.training.distill import losses, run_with_outputs
from core.training.teacher_outputs import are_worth_keeping, keep_outputs, kept_bytes
from tests.conftest import made_up_rows, tiny_model, tiny_tokenizer, with_train

EVERYTHING = DistillRecipe(labels=1, attention_maps=1, attention_outputs=1)


def read_by(experiment, model, encoded):
    reading = keep_outputs(experiment, model, encoded)
    while True:
        try:
            next(reading)
        except StopIteration as end:
            return end.value


def examples(kind: str, count: int = 30):
    """Encoded sentences of many lengths, with labels of a kind of task."""
    texts = [str(row["text"]) for row in made_up_rows(count, 0)]
    labels = {
        "classes": torch.arange(count) % 2,
        "value": torch.linspace(0, 1, count),
        "span": torch.ones(count, 2, dtype=torch.long),
    }
    return encode(tiny_tokenizer(), [texts], labels[kind].numpy(), 16)


@pytest.fixture(params=["classes", "value", "span"])
def pair(request):
    """A teacher and a student of one kind, and what they read."""
    models = [tiny_model(seed, request.param) for seed in (0, 1)]
    for model in models:
        model.set_attn_implementation(NAME)
    return (*models, examples(request.param))


@pytest.mark.parametrize("recipe", [DistillRecipe(), EVERYTHING])
def test_every_loss_is_that_of_the_teacher_itself(lab, pair, recipe):
    teacher, student, encoded = pair
    experiment = with_train(replace(lab.experiment, distill=recipe), steps=100, precision="fp32")
    kept = read_by(experiment, teacher, encoded)
    batches = training_batches(encoded, 4, seed=1)
    for _ in range(8):
        batch = next(batches)
        with torch.no_grad():
            ours = run_with_outputs(student, batch.inputs, recipe)
            theirs = run_with_outputs(teacher, batch.inputs, recipe)
        shape = batch.attention_mask, batch.labels, recipe
        expected, found = losses(ours, theirs, *shape), losses(ours, kept.of(batch), *shape)
        for name in expected.__slots__:
            torch.testing.assert_close(getattr(found, name), getattr(expected, name), msg=name)
        assert float(expected.hidden) > 0.01
        assert bool(expected.attention_outputs) == bool(recipe.attention_outputs)


def test_it_takes_what_was_foreseen(lab, pair):
    teacher, _, encoded = pair
    for recipe in (DistillRecipe(), EVERYTHING):
        experiment = with_train(replace(lab.experiment, distill=recipe), steps=100)
        logits = sum(row.logits.nbytes for row in read_by(experiment, teacher, encoded)._rows)
        expected = kept_bytes(experiment, teacher.config, encoded) + logits
        assert read_by(experiment, teacher, encoded).size_bytes == expected


def test_few_readings_or_many_bytes_are_not_worth_it(lab, monkeypatch):
    encoded, config = examples("classes"), tiny_model().config
    often = with_train(lab.experiment, steps=12, batch_size=8)  # 96 of 30 rows: 3.2 times
    assert are_worth_keeping(often, config, encoded)
    assert not are_worth_keeping(with_train(often, steps=11), config, encoded)
    assert read_by(with_train(often, steps=11), tiny_model(), encoded) is None
    monkeypatch.setattr(teacher_outputs, "MOST_BYTES", kept_bytes(often, config, encoded) - 1)
    assert not are_worth_keeping(often, config, encoded)


def test_a_training_hears_the_teacher_once(lab, monkeypatch):
    """With the teacher's outputs kept its forward runs for the scores and once an example; the
    student learns the same but for rounding."""
    labelled = replace(lab.experiment, distill=DistillRecipe(labels=1))
    experiment = with_train(labelled, steps=40, examples=16, precision="fp32")
    said = []
    real = teacher_outputs.KeptOutputs.of
    monkeypatch.setattr(
        teacher_outputs.KeptOutputs,
        "of",
        lambda self, batch: said.append(batch) or real(self, batch),
    )

    def curve() -> list[float]:
        return [event.loss for event in train.train(experiment) if hasattr(event, "loss")]

    kept = curve()
    assert len(said) == len(kept) == 40
    monkeypatch.setattr(teacher_outputs, "MOST_BYTES", 0)
    fresh = curve()
    assert len(said) == 40
    assert kept[0] == pytest.approx(fresh[0], rel=1e-5)
    assert kept == pytest.approx(fresh, rel=0.05)
    assert kept[-1] < 0.9 * kept[0]
