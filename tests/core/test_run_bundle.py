"""What travels to a machine and back, without any machine: files out, changed files home."""

import os
import signal
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import pytest

from core import settings
from core.errors import InputError
from core.events import Finished, from_json
from core.runs import run_bundle
from core.runs.event_log import CHECKPOINT_FILE
from core.runs.ray_node import Begun, Refused, Said, compute_there
from core.runs.run_bundle import File, Watch, little_home, parcel, receive
from core.runs.run_store import run_folder
from core.runs.runner import prepare_folder
from core.teacher_folders import teacher_folder
from core.training.checkpoint_header import step_kept
from core.training.student_training import train
from tests.conftest import with_train


@pytest.fixture
def folder(lab):
    folder = run_folder(lab.experiment.run_id)
    prepare_folder(folder, lab.experiment)
    return folder


@pytest.fixture
def elsewhere(lab, folder, tmp_path, monkeypatch):
    """Temporary folders of a machine that finds nothing of the lab; the settings come back."""
    for name in ("TERNARY_LAB_HOME", "TERNARY_LAB_CACHE", "TERNARY_LAB_SHIPPED"):
        monkeypatch.setenv(name, os.environ[name])
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    return tmp_path / "scratch"


def test_a_parcel_holds_order_text_and_teacher_and_nothing_of_the_follower(lab, folder):
    for name in ("worker.pid", "worker.lock", "events.jsonl", "error.txt", ".torn"):
        (folder / name).touch()
    (folder / CHECKPOINT_FILE).write_bytes(b"half way")
    names = {file.name for file in parcel(lab.experiment, folder)}
    ours = {name for name in names if name.startswith("run/")}
    assert ours == {"run/experiment.json", f"run/{CHECKPOINT_FILE}"}
    teacher = teacher_folder(lab.experiment.task, lab.model)
    for name in ("teacher.json", "model.safetensors", "tokenizer.json"):
        assert f"home/teachers/{teacher}/{name}" in names
    assert sum(name.startswith("cache/tasks/movie-sentiment-") for name in names) > 3
    assert not [name for name in names if name.startswith("/") or ".." in name]


def test_a_parcel_is_enough_to_compute_and_nothing_is_left(lab, folder, elsewhere):
    files = parcel(lab.experiment, folder)
    begun, *items = compute_there(lab.experiment.run_id, files, (), threads=1)
    assert isinstance(begun, Begun)
    home = {item.name for item in items if isinstance(item, File)} - {f"run/{CHECKPOINT_FILE}"}
    assert home == {f"run/{name}.safetensors" for name in ("latent", "model", "predictions")}
    assert isinstance(items[-1], Said)
    assert isinstance(from_json(items[-1].line), Finished)
    assert list(elsewhere.iterdir()) == []


def test_a_fault_that_a_person_can_mend_is_the_last_item(lab, folder, elsewhere):
    files = [file for file in parcel(lab.experiment, folder) if "teachers" not in file.name]
    *_, last = compute_there(lab.experiment.run_id, tuple(files), (), threads=1)
    assert isinstance(last, Refused)
    assert last.sentence.startswith("There is no teacher for movie-sentiment")
    assert list(elsewhere.iterdir()) == []


def test_a_checkpoint_that_the_record_does_not_reach_is_not_sent(lab, folder, elsewhere):
    experiment = with_train(lab.experiment, steps=500)
    for _event in train(experiment, folder):  # whose events nobody writes down
        if (folder / CHECKPOINT_FILE).exists():
            break
    assert step_kept(folder) > 0
    names = {file.name for file in parcel(experiment, folder)}
    assert f"run/{CHECKPOINT_FILE}" not in names


def test_too_much_memory_is_refused(lab, folder, elsewhere, monkeypatch):
    for setting in (settings.RUN_MEMORY_MIB, settings.RUN_MINUTES):
        monkeypatch.setenv(setting.name, "")
    endless = with_train(lab.experiment, steps=100_000, evaluate_every=100_000)
    prepare_folder(folder, endless)
    files = parcel(endless, folder)
    *_, last = compute_there(endless.run_id, files, (), threads=1, memory_mib=64)
    assert isinstance(last, Refused)
    assert "this server allows 64 MiB" in last.sentence
    assert list(elsewhere.iterdir()) == []


def test_a_model_in_a_folder_must_be_there_too(lab, elsewhere):
    begun, last = compute_there("0" * 12, (), (str(elsewhere / "my-bert"),), threads=1)
    assert isinstance(begun, Begun)
    assert isinstance(last, Refused)
    assert "has no folder" in last.sentence


def test_a_parcel_without_a_teacher_is_refused(lab, folder):
    with pytest.raises(InputError, match="There is no teacher for movie-sentiment on minilm-l3"):
        parcel(replace(lab.experiment, model="minilm-l3"), folder)


def test_watching_tells_what_appeared_changed_and_went(tmp_path):
    for name in ("run/a", "run/b", "home/teachers/t/c", "cache/d"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    watch = Watch(tmp_path)
    assert list(watch.changes()) == []
    (tmp_path / "run/a").write_text("longer than before")
    (tmp_path / "run/b").unlink()
    (tmp_path / "run/.hidden").write_text("half a file")
    (tmp_path / "cache/e").write_text("can be fetched again")
    (tmp_path / "home/teachers/t/f").write_text("new")
    os.utime(tmp_path / "home/teachers/t/f", (1e9, 1e9))
    assert list(watch.changes()) == [
        File(name="run/b", content=None),
        File(name="home/teachers/t/f", content=b"new"),
        File(name="run/a", content=b"longer than before"),
    ]
    assert list(watch.changes()) == []


def test_files_come_home(lab, folder):
    receive(File(name="run/model.safetensors", content=b"packed"), folder)
    assert (folder / "model.safetensors").read_bytes() == b"packed"
    receive(File(name="run/model.safetensors", content=None), folder)
    assert not (folder / "model.safetensors").exists()
    receive(File(name="home/teachers/new/teacher.json", content=b"{}"), folder)
    assert (lab.home / "teachers" / "new" / "teacher.json").read_bytes() == b"{}"


@pytest.mark.parametrize("name", ["run/../../x", "cache/x", "run", "/etc/x", "home/../x"])
def test_files_of_other_names_are_refused(lab, folder, name):
    with pytest.raises(InputError, match="none of ours"):
        receive(File(name=name, content=b"x"), folder)


def test_little_homes_of_killed_processes_are_swept(elsewhere, monkeypatch):
    left, fresh = elsewhere / "ternary-lab-abc-1", elsewhere / "ternary-lab-abc-2"
    for root in (left, fresh):
        root.mkdir()
    long_ago = time.time() - 2 * run_bundle.LEFT_BEHIND_SECONDS
    with little_home("abc", ()) as held:
        for root in (left, held):
            os.utime(root, (long_ago, long_ago))
        with little_home("def", ()):
            assert held.exists()
    assert list(elsewhere.iterdir()) == [fresh]
    assert Path(os.environ["TERNARY_LAB_HOME"]).parent.parent == elsewhere


def test_a_process_that_ignores_interrupts_is_refused_too(lab, folder, elsewhere, monkeypatch):
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        test_too_much_memory_is_refused(lab, folder, elsewhere, monkeypatch)
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
