"""The run of some settings, else the nearest one: what is found, and what sets it apart."""

from dataclasses import replace

import pytest

from core import api, machine
from core.experiment import Job, Teaching, TrainRecipe
from tests.conftest import compute, move_to, with_quant, with_train

SHIPPED_DEFAULT = "197caee709a1"


def found(job: Job) -> tuple[str, str, dict[str, tuple[str, str]]]:
    shown = api.shown_run(job)
    assert shown is not None
    told = {one.name: (one.asked, one.found) for one in shown.differences}
    return shown.run.run_id, shown.relation, told


def test_nothing_is_shown_where_nothing_was_trained(lab):
    assert api.shown_run(lab.experiment) is None
    assert api.shown_run(None) is None


def test_a_run_of_these_very_settings_is_exact(finished_run):
    assert found(finished_run.experiment) == (finished_run.run_id, "exact", {})


def test_the_same_in_another_precision_is_called_the_same(finished_run):
    asked = {"fp32": "bf16", "bf16": "fp32"}[finished_run.experiment.train.precision]
    job = with_train(finished_run.experiment, precision=asked, evaluate_every=3)
    run_id, relation, told = found(job)
    assert (run_id, relation) == (finished_run.run_id, "same")
    assert told == {
        "precision": (asked, finished_run.experiment.train.precision),
        "evaluate_every": ("3", "2"),
    }


def test_the_nearest_is_the_one_with_the_fewest_differences_that_matter(lab, finished_run):
    four = compute(with_quant(lab.experiment, weight_bits=4))
    job = replace(with_quant(lab.experiment, weight_bits=4), seed=5)
    assert found(job) == (four.run_id, "near", {"seed": ("5", "0")})
    job = with_quant(lab.experiment, method="lat")
    assert found(job) == (finished_run.run_id, "near", {"method": ("lat", "twn")})


@pytest.mark.parametrize(
    "train",
    [{"augment_copies": 7}, {"augment_probability": 0.9}, {"step_learning_rate": 0.5}],
)
def test_a_setting_without_effect_is_no_difference(finished_run, train):
    _, relation, told = found(with_train(finished_run.experiment, **train))
    assert (relation, told) == ("same", {})


def test_a_learning_rate_of_steps_counts_where_steps_are_learned(lab):
    compute(with_quant(lab.experiment, method="lsq"))
    job = with_train(with_quant(lab.experiment, method="lsq"), step_learning_rate=0.5)
    assert found(job)[2] == {"step_learning_rate": ("0.5", "0.0002")}


def test_another_task_is_never_taken_for_this_one(finished_run):
    job = replace(finished_run.experiment, task="news-topic")
    assert found(job) == (finished_run.run_id, "other", {})
    shown = api.shown_run(None)
    assert shown is not None
    assert shown.relation == "other"


def test_a_teacher_is_not_taken_for_a_student(lab, finished_run):
    teaching = Teaching(task="movie-sentiment", model=lab.model, train=TrainRecipe(steps=2))
    assert found(teaching) == (finished_run.run_id, "other", {})
    made = compute(replace(teaching, train=replace(lab.experiment.train, steps=2)))
    assert made.teaching is not None
    run_id, relation, told = found(replace(made.teaching, seed=3))
    assert (run_id, relation, told) == (made.run_id, "near", {"seed": ("3", "0")})


@pytest.mark.parametrize(
    ("precision", "relation", "differences"),
    [("bf16", "exact", {}), ("fp32", "same", {"precision": ("fp32", "bf16")})],
)
def test_the_default_experiment_finds_the_shipped_run_on_every_processor(
    tmp_path, monkeypatch, precision, relation, differences
):
    """Those that ship were trained in bfloat16, which many laptops do not have."""
    move_to(tmp_path, monkeypatch)
    monkeypatch.delenv("TERNARY_LAB_SHIPPED")
    monkeypatch.setattr(machine, "fastest_precision", lambda: precision)
    assert found(api.default_experiment()) == (SHIPPED_DEFAULT, relation, differences)


def test_a_processor_without_bfloat16_trains_in_float32(monkeypatch):
    monkeypatch.setattr(machine, "has_bf16", lambda: False)
    machine.fastest_precision.cache_clear()
    try:
        assert api.default_experiment().train.precision == "fp32"
    finally:
        machine.fastest_precision.cache_clear()
