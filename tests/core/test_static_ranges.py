"""Static ranges: where they end, that they come from train alone, and where they are kept."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from core import api
from core.errors import InputError
from core.events import Preparing
from core.experiment import CALIBRATIONS, Experiment, QuantRecipe, TrainRecipe
from core.families import find_family
from core.models.activation import ActivationQuantizer
from core.models.student import build_student
from core.packed import file
from core.packed.audit import audit
from core.packed.container import read_container
from core.packed.contents import contents_of
from core.packed.engine import build_engine
from core.quantizers.activations import fake_quantize_activation
from core.quantizers.range_search import Histogram, kl_bins, range_ends
from core.runs.run_files import student_of
from core.tasks.registry import find_task
from core.teachers.teacher_store import load_teacher, teacher_tokenizer
from core.training.checkpoints import UnfitCheckpoint, capture, restore
from core.training.evaluate import answers_of
from core.training.optimizer import Optimizer
from core.training.static_ranges import calibrate, quantizers_of
from tests.conftest import compute, tiny_model, with_quant, with_train
from tests.core.test_activation_scopes import batch_of, part

BERT = find_family("bert")
STATIC = QuantRecipe(activation_scope="static")


def ten_thousand() -> np.ndarray:
    """Normal numbers, leaning to one side, and a single one far out."""
    values = np.random.default_rng(0).normal(-0.2, 1.0, 9_999)
    return np.append(values, 40.0)


def test_by_hand():
    seen = Histogram.of(np.array([-1.0, 0.0, 0.25, 0.5, 3.0]))
    assert range_ends(seen, 8, "minmax", "minmax") == (-1.0, 3.0)
    assert range_ends(seen, 8, "symmetric", "minmax") == (-3.0, 3.0)
    assert range_ends(Histogram.of(np.array([2.0, 3.0])), 8, "minmax", "minmax") == (0.0, 3.0)
    assert range_ends(Histogram.of(np.zeros(3)), 8, "minmax", "kl") == (0.0, 0.0)
    assert range_ends(Histogram.of(np.full(3, -2.0)), 4, "symmetric", "mse") == (-2.0, 2.0)


@pytest.mark.parametrize("kind", ["minmax", "symmetric", "lsq"])
@pytest.mark.parametrize("method", CALIBRATIONS)
def test_a_value_far_out_is_cut_off_by_all_but_minmax(kind, method):
    low, high = range_ends(Histogram.of(ten_thousand()), 4, kind, method)
    assert low <= 0 <= high
    assert (high == 40.0) == (method == "minmax")
    assert method == "minmax" or 2.0 < high < 25.0
    assert kind == "minmax" or low == -high


def test_percentile_holds_all_but_a_thousandth():
    values = ten_thousand()
    low, high = range_ends(Histogram.of(values), 8, "minmax", "percentile")
    assert ((values < low) | (values > high)).mean() == pytest.approx(0.001, abs=0.0006)
    far = range_ends(Histogram.of(values), 8, "symmetric", "percentile")[1]
    assert (np.abs(values) > far).mean() == pytest.approx(0.001, abs=0.0006)


def error(values: np.ndarray, ends: tuple[float, float], kind: str) -> float:
    x = torch.from_numpy(values.astype(np.float32))
    rounded = fake_quantize_activation(x, 4, kind, scope="static", ends=ends)
    return float((rounded - x).square().mean())


def test_no_other_end_of_a_symmetric_range_has_a_smaller_error():
    values = ten_thousand()
    _, far = range_ends(Histogram.of(values), 4, "symmetric", "mse")
    slowly = min(error(values, (-t, t), "symmetric") for t in np.linspace(0.4, 40.0, 100))
    assert error(values, (-far, far), "symmetric") <= slowly * 1.01
    low, high = range_ends(Histogram.of(values), 4, "minmax", "mse")
    best = error(values, (low, high), "minmax")
    assert best < error(values, (float(values.min()), 40.0), "minmax") / 3
    assert best <= min(error(values, (low * f, high), "minmax") for f in (0.8, 0.9, 1.1)) * 1.01


def slow_kl(counts: list[int], bits: int) -> float:
    """The same search with numpy's own interpolation, one clip after the other."""
    seen = np.cumsum(counts) / np.sum(counts)
    levels, found = 2 ** (bits - 1), []
    for kept in range(levels + 1, len(counts) + 1):
        clipped = seen.copy()
        clipped[kept - 1 :] = 1.0
        drawn = clipped.copy()
        nodes = np.interp(np.linspace(0, 1, levels), np.linspace(0, 1, kept), clipped[:kept])
        drawn[:kept] = np.interp(np.linspace(0, 1, kept), np.linspace(0, 1, levels), nodes)
        found.append(float(np.sum((seen - drawn) * np.log2(seen / drawn))))
    return min(levels + 1 + int(np.argmin(found)) + 0.5, len(counts)) if found else len(counts)


@pytest.mark.parametrize("bits", [2, 3, 4])
def test_kl_is_that_of_a_slow_search_row_by_row(bits):
    draw = np.random.default_rng(bits)
    rows = [np.histogram(np.abs(draw.normal(size=900) ** p), bins=30)[0] for p in (1, 2, 3)]
    assert kl_bins(np.stack(rows), bits).tolist() == [slow_kl(list(row), bits) for row in rows]
    assert kl_bins(np.ones((1, 2), dtype=int), 2).tolist() == [2.0]  # no more bins than levels


def test_numbers_outside_are_clipped_and_what_is_none_stays_none():
    x = torch.tensor([[-9.0, -0.5, 0.0, 2.0, torch.nan, torch.inf]])
    found = fake_quantize_activation(x, 8, "minmax", scope="static", ends=(-0.55, 2.0))
    expected = [-0.55, -0.5, 0.0, 2.0, torch.nan, 2.0]  # 255 steps of 0.01
    torch.testing.assert_close(found, torch.tensor([expected]), equal_nan=True)
    with pytest.raises(InputError, match="not been calibrated yet"):
        ActivationQuantizer(8, "minmax", "static")(x)


def calibrated(lab, quant: QuantRecipe) -> tuple:
    """A student of the lab's teacher with its ranges, and what was told meanwhile."""
    task, model = lab.experiment.task, lab.experiment.model
    teacher, tokenizer = load_teacher(task, model), teacher_tokenizer(task, model)
    student = build_student(teacher, quant, BERT)
    told = list(calibrate(student, teacher, find_task(task), BERT, tokenizer, quant))
    return student, told


def test_calibration_reads_the_first_texts_of_train_and_says_how_far_it_is(lab):
    few = replace(STATIC, calibration="percentile", calibration_texts=4)
    student, told = calibrated(lab, few)
    text = "Calibrating activation ranges"
    assert told == [Preparing(text=text, done=done, total=8) for done in range(8)]
    again, _ = calibrated(lab, few)
    ranges = [quantizer.ends for _, quantizer in quantizers_of(student)]
    assert ranges == [quantizer.ends for _, quantizer in quantizers_of(again)]
    whole, told = calibrated(lab, replace(STATIC, calibration_texts=4))
    assert len(told) == 4
    wider = [quantizer.ends for _, quantizer in quantizers_of(whole)]
    for (low, high), (lowest, highest) in zip(ranges, wider, strict=True):
        assert lowest <= low <= high <= highest
    more, _ = calibrated(lab, replace(STATIC, calibration_texts=40))
    assert [quantizer.ends for _, quantizer in quantizers_of(more)] != wider


def test_query_key_and_value_share_what_they_read(lab):
    student, _ = calibrated(lab, STATIC)
    ranges = {name: quantizer.ends for name, quantizer in quantizers_of(student)}
    first = [ends for name, ends in ranges.items() if "layer.0.attention.self" in name][:3]
    assert len({*first}) == 1
    probabilities = next(ends for name, ends in ranges.items() if "probabilities" in name)
    assert probabilities[0] == 0.0 < probabilities[1] <= 1.0


def test_a_learned_step_begins_with_the_range_and_stays_one_file(lab, tmp_path):
    quant = QuantRecipe(activation="lsq", activation_scope="static", calibration="kl")
    student, _ = calibrated(lab, quant)
    steps = {name: float(q.step.detach()) for name, q in quantizers_of(student)}
    symmetric, _ = calibrated(lab, replace(quant, activation="symmetric"))
    for name, quantizer in quantizers_of(symmetric):
        assert quantizer.ends is not None
        assert steps[name] == pytest.approx(quantizer.ends[1] / 127, rel=1e-5)
    data = file.to_bytes(student, Experiment(quant=quant))
    (tmp_path / "model.safetensors").write_bytes(data)
    kept = read_container(tmp_path / "model.safetensors").tensors
    assert not [name for name in kept if name.endswith(".range")]


@pytest.mark.parametrize("calibration", CALIBRATIONS)
def test_an_elastic_range_of_one_bit_begins_with_the_range_and_no_shift(lab, calibration):
    quant = QuantRecipe(
        **{"activation": "elastic", "activation_bits": 1},
        **{"activation_scope": "static", "calibration": calibration},
    )
    student, _ = calibrated(lab, quant)
    for _, quantizer in quantizers_of(student):
        step, shift = quantizer.step.detach()[0].tolist()
        assert (step > 0, shift) == (True, 0.0)


@pytest.mark.parametrize("leftovers", ["float32", "float16"])
@pytest.mark.parametrize("kind", ["minmax", "symmetric"])
def test_the_file_carries_the_ranges(lab, tmp_path, kind, leftovers):
    quant = replace(STATIC, activation=kind, calibration="mse")
    student, _ = calibrated(lab, quant)
    path = tmp_path / "model.safetensors"
    path.write_bytes(file.to_bytes(student, Experiment(quant=quant), leftovers=leftovers))
    container = read_container(path)
    ranges = {n: t.tolist() for n, t in container.tensors.items() if n.endswith(".range")}
    ours = {f"{name}.range": q.ends for name, q in quantizers_of(student)}
    assert ranges.keys() == ours.keys()
    assert ("kept in float", "static ranges") in {(p.group, p.name) for p in audit(container, BERT)}
    assert file.written_again(container) == path.read_bytes()
    packed = file.read(path)
    assert packed.contents.numbers == sum(p.numel() for p in student.parameters())
    batch = batch_of([4, 8], seed=1)
    found = answers_of(BERT, packed.model, batch)["logits"]
    same = np.array_equal(found, answers_of(BERT, student, batch)["logits"])
    assert same or leftovers == "float16"


@pytest.mark.parametrize("wrong", [[0.5, 1.0], [1.0, -1.0], [-1.0, -0.5], [0.0, 1.0, 2.0]])
def test_a_range_that_is_none_is_refused(lab, wrong):
    contents = contents_of(calibrated(lab, STATIC)[0], Experiment(quant=STATIC))
    name = next(name for name in contents.rest if name.endswith(".range"))
    for value in (torch.tensor(wrong), None):
        rest = {n: t for n, t in contents.rest.items() if n != name}
        rest |= {} if value is None else {name: value}
        with pytest.raises(InputError, match=r"range"):
            file.assembled(replace(contents, rest=rest))


@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("kind", ["minmax", "symmetric", "lsq", "elastic"])
def test_logits_do_not_depend_on_the_batch_mates_and_the_engine_agrees(lab, kind, bits):
    quant = replace(STATIC, activation=kind, activation_bits=bits, calibration="percentile")
    student, _ = calibrated(lab, quant)
    engine = build_engine(contents_of(student, Experiment(quant=quant)))
    batch = batch_of([3, 11, 7, 2, 9, 5], seed=0)
    together = answers_of(BERT, student, batch)["logits"]

    def in_engine(some):
        return engine.logits({name: value.numpy() for name, value in some.inputs.items()})

    for rows in ([0], [4], [2, 6, 1]):
        some = part(batch, rows)
        assert np.array_equal(answers_of(BERT, student, some)["logits"], together[rows])
        assert np.array_equal(in_engine(some), in_engine(batch)[rows])
    assert np.median(np.abs(in_engine(batch) - together)) < {8: 0.01, 4: 0.3}[bits]


def test_a_student_without_ranges_has_no_engine():
    student = build_student(tiny_model(), STATIC, BERT)
    with pytest.raises(InputError, match="not been calibrated yet"):
        build_engine(contents_of(student, Experiment(quant=STATIC)))


def test_a_training_calibrates_first_and_the_untrained_view_alike(lab):
    few = {"activation_scope": "static", "calibration": "kl", "calibration_texts": 6}
    job = with_train(with_quant(lab.experiment, **few), steps=2)
    run = compute(job)
    events = (run.folder / "events.jsonl").read_text().splitlines()
    texts = [json.loads(line).get("text") for line in events]
    assert "Calibrating activation ranges" in texts
    assert texts.index("Calibrating activation ranges") < texts.index("Scoring the teacher on dev")
    trained = student_of(run).rest
    untrained = api.open_model(api.source_of_teacher(job.task, job.model, job.quant))
    numbers = dict(untrained.model.named_buffers())
    ranges = [name for name in trained if name.endswith(".range")]
    assert len(ranges) == 21
    assert all(torch.equal(trained[name], numbers[name]) for name in ranges)


def test_a_checkpoint_brings_the_ranges_back(lab):
    student, _ = calibrated(lab, replace(STATIC, calibration_texts=3))
    optimizer = Optimizer(student, TrainRecipe())
    kept = {name: tensor.clone() for name, tensor in capture(student, optimizer).items()}
    other, _ = calibrated(lab, replace(STATIC, calibration_texts=9))
    before = [quantizer.ends for _, quantizer in quantizers_of(other)]
    restore(kept, other, Optimizer(other, TrainRecipe()))
    found = [quantizer.ends for _, quantizer in quantizers_of(other)]
    assert found == [quantizer.ends for _, quantizer in quantizers_of(student)] != before
    for name in [name for name in kept if name.startswith("range.")]:
        del kept[name]
    with pytest.raises(UnfitCheckpoint):
        restore(kept, other, Optimizer(other, TrainRecipe()))
