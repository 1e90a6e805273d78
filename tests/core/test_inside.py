"""What is inside a model on one text: probabilities, drift and activations, by hand, against the
library's own attention, and over every target."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from core import api
from core.analysis.cut_offs import examine
from core.analysis.drift import compare
from core.analysis.internals import BINS, Look, _real, look, spread
from core.errors import InputError
from core.experiment import QuantRecipe
from core.families.bert.self_attention import NAME
from core.families.registry import find_family
from core.family import Trace, Unit
from core.models.student import become_student
from core.targets import targets
from core.training.depths import matched_layers
from tests.conftest import tiny_model, tiny_tokenizer
from tests.core.small_tasks import SAMPLES

BERT = find_family("bert")
TEXT = "the film was good and the plot was dull"


def network(seed: int = 0, kind: str = "classes", **changes):
    model = tiny_model(seed, kind, **changes)
    model.set_attn_implementation(NAME)
    return model


def read(model, text: str = TEXT, limit: int = 64) -> Look:
    tokenizer = tiny_tokenizer()
    return look(BERT, model, tokenizer, BERT.encode(tokenizer, [[text]], limit), 0)


# Worked examples


def units(count: int) -> tuple[Unit, ...]:
    return tuple(Unit(text=str(number)) for number in range(count))


def made_up(attention: list, hidden: list) -> Look:
    """A look at two tokens."""
    return Look(
        units=units(2),
        rows=1,
        layers=len(attention),
        attention=tuple(np.array(each, dtype=np.float32) for each in attention),
        hidden=tuple(np.array(each, dtype=np.float32) for each in hidden),
        inputs=(),
    )


def test_moved_is_the_share_of_attention_that_went_elsewhere():
    same, teacher = [[0.5, 0.5], [1.0, 0.0]], [[1.0, 0.0], [0.25, 0.75]]
    student = [[0.5, 0.5], [0.25, 0.75]]  # half of the first row moved, nothing of the second
    nothing = [[1.0, 0.0], [0.0, 1.0]]
    found = compare(
        made_up([[same, student]], [nothing] * 2), made_up([[same, teacher]], [nothing] * 2), "It"
    )
    assert [(each.layer, each.of, each.head) for each in found.heads] == [(0, 0, 1), (0, 0, 0)]
    assert [each.moved for each in found.heads] == [0.25, 0.0]


def test_drift_is_the_angle_and_the_length_of_each_hidden_state():
    attention = [[[[1.0, 0.0], [0.0, 1.0]]]]
    student = made_up(attention, [[[3.0, 4.0], [1.0, 0.0]], [[2.0, 0.0], [0.0, 1.0]]])
    teacher = made_up(attention, [[[3.0, 4.0], [1.0, 0.0]], [[0.0, 1.0], [0.0, 2.0]]])
    first, second = compare(student, teacher, "It").drift
    assert (first.state, first.of, first.cosine, first.norm) == (0, 0, 1.0, 1.0)
    assert (second.state, second.of) == (1, 1)
    assert second.cosine == pytest.approx((0 + 1) / 2)
    assert second.norm == pytest.approx((2 / 1 + 1 / 2) / 2)


def test_outliers_and_the_room_that_the_outermost_values_take():
    values = np.concatenate([np.linspace(-1, 1, 999), [41.0]])
    found = spread(values, ("layer 0, query",), 0)
    assert (found.low, found.high, found.values) == (-1.0, 41.0, 1000)
    assert found.outliers == 1
    assert found.counts.sum() == 1000
    assert len(found.counts) == len(found.edges) - 1 == BINS
    assert found.mean == pytest.approx(0.041)
    assert found.outer_share == pytest.approx(1 - 1.98 / 42, abs=1e-3)


def test_values_that_are_all_the_same_have_no_outliers_and_no_range():
    found = spread(np.full(50, 0.25), ("layer 0, query",), 0)
    assert (found.outliers, found.outer_share, found.deviation) == (0, 0.0, 0.0)
    assert found.counts.sum() == 50


def test_values_that_are_no_numbers_are_refused():
    with pytest.raises(InputError, match="What enters layer 0, query has values that are no"):
        spread(np.array([1.0, np.nan]), ("layer 0, query",), 0)


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [(2, 2, (0, 1)), (1, 2, (1,)), (2, 4, (1, 3)), (4, 12, (2, 5, 8, 11))],
)
def test_a_shallow_student_is_compared_with_the_layers_that_taught_it(ours, theirs, expected):
    assert matched_layers(ours, theirs) == expected


# The tiny BERT


def test_every_row_of_attention_sums_to_one_over_the_real_tokens():
    seen = read(network())
    count = len(seen.units)
    assert [each.shape for each in seen.attention] == [(4, count, count)] * 2
    assert [each.shape for each in seen.hidden] == [(count, 32)] * 3
    for each in seen.attention:
        assert each.min() >= 0
        np.testing.assert_allclose(each.sum(axis=-1), 1.0, rtol=1e-5)


def test_units_are_named_and_marks_are_told_apart():
    seen = read(network(), "the film was unheard")
    assert [unit.text for unit in seen.units] == ["[CLS]", "the", "film", "was", "[UNK]", "[SEP]"]
    assert [unit.is_mark for unit in seen.units] == [True, False, False, False, False, True]


def test_padding_is_left_out():
    value = torch.arange(2.0 * 3 * 4 * 4).reshape(2, 3, 4, 4)
    lengths = torch.tensor([4, 2])
    trace = Trace(value=value, axes=(2, 3), lengths=(lengths, lengths))
    assert torch.equal(_real(trace, 1), value[1, :, :2, :2])
    assert torch.equal(_real(trace, 0), value[0])


@pytest.mark.parametrize("kind", ["classes", "span"])
def test_attention_and_states_are_those_of_the_librarys_eager_attention(kind):
    """A second implementation, in a batch with padding: the library masks it, we cut it off."""
    model, tokenizer = network(3, kind), tiny_tokenizer()
    texts = [TEXT, "a warm story", "it was poor and the cast was cold and the scene was fine"]
    encoded = BERT.encode(tokenizer, [texts], 64)
    eager = tiny_model(3, kind)
    eager.load_state_dict(model.state_dict())
    eager.set_attn_implementation("eager")
    batch = BERT.collate(encoded, np.arange(3))
    with torch.no_grad():
        expected = eager(**batch.inputs, output_attentions=True, output_hidden_states=True)
    for row in range(3):
        seen, count = look(BERT, model, tokenizer, encoded, row), int(encoded.units[row])
        for ours, theirs in zip(seen.attention, expected.attentions, strict=True):
            np.testing.assert_allclose(ours, theirs[row, :, :count, :count], atol=1e-5)
            assert not theirs[row, :, :count, count:].any()
        for ours, theirs in zip(seen.hidden, expected.hidden_states, strict=True):
            np.testing.assert_allclose(ours, theirs[row, :count], atol=1e-4)


def test_a_model_is_at_no_distance_from_itself():
    found = compare(read(network()), read(network()), "It")
    assert {each.moved for each in found.heads} == {0.0}
    assert len(found.heads) == 8
    for each in found.drift:
        assert each.cosine == pytest.approx(1.0, abs=1e-9)
        assert each.norm == pytest.approx(1.0, abs=1e-9)
    other = compare(read(network(1)), read(network()), "It")
    assert min(each.moved for each in other.heads) > 0
    assert max(each.cosine for each in other.drift) < 0.9


def test_a_student_of_fewer_layers_is_held_against_the_layers_that_it_stands_for():
    """The teacher's second layer is the student's only one, and nothing lies before it."""
    teacher = network(num_hidden_layers=4)
    student = network(num_hidden_layers=4)
    BERT.keep_layers(student, (1, 3))
    found = compare(read(student), read(teacher), "It")
    assert {(each.layer, each.of) for each in found.heads} == {(0, 1), (1, 3)}
    assert [(each.state, each.of) for each in found.drift] == [(0, 0), (1, 2), (2, 4)]
    assert found.drift[0].cosine == pytest.approx(1.0)
    assert found.drift[1].cosine < 0.999


@pytest.mark.parametrize(
    ("changes", "text", "sentence"),
    [
        ({"num_hidden_layers": 3}, TEXT, "They has 3 layers, its teacher 2"),
        ({"hidden_size": 16}, TEXT, "They is not as wide as the teacher"),
        ({"num_attention_heads": 2}, TEXT, "or has other heads"),
        ({}, "the film", "their tokens differ"),
    ],
)
def test_what_cannot_be_compared_is_refused_with_a_sentence(changes, text, sentence):
    with pytest.raises(InputError, match=sentence):
        compare(read(network(**changes), text), read(network()), "They")


def test_what_enters_the_matrices_is_what_the_library_hands_on():
    """Query, key and value of a layer read the hidden state before it; tables and the pooler are
    no matrices of a layer."""
    model = network()
    seen = read(model)
    titles = [each.titles for each in seen.inputs]
    assert [len(each) for each in titles] == [3, 1, 1, 1] * 2
    assert titles[0] == ("layer 0, query", "layer 0, key", "layer 0, value")
    assert [each.layer for each in seen.inputs] == [0] * 4 + [1] * 4
    count = len(seen.units)
    assert [each.values for each in seen.inputs[:4]] == [32 * count] * 3 + [64 * count]
    for each, state in zip((seen.inputs[0], seen.inputs[4]), seen.hidden, strict=False):
        assert (each.low, each.high) == (float(state.min()), float(state.max()))
        assert each.counts.tolist() == np.histogram(state.ravel(), bins=BINS)[0].tolist()


def test_looking_leaves_a_shared_model_as_it_is():
    model = become_student(network(), QuantRecipe(), BERT)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    hooks = [len(module._forward_pre_hooks) for module in model.modules()]
    first, again = read(model), read(model)
    assert [len(module._forward_pre_hooks) for module in model.modules()] == hooks
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    for one, other in zip(first.hidden, again.hidden, strict=True):
        assert (one == other).all()


def test_a_student_is_seen_as_it_computes():
    """Its attention is that of its rounded weights, and what enters a matrix is not rounded yet."""
    student = become_student(network(), QuantRecipe(), BERT)
    teacher, seen = read(network()), read(student)
    assert compare(seen, teacher, "It").heads[0].moved > 0.01
    tokenizer = tiny_tokenizer()
    batch = BERT.collate(BERT.encode(tokenizer, [[TEXT]], 64), np.array([0]))
    with torch.no_grad():
        states = BERT.forward(student, batch, {"hidden"}).traces["hidden"]
    assert (seen.hidden[1] == states[1].value[0].numpy()).all()
    assert seen.inputs[4].high == float(states[1].value.max())


# Every target


@pytest.mark.parametrize("kind", targets())
def test_every_target_can_be_looked_into(kind):
    sample, tokenizer = SAMPLES[kind], tiny_tokenizer()
    columns = sample.columns(sample.dataset)
    texts = [[column[0]] for column in columns]
    encoded = sample.task.target.encode_texts(BERT, tokenizer, texts, sample.task, 24)
    for row in range(len(encoded)):
        seen = look(BERT, network(0, kind), tokenizer, encoded, row)
        assert seen.rows == len(encoded)
        assert len(seen.units) == encoded.units[row] <= 24
        assert sum(unit.is_mark for unit in seen.units) == BERT.marks(len(texts))
        other = look(BERT, network(1, kind), tokenizer, encoded, row)
        found = compare(other, seen, "It")
        assert len(found.heads) == 8
        assert len(found.drift) == 3


# Runs


def test_a_run_is_looked_into_in_torch_and_answers_the_same(finished_run, lab):
    run = api.find_run(finished_run.run_id)
    opened = api.open_to_look(api.source_of_run(run))
    assert opened.engine is None
    teacher = api.open_to_look(api.source_of_teacher(lab.experiment.task, lab.model))
    student, other = (api.look_inside(each, TEXT) for each in (opened, teacher))
    assert student.shown == student.reading.read == len(TEXT.split())
    found = api.compare_inside(student, other, "The student")
    assert 0 < found.heads[0].moved < 1
    assert found.drift[0].cosine < 1


def test_long_texts_are_cut_before_they_are_read(lab):
    opened = api.open_to_look(api.source_of_teacher(lab.experiment.task, lab.model))
    seen = api.look_inside(opened, "the film was dull " * 100)
    assert len(seen.look.units) == 64  # what the tiny model reads
    assert seen.reading.tokens == 400
    assert api.MOST_UNITS == 128


def test_at_most_so_many_tokens_are_read_however_many_the_model_could(lab, monkeypatch):
    monkeypatch.setattr("core.api.see_inside.MOST_UNITS", 12)
    opened = api.open_to_look(api.source_of_teacher(lab.experiment.task, lab.model))
    seen = api.look_inside(opened, "the film was dull " * 5)
    assert (len(seen.look.units), seen.shown, seen.reading.read) == (12, 10, 20)


@pytest.mark.parametrize(
    ("texts", "row", "sentence"),
    [
        ((" ",), 0, "There is no text"),
        ((TEXT, TEXT), 0, r"takes 1 text\(s\)"),
        ((TEXT,), 1, "in 1 pieces; there is no piece 2"),
        ((TEXT,), -1, "there is no piece 0"),
    ],
)
def test_what_cannot_be_looked_at_is_refused_with_a_sentence(lab, texts, row, sentence):
    opened = api.open_to_look(api.source_of_teacher(lab.experiment.task, lab.model))
    with pytest.raises(InputError, match=sentence):
        api.look_inside(opened, *texts, row=row)


def test_a_model_that_only_answers_cannot_be_looked_into(lab):
    opened = api.open_to_look(api.source_of_teacher(lab.experiment.task, lab.model))
    with pytest.raises(InputError, match="open_to_look"):
        api.look_inside(replace(opened, model=None), TEXT)


# Channels, marks and ranges


def test_one_channel_and_one_mark_hold_the_outliers():
    values = np.random.default_rng(0).normal(size=(4, 100)).astype(np.float32)
    values[0, 7], values[3, 7], values[1, 9] = 60.0, -50.0, 55.0
    marks = tuple(Unit(text=str(n), is_mark=n in (0, 3)) for n in range(4))
    found = examine(values, marks, 8)
    assert found.channels == (7, 9)
    assert found.at_marks == 2
    assert found.farthest[:2].tolist() == [60.0, 55.0]
    assert (found.low[7], found.high[7]) == (-50.0, 60.0)
    cuts = {cut.name: cut for cut in found.ranges}
    assert (cuts["per tensor"].low, cuts["per tensor"].high) == (-50.0, 60.0)
    assert cuts["per tensor"].outside == cuts["per token"].outside == 0.0
    assert cuts["per tensor"].step == pytest.approx(110 / 255)
    assert cuts["per token"].error < cuts["per tensor"].error
    (coarse,) = [cut for cut in examine(values, marks, 4).ranges if cut.name == "KL"]
    assert 3 / 400 <= coarse.outside < 0.2
    assert cuts["least error"].error <= cuts["per tensor"].error * 1.01


def test_the_input_of_a_matrix_is_examined_by_its_title(finished_run):
    opened = api.open_to_look(api.source_of_run(finished_run))
    found = api.examine_input(opened, "layer 1, feed-forward in", 4, TEXT)
    seen = api.look_inside(opened, TEXT)
    (spread_of,) = [e for e in seen.look.inputs if "layer 1, feed-forward in" in e.titles]
    assert found.units == seen.look.units
    assert (found.low.min(), found.high.max()) == pytest.approx((spread_of.low, spread_of.high))
    assert found.outliers.sum() == spread_of.outliers
    with pytest.raises(InputError, match="no matrix layer 9, query"):
        api.examine_input(opened, "layer 9, query", 8, TEXT)
