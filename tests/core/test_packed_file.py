"""A packed file that is not whole is refused with a sentence, whatever was done to it."""

import json
import random

import pytest
import torch
from safetensors.torch import save, save_file

from core.errors import InputError
from core.experiment import Experiment, QuantRecipe
from core.models.student import build_student
from core.packed import file
from tests.conftest import tiny_model

EXPERIMENT = Experiment(quant=QuantRecipe(method="twn"))
TOKENS = torch.randint(5, 26, (2, 7), generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def whole() -> bytes:
    return file.to_bytes(build_student(tiny_model(), EXPERIMENT.quant), EXPERIMENT)


@pytest.fixture
def path(tmp_path, whole):
    file.write(whole, tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


def rewrite(path, metadata=None, **tensors) -> None:
    """The same file with other metadata or tensors (None: left out), well formed again."""
    old_metadata, old_tensors = file._tensors(path)
    changed = {"metadata": {**old_metadata, **(metadata or {})}, "tensors": old_tensors | tensors}
    kept = {
        part: {name: value for name, value in values.items() if value is not None}
        for part, values in changed.items()
    }
    path.write_bytes(save(kept["tensors"], metadata=kept["metadata"]))


def refusal(path) -> str:
    """The sentence that refuses the file; without one, its model must compute."""
    try:
        packed = file.read(path)
    except InputError as error:
        return str(error)
    with torch.no_grad():
        assert packed.model(TOKENS).logits.shape == (2, 2)
    return ""


def test_what_was_written_is_read(path, whole):
    packed = file.read(path)
    assert packed.experiment == EXPERIMENT
    assert packed.size_bytes == len(whole)


@pytest.mark.parametrize("content", [b"", b"\0" * 8, b"PK\3\4", b"\xff" * 100, b"{}" * 50])
def test_what_is_no_safetensors_file_is_refused(path, content):
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"model\.safetensors is not a readable packed model"):
        file.read(path)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    for place in (tmp_path / "nothing", tmp_path):
        with pytest.raises(InputError, match="is not a readable packed model"):
            file.read(place)


def test_a_truncated_file_is_refused_wherever_it_ends(path, whole):
    header = 8 + int.from_bytes(whole[:8], "little")
    for length in (1, 8, 9, header - 1, header, header + 1, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match="is not a readable packed model"):
            file.read(path)


def test_a_file_with_something_appended_is_refused(path, whole):
    path.write_bytes(whole + b"\0")
    with pytest.raises(InputError, match="is not a readable packed model"):
        file.read(path)


def test_a_foreign_safetensors_file_is_refused(path):
    save_file({"weight": torch.zeros(2, 2)}, path)
    with pytest.raises(InputError, match=r"not a packed model of version 1 \(format None"):
        file.read(path)


def test_another_version_is_named(path):
    rewrite(path, {"version": "99"})
    with pytest.raises(InputError, match=r"not a packed model of version 1 .*version '99'"):
        file.read(path)


@pytest.mark.parametrize("name", ["experiment", "config", "matrices"])
@pytest.mark.parametrize("value", [None, "", "{", "[]", "3", "null", '"text"', "[" * 100_000])
def test_wrong_metadata_is_refused(path, name, value):
    rewrite(path, {name: value})
    with pytest.raises(InputError, match=r"damaged|cannot be read"):
        file.read(path)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("num_hidden_layers", 3),
        ("num_hidden_layers", 10**12),
        ("num_hidden_layers", "two"),
        ("num_attention_heads", 0),
        ("num_attention_heads", 5),
        ("hidden_size", 64),
        ("hidden_size", -1),
        ("vocab_size", 10**15),
        ("max_position_embeddings", 10**15),
        ("hidden_act", "magic"),
        ("pad_token_id", 10**6),
        ("dtype", "float33"),
        ("id2label", 3),
    ],
)
def test_a_config_that_makes_no_sense_is_refused(path, setting, value):
    metadata, _ = file._tensors(path)
    config = json.loads(metadata["config"]) | {setting: value}
    rewrite(path, {"config": json.dumps(config)})
    with pytest.raises(InputError, match=r"config|no weights for"):
        file.read(path)


MATRIX = "bert.pooler.dense"


@pytest.mark.parametrize(
    "shape", [[32, 32, 3], [32, 31, 2], [-32, -32, 2], [0, 0, 2], [32, 32], 3, None, ["a", "b", 2]]
)
def test_a_matrix_of_another_shape_is_refused(path, shape):
    metadata, _ = file._tensors(path)
    shapes = json.loads(metadata["matrices"]) | {MATRIX: shape}
    rewrite(path, {"matrices": json.dumps(shapes)})
    with pytest.raises(InputError, match="is damaged"):
        file.read(path)


def test_wrong_tensors_are_refused(path, whole):
    _, tensors = file._tensors(path)
    codes, scale = tensors[f"{MATRIX}.codes"], tensors[f"{MATRIX}.scale"]
    for wrong in (
        {f"{MATRIX}.codes": None},
        {f"{MATRIX}.codes": codes[:-1].contiguous()},
        {f"{MATRIX}.codes": codes.to(torch.int16)},
        {f"{MATRIX}.scale": None},
        {f"{MATRIX}.scale": scale.double()},
        {f"{MATRIX}.scale": scale.expand(3, 1).contiguous()},
        {"classifier.bias": None},
        {"classifier.bias": torch.zeros(3)},
        {"something.else": torch.zeros(3)},
    ):
        path.write_bytes(whole)
        rewrite(path, **wrong)
        with pytest.raises(InputError, match=r"damaged|do not fit"):
            file.read(path)


def test_wrong_learned_steps_are_refused(path):
    experiment = Experiment(quant=QuantRecipe(activation="lsq"))
    written = file.to_bytes(build_student(tiny_model(), experiment.quant), experiment)
    step = f"{MATRIX}.activation_quantizer.step"
    for wrong in ({step: torch.zeros(3, 3)}, {step: None}, {"other.step": torch.zeros(1, 1)}):
        path.write_bytes(written)
        assert file.read(path).experiment == experiment
        rewrite(path, **wrong)
        with pytest.raises(InputError, match="is damaged"):
            file.read(path)


@pytest.mark.parametrize(("place", "count"), [("header", 200), ("anywhere", 80)])
def test_flipped_bits_are_refused_or_compute(path, whole, place, count):
    draw = random.Random(place)
    end = 8 + int.from_bytes(whole[:8], "little") if place == "header" else len(whole)
    refused = []
    for _ in range(count):
        spoiled = bytearray(whole)
        for _ in range(draw.choice((1, 1, 3))):
            spoiled[draw.randrange(end)] ^= 1 << draw.randrange(8)
        path.write_bytes(spoiled)
        refused += filter(None, [refusal(path)])
    assert len(refused) > count / 8
    assert max(map(len, refused)) < 400


def test_flipped_bits_in_the_metadata_are_refused_or_compute(path):
    draw = random.Random(0)
    metadata, tensors = file._tensors(path)
    for _ in range(200):
        name = draw.choice(("experiment", "config", "matrices"))
        text = bytearray(metadata[name].encode())
        text[draw.randrange(len(text))] ^= 1 << draw.randrange(7)
        spoiled = metadata | {name: text.decode("ascii")}
        path.write_bytes(save(tensors, metadata=spoiled))
        assert len(refusal(path)) < 400
