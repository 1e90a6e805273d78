"""A recipe may give single matrices bits, granularity and method of their own."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from core.api import nearest_run
from core.errors import InputError
from core.experiment import GRANULARITIES, WEIGHT_BITS, Experiment, QuantRecipe
from core.export.card import Facts, model_card
from core.families.registry import find_family
from core.models.matrix_choices import Choice, choice_of, final_bits
from core.models.student import build_student, enter_stage, quantized_weights, weight_quantizers
from core.options import build, flatten
from core.packed import audit, file
from core.packed.container import open_container
from core.packed.contents import contents_of
from core.quantizers import quantize
from core.recipes.matrix_bits import exceptions
from core.tasks.registry import find_task
from pages.ui.formatting import shortened
from tests.conftest import tiny_model

BERT = find_family("bert")
WORDS = "bert.embeddings.word_embeddings"
QUERY = "bert.encoder.layer.0.attention.self.query"
OUT = "bert.encoder.layer.1.output.dense"
OWN = (f"{WORDS}=4/layer/uniform", f"{OUT}=8/row", f"{QUERY}=32")


def with_own(*items: str, **others) -> QuantRecipe:
    return QuantRecipe(matrix_bits=items, **others)


# The text


@pytest.mark.parametrize(
    ("text", "spelled"),
    [
        ("a.b=4", "a.b=4"),
        (" a.b.weight = 4 ", "a.b=4"),
        ("a.b=4/row", "a.b=4/row"),
        ("a.b=4//lat", "a.b=4//lat"),
        ("a.b=4/row/twn", "a.b=4/row"),  # twn is the recipe's
        ("a.b=4//", "a.b=4"),
        ("a.b=32/row/lat", "a.b=32"),  # left alone: nothing else has a meaning
    ],
)
def test_an_item_has_one_spelling(text, spelled):
    assert with_own(text).matrix_bits == (spelled,)


def test_what_both_granularities_are_goes_without_saying():
    assert with_own("a=4/row", weight_granularity="row").matrix_bits == ("a=4",)


names = st.text(st.sampled_from("ab.01_"), min_size=1, max_size=12).map(lambda text: f"m{text}x")
items = st.builds(
    lambda name, bits, granularity, method: f"{name}={bits}/{granularity}/{method}",
    names,
    st.sampled_from(WEIGHT_BITS),
    st.sampled_from(("", *GRANULARITIES)),
    st.sampled_from(("", "twn", "lat", "uniform")),
)


@given(st.lists(items, unique_by=lambda item: item.split("=")[0]).flatmap(st.permutations))
def test_equal_recipes_are_equal_whatever_the_order_and_come_back_from_text(found):
    recipe = with_own(*found)
    assert recipe == with_own(*sorted(found)) == with_own(*recipe.matrix_bits)
    experiment = Experiment(quant=recipe)
    again = build({k: v for k, v in flatten(experiment).items() if k == "matrix_bits"})
    assert again == experiment
    assert {each.text for each in exceptions(recipe.matrix_bits).values()} == {*recipe.matrix_bits}


@pytest.mark.parametrize(
    ("item", "sentence"),
    [
        ("a.b", "The bits of a matrix are written as encoder.0.key=8 or .*; 'a.b' cannot be read"),
        ("=4", "'=4' cannot be read"),
        ("a b=4", "cannot be read"),
        ("a=four", "cannot be read"),
        ("a=4/row/lat/x", "cannot be read"),
        ("a=5", "Bits of the matrix a: 5 is not known. Choose one of: 1, 2, 3, 4, 8, 32"),
        ("a=4/column", "Granularity of the matrix a: 'column' is not known. Choose one of: layer"),
    ],
)
def test_an_item_that_cannot_be_meant_is_refused(item, sentence):
    with pytest.raises(InputError, match=sentence):
        with_own(item)


def test_a_matrix_is_named_once():
    with pytest.raises(InputError, match="The matrix 'a' has bits of its own twice"):
        with_own("a=4", "a.weight=3")


def test_a_recipe_without_own_bits_has_the_name_it_had():
    assert Experiment().run_id == replace(Experiment(), quant=QuantRecipe(matrix_bits=())).run_id
    assert Experiment().run_id != Experiment(quant=with_own("a=4")).run_id
    assert QuantRecipe().label == "2-2-8"
    assert with_own("a=4", "b=3").label == "2-2-8 (2 own)"
    assert "twn 2-2-8 (1 own) layer" in Experiment(quant=with_own("a=4")).title


def test_a_step_that_one_matrix_learns_has_a_learning_rate_that_matters():
    """What has no effect does not tell runs apart; a method of one matrix's own has."""
    usual = nearest_run._settings(Experiment(quant=with_own("a=4")))
    learned = nearest_run._settings(Experiment(quant=with_own("a=4//lsq")))
    assert "step_learning_rate" not in usual
    assert "step_learning_rate" in learned
    alone = with_own("a=4", weight_bits=32, embedding_bits=32)
    assert "weight_granularity" in nearest_run._settings(Experiment(quant=alone))


def test_a_long_list_is_told_by_its_beginning_and_its_length():
    text = ",".join(f"encoder.{layer}.key=4" for layer in range(12))
    assert shortened(text) == f"{text[:60]}... (12 in all)"
    assert shortened("8,4") == "8,4"


# The student


def test_each_matrix_is_quantized_as_it_is_said():
    """A worked example: the codes are those of the rule alone on that matrix."""
    model, recipe = tiny_model(), with_own(*OWN)
    found = quantized_weights(build_student(model, recipe, BERT))
    assert QUERY not in found
    for name, how in (
        (WORDS, {"method": "uniform", "bits": 4, "granularity": "layer"}),
        (OUT, {"method": "twn", "bits": 8, "granularity": "row"}),
        ("bert.pooler.dense", {"method": "twn", "bits": 2, "granularity": "layer"}),
    ):
        expected = quantize(model.get_parameter(f"{name}.weight"), **how)
        assert found[name].bits == expected.bits
        assert torch.equal(found[name].codes, expected.codes)
        assert torch.equal(found[name].scale, expected.scale)


def test_it_is_quantized_whatever_parts_and_layers_say():
    recipe = with_own(*OWN, parts=("pooler",), layers=(0,))
    found = quantized_weights(build_student(tiny_model(), recipe, BERT))
    assert {*found} == {WORDS, OUT, "bert.pooler.dense"}


def test_what_is_said_of_all_holds_where_nothing_is_said():
    table, query = BERT.matrix_of(f"{WORDS}.weight"), BERT.matrix_of(f"{QUERY}.weight")
    assert table
    assert query
    recipe = with_own(f"{WORDS}=4", embedding_granularity="row", method="lat", weight_bits=3)
    assert choice_of(table, recipe) == Choice(method="lat", bits=4, granularity="row")
    assert choice_of(query, recipe) == Choice(method="lat", bits=3, granularity="layer")
    assert final_bits(table, recipe) == 4
    assert choice_of(query, replace(recipe, weight_bits=32)) is None


@pytest.mark.parametrize(
    ("recipe", "sentence"),
    [
        (with_own("bert.pooler=4"), "no matrix bert.pooler in this model.*are: bert.pooler.dense"),
        (with_own("zzz=4"), "Among its 14 matrices are: bert.embeddings.word_embeddings"),
        (with_own(f"{QUERY}=4//absmean"), "For absmean, the number of bits 4 is not known"),
        (with_own(f"{QUERY}=4//mine"), "Quantization method 'mine' is not known"),
        (with_own(f"{QUERY}=2//absmean", stages=(8,)), "For absmean, the number of bits 8"),
    ],
)
def test_what_the_model_or_the_method_lacks_is_refused(recipe, sentence):
    with pytest.raises(InputError, match=sentence):
        build_student(tiny_model(), recipe, BERT)


def test_a_stage_leaves_a_matrix_its_own_bits_where_those_are_more():
    recipe = with_own(f"{WORDS}=8", f"{OUT}=3", stages=(4,))
    student = build_student(tiny_model(), recipe, BERT)
    bits = []
    for stage in (4, 2):
        enter_stage(student, recipe, stage)
        found = {name: quantizer.bits for name, _, quantizer in weight_quantizers(student)}
        bits.append((found[WORDS], found[OUT], found[QUERY]))
    assert bits == [(8, 4, 4), (8, 3, 2)]


# The file


def test_the_file_says_them_and_gives_the_logits_back(tmp_path):
    recipe = with_own(*OWN)
    student = build_student(tiny_model(), recipe, BERT).requires_grad_(False)
    file.write(file.to_bytes(student, Experiment(quant=recipe)), tmp_path / "own.safetensors")
    packed = file.read(tmp_path / "own.safetensors")
    assert packed.experiment.quant == recipe
    assert {name: matrix.bits for name, matrix in packed.weights.items()} == {
        name: quantizer.bits for name, _, quantizer in weight_quantizers(student)
    }
    ids = torch.tensor([[2, 5, 6, 7, 17, 3]])
    assert torch.equal(packed.model(ids).logits, student(ids).logits)


def test_the_arithmetic_goes_through_them():
    """Row by row for tables and one scale a matrix otherwise, so this file has just these bytes."""
    recipe = with_own(f"{WORDS}=4", f"{OUT}=8", f"{QUERY}=32")
    student = build_student(tiny_model(), recipe, BERT)
    container = open_container(file.to_bytes(student, Experiment(quant=recipe)))
    found: dict[str, int] = {}
    for part in audit.audit(container, BERT):
        found[part.group] = found.get(part.group, 0) + part.size_bytes
    shapes = audit.shapes_of(contents_of(student, Experiment(quant=recipe)))
    rows = audit.arithmetic(BERT, shapes, **audit.told_by(recipe))
    packed = {row.group: row.size_bytes for row in rows}
    left_alone = 4 * 32 * 32  # stands among what is kept in a file, among the matrices there
    assert packed["word embedding"] == found["word embedding"] == 27 * 32 // 2
    assert packed["encoder matrices"] == found["encoder matrices"] + left_alone
    assert packed[audit.SCALES] == found[audit.SCALES] == 4 * (27 + 12)
    assert packed[audit.KEPT] == found[audit.KEPT] - left_alone


def test_the_card_does_not_call_it_ternary():
    recipe = with_own(f"{WORDS}=4", f"{OUT}=8")
    experiment = Experiment(quant=recipe)
    contents = contents_of(build_student(tiny_model(), recipe, BERT), experiment)
    facts = Facts(
        contents=contents,
        task=find_task("movie-sentiment"),
        result=None,
        stored=None,
        has_predict=False,
        parts=(),
    )
    card = model_card(replace(facts, parts=(audit.Part(group="", name="all", size_bytes=9),)), "x")
    assert "2-2-8 (2 own) bits" in card
    assert "with weights of 2, 4 and 8 bits, matrix by matrix" in card
    assert "-1, 0 or +1" not in card
