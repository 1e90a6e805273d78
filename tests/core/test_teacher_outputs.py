"""The teacher's cached outputs are those it would give again; only few examples are cached."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from core.experiment import DistillRecipe
from core.families.bert.self_attention import NAME
from core.families.registry import find_family
from core.family import Outputs, Trace
from core.targets import find_target
from core.training import student_training, teacher_outputs
from core.training.batches import training_batches
from core.training.distillation_losses import losses, traces_of
from core.training.teacher_outputs import (
    CachedOutputs,
    are_worth_caching,
    cache_outputs,
    cached_bytes,
)
from tests.conftest import made_up_rows, tiny_model, tiny_tokenizer, with_train

BERT = find_family("bert")
EVERYTHING = DistillRecipe(labels=1, attention_maps=1, attention_outputs=1)


def read_by(experiment, model, encoded):
    return finish(cache_outputs(experiment, BERT, model, encoded))


def finish(generator):
    """The return value of a generator."""
    while True:
        try:
            next(generator)
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
    encoded = BERT.encode(tiny_tokenizer(), [texts], 16)
    name = {"classes": "class", "value": "value", "span": "span"}[kind]
    return replace(encoded, labels={name: labels[kind].numpy()})


@pytest.fixture(params=["classes", "value", "span"])
def pair(request):
    """A teacher and a student of one kind, what they read, and what is asked of them."""
    models = [tiny_model(seed, request.param) for seed in (0, 1)]
    for model in models:
        model.set_attn_implementation(NAME)
    return (*models, examples(request.param), find_target(request.param))


@pytest.mark.parametrize("recipe", [DistillRecipe(), EVERYTHING])
def test_every_loss_is_that_of_the_teacher_itself(lab, pair, recipe):
    teacher, student, encoded, target = pair
    experiment = with_train(replace(lab.experiment, distill=recipe), steps=100, precision="fp32")
    cached = read_by(experiment, teacher, encoded)
    batches = training_batches(BERT, encoded, 4, seed=1)
    for _ in range(8):
        batch = next(batches)
        wanted = traces_of(BERT, recipe)
        with torch.no_grad():
            ours, theirs = (BERT.forward(model, batch, wanted) for model in (student, teacher))
        about = batch.labels, recipe, BERT, target
        expected, found = losses(ours, theirs, *about), losses(ours, cached.of(batch), *about)
        assert found.keys() == expected.keys() == {"logits", "labels", *wanted}
        for name, loss in expected.items():
            torch.testing.assert_close(found[name], loss, msg=name)
        assert float(expected["hidden"]) > 0.01
        assert bool(expected.get("attention_outputs")) == bool(recipe.attention_outputs)


def test_it_takes_what_was_foreseen(lab, pair):
    teacher, _, encoded, _ = pair
    for recipe in (DistillRecipe(), EVERYTHING):
        experiment = with_train(replace(lab.experiment, distill=recipe), steps=100)
        cached = read_by(experiment, teacher, encoded)
        answers = sum(each.value.nbytes for row in cached._rows for each in row.answers.values())
        expected = cached_bytes(experiment, BERT, teacher.config, encoded) + answers
        assert cached.size_bytes == expected


def test_few_readings_or_many_bytes_are_not_worth_it(lab, monkeypatch):
    encoded, config = examples("classes"), tiny_model().config
    often = with_train(lab.experiment, steps=12, batch_size=8)  # 96 of 30 rows: 3.2 times
    assert are_worth_caching(often, BERT, config, encoded)
    assert not are_worth_caching(with_train(often, steps=11), BERT, config, encoded)
    assert read_by(with_train(often, steps=11), tiny_model(), encoded) is None
    limit = cached_bytes(often, BERT, config, encoded)
    monkeypatch.setattr(teacher_outputs, "MOST_BYTES", limit)
    assert are_worth_caching(often, BERT, config, encoded)
    monkeypatch.setattr(teacher_outputs, "MOST_BYTES", limit - 1)
    assert not are_worth_caching(often, BERT, config, encoded)


class Speaker:
    """A family whose traces run along other axes than those of text: of n frames a table
    (2, n, 3, n + 1) whose padding is 7, and answers (n, 2) whose padding is -1. Each number says
    where it stands."""

    distances, always = {"tables": None}, frozenset({"tables"})

    def collate(self, encoded, rows):
        return BERT.collate(encoded, rows)

    def trace_bytes(self, config, units, traces):
        return int(4 * (units * 6 * (units + 1)).sum())

    def forward(self, model, batch, traces=frozenset()):
        frames, count = batch.units, int(batch.units.max())
        sizes = {2000.0: batch.examples, 1000.0: 2, 50.0: count, 17.0: 3, 1.0: count + 1}
        table = sum(
            scale * self.axis(place, size) for place, (scale, size) in enumerate(sizes.items())
        )
        table = self.padded(Trace(value=table, axes=(2, 4), lengths=(frames, frames + 1)), 7.0)
        answer = torch.arange(2.0 * count).reshape(1, count, 2)
        answer = answer + 100.0 * batch.examples.reshape(-1, 1, 1)
        answer = self.padded(Trace(value=answer, axes=(1,), lengths=(frames,)), -1.0)
        return Outputs(answers={"speech": answer}, traces={"tables": (table,)})

    def axis(self, place: int, numbers: torch.Tensor | int) -> torch.Tensor:
        """The numbers (or as many as are said) along one of five axes."""
        found = torch.arange(numbers) if isinstance(numbers, int) else numbers
        return found.reshape([-1 if axis == place else 1 for axis in range(5)])

    def padded(self, trace: Trace, padding: float) -> Trace:
        value = trace.value.masked_fill(trace.mask == 0, padding)
        return replace(trace, value=value, padding=padding)


def test_traces_are_cut_along_their_axes_and_joined_with_their_padding(lab):
    """Rows are read shortest first and asked for in other company: every number and every mask is
    that of a forward, padding included, whichever axes run along the units."""
    family, encoded = Speaker(), examples("classes", 60)
    experiment = with_train(lab.experiment, steps=100)
    cached = finish(cache_outputs(experiment, family, tiny_model(), encoded))
    draw = np.random.default_rng(0)
    for _ in range(10):
        batch = BERT.collate(encoded, draw.permutation(len(encoded))[:5])
        assert len(batch.units.unique()) > 1
        expected, found = family.forward(None, batch, {"tables"}), cached.of(batch)
        for ours, theirs in (
            (found.answers["speech"], expected.answers["speech"]),
            (found.traces["tables"][0], expected.traces["tables"][0]),
        ):
            assert (ours.axes, ours.padding) == (theirs.axes, theirs.padding)
            assert torch.equal(ours.mask, theirs.mask)
            real = theirs.mask.expand_as(theirs.value) == 1
            assert ours.value.shape == theirs.value.shape
            assert torch.equal(ours.value, theirs.value)
            assert (ours.value[~real] == theirs.padding).all()
            assert not real.all()
    speech = sum(8 * int(units) for units in encoded.units)
    foreseen = cached_bytes(experiment, family, None, encoded)
    assert cached.size_bytes == foreseen + speech


def test_a_row_that_is_cut_and_joined_again_is_the_row():
    """Worked by hand: two rows of two and one units, padded with 9, become rows without padding."""
    value = torch.tensor([[[1.0, 2.0], [3.0, 4.0]], [[5.0, 9.0], [9.0, 9.0]]])
    trace = Trace(
        value=value, axes=(1, 2), lengths=(torch.tensor([2, 1]), torch.tensor([2, 1])), padding=9.0
    )
    rows = [
        teacher_outputs._one(Outputs(answers={"x": trace}, traces={"y": (trace,)}), place)
        for place in (0, 1)
    ]
    assert rows[0].answers["x"].value.tolist() == [[[1.0, 2.0], [3.0, 4.0]]]
    assert rows[1].answers["x"].value.tolist() == [[[5.0]]]
    assert rows[1].answers["x"] is rows[1].traces["y"][0]  # kept once, whatever its names
    cached = CachedOutputs(rows)
    assert cached.size_bytes == 4 * (4 + 1)
    batch = BERT.collate(examples("classes", 2), np.array([1, 0]))
    joined = cached.of(batch).answers["x"]
    assert torch.equal(joined.value, value.flip(0))
    assert [each.tolist() for each in joined.lengths] == [[1, 2], [1, 2]]
    alone = cached.of(BERT.collate(examples("classes", 2), np.array([1]))).answers["x"]
    assert alone.value.tolist() == [[[5.0]]]


def test_a_training_hears_the_teacher_once(lab, monkeypatch):
    """With the teacher's outputs cached its forward runs for the scores and once an example; the
    student learns the same but for rounding."""
    labelled = replace(lab.experiment, distill=DistillRecipe(labels=1))
    experiment = with_train(labelled, steps=40, examples=16, precision="fp32")
    asked = []
    real = CachedOutputs.of
    monkeypatch.setattr(
        CachedOutputs, "of", lambda self, batch: asked.append(batch) or real(self, batch)
    )

    def curve() -> list[float]:
        return [
            event.loss for event in student_training.train(experiment) if hasattr(event, "loss")
        ]

    cached = curve()
    assert len(asked) == len(cached) == 40
    monkeypatch.setattr(teacher_outputs, "MOST_BYTES", 0)
    fresh = curve()
    assert len(asked) == 40
    assert cached[0] == pytest.approx(fresh[0], rel=1e-5)
    assert cached == pytest.approx(fresh, rel=0.05)
    assert cached[-1] < 0.9 * cached[0]
