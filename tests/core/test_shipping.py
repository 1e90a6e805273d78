"""What ships of a run: the measurements, the student if asked for, the events as they were."""

import shutil

import pytest
import torch
from safetensors.torch import load_file

from core import api
from core.__main__ import main
from core.errors import InputError
from core.events import StepDone
from core.paths import shipped
from core.runs import run_store
from core.runs.event_reading import read_events
from core.runs.retention import size_bytes
from core.runs.run_store import find_run, list_runs, run_folder
from core.runs.shipping import ship

FIGURES = {"experiment.json", "result.json", "predictions.safetensors", "events.jsonl.gz"}


def sent(run, **options):
    """Ship it, and forget the original."""
    folder = ship(run.run_id, **options)
    shutil.rmtree(run.folder)
    return folder


def test_a_shipped_run_says_what_the_original_said(lab, finished_run):
    told, took = read_events(finished_run.folder), size_bytes(finished_run.folder)
    folder = sent(finished_run)
    assert {path.name for path in folder.iterdir()} == FIGURES
    assert size_bytes(folder) < took / 2
    run = find_run(finished_run.run_id)
    assert run is not None
    assert (run.shipped, run.result, run.keeps_student) == (True, finished_run.result, False)
    assert read_events(run.folder) == told
    assert sum(isinstance(event, StepDone) for event in told) == finished_run.result.steps


def test_the_student_comes_along_when_asked_for_and_goes_when_not(lab, finished_run):
    student = (finished_run.folder / "model.safetensors").read_bytes()
    folder = sent(finished_run, with_student=True)
    assert (folder / "model.safetensors").read_bytes() == student
    first = (folder / "events.jsonl.gz").read_bytes()
    assert ship(finished_run.run_id) == folder  # from what is shipped already
    assert {path.name for path in folder.iterdir()} == FIGURES
    assert (folder / "events.jsonl.gz").read_bytes() == first
    with pytest.raises(InputError, match=r"has no model.safetensors any more"):
        ship(finished_run.run_id, with_student=True)
    assert find_run(finished_run.run_id) is not None


def test_latent_weights_come_without_those_of_the_words(lab, finished_run):
    whole = load_file(finished_run.folder / "latent.safetensors")
    folder = sent(finished_run, with_student=True, with_latent=True)
    kept = load_file(folder / "latent.safetensors")
    words = "bert.embeddings.word_embeddings"
    assert set(whole) - set(kept) == {words}
    assert all(torch.equal(kept[name], whole[name]) for name in kept)
    run = find_run(finished_run.run_id)
    assert run is not None
    teacher = api.open_model(api.source_of_teacher(lab.experiment.task, lab.model)).model
    latent = api.open_model(api.source_of_run(run, "latent")).model
    same = {
        name: torch.equal(value, teacher.state_dict()[name])
        for name, value in latent.state_dict().items()
    }
    assert same[f"{words}.weight"]
    assert not same["bert.pooler.dense.weight"]


def test_only_finished_trainings_ship(lab, finished_run, capsys):
    (finished_run.folder / "result.json").unlink()
    for run_id in (finished_run.run_id, "0" * 12):
        assert main(["ship", run_id]) == 2
        assert "not a finished training" in capsys.readouterr().err
    assert not (shipped() / "runs").exists()


def test_shipped_runs_are_read_again_when_they_change(lab, finished_run, monkeypatch):
    folder = sent(finished_run)
    assert [run.state for run in list_runs()] == ["finished"]
    (folder / "result.json").unlink()
    with monkeypatch.context() as later:
        later.setattr(run_store, "SHIPPED_SECONDS", 1e-6)
        assert [run.state for run in list_runs()] == ["interrupted"]
    shutil.rmtree(folder)
    assert list_runs() == []


def test_damaged_packed_events_are_no_events(lab, finished_run):
    folder = sent(finished_run)
    whole = (folder / "events.jsonl.gz").read_bytes()
    for damaged in (whole[: len(whole) // 2], b"", b"nonsense", whole[:50] + b"\xff" * 50):
        (folder / "events.jsonl.gz").write_bytes(damaged)
        assert read_events(folder) == []


def test_the_command_says_what_each_run_takes(lab, finished_run, capsys):
    assert main(["ship", finished_run.run_id, "--student"]) == 0
    assert capsys.readouterr().out.startswith(f"{finished_run.run_id}  0.")
    assert run_folder(finished_run.run_id).exists()
