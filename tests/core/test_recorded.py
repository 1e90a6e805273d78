"""Losses, run ids and answers are those recorded before the seam was built (tests/recorded)."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.runs.runner import PROJECT
from tests.recorded import compute

RECORD = Path(compute.__file__).with_name("record.json")
TASKS, WHO = ("sst2", "stsb", "squad"), ("teacher", "student")
LOSSES = [f"{who} of {task}" for task in TASKS for who in WHO]


@pytest.fixture(scope="module")
def today(tmp_path_factory) -> dict:
    """The record of today's code, computed in a process of its own: its arithmetic is chosen by
    the environment, before torch is imported."""
    path = tmp_path_factory.mktemp("recorded") / "record.json"
    kept = {name: value for name, value in os.environ.items() if "TERNARY_LAB" not in name}
    command = [sys.executable, "-m", "tests.recorded.compute", str(path)]
    done = subprocess.run(
        command, cwd=PROJECT, env=kept | compute.PORTABLE, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def recorded() -> dict:
    return json.loads(RECORD.read_text(encoding="utf-8"))


@pytest.mark.parametrize("training", LOSSES)
def test_the_losses_of_twenty_steps_have_the_same_bits(today, recorded, training):
    assert len(recorded["losses"][training]) == compute.STEPS
    assert today["losses"][training] == recorded["losses"][training]


def test_the_run_ids_of_shipped_runs_and_grids_are_the_same(today, recorded):
    for what in ("run ids", "grids"):
        assert recorded[what].items() <= today[what].items()


def test_every_shipped_student_answers_with_the_same_bits(today, recorded):
    assert len(recorded["answers"]) == 5
    assert recorded["answers"].items() <= today["answers"].items()
