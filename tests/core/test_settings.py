"""Settings that decide what is computed: every road computes the same, or refuses in a sentence."""

import json
import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers.activations import ACT2FN

from core.errors import InputError
from core.experiment import Experiment, QuantRecipe
from core.export.snippets import snippet
from core.families.bert.config import ACTIVATIONS, KNOWN, check_config, settings_from_text
from core.families.registry import find_family
from core.models.student import build_student
from core.packed import file
from core.packed.contents import assemble, contents_of
from core.packed.engine import open_engine
from core.packed.graphs import draw
from core.packed.operators import INT2, INT8
from core.teachers.teacher_store import save_teacher
from tests.conftest import card_of, tiny_config, tiny_model, tiny_tokenizer

BERT = find_family("bert")

IDS = torch.tensor([[2, 5, 6, 7, 17, 18, 8, 22, 3]])
UNQUANTIZED = QuantRecipe(weight_bits=32, embedding_bits=32, activation_bits=32)
RECIPES = {"float": UNQUANTIZED, "2-2-8": QuantRecipe()}


def student_contents(recipe: QuantRecipe, **settings):
    """Of a tiny BERT whose activations lie where the functions differ."""
    model = tiny_model(seed=3, **settings)
    with torch.no_grad():
        for name, value in model.named_parameters():
            if "intermediate.dense.weight" in name:
                value.mul_(3.0)
    experiment = Experiment(quant=recipe)
    return contents_of(build_student(model, recipe, BERT), experiment)


def by_torch(contents) -> np.ndarray:
    with torch.no_grad():
        return assemble(contents)(IDS).logits.numpy()


def by_engine(contents, storage: str = INT8) -> np.ndarray:
    ids = IDS.numpy()
    inputs = {"input_ids": ids, "token_type_ids": 0 * ids, "attention_mask": 0 * ids + 1}
    return open_engine(draw(contents, storage)).logits(inputs)


def opened_snippet(folder: Path):
    (folder / "predict.py").write_bytes(snippet(BERT))
    return runpy.run_path(str(folder / "predict.py"))["Student"](folder)


def by_snippet(contents, folder: Path) -> np.ndarray:
    file.write(file.contents_to_bytes(contents, "base-3", "float32"), folder / "m.safetensors")
    tiny_tokenizer().save_pretrained(folder)
    ids = IDS[0].numpy()
    return opened_snippet(folder).logits(ids, 0 * ids)[None]


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_road_computes_every_activation(tmp_path, activation, recipe):
    contents = student_contents(RECIPES[recipe], hidden_act=activation)
    expected = by_torch(contents)
    # On levels, a number on a rounding border may fall on its other side.
    near = 2e-5 if recipe == "float" else 0.03
    for found in (by_engine(contents), by_engine(contents, INT2), by_snippet(contents, tmp_path)):
        assert np.abs(found - expected).max() < near
    others = {
        function: by_torch(replace(contents, config=tiny_config(hidden_act=name)))
        for name, function in ACTIVATIONS.items()
    }
    del others[ACTIVATIONS[activation]]
    if recipe == "float":  # the tolerance tells the functions apart
        assert min(np.abs(other - expected).max() for other in others.values()) > 4 * near


def test_the_librarys_functions_are_those_that_we_say():
    x = torch.linspace(-6, 6, 1001)
    same = {}
    for name, function in ACTIVATIONS.items():
        same.setdefault(function, []).append(ACT2FN[name](x))
    for values in same.values():
        for value in values:
            torch.testing.assert_close(value, values[0], atol=2e-6, rtol=0)


@pytest.mark.parametrize("eps", [1e-12, 1e-5, 0.5])
def test_every_road_takes_the_same_epsilon(tmp_path, eps):
    contents = student_contents(UNQUANTIZED, layer_norm_eps=eps)
    expected = by_torch(contents)
    assert np.abs(by_engine(contents) - expected).max() < 2e-5
    assert np.abs(by_snippet(contents, tmp_path) - expected).max() < 2e-5


WRONG = [
    ("is_decoder", True),
    ("add_cross_attention", True),
    ("hidden_act", "mish"),
    ("layer_norm_eps", 0.0),
    ("position_embedding_type", "relative_key"),
    ("pruned_heads", {0: [1]}),
    ("quantization_config", {"quant_method": "gptq"}),
]


@pytest.mark.parametrize(("setting", "value"), WRONG)
def test_no_road_takes_a_setting_that_another_would_lose(setting, value):
    contents = student_contents(UNQUANTIZED)
    config = tiny_config()
    setattr(config, setting, value)
    wrong, sentence = replace(contents, config=config), f"says that {setting} is"
    for leave in (
        lambda: check_config(config),
        lambda: BERT.config_text(config),
        lambda: file.contents_to_bytes(wrong, "2-bit", "float32"),
        lambda: draw(wrong),
    ):
        with pytest.raises(InputError, match=sentence):
            leave()
    plain = json.loads(tiny_config().to_json_string()) | {setting: value}
    for read in (settings_from_text, BERT.read_config):
        with pytest.raises(InputError, match=sentence):
            read(json.dumps(plain))


@pytest.mark.parametrize(("setting", "value"), WRONG)
def test_a_kept_teacher_with_such_a_setting_is_refused(lab, setting, value):
    from core.teacher_folders import teacher_folder
    from core.teachers.teacher_store import load_teacher

    model = tiny_model()
    save_teacher(model, card_of(model, lab.model))
    path = lab.home / "teachers" / teacher_folder("movie-sentiment", lab.model) / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {setting: value}))
    with pytest.raises(InputError, match=f"says that {setting} is"):
        load_teacher("movie-sentiment", lab.model)


def test_what_decides_nothing_is_passed_over_and_reaches_no_model():
    more = {"transformers_weights": "/x", "_name_or_path": "/y", "use_cache": False, "nonsense": 1}
    config = BERT.read_config(json.dumps(json.loads(tiny_config().to_json_string()) | more))
    written = config.to_json_string()
    assert not [name for name in ("/x", "/y", "nonsense") if name in written]
    model = tiny_model()
    again = BERT.from_state(config, model.state_dict())
    torch.testing.assert_close(again(IDS).logits, model(IDS).logits, atol=1e-5, rtol=0)


def test_the_settings_of_a_packed_file_are_those_that_are_kept():
    assert set(json.loads(BERT.config_text(tiny_config()))) <= set(KNOWN.kept)


def test_the_snippet_refuses_an_activation_that_it_does_not_know(tmp_path):
    contents = student_contents(UNQUANTIZED)
    by_snippet(contents, tmp_path)
    student = opened_snippet(tmp_path)
    student.config["hidden_act"] = "mish"
    with pytest.raises(ValueError, match="cannot compute the activation 'mish'"):
        student.logits(IDS[0].numpy(), 0 * IDS[0].numpy())
