"""Bytes by part of a real file, and the paper's arithmetic."""

import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification

from core.experiment import Experiment, QuantRecipe
from core.families.registry import find_family
from core.family import HEAD
from core.models.student import build_student
from core.packed import audit, file
from core.packed.container import read_container
from core.paths import CACHED_MODELS
from tests.conftest import tiny_model

BERT = find_family("bert")
MIB = 2**20
L6 = CACHED_MODELS / "shipped" / "runs" / "e9e5e0a56e2e" / "model.safetensors"


def mib(size_bytes: int) -> float:
    return size_bytes / MIB


def bert_base() -> dict[str, tuple[int, ...]]:
    """The shapes of BERT-base's parameters, without any memory for them."""
    with torch.device("meta"):
        model = BertForSequenceClassification(BertConfig())
    return {name: tuple(parameter.shape) for name, parameter in model.named_parameters()}


def total_bytes(rows) -> int:
    return sum(row.size_bytes for row in rows)


def test_bert_base_is_what_the_paper_says():
    rows = audit.arithmetic(BERT, bert_base())
    float32 = sum(row.size_bytes_float32 for row in rows)
    assert float32 == 4 * 109_482_240
    assert round(mib(float32), 2) == 417.64
    codes_and_kept = sum(row.size_bytes for row in rows if row.group != audit.SCALES)
    assert round(mib(codes_and_kept), 3) == 27.951
    assert round(mib(total_bytes(rows)), 3) == 28.068
    assert round(float32 / total_bytes(rows), 2) == 14.88
    found = {row.group: (row.numbers, round(mib(row.size_bytes), 3)) for row in rows}
    assert found == {
        "word embedding": (23_440_896, 5.589),
        "encoder matrices": (84_934_656, 20.250),
        "pooler": (589_824, 0.141),
        audit.KEPT: (516_864, 1.972),
        audit.SCALES: (30_522 + 73, 0.117),
    }


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"layout": "base-3"}, 22.87),
        ({"layout": "base-3", "leftovers": "float16"}, 21.83),
        ({"weight_bits": 8, "embedding_bits": 8}, 106.0),
    ],
)
def test_other_formats_of_bert_base(options, expected):
    found = mib(total_bytes(audit.arithmetic(BERT, bert_base(), **options)))
    assert found == pytest.approx(expected, abs=0.005 if expected < 100 else 0.5)


def test_bits_of_32_leave_everything_in_float():
    rows = audit.arithmetic(BERT, bert_base(), weight_bits=32, embedding_bits=32)
    float32 = sum(row.size_bytes_float32 for row in rows)
    assert total_bytes(rows) == float32 == 4 * 109_482_240


@pytest.mark.parametrize("layout", ["2-bit", "base-3"])
@pytest.mark.parametrize("leftovers", ["float32", "float16"])
@pytest.mark.parametrize("granularity", ["layer", "row", "group-32"])
def test_the_parts_of_a_file_are_the_arithmetic_plus_head_and_header(
    tmp_path, layout, leftovers, granularity
):
    quant = QuantRecipe(weight_granularity=granularity, embedding_granularity=granularity)
    student = build_student(tiny_model(), quant, BERT)
    data = file.to_bytes(student, Experiment(quant=quant), layout=layout, leftovers=leftovers)
    file.write(data, tmp_path / "model.safetensors")
    parts = audit.audit(read_container(tmp_path / "model.safetensors"), BERT)
    assert sum(part.size_bytes for part in parts) == len(data)
    found: dict[str, int] = {}
    for part in parts:
        found[part.group] = found.get(part.group, 0) + part.size_bytes
    head, header = found.pop(HEAD), found.pop(audit.HEADER)
    shapes = audit.shapes_of(file.read_contents(tmp_path / "model.safetensors"))
    assert shapes == {name: tuple(p.shape) for name, p in tiny_model().named_parameters()}
    scales = {"weight_granularity": granularity, "embedding_granularity": granularity}
    rows = audit.arithmetic(BERT, shapes, layout, leftovers, **scales)
    assert found == {row.group: row.size_bytes for row in rows}
    assert head == (2 * 32 + 2) * (4 if leftovers == "float32" else 2)
    assert header == 8 + int.from_bytes(data[:8], "little")


def test_every_part_has_a_name(tmp_path):
    quant = QuantRecipe(parts=("attention", "embedding"), activation="lsq")
    data = file.to_bytes(build_student(tiny_model(), quant, BERT), Experiment(quant=quant))
    file.write(data, tmp_path / "model.safetensors")
    names = {
        part.name for part in audit.audit(read_container(tmp_path / "model.safetensors"), BERT)
    }
    assert names == {
        *("embedding codes", "attention codes", "scales of words", "scales of matrices"),
        *("position embedding", "type embedding", "LayerNorm", "biases", "task head"),
        *("matrices left alone", "learned steps", "header"),
    }


@pytest.mark.parametrize(("layout", "limit"), [("2-bit", 5.95), ("base-3", 4.85)])
def test_the_shipped_six_layers_are_as_small_as_promised(layout, limit):
    contents = file.read_contents(L6)
    float32 = 4 * contents.numbers
    assert round(mib(float32), 2) == 86.65
    size = len(file.contents_to_bytes(contents, layout, "float16"))
    assert mib(size) <= limit
    assert float32 / size >= (14.5 if layout == "2-bit" else 17.8)
