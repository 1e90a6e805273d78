"""A disk that is really full: a small file system of its own, where that can be had."""

import os
import shutil
import subprocess
from dataclasses import replace

import pytest

from core.errors import InputError
from core.events import StepDone
from core.runs import runner
from core.runs.event_reading import read_events
from core.runs.run_store import find_run, list_runs, run_folder, runs_folder
from core.training import resume
from core.training.checkpoint_header import FILE
from tests.conftest import compute, with_train


def mount(*options: str) -> bool:
    tool = shutil.which("mount")
    if tool is None or os.name != "posix" or os.geteuid() != 0:
        return False
    return subprocess.run([tool, *options], capture_output=True, check=False).returncode == 0


@pytest.fixture
def small_disk(lab):
    """The folder of runs on a disk of 128 KiB; `grow` makes it larger."""
    runs_folder().mkdir(parents=True, exist_ok=True)
    if not mount("-t", "tmpfs", "-o", "size=128k", "tmpfs", str(runs_folder())):
        pytest.skip("a small disk can only be mounted by root")
    yield lambda size: mount("-o", f"remount,size={size}", str(runs_folder()))
    subprocess.run(["umount", "-l", str(runs_folder())], check=True)


def refusal(job) -> str:
    """The sentence with which computing ends; "" if it comes to its end."""
    try:
        compute(job)
    except InputError as error:
        return str(error)
    return ""


def test_a_full_disk_ends_in_a_sentence_and_harms_nothing_that_is_finished(lab, small_disk):
    finished = compute(lab.experiment)
    before = {path.name: path.read_bytes() for path in finished.folder.iterdir()}
    orders = [replace(lab.experiment, seed=seed) for seed in range(1, 9)]
    refused = {job.run_id: refusal(job) for job in orders}
    assert refused[orders[-1].run_id]
    for run_id, sentence in refused.items():
        assert not sentence or "No space left" in sentence
        assert not sentence or "Free some space" in sentence
        run = find_run(run_id)
        assert run is None or (run.state == "finished") == (not sentence)
    assert {path.name: path.read_bytes() for path in finished.folder.iterdir()} == before
    assert finished in list_runs()
    assert small_disk("8m")
    assert compute(replace(lab.experiment, seed=8)).state == "finished"


def test_a_disk_too_full_for_a_checkpoint_costs_no_run(lab, small_disk, monkeypatch):
    monkeypatch.setattr(resume, "SHARE", 1e9)
    job = with_train(lab.experiment, steps=5)
    folder = run_folder(job.run_id)
    runner.prepare_folder(folder, job)
    run = runner.work(folder)
    assert run.state == "finished", run.message
    said = [event.text for event in read_events(folder) if hasattr(event, "text")]
    assert any("Going on without a new checkpoint" in text for text in said)
    assert [e.step for e in read_events(folder) if isinstance(e, StepDone)] == [1, 2, 3, 4, 5]
    assert not (folder / FILE).exists()
    assert not list(folder.glob(".*"))
