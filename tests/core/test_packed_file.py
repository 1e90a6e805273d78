"""A packed file computes what its student does; a damaged one is refused with a sentence."""

import json
import random
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load, save_file

from core.errors import InputError
from core.experiment import Experiment, QuantRecipe
from core.families.registry import find_family
from core.models.student import build_student
from core.packed import file
from core.packed.container import read_container, write_container
from core.packed.contents import round_student
from tests.conftest import tiny_model

BERT = find_family("bert")

EXPERIMENT = Experiment(quant=QuantRecipe(method="twn"))
TOKENS = torch.randint(5, 26, (2, 7), generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def whole() -> bytes:
    return file.to_bytes(build_student(tiny_model(), EXPERIMENT.quant, BERT), EXPERIMENT)


@pytest.fixture
def path(tmp_path, whole):
    file.write(whole, tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


def metadata_of(path) -> dict[str, str]:
    return dict(read_container(path).metadata)


def rewrite(path, metadata=None, **tensors) -> None:
    """The same file with other metadata or tensors (None: left out), well formed and signed."""
    old = read_container(path)
    changed = {**old.metadata, "sha256": file.NO_DIGEST, **(metadata or {})}
    written = write_container(
        {name: value for name, value in (old.tensors | tensors).items() if value is not None},
        {name: value for name, value in changed.items() if value is not None},
    )
    path.write_bytes(file.signed(written))


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
    with pytest.raises(InputError, match=r"not a packed model of version 1, 2, 3 \(format None"):
        file.read(path)


def test_another_version_is_named(path):
    rewrite(path, {"version": "99"})
    with pytest.raises(InputError, match=r"not a packed model of version 1, 2, 3 .*version '99'"):
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
        ("num_attention_heads", -1),
        ("num_attention_heads", True),
        ("num_attention_heads", 5),
        ("hidden_size", 64),
        ("hidden_size", -1),
        ("vocab_size", 10**15),
        ("max_position_embeddings", 10**15),
        ("hidden_act", "magic"),
        ("is_decoder", True),
        ("add_cross_attention", True),
        ("position_embedding_type", "relative_key"),
        ("pruned_heads", {"0": [1]}),
        ("layer_norm_eps", -1.0),
        ("pad_token_id", 10**6),
        ("dtype", "float33"),
        ("id2label", 3),
    ],
)
def test_a_config_that_makes_no_sense_is_refused(path, setting, value):
    metadata = metadata_of(path)
    config = json.loads(metadata["config"]) | {setting: value}
    rewrite(path, {"config": json.dumps(config)})
    with pytest.raises(InputError, match=r"config|no weights for"):
        file.read(path)


@pytest.mark.parametrize("setting", ["num_labels", "use_cache", "attn_implementation"])
def test_settings_that_no_student_needs_are_passed_over(path, setting):
    config = json.loads(metadata_of(path)["config"]) | {setting: 10**12}
    rewrite(path, {"config": json.dumps(config)})
    assert refusal(path) == ""


MATRIX = "bert.pooler.dense"


@pytest.mark.parametrize(
    "shape", [[32, 32, 3], [32, 31, 2], [-32, -32, 2], [0, 0, 2], [32, 32], 3, None, ["a", "b", 2]]
)
def test_a_matrix_of_another_shape_is_refused(path, shape):
    metadata = metadata_of(path)
    shapes = json.loads(metadata["matrices"]) | {MATRIX: shape}
    rewrite(path, {"matrices": json.dumps(shapes)})
    with pytest.raises(InputError, match="is damaged"):
        file.read(path)


def test_wrong_tensors_are_refused(path, whole):
    tensors = read_container(path).tensors
    codes, scale = tensors[f"{MATRIX}.codes"], tensors[f"{MATRIX}.scale"]
    for wrong in (
        {f"{MATRIX}.codes": None},
        {f"{MATRIX}.codes": codes[:-1].contiguous()},
        {f"{MATRIX}.codes": codes.to(torch.float16)},
        {f"{MATRIX}.scale": None},
        {f"{MATRIX}.scale": scale.half()},
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
    written = file.to_bytes(build_student(tiny_model(), experiment.quant, BERT), experiment)
    step = f"{MATRIX}.activation_quantizer.step"
    for wrong in ({step: torch.zeros(3, 3)}, {step: None}, {"other.step": torch.zeros(1, 1)}):
        path.write_bytes(written)
        assert file.read(path).experiment == experiment
        rewrite(path, **wrong)
        with pytest.raises(InputError, match="is damaged"):
            file.read(path)


def signed_again(data: bytearray) -> bytes:
    """The bytes with a digest that fits them, so that the checks behind it are reached."""
    start = data.find(b'"sha256":"') + 10
    if start < 10:
        return bytes(data)
    data[start : start + 64] = file.NO_DIGEST.encode()
    return file.signed(bytes(data))


@pytest.mark.parametrize("place", ["header", "anywhere"])
def test_any_flipped_bit_is_noticed(path, whole, place):
    draw = random.Random(place)
    end = 8 + int.from_bytes(whole[:8], "little") if place == "header" else len(whole)
    for _ in range(60):
        spoiled = bytearray(whole)
        spoiled[draw.randrange(end)] ^= 1 << draw.randrange(8)
        path.write_bytes(spoiled)
        assert 0 < len(refusal(path)) < 400


def test_flipped_bits_that_were_signed_are_refused_or_compute(path, whole):
    draw = random.Random(1)
    end = 8 + int.from_bytes(whole[:8], "little")
    refused = []
    for _ in range(150):
        spoiled = bytearray(whole)
        for _ in range(draw.choice((1, 1, 3))):
            spoiled[draw.randrange(8, end)] ^= 1 << draw.randrange(7)
        path.write_bytes(signed_again(spoiled))
        refused += filter(None, [refusal(path)])
    assert len(refused) > 30
    assert max(map(len, refused)) < 400


@pytest.mark.parametrize("layout", ["2-bit", "base-3"])
@pytest.mark.parametrize("bits", [2, 3, 8])
@pytest.mark.parametrize("leftovers", ["float32", "float16"])
def test_every_kind_of_file_computes_what_its_student_computes(tmp_path, layout, bits, leftovers):
    quant = QuantRecipe(method="uniform", weight_bits=bits, embedding_bits=2)
    experiment = Experiment(quant=quant)
    student = build_student(tiny_model(seed=bits), quant, BERT)
    path = tmp_path / "model.safetensors"
    file.write(file.to_bytes(student, experiment, layout=layout, leftovers=leftovers), path)
    expected = round_student(student, experiment, leftovers)
    with torch.no_grad():
        found = file.read(path).model(TOKENS).logits
        assert torch.equal(found, expected(TOKENS).logits)
        assert torch.equal(found, student(TOKENS).logits) == (leftovers == "float32")


@pytest.mark.parametrize("layout", ["2-bit", "base-3"])
@pytest.mark.parametrize("method", ["binary", "binary-centred"])
def test_one_bit_goes_through_the_file(tmp_path, layout, method):
    quant = QuantRecipe(method=method, weight_bits=1, embedding_bits=1)
    experiment, path = Experiment(quant=quant), tmp_path / "model.safetensors"
    student = build_student(tiny_model(), quant, BERT)
    file.write(file.to_bytes(student, experiment, layout=layout), path)
    tensors = read_container(path).tensors
    assert tensors["bert.encoder.layer.0.output.dense.codes"].numel() == 32 * 64 / 8
    assert metadata_of(path)["version"] == "3"
    with torch.no_grad():
        assert torch.equal(file.read(path).model(TOKENS).logits, student(TOKENS).logits)


@pytest.mark.parametrize("layout", ["2-bit", "base-3"])
def test_groups_go_through_the_file(tmp_path, layout):
    quant = QuantRecipe(
        method="lsq", weight_granularity="group-64", embedding_granularity="group-32"
    )
    experiment, path = Experiment(quant=quant), tmp_path / "model.safetensors"
    student = build_student(tiny_model(hidden_size=48, intermediate_size=80), quant, BERT)
    file.write(file.to_bytes(student, experiment, layout=layout), path)
    table = json.loads(metadata_of(path)["matrices"])
    assert table["bert.embeddings.word_embeddings"][1:] == [48, 2, 32]
    assert table["bert.encoder.layer.0.output.dense"] == [48, 80, 2, 64]
    assert metadata_of(path)["version"] == "3"
    with torch.no_grad():
        assert torch.equal(file.read(path).model(TOKENS).logits, student(TOKENS).logits)


@pytest.mark.parametrize("told", [[32, 32, 2, 0], [32, 32, 2, True], [32, 32, 2, 16], [32, 32]])
def test_a_table_that_does_not_fit_its_groups_is_refused(path, told):
    table = json.loads(metadata_of(path)["matrices"])
    table["bert.pooler.dense"] = told
    rewrite(path, {"matrices": json.dumps(table)})
    assert "damaged" in refusal(path)


def test_the_same_student_gives_the_same_bytes(whole):
    again = file.to_bytes(build_student(tiny_model(), EXPERIMENT.quant, BERT), EXPERIMENT)
    assert again == whole
    names = list(json.loads(whole[8 : 8 + int.from_bytes(whole[:8], "little")]))
    assert names == sorted(names, key=lambda n: (n != "__metadata__", n.endswith(".codes"), n))


def test_the_library_reads_our_file_and_so_do_we(path, whole):
    ours, theirs = read_container(path).tensors, load(whole)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_a_file_of_version_1_is_still_read(tmp_path, path):
    """It said less: no labels, origin, digest, or layout; more of the config, fewer options."""
    now, run = read_container(path), tmp_path / "old.safetensors"
    experiment, config = (json.loads(now.metadata[name]) for name in ("experiment", "config"))
    for part, name in (("quant", "stages"), ("distill", "attention_maps"), ("train", "clip")):
        del experiment[part][name]
    metadata = {name: now.metadata[name] for name in ("format", "matrices")} | {
        "version": "1",
        "experiment": json.dumps(experiment),
        "config": json.dumps(config | {"use_cache": True, "transformers_version": "5.23.0"}),
    }
    save_file({name: each.clone() for name, each in now.tensors.items()}, run, metadata)
    old = file.read(run)
    new = tmp_path / "new.safetensors"
    file.write(file.contents_to_bytes(old.contents, "base-3", "float32"), new)
    with torch.no_grad():
        logits = old.model(TOKENS).logits
        assert torch.equal(logits, file.read(path).model(TOKENS).logits)
        assert torch.equal(file.read(new).model(TOKENS).logits, logits)


def test_what_float16_cannot_hold_is_refused():
    student = build_student(tiny_model(), EXPERIMENT.quant, BERT)
    with torch.no_grad():
        student.get_parameter("classifier.bias")[0] = 1e6
    with pytest.raises(InputError, match=r"classifier\.bias is too large for float16"):
        file.to_bytes(student, EXPERIMENT, leftovers="float16")
    student = build_student(tiny_model(), EXPERIMENT.quant, BERT)
    with torch.no_grad():
        student.get_parameter("bert.pooler.dense.weight").mul_(1e-9)
    with pytest.raises(InputError, match=r"pooler\.dense\.scale is too small for float16"):
        file.to_bytes(student, EXPERIMENT, leftovers="float16")


@pytest.mark.parametrize(
    ("count", "seed"), [(60, 0), pytest.param(10_000, 1, marks=pytest.mark.many)]
)
def test_mutated_files_neither_crash_nor_hang_nor_take_memory(count, seed):
    command = [sys.executable, "-m", "tests.fuzz_packed", str(count), str(seed)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1200, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    outcome = json.loads(done.stdout.splitlines()[-1])
    assert outcome["files"] == count
    assert count / 2 < outcome["refused"] <= count
    assert outcome["longest_sentence"] < 400
    assert outcome["slowest_seconds"] < 5
    assert outcome["extra_memory_bytes"] < 2 * outcome["claim_bytes"] + 8 * 2**20
