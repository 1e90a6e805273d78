"""The size of a packed file before anything is trained is that of the real file, to the byte."""

import json
from dataclasses import replace

import pytest

from core import api
from core.errors import InputError, NotHere
from core.experiment import Experiment, QuantRecipe
from core.models.student import build_student
from core.packed import file
from core.packed.choices import LAYOUTS, LEFTOVERS
from core.packed.container import read_container
from core.packed.foreseen import foresee, size_of_contents
from core.packed.origin import origin_of
from core.paths import CACHED_MODELS
from core.runs.run_store import read_folder
from core.teachers.teacher_store import load_teacher
from tests.conftest import compute, save_tiny_model, tiny_model, with_quant

QUERY = "bert.encoder.layer.0.attention.self.query"
RECIPES = {
    "the paper's": QuantRecipe(),
    "3 and 8 bits": QuantRecipe(method="uniform", weight_bits=3, embedding_bits=8),
    "a scale per row": QuantRecipe(weight_granularity="row", embedding_granularity="layer"),
    "some parts, learned steps": QuantRecipe(parts=("attention",), layers=(1,), activation="lsq"),
    "learned scales": QuantRecipe(method="lsq", weight_bits=4, stages=(8,)),
    "words left alone": QuantRecipe(embedding_bits=32, activation_bits=32),
    "static ranges": QuantRecipe(activation_scope="static", activation="symmetric"),
    "groups": QuantRecipe(weight_granularity="group-32", embedding_granularity="group-64"),
    "one bit, elastic": QuantRecipe(
        method="binary",
        weight_bits=1,
        embedding_bits=1,
        activation_bits=4,
        activation="elastic",
    ),
    "own groups and one bit": QuantRecipe(
        matrix_bits=(f"{QUERY}=1/row/binary", "bert.pooler.dense=4/group-32")
    ),
    "own bits": QuantRecipe(
        parts=("embedding",), matrix_bits=(f"{QUERY}=8/row/lat", "bert.pooler.dense=3")
    ),
}


def packed(experiment: Experiment, **options) -> bytes:
    """The file that a training of no steps would leave."""
    family = foresee(experiment).outline.family
    teacher = load_teacher(experiment.task, experiment.model)
    student = build_student(teacher, experiment.quant, family)
    return file.to_bytes(student, experiment, origin=origin_of(experiment), **options)


@pytest.mark.parametrize("recipe", RECIPES)
def test_it_is_the_size_of_the_real_file(lab, recipe):
    experiment = replace(lab.experiment, quant=RECIPES[recipe])
    assert foresee(experiment).size_bytes() == len(packed(experiment))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("leftovers", LEFTOVERS)
def test_it_is_the_size_of_every_kind_of_file(lab, layout, leftovers):
    found = foresee(lab.experiment).size_bytes(layout=layout, leftovers=leftovers)
    assert found == len(packed(lab.experiment, layout=layout, leftovers=leftovers))


def test_it_is_the_size_that_a_run_ends_with(lab, finished_run):
    assert foresee(lab.experiment).size_bytes() == finished_run.result.size_bytes_packed


@pytest.mark.parametrize("left_out", [(), ("dtype", "architectures", "id2label", "label2id")])
def test_a_student_that_starts_from_another_model(lab, tmp_path, left_out):
    """Its config is that of its own folder, with the task's outputs, as the library notes it."""
    save_tiny_model(tmp_path / "small", tiny_model(num_hidden_layers=1, intermediate_size=32))
    place = tmp_path / "small" / "config.json"
    told = {k: v for k, v in json.loads(place.read_text()).items() if k not in left_out}
    place.write_text(json.dumps(told))
    run = compute(replace(lab.experiment, student_model=str(tmp_path / "small")))
    assert run.experiment
    assert run.result
    assert foresee(run.experiment).size_bytes() == run.result.size_bytes_packed


def test_a_model_of_the_hub_is_not_asked_for(lab):
    with pytest.raises(NotHere, match="known once that model is on this computer"):
        foresee(replace(lab.experiment, student_model="owner/small"))


def test_without_a_teacher_it_says_so(lab):
    with pytest.raises(InputError, match="There is no teacher"):
        foresee(replace(lab.experiment, model="minilm-l3"))


SHIPPED = sorted(CACHED_MODELS.glob("shipped/runs/*/model.safetensors"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.parent.name)
def test_the_files_that_ship(path):
    """They were written by earlier versions, whose headers name fewer fields; their data are as
    foreseen to the byte, and so is the whole file where it is written today."""
    run = read_folder(path.parent)
    assert run.experiment
    assert run.result
    foreseen, contents = foresee(run.experiment), file.read_contents(path)
    expected = foreseen.contents(run.experiment)
    data = sum(each.end - each.begin for each in read_container(path).entries)
    found = size_of_contents(expected, "2-bit", "float32")
    today = replace(contents, origin=foreseen.origin)
    assert found == len(file.contents_to_bytes(today, "2-bit", "float32"))
    assert path.stat().st_size == run.result.size_bytes_packed
    old_header = read_container(path).header_bytes
    new_header = found - data
    assert 0 <= new_header - old_header < 1500
    assert size_of_contents(contents, "2-bit", "float32") - data <= new_header


def test_matrices_that_are_not_there_are_refused_before_a_training(lab):
    experiment = with_quant(lab.experiment, matrix_bits=(f"{QUERY}s=4",))
    with pytest.raises(InputError, match=f"no matrix {QUERY}s in this model.* are: {QUERY}"):
        api.check(experiment)
    api.check(with_quant(lab.experiment, matrix_bits=(f"{QUERY}=4",)))
