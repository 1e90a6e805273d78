"""What every family keeps to: examples become rows, rows batches, batches named outputs."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import nn

from core import api
from core.errors import InputError
from core.experiment import PARTS, SUMMED
from core.export.snippets import has_snippet, snippet
from core.families.bert.self_attention import NAME
from core.families.registry import family_names, find_family
from core.family import HEAD, Batch, Family, Reader, Trace, Windows, address_of
from core.models.backbones import BACKBONES
from core.packed.engine import engine_if_possible
from core.packed.graphs import draw
from core.targets import targets
from core.teacher_folders import teacher_folder
from core.teachers.teacher_store import family_of_teacher
from core.training import pair
from core.training.augment import augmented
from core.training.candidates import masked
from core.training.pair import prepare_pair
from core.training.teacher_outputs import _all_traces
from tests.conftest import made_up_rows, save_tiny_model, tiny_model, tiny_tokenizer

TEXTS = [str(row["text"]) for row in made_up_rows(12, 3)]
LIMIT = 14


@dataclass(frozen=True, kw_only=True)
class Small:
    """A family with a small model (seed, target -> network in eval mode) and its processor."""

    family: Family
    model: Callable[[int, str], nn.Module]
    processor: Any

    def encoded(self, *columns: list[str], limit: int = LIMIT):
        return self.family.encode(self.processor, columns, limit)

    @property
    def every(self) -> frozenset[str]:
        return frozenset(self.family.distances)


def tiny_bert(seed: int, kind: str) -> nn.Module:
    model = tiny_model(seed, kind)
    model.set_attn_implementation(NAME)
    return model


SMALL = {"bert": (tiny_bert, tiny_tokenizer)}  # whoever adds a family adds its model here


@pytest.fixture(params=family_names())
def small(request) -> Small:
    assert request.param in SMALL, f"add a small model of {request.param} to SMALL"
    model, processor = SMALL[request.param]
    return Small(family=find_family(request.param), model=model, processor=processor())


def units_of(trace: Trace, row: int) -> list[int]:
    return [int(lengths[row]) for lengths in trace.lengths]


def part_of(trace: Trace, row: int) -> torch.Tensor:
    """What is real of a row."""
    value = trace.value[row]
    for axis, lengths in zip(trace.axes, trace.lengths, strict=True):
        value = value.narrow(axis - 1, 0, int(lengths[row]))
    return value


# The registry


def test_a_family_has_all_that_the_protocol_names(small):
    names = {name for each in (Reader, Family) for name in (*vars(each), *each.__annotations__)}
    wanted = {name for name in names if not name.startswith("_")}
    assert {"name", "encode", "forward", "distances"} <= wanted
    assert {name for name in wanted if not hasattr(small.family, name)} == set()


def test_a_family_is_found_by_its_name_and_another_is_refused(small):
    assert find_family(small.family.name) is small.family
    with pytest.raises(InputError, match="Family 'mamba' is not known") as refused:
        find_family("mamba")
    assert small.family.name in str(refused.value)


def test_the_losses_of_a_family_are_names_of_the_recipe(small):
    """A weight of the recipe reaches each of them; the target's own are not among them."""
    targets_own = {"logits", "labels"}.union(*(each.more_losses for each in targets().values()))
    assert {*small.family.distances} <= {*SUMMED} - targets_own
    assert small.family.always <= {*small.family.distances}
    assert len(set(small.family.parts)) == len(small.family.parts) > 0


def test_the_parts_of_a_recipe_are_those_of_bert():
    assert find_family("bert").parts == PARTS


# From examples to batches


def test_rows_are_the_examples_cut_to_the_limit(small):
    encoded = small.encoded(TEXTS, limit=8)
    assert len(encoded) == len(TEXTS)
    assert encoded.units.max() == 8 > encoded.units.min()
    for column in encoded.inputs.values():
        assert [len(row) for row in column] == encoded.units.tolist()
    whole = small.encoded(TEXTS, limit=64)
    assert whole.units.max() > 8
    pairs = small.encoded(TEXTS, TEXTS[::-1], limit=64)
    assert (pairs.units > whole.units).all()


def test_a_batch_holds_the_rows_that_were_asked_for(small):
    encoded = small.encoded(TEXTS)
    labels = {"class": np.arange(len(TEXTS)), "value": np.linspace(0, 1, len(TEXTS))}
    encoded = replace(encoded, labels=labels)
    rows = np.array([7, 0, 3])
    batch = small.family.collate(encoded, rows)
    assert batch.examples.tolist() == rows.tolist()
    assert batch.units.tolist() == encoded.units[rows].tolist()
    assert {len(value) for value in batch.inputs.values()} == {3}
    for name, every in labels.items():
        assert batch.labels[name].tolist() == every[rows].tolist()


def test_every_unit_of_a_row_is_named_and_marks_are_told_from_text(small):
    encoded = small.encoded(TEXTS, TEXTS[::-1], limit=64)
    for row, counted in enumerate(small.family.count(small.processor, TEXTS)):
        units = small.family.units_of(small.processor, encoded, row)
        assert len(units) == encoded.units[row]
        assert all(unit.text for unit in units)
        assert sum(unit.is_mark for unit in units) == small.family.marks(2)
        alone = small.family.units_of(small.processor, small.encoded(TEXTS, limit=64), row)
        assert sum(not unit.is_mark for unit in alone) == counted.units


def test_windows_know_their_pair(small):
    passages = [" ".join(TEXTS), TEXTS[0], " ".join(TEXTS[:4])]
    questions = ["was it good", "it was", "a film"]
    encoded = small.family.windows(small.processor, questions, passages, 24)
    assert isinstance(encoded.about, Windows)
    assert encoded.units.max() <= 24
    example = encoded.about.example
    assert sorted(set(example.tolist())) == [0, 1, 2]
    assert (np.diff(example) >= 0).all()
    assert len(example) == len(encoded) > 3
    assert encoded.about.contexts == passages
    assert encoded.about.accepted == [()] * 3
    for number, passage in enumerate(passages):
        seen = set()
        for row in np.flatnonzero(example == number):
            places = encoded.about.offsets[row]
            assert encoded.about.first[row] + len(places) <= encoded.units[row]
            seen |= {place for begin, end in places for place in range(begin, end)}
        assert {place for place, letter in enumerate(passage) if letter != " "} <= seen


def test_made_up_examples_are_always_the_same_and_no_longer_than_is_read(small):
    config = small.model(0, "classes").config
    longest = small.family.longest(config)
    for rows, units in ((3, 5), (2, longest), (2, longest + 9)):
        batch, again = (small.family.made_up_batch(config, rows, units) for _ in range(2))
        assert batch.units.tolist() == [min(units, longest)] * rows
        assert batch.examples.tolist() == list(range(rows))
        for name, value in batch.inputs.items():
            assert torch.equal(value, again.inputs[name])
        with torch.no_grad():
            answers = small.family.forward(small.model(0, "classes"), batch).answers
        assert {len(answer.value) for answer in answers.values()} == {rows}
        assert all((answer.value[0] != answer.value[1]).any() for answer in answers.values())


# What is inside


@pytest.mark.parametrize("kind", targets())
def test_every_parameter_is_a_matrix_of_a_part_or_has_a_kind(small, kind):
    family, model = small.family, small.model(0, kind)
    parameters = dict(model.named_parameters(remove_duplicate=False))
    matrices = family.matrices(model)
    addresses = [matrix.address for matrix in matrices]
    assert len(set(addresses)) == len({matrix.title for matrix in matrices}) == len(matrices) > 0
    for matrix in matrices:
        assert parameters[matrix.address].dim() == 2
        assert family.matrix_of(matrix.address) == matrix
        assert address_of(family, matrix.name) == matrix.address
        assert matrix.part in family.parts
        assert matrix.layer is None or 0 <= matrix.layer < family.depth(model.config)
        if matrix.tied_to:
            assert parameters[matrix.address] is parameters[matrix.tied_to]
    layers = {matrix.layer for matrix in matrices} - {None}
    assert layers == set(range(family.depth(model.config)))
    assert {*family.groups} == {*family.parts}
    others = [name for name in parameters if name not in addresses]
    assert all(family.matrix_of(name) is None for name in others)
    kinds = {name: family.kind_of(name) for name in others}
    assert all(kinds.values())
    assert HEAD in kinds.values()


# From batches to outputs


@pytest.fixture(params=targets())
def ready(request, small) -> tuple[Small, str, nn.Module, Batch]:
    """A family's small model for a target (named), and a batch of rows of many lengths."""
    batch = small.family.collate(small.encoded(TEXTS), np.array([5, 2, 9, 0, 11]))
    assert len(batch.units.unique()) > 2
    return small, request.param, small.model(1, request.param), batch


@torch.no_grad()
def test_the_round_trip_gives_every_trace_with_its_units(ready):
    small, _, model, batch = ready
    outputs = small.family.forward(model, batch, small.every)
    assert outputs.traces.keys() == small.every
    assert outputs.answers
    for trace in _all_traces(outputs):
        assert trace.value.dtype == torch.float32
        assert len(trace.value) == len(batch.units)
        assert torch.isfinite(trace.value).all()
        assert len(trace.axes) == len(trace.lengths)
        for axis, lengths in zip(trace.axes, trace.lengths, strict=True):
            assert 0 < axis < trace.value.dim()
            assert trace.value.shape[axis] == lengths.max()
    for name, traces in outputs.traces.items():
        assert len(traces) > 0, name
        assert all(trace.axes for trace in traces), name


@torch.no_grad()
def test_asking_for_traces_changes_no_answer_and_no_other_trace(ready):
    small, _, model, batch = ready
    outputs = small.family.forward(model, batch, small.every)
    bare = small.family.forward(model, batch)
    assert bare.traces == {}
    for name, answer in outputs.answers.items():
        assert torch.equal(bare.answers[name].value, answer.value)
    for name, traces in outputs.traces.items():
        alone = small.family.forward(model, batch, {name}).traces
        assert alone.keys() == {name}
        for ours, theirs in zip(alone[name], traces, strict=True):
            assert torch.equal(ours.value, theirs.value)


@torch.no_grad()
def test_padding_changes_no_answer_and_no_trace(ready):
    small, _, model, batch = ready
    together = small.family.forward(model, batch, small.every)
    encoded = small.encoded(TEXTS)
    for place, row in enumerate(batch.examples.tolist()):
        alone = small.family.forward(
            model, small.family.collate(encoded, np.array([row])), small.every
        )
        found, expected = (_all_traces(outputs) for outputs in (together, alone))
        for ours, theirs in zip(found, expected, strict=True):
            assert units_of(ours, place) == units_of(theirs, 0)
            torch.testing.assert_close(
                part_of(ours, place), part_of(theirs, 0), rtol=1e-5, atol=1e-5
            )


@torch.no_grad()
def test_what_stands_where_no_unit_is_is_the_padding_of_the_answers(ready):
    small, _, model, batch = ready
    for answer in small.family.forward(model, batch).answers.values():
        absent = (answer.mask == 0).expand_as(answer.value)
        assert absent.any() == bool(answer.axes)
        assert (answer.value[absent] == answer.padding).all()


@torch.no_grad()
def test_traces_take_the_bytes_that_are_foreseen(ready):
    small, _, model, batch = ready
    encoded = small.encoded(TEXTS)
    for wanted in (small.family.always, small.every):
        size = 0
        for row in batch.examples.tolist():
            one = small.family.collate(encoded, np.array([row]))
            found = small.family.forward(model, one, wanted)
            answers = {id(answer) for answer in found.answers.values()}
            size += sum(t.value.nbytes for t in _all_traces(found) if id(t) not in answers)
        units = encoded.units[batch.examples.numpy()]
        assert small.family.trace_bytes(model.config, units, wanted) == size


def test_a_student_at_its_teacher_has_no_distance_and_another_has_one(ready):
    small, kind, teacher, batch = ready
    with torch.no_grad():
        expected = small.family.forward(teacher, batch, small.every)
    for student, is_same in ((teacher, True), (small.model(2, kind), False)):
        found = small.family.forward(student, batch, small.every)
        for name, distance in small.family.distances.items():
            pairs = zip(found.traces[name], expected.traces[name], strict=True)
            losses = [distance(ours, theirs) for ours, theirs in pairs]
            assert all(loss.shape == () and loss.requires_grad for loss in losses)
            total = sum(loss.item() for loss in losses)
            assert total == pytest.approx(0.0, abs=1e-6) if is_same else total > 1e-4, name


# A model as files


def test_a_config_comes_back_from_its_text_and_names_the_outputs(small):
    family = small.family
    for kind, target in targets().items():
        config = small.model(0, kind).config
        text = family.config_text(config)
        again = family.read_config(text)
        assert family.config_text(again) == family.config_text_as(again, text) == text
        assert family.outputs_of(again) == target.head(("negative", "positive")).outputs
        assert family.depth(again) == family.depth(config)
        assert family.longest(again) == family.longest(config)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"model_type": "mamba"}', "{}"])
def test_a_text_that_is_no_config_is_refused_with_the_models_name(small, text):
    with pytest.raises(InputError, match="owner/model"):
        small.family.read_config(text, "owner/model")


@torch.no_grad()
def test_a_model_comes_back_from_its_weights_with_the_same_answers(ready):
    small, _, model, batch = ready
    state = {name: value.clone() for name, value in model.state_dict().items()}
    again = small.family.from_state(model.config, state)
    assert not again.training
    for ours, theirs in zip(
        _all_traces(small.family.forward(again, batch, small.every)),
        _all_traces(small.family.forward(model, batch, small.every)),
        strict=True,
    ):
        assert torch.equal(ours.value, theirs.value)
    del state[next(iter(state))]
    with pytest.raises(InputError, match="do not fit"):
        small.family.from_state(model.config, state)


def test_a_processor_comes_back_from_its_files(small, tmp_path):
    small.family.save_processor(small.processor, tmp_path)
    assert (tmp_path / small.family.processor_file).is_file()
    again = small.family.encode(small.family.open_processor(tmp_path), [TEXTS], LIMIT)
    for name, rows in small.encoded(TEXTS).inputs.items():
        assert list(again.inputs[name]) == list(rows)
    for file in tmp_path.iterdir():
        file.unlink()
    with pytest.raises(ValueError, match=r"\w"):
        small.family.open_processor(tmp_path)


def test_what_is_shared_is_a_table_of_the_model(small):
    shared = small.family.shared
    if shared is not None:
        assert shared.is_table
        assert shared in small.family.matrices(small.model(0, "classes"))


def test_what_is_counted_is_what_is_read_without_marks(small):
    counted = small.family.count(small.processor, TEXTS)
    marks = small.family.marks(1)
    assert [each.units + marks for each in counted] == small.encoded(TEXTS, limit=64).units.tolist()
    assert all(each.unknown == 0 < each.words for each in counted)


@torch.no_grad()
def test_outputs_can_be_put_in_another_order(small):
    model = small.model(0, "classes")
    batch = small.family.collate(small.encoded(TEXTS), np.array([0, 1]))
    before = small.family.forward(model, batch).answers["logits"].value
    small.family.reorder_outputs(model, [1, 0])
    after = small.family.forward(model, batch).answers["logits"].value
    assert torch.equal(after, before[:, [1, 0]])
    assert not torch.equal(after, before)


# What a family need not have


def other(**changes: Any) -> Any:
    """Some other family, as far as it is looked at."""
    return SimpleNamespace(**{"name": "other", "title": "other model", **changes})


def test_a_family_without_graph_or_snippet_says_so():
    contents = SimpleNamespace(family=other())
    with pytest.raises(InputError, match="no ONNX graph for other model yet"):
        draw(cast(Any, contents))
    assert engine_if_possible(cast(Any, contents)) is None
    assert not has_snippet(other())
    with pytest.raises(InputError, match="no snippet for other model yet"):
        snippet(other())


def test_a_family_without_words_replaces_none(lab, tmp_path, monkeypatch):
    augmenting = replace(lab.experiment.train, augment=True)
    api.check(replace(lab.experiment, train=augmenting))
    save_tiny_model(tmp_path, tiny_model())
    monkeypatch.setattr(find_family("bert"), "replacing", None)
    with pytest.raises(InputError, match="no words to replace"):
        api.check(replace(lab.experiment, train=augmenting))
    with pytest.raises(InputError, match="no words to replace"):
        list(augmented(*[cast(Any, None)] * 4, find_family("bert"), *[cast(Any, None)] * 3))
    with pytest.raises(InputError, match="expects no words"):
        list(masked(str(tmp_path), [["a"]], [(0, 0)], 3))


# Which family a model is of


def test_a_teacher_says_its_family_and_an_old_card_means_bert(lab):
    experiment = lab.experiment
    path = lab.home / "teachers" / teacher_folder(experiment.task, experiment.model)
    plain = json.loads((path / "teacher.json").read_text())
    assert plain.pop("family") == "bert"
    (path / "teacher.json").write_text(json.dumps(plain))
    assert family_of_teacher(experiment.task, experiment.model) is find_family("bert")
    assert all(backbone.family in family_names() for backbone in BACKBONES.values())


def test_an_experiment_of_another_family_than_its_teacher_is_refused(lab):
    wrong = replace(lab.experiment, family="seq2seq")
    assert wrong.run_id != lab.experiment.run_id
    for refuse in (lambda: api.check(wrong), lambda: list(prepare_pair(wrong))):
        with pytest.raises(InputError, match="is of the family bert, this experiment of seq2seq"):
            refuse()


def test_a_student_learns_from_a_teacher_of_its_own_family(lab, monkeypatch):
    monkeypatch.setattr(pair, "family_of", lambda name: other())
    experiment = replace(lab.experiment, student_model=lab.model)
    with pytest.raises(InputError, match="is of the family other model, its teacher of BERT"):
        list(prepare_pair(experiment))
