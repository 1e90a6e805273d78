"""What is taken away predicts like the student it was made from."""

import functools
import json
import subprocess
import sys
import zipfile
from dataclasses import replace
from io import BytesIO

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from transformers import AutoModelForSequenceClassification

from core import api
from core.__main__ import main
from core.errors import InputError
from core.experiment import Experiment, QuantRecipe
from core.export.files import load_folder
from core.families.registry import find_family
from core.models.student import build_student
from core.packed import file
from core.packed.contents import assemble, contents_of, round_contents
from core.packed.graphs import draw
from core.packed.operators import INT2, INT8
from core.paths import CACHED_MODELS
from core.serialization import from_plain
from core.targets.registry import targets
from core.tasks.registry import find_task
from core.training.static_ranges import quantizers_of
from core.version import VERSION
from tests.conftest import compute, tiny_model, with_quant

BERT = find_family("bert")

EXACT = "engine, one text; torch in float64, one text"
TEXT = "the film was a lovely story and the cast was dull"


def texts_and_logits(run, leftovers):
    """Inputs of one text, and the student's logits with such leftovers."""
    opened = api.open_model(api.source_of_run(run))
    inputs = opened.tokenizer(TEXT, return_tensors="pt")
    with torch.no_grad():
        student = assemble(round_contents(api.packed_contents(run), leftovers))
        return inputs, student(**inputs).logits


@pytest.mark.parametrize("codes", ["2-bit", "base-3"])
@pytest.mark.parametrize("leftovers", ["float32", "float16"])
def test_a_folder_loads_back_with_its_documented_line(
    finished_run, tmp_path, monkeypatch, codes, leftovers
):
    kind = api.ExportKind(kind="folder", codes=codes, leftovers=leftovers)
    written = api.export(finished_run, kind, tmp_path / "mine")
    files = {path.name: path for path in (tmp_path / "mine").iterdir()}
    assert sum(path.stat().st_size for path in files.values()) == written
    assert set(files) == {
        *("packed.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json"),
        *("README.md", "predict.py"),
    }
    card = files["README.md"].read_text()
    line = next(text for text in card.splitlines() if "load_folder" in text)
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    exec(line, names)
    inputs, expected = texts_and_logits(finished_run, leftovers)
    with torch.no_grad():
        assert torch.equal(names["student"](**inputs).logits, expected)
    config = json.loads(files["config.json"].read_text())
    told = config["quantization_config"]
    assert (told["quant_method"], told["codes"]) == ("ternary-lab", codes)
    assert told["leftovers"] == leftovers


def test_the_library_refuses_the_packed_folder_instead_of_guessing(finished_run, tmp_path):
    api.export(finished_run, api.ExportKind(kind="folder"), tmp_path / "mine")
    with pytest.raises(OSError, match="no file named"):
        AutoModelForSequenceClassification.from_pretrained(tmp_path / "mine")


def test_the_card_tells_results_sizes_data_and_limits(finished_run, tmp_path):
    api.export(finished_run, api.ExportKind(kind="folder"), tmp_path / "mine")
    card = (tmp_path / "mine" / "README.md").read_text()
    result = finished_run.result
    size = (tmp_path / "mine" / "packed.safetensors").stat().st_size
    for told in (
        f"| teacher (float32) | {100 * result.teacher_score:.1f} ± ",
        f"| student, leftovers in float32 | {100 * result.score:.1f} ± ",
        "| student, as stored in this file | ",
        f"{size:,} bytes",
        find_task("movie-sentiment").citation,
        "## Limits",
        f"Run `{finished_run.run_id}`, seed 0, trained with Ternary Lab {VERSION}:",
    ):
        assert told in card


def test_without_the_text_the_card_says_that_it_was_not_scored(finished_run, tmp_path, monkeypatch):
    monkeypatch.setenv("TERNARY_LAB_CACHE", str(tmp_path / "empty"))
    api.export(finished_run, api.ExportKind(kind="folder"), tmp_path / "mine")
    card = (tmp_path / "mine" / "README.md").read_text()
    assert "as stored in this file" not in card
    assert "The numbers as rounded in this file were not scored." in card


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"activation": "symmetric", "activation_bits": 4},
        {"activation": "lsq", "method": "lsq"},
        {"activation_scope": "token"},
        {"activation_scope": "static", "calibration_texts": 8},
        {"activation_scope": "static", "activation": "symmetric", "calibration_texts": 8},
        {"activation_scope": "token", "activation": "symmetric"},
        {"method": "uniform", "weight_bits": 3, "embedding_bits": 8},
        {"activation_bits": 32},
        {"weight_granularity": "group-32", "embedding_granularity": "group-32"},
        {"method": "binary", "weight_bits": 1, "embedding_bits": 1},
        {
            **{"method": "binary", "weight_bits": 1, "embedding_bits": 1},
            **{"activation": "elastic", "activation_bits": 4},
        },
        {"matrix_bits": ("bert.encoder.layer.0.output.dense=8/row", "bert.pooler.dense=3")},
    ],
)
def test_the_snippet_predicts_without_torch_and_without_us(lab, tmp_path, changes):
    run = compute(with_quant(lab.experiment, **changes))
    kind = api.ExportKind(kind="folder", codes="base-3", leftovers="float32")
    api.export(run, kind, tmp_path / "mine")
    blocked = "import sys; sys.modules.update(torch=None, transformers=None, core=None)"
    program = f"{blocked}; sys.argv = ['predict.py', {TEXT!r}]; import runpy; "
    program += "runpy.run_path('predict.py', run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path / "mine",
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout)
    _inputs, logits = texts_and_logits(run, "float32")
    expected = torch.softmax(logits[0], dim=-1).tolist()
    assert list(found) == ["negative", "positive"]
    # A number on a rounding border may fall on its other side; 4 bits are coarse.
    near = 0.05 if changes.get("activation_bits") == 4 else 0.005
    assert list(found.values()) == pytest.approx(expected, abs=near)


@pytest.mark.parametrize("kind", ["onnx", "onnx-int2"])
def test_an_onnx_model_runs_in_a_plain_session(finished_run, tmp_path, kind):
    path = tmp_path / "model.onnx"
    api.export(finished_run, api.ExportKind(kind=kind, leftovers="float32"), path)
    inputs, expected = texts_and_logits(finished_run, "float32")
    inputs["token_type_ids"] = torch.zeros_like(inputs["input_ids"])
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {name: value.numpy() for name, value in inputs.items()})
    assert np.abs(found - expected.numpy()).max() < 0.05


GRAPHS = [
    {},
    {"weight_granularity": "row"},
    {"embedding_granularity": "layer"},
    {"activation": "symmetric", "activation_bits": 4},
    {"activation": "lsq", "method": "lsq"},
    {"activation_scope": "token"},
    {"activation_scope": "static"},
    {"activation_scope": "static", "activation": "symmetric", "activation_bits": 4},
    {"activation_scope": "token", "activation": "symmetric", "weight_bits": 32},
    {"method": "uniform", "weight_bits": 8, "embedding_bits": 8},
    {"method": "uniform", "weight_bits": 3, "embedding_bits": 32},
    {
        "matrix_bits": (
            "bert.encoder.layer.0.output.dense=32",
            "bert.encoder.layer.1.output.dense=8",
        )
    },
    {"activation_bits": 32},
    {"weight_granularity": "group-32", "embedding_granularity": "group-32"},
    {"weight_granularity": "group-32", "activation_scope": "token"},
    {
        **{"method": "binary", "weight_bits": 1, "embedding_bits": 1},
        **{"activation": "elastic", "activation_bits": 1},
    },
]


@pytest.mark.parametrize("kind", targets())
@pytest.mark.parametrize("storage", [INT8, INT2])
@pytest.mark.parametrize("recipe", GRAPHS, ids=str)
def test_no_constant_of_a_graph_is_unused(kind, storage, recipe):
    quant = QuantRecipe(**recipe)
    student = build_student(tiny_model(kind=kind), quant, BERT)
    for _, quantizer in quantizers_of(student):
        if quantizer.range is not None:
            quantizer.set_range(-1.0, 2.0)
    graph = onnx.load_from_string(
        draw(contents_of(student, Experiment(quant=quant)), storage)
    ).graph
    read = {name for node in graph.node for name in node.input}
    assert [each.name for each in graph.initializer if each.name not in read] == []
    made = {name for node in graph.node for name in node.output}
    assert made - read == {output.name for output in graph.output}


@pytest.mark.parametrize("kind", ["onnx", "onnx-int2"])
def test_the_runtime_opens_an_exported_model_without_a_warning(finished_run, tmp_path, kind):
    path = tmp_path / "model.onnx"
    api.export(finished_run, api.ExportKind(kind=kind), path)
    program = (
        "import sys, onnxruntime; onnxruntime.set_default_logger_severity(2); "
        "onnxruntime.InferenceSession(sys.argv[1], providers=['CPUExecutionProvider']); "
        "sys.stderr.write('opened')"
    )
    command = [sys.executable, "-c", program, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == "opened"


def test_downloads_are_the_same_bytes_each_time_and_a_zip_of_the_folder(finished_run, tmp_path):
    kind = api.ExportKind(kind="folder")
    data = api.export_bytes(finished_run, kind)
    assert data == api.export_bytes(finished_run, kind)
    name = api.export_name(finished_run, kind).removesuffix(".zip")
    with zipfile.ZipFile(BytesIO(data)) as archive:
        archive.extractall(tmp_path)
    assert load_folder(tmp_path / name).config.num_labels == 2
    for other in api.EXPORT_KINDS:
        assert len(api.export_bytes(finished_run, api.ExportKind(kind=other))) > 1000


def test_a_run_that_is_not_finished_is_refused(finished_run):
    stopped = replace(finished_run, state="stopped")
    with pytest.raises(InputError, match="only a finished run can be exported"):
        api.export_bytes(stopped, api.ExportKind())


@pytest.mark.parametrize("wrong", [{"kind": "zip"}, {"codes": "base-4"}, {"leftovers": "bfloat16"}])
def test_an_unknown_kind_is_refused(wrong):
    with pytest.raises(InputError, match="Choose one of"):
        api.ExportKind(**wrong)


def test_the_read_back_check_is_computed(finished_run, monkeypatch):
    kind = api.ExportKind(codes="base-3")
    checks = {check.what: check for check in api.check_read_back(finished_run, kind)}
    assert all(check.ok for check in checks.values())
    assert "32 logits" not in checks["logits"].detail
    contents = api.packed_contents(finished_run)

    def spoiled(original, layout, leftovers):
        name, matrix = next(iter(original.weights.items()))
        codes = matrix.codes.clone()
        codes[0, 0] = 1 - codes[0, 0].abs()
        changed = {**original.weights, name: replace(matrix, codes=codes)}
        return real(replace(contents, weights=changed), layout, leftovers)

    real = file.contents_to_bytes
    monkeypatch.setattr(file, "contents_to_bytes", spoiled)
    checks = {check.what: check for check in api.check_read_back(finished_run, kind)}
    assert not checks["codes"].ok


def test_the_command_line_exports_inspects_and_verifies(finished_run, tmp_path, capsys):
    path = tmp_path / "model.safetensors"
    assert main(["export", finished_run.run_id, "packed", str(path), "--codes", "base-3"]) == 0
    assert f"{path.stat().st_size:,} bytes" in capsys.readouterr().out
    assert main(["inspect", str(path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["codes"], told["leftovers"]) == ("base-3", "float16")
    assert sum(part["size_bytes"] for part in told["parts"]) == path.stat().st_size
    assert main(["inspect", str(path)]) == 0
    assert "embedding codes" in capsys.readouterr().out
    assert main(["verify", str(path)]) == 0
    assert "SHA-256 holds" in capsys.readouterr().out
    spoiled = bytearray(path.read_bytes())
    spoiled[-1] ^= 1
    path.write_bytes(spoiled)
    assert main(["verify", str(path)]) == 2
    assert "SHA-256 differs" in capsys.readouterr().err


@pytest.mark.slow
def test_bench_inference_prints_one_line(finished_run, capsys, monkeypatch):
    from core.bench import inference

    monkeypatch.setattr(inference, "SHAPES", ((1, 8), (2, 16), (1, 128)))
    monkeypatch.setattr(inference, "ROUNDS", 2)
    arguments = ["bench", "inference", "--run", finished_run.run_id, "--threads", "1", "--json"]
    assert main(arguments) == 0
    (line,) = capsys.readouterr().out.splitlines()
    told = from_plain(api.Measured, json.loads(line))
    assert [(shape.batch, shape.tokens) for shape in told.shapes] == [(1, 8), (2, 16)]
    for shape in told.shapes:
        assert shape.ratio_torch == pytest.approx(shape.torch_ms / shape.ternary_ms, rel=0.01)
        assert shape.ratio_onnx == pytest.approx(shape.onnx_fp32_ms / shape.ternary_ms, rel=0.01)
        assert shape.ternary_ms > 0
    assert told.machine.threads == 1


def test_bench_agreement_compares_every_text(finished_run, capsys):
    assert main(["bench", "agreement", "--run", finished_run.run_id, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert {row["examples"] for row in rows} == {20}
    exact = next(row for row in rows if row["compared"] == EXACT)
    assert exact["same"] == 1.0
    assert 0.0 < exact["largest"] < 0.05


MINILM_L3, MINILM_L6 = "df1fbe24f1a8", "e9e5e0a56e2e"


@functools.cache
def agreement(run_id):
    """Of the engine with others on the test text, by what is compared."""
    from core.bench.agreement import measure

    list(api.prefetch("movie-sentiment"))
    path = CACHED_MODELS / "shipped" / "runs" / run_id / "model.safetensors"
    measuring = measure(file.read_contents(path))
    try:
        while True:
            next(measuring)
    except StopIteration as end:
        return {row.compared: row for row in end.value}


@pytest.mark.many
@pytest.mark.network
@pytest.mark.parametrize("run_id", [MINILM_L3, MINILM_L6])
def test_the_shipped_students_answer_as_in_training(run_id):
    rows = agreement(run_id)
    assert rows["engine, one text; torch, one text"].same >= 0.996
    exact = rows[EXACT]
    assert exact.undecided < 0.05  # only answers on the edge fall to the other side
    assert exact.mean < 0.01


@pytest.mark.slow
@pytest.mark.network
@pytest.mark.parametrize(
    "run_id",
    [
        MINILM_L3,
        pytest.param(
            MINILM_L6,
            marks=pytest.mark.xfail(
                strict=True, reason="two answers of 1,000 lie on the edge: 99.8 % (docs/results.md)"
            ),
        ),
    ],
)
def test_the_goal_of_999_equal_answers_of_1000_against_the_exact_student(run_id):
    assert agreement(run_id)[EXACT].same >= 0.999
