"""What a training step is measured against computes what it should; ratios are ratios."""

import json
from dataclasses import replace

import pytest
import torch

from core.__main__ import main
from core.bench import as_released, busy_machine
from core.bench import training_step as bench
from core.bench.as_released import padded, released_student
from core.experiment import QuantRecipe
from core.families.registry import find_family
from core.models.student import build_student
from core.training.batches import training_batches
from core.training.student_training import train
from tests.conftest import tiny_model, with_train
from tests.core.test_records_and_events import STEP
from tests.core.test_train import losses_of
from tests.core.test_weight_history import pair_of

BERT = find_family("bert")


def test_the_released_student_is_a_ternary_one(monkeypatch):
    """In eval mode and without its clipping it computes what ours computes at 2-2-8 per matrix,
    embedding per row, with symmetric activations: only slower."""
    monkeypatch.setattr(as_released, "CLIP", 100.0)
    teacher = tiny_model()
    theirs = released_student(teacher).eval()
    ours = build_student(teacher, QuantRecipe(activation="symmetric"), BERT)
    ids = torch.randint(5, 26, (4, 9), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        found, expected = theirs(ids).logits, ours(ids).logits
    assert not torch.equal(expected, teacher(ids).logits)
    torch.testing.assert_close(found, expected, rtol=0.02, atol=0.02)


def test_the_released_gradient_stops_where_something_was_clipped():
    student = released_student(tiny_model()).train()
    weight = student.get_parameter("bert.pooler.dense.weight")
    with torch.no_grad():
        weight[0, 0] = 3.0
    student(torch.randint(5, 26, (4, 9))).logits.sum().backward()
    assert weight.grad is not None
    assert weight.grad[0, 0] == 0
    assert weight.grad.count_nonzero() > 100


def test_padding_to_64_tokens_changes_no_text(lab):
    data = pair_of(lab.experiment).data
    batch = next(training_batches(data.family, data.train, 5, 0))
    rows, tokens = batch.inputs["input_ids"].shape
    wide = padded(batch)
    assert {value.shape for value in wide.inputs.values()} == {(rows, 64)}
    assert rows == len(batch.labels["class"])
    for name, value in batch.inputs.items():
        assert torch.equal(wide.inputs[name][:, :tokens], value)
    assert wide.inputs["attention_mask"].sum() == batch.inputs["attention_mask"].sum()
    assert torch.equal(wide.units, batch.units)
    teacher = tiny_model()
    with torch.no_grad():
        torch.testing.assert_close(
            teacher(**wide.inputs).logits, teacher(**batch.inputs).logits, rtol=1e-4, atol=1e-5
        )


def test_the_floor_quantizes_nothing():
    student = build_student(tiny_model(), bench.UNQUANTIZED, BERT)
    ids = torch.randint(5, 26, (4, 9))
    with torch.no_grad():
        torch.testing.assert_close(student(ids).logits, tiny_model()(ids).logits)


@pytest.mark.slow
def test_the_last_line_is_one_object_with_the_ratios(lab, capsys, monkeypatch):
    """And measuring leaves training as it was."""
    experiment = with_train(lab.experiment, steps=2)
    before = losses_of(train(experiment))
    monkeypatch.setattr(bench, "MEMORY_STEPS", 1)
    where = ["--task", lab.experiment.task, "--model", lab.experiment.model]
    assert main(["bench", "train", *where, "--steps", "3", "--precision", "fp32", "--json"]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [row["method"] for row in found["rows"]] == ["twn", "lat", "lsq"]
    twn = found["rows"][0]
    assert (twn["over_floor"], twn["over_twn"]) == (found["over_floor"], 1.0)
    assert found["released_over_ours"] == twn["released_over_ours"] > 0
    assert found["memory"][0]["size_bytes"] > 50 * 2**20
    assert losses_of(train(experiment)) == before


def test_the_first_half_of_a_turn_is_not_counted(monkeypatch):
    """Steps that began after 0, 1, 2, ... seconds; the half is at 2.5."""
    clock = iter([0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0])
    monkeypatch.setattr(busy_machine.time, "perf_counter", lambda: next(clock))
    told = [replace(STEP, step=n, seconds=float(n)) for n in range(1, 5)]
    assert busy_machine._turn(iter(told), half=2.5).seconds == (4.0,)


def test_a_turn_has_its_last_step_at_least(monkeypatch):
    monkeypatch.setattr(busy_machine.time, "perf_counter", lambda: 0.0)
    told = [replace(STEP, seconds=5.0), replace(STEP, seconds=7.0)]
    assert busy_machine._turn(iter(told), half=1.0).seconds == (7.0,)


@pytest.mark.slow
def test_contention_is_measured_in_every_way(lab, capsys, monkeypatch):
    monkeypatch.setattr(busy_machine, "TURN_SECONDS", 0.5)
    where = ["--task", lab.experiment.task, "--model", lab.experiment.model]
    assert main(["bench", "contention", *where, "--rounds", "1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found["machine"]["processor"]
    rows = {(row["way"], row["gives_way"], row["beside"]): row for row in found["rows"]}
    ways = ("usual", "brief", "followed")
    assert set(rows) == {(w, g, b) for w in ways for g in (False, True) for b in (False, True)}
    assert all(row["steps"] >= 1 and row["seconds"] > 0 for row in rows.values())
    assert rows["usual", False, False]["ratio"] == 1.0
