"""Runs: a folder says what became of it; a run computes in its own process and stops when asked."""

import hashlib
import os
import shutil
import signal
import threading
import time
from dataclasses import replace

import pytest
from filelock import FileLock

from core import api, paths
from core.errors import InputError
from core.events import Finished, StepDone
from core.paths import replacing, shipped
from core.runs import local, runner
from core.runs.event_log import CHECKPOINT_FILE
from core.runs.event_reading import read_events
from core.runs.run_store import (
    find_run,
    is_alive,
    list_runs,
    read_folder,
    run_folder,
    runs_folder,
    waiting_before,
)
from core.serialization import canonical_json
from tests.conftest import compute, is_running, wait_for, with_train

LONG_AGO = time.time() - 1000


@pytest.fixture
def long(lab, monkeypatch):
    """An experiment that would run for an hour; no worker outlives the test."""
    yield with_train(lab.experiment, steps=100_000, evaluate_every=100_000)
    for child in runner._children:
        child.kill()
        child.wait()
    runner._children.clear()


@pytest.fixture
def asked(lab):
    """The folder of a run that nobody computes yet."""
    folder = run_folder(lab.experiment.run_id)
    runner.prepare_folder(folder, lab.experiment)
    return folder


def state_of(run) -> str:
    return read_folder(run.folder).state


def pid_of(run) -> int:
    wait_for(lambda: is_alive(run.folder) and (run.folder / "worker.pid").exists())
    return int((run.folder / "worker.pid").read_text())


# What a folder says


def test_a_folder_that_no_process_holds_is_interrupted_whatever_the_clock_says(asked):
    for moment in (time.time(), LONG_AGO):
        os.utime(asked / "ticket", (moment, moment))
        assert read_folder(asked).state == "interrupted"


def test_a_lock_tells_a_running_run_from_a_queued_one(asked):
    with FileLock(asked / "worker.lock"):
        assert read_folder(asked).state == "queued"
        (asked / "began").touch()
        assert read_folder(asked).state == "running"
    assert read_folder(asked).state == "interrupted"


def test_stopped_and_failed(asked):
    (asked / "error.txt").write_text("The disk is full.")
    assert read_folder(asked).state == "failed"
    assert read_folder(asked).message == "The disk is full."
    (asked / "STOP").touch()
    assert read_folder(asked).state == "stopped"


def test_a_finished_run_has_its_result_whatever_else_is_there(finished_run):
    for name in ("STOP", "error.txt"):
        (finished_run.folder / name).write_text("late")
    run = read_folder(finished_run.folder)
    assert run.state == "finished"
    assert run.is_over
    assert run.result.run_id == run.run_id == run.experiment.run_id


def test_a_run_that_keeps_no_student_is_compared_but_not_asked(finished_run):
    assert [run.run_id for run in api.finished_runs()] == [finished_run.run_id]
    (finished_run.folder / "model.safetensors").unlink()
    assert api.finished_runs() == []
    assert [run.state for run in api.runs()] == ["finished"]
    shown = api.shown_run(finished_run.experiment)
    assert shown is not None
    assert shown.run.run_id == finished_run.run_id


@pytest.mark.parametrize("name", ["experiment.json", "result.json"])
def test_a_damaged_folder_is_listed_with_a_sentence(finished_run, name):
    for text in (b"", b"{", b"[]", b"\xff\xfe", b'{"seed": -1}', b"[" * 10_000):
        (finished_run.folder / name).write_bytes(text)
        run = find_run(finished_run.run_id)
        assert run.state == "damaged", text
        assert "cannot be read" in run.message
        assert "Delete it to run again" in run.message
        assert [other.run_id for other in list_runs()] == [finished_run.run_id]


def test_a_folder_without_its_experiment_is_damaged(asked):
    (asked / "experiment.json").unlink()
    assert find_run(asked.name).state == "damaged"


def test_a_foreign_experiment_is_damaged(asked, lab):
    foreign = replace(lab.experiment, seed=5)
    (asked / "experiment.json").write_text(canonical_json(foreign))
    assert "belongs to another run id" in read_folder(asked).message


@pytest.mark.parametrize(
    "run_id", ["", "..", "../../etc", "a" * 11, "A" * 12, "0" * 12 + "\n", "é"]
)
def test_only_twelve_hex_digits_are_a_run_id(lab, run_id):
    for ask in (run_folder, find_run, api.find_run, api.stop):
        with pytest.raises(InputError, match="is not a run id"):
            ask(run_id)


def test_other_names_in_the_folder_of_runs_are_no_runs(asked):
    (runs_folder() / "notes").mkdir()
    (runs_folder() / ("f" * 13)).mkdir()
    (runs_folder() / "readme.txt").touch()
    assert [run.folder for run in list_runs()] == [asked]


def test_torn_and_foreign_lines_of_the_record_are_left_out(finished_run):
    record = finished_run.folder / "events.jsonl"
    whole = read_events(finished_run.folder)
    assert isinstance(whole[-1], Finished)
    record.write_bytes(record.read_bytes()[:-100])
    assert read_events(finished_run.folder) == whole[:-1]
    record.write_bytes(b"\xff\n[]\n" + record.read_bytes())
    assert read_events(finished_run.folder) == whole[:-1]
    record.unlink()
    assert read_events(finished_run.folder) == []


def test_the_newest_run_comes_first_and_shipped_ones_last(lab):
    experiments = [replace(lab.experiment, seed=seed) for seed in range(3)]
    for ticket, experiment in zip((300, 500, 400), experiments, strict=True):
        folder = run_folder(experiment.run_id)
        runner.prepare_folder(folder, experiment)
        (folder / "ticket").write_text(str(ticket))
    sent = shipped() / "runs" / experiments[1].run_id
    sent.parent.mkdir(parents=True)
    run_folder(experiments[1].run_id).rename(sent)
    assert [run.experiment.seed for run in list_runs()] == [2, 0, 1]
    assert [run.shipped for run in list_runs()] == [False, False, True]


def test_a_shipped_run_whose_folder_has_its_older_id_is_found(lab, finished_run):
    """Before options could be added without a new id, it was the digest of the text itself."""
    text = (finished_run.folder / "experiment.json").read_bytes().strip()
    older = hashlib.sha256(text).hexdigest()[:12]
    assert finished_run.names == (finished_run.run_id, older)
    shutil.copytree(finished_run.folder, shipped() / "runs" / older)
    shutil.rmtree(finished_run.folder)
    (run,) = list_runs()
    assert run.shipped
    assert (run.state, run.run_id) == ("finished", finished_run.run_id)
    assert find_run(run.run_id) == run
    assert api.events(run)
    (shipped() / "runs" / older).rename(shipped() / "runs" / ("0" * 12))
    (foreign,) = list_runs()
    assert (foreign.state, foreign.run_id) == ("damaged", "0" * 12)


def test_many_askers_never_take_each_other_for_a_worker(asked):
    (asked / "worker.lock").touch()
    answers = []

    def ask():
        answers.extend(is_alive(asked) for _ in range(200))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 1600
    assert not any(answers)


# What can go wrong while it computes


def test_a_second_worker_on_a_folder_gives_a_sentence_and_spoils_nothing(asked):
    with (
        FileLock(asked / "worker.lock"),
        pytest.raises(InputError, match="Another process already computes"),
    ):
        runner.work(asked)
    assert not (asked / "error.txt").exists()


def test_a_folder_that_is_no_run_gives_a_sentence(lab, tmp_path):
    with pytest.raises(InputError, match="is not the folder of a run"):
        runner.work(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


def test_a_missing_teacher_is_kept_as_the_reason(lab):
    experiment = replace(lab.experiment, model="minilm-l6")
    with pytest.raises(InputError, match="python -m core teach"):
        compute(experiment)
    run = find_run(experiment.run_id)
    assert run.state == "failed"
    assert "python -m core teach" in run.message


def test_a_fault_of_ours_is_kept_as_the_reason(asked, monkeypatch):
    monkeypatch.setattr(runner.Record, "write", lambda *arguments: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        runner.work(asked)
    assert "A fault of ours" in read_folder(asked).message


def refuse_to_write(monkeypatch, *names: str) -> None:
    """A disk that is full as soon as one of these files (all without names) is to be written."""
    original = paths.tempfile.mkstemp

    def mkstemp(prefix: str, **options):
        if not names or prefix.strip(".") in names:
            raise OSError(28, "No space left on device")
        return original(prefix=prefix, **options)

    monkeypatch.setattr(paths.tempfile, "mkstemp", mkstemp)


@pytest.mark.parametrize("name", ["model.safetensors", "predictions.safetensors", "result.json"])
def test_a_disk_too_full_for_a_file_fails_with_a_sentence(asked, monkeypatch, name):
    refuse_to_write(monkeypatch, name)
    with pytest.raises(InputError, match=f"{name} could not be written .* No space left"):
        runner.work(asked)
    assert read_folder(asked).state == "failed"
    assert "Free some space" in read_folder(asked).message


def test_a_disk_too_full_for_the_record_fails_with_a_sentence(asked):
    (asked / "events.jsonl").symlink_to("/dev/full")
    with pytest.raises(InputError, match="could not be written: No space left on device"):
        runner.work(asked)
    assert read_folder(asked).state == "failed"


def test_a_disk_too_full_for_the_reason_still_says_failed(asked, monkeypatch):
    (asked / "worker.pid").touch()
    refuse_to_write(monkeypatch)
    with pytest.raises(InputError, match="could not be written"):
        runner.work(asked)
    assert read_folder(asked).state == "failed"
    assert "Is the disk full?" in read_folder(asked).message


def test_nothing_is_started_on_a_full_disk(lab, monkeypatch):
    refuse_to_write(monkeypatch)
    with pytest.raises(InputError, match="Free some space or point TERNARY_LAB_HOME"):
        runner.submit(lab.experiment)
    assert runner._children == []


def test_a_home_that_is_no_folder_gives_a_sentence(lab):
    lab.home.rename(lab.home.with_name("elsewhere"))
    lab.home.touch()
    assert list_runs() == []
    with pytest.raises(InputError, match=r"cannot be started in .* TERNARY_LAB_HOME"):
        runner.submit(lab.experiment)


def test_a_reader_sees_the_old_file_or_the_new_one(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    writing = replacing(path)
    writing.__enter__().write_text("half")
    assert path.read_text() == "old"
    assert not writing.__exit__(ZeroDivisionError, ZeroDivisionError(), None)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("text", "count"), [("3", 3), ("", None)])
def test_slots_come_from_the_environment(monkeypatch, text, count):
    monkeypatch.setenv("TERNARY_LAB_SLOTS", text)
    assert local.slots() == (count or max(1, local.cores() // 2))


def test_no_slots_are_refused(monkeypatch):
    monkeypatch.setenv("TERNARY_LAB_SLOTS", "0")
    with pytest.raises(InputError, match="TERNARY_LAB_SLOTS is 0"):
        local.slots()


# Real workers


def test_asking_for_one_run_many_times_computes_it_once(lab, long):
    run = runner.submit(lab.experiment)
    assert run.state == "queued"
    assert runner.submit(lab.experiment).run_id == run.run_id
    assert len(runner._children) == 1
    wait_for(lambda: read_folder(run.folder).is_over)
    found = api.find_run(run.run_id)
    assert found.state == "finished", found.message
    assert found.result.run_id == lab.experiment.run_id
    assert isinstance(api.events(found)[-1], Finished)
    assert set(api.predictions(found)) == {
        f"{split}.{what}"
        for split in ("dev", "test")
        for what in ("teacher", "untrained", "student", "labels")
    }
    opened = api.open_model(
        api.Source(kind="run", task=lab.experiment.task, model=lab.model, run_id=run.run_id)
    )
    assert opened.size_bytes == found.result.size_bytes_packed
    assert api.predict(opened, "a good film").answer in ("negative", "positive")
    assert runner.submit(lab.experiment) == found
    assert all(child.wait() == 0 for child in runner._children)
    api.stop(run.run_id)
    assert state_of(run) == "finished"


def test_the_queue_and_a_stop_at_each_place_of_it(lab, long, monkeypatch):
    monkeypatch.setenv("TERNARY_LAB_SLOTS", "1")
    first = runner.submit(long)
    wait_for(lambda: state_of(first) == "running")
    second = runner.submit(replace(long, seed=1))
    third = runner.submit(replace(long, seed=2))
    assert [run.run_id for run in list_runs()] == [r.run_id for r in (third, second, first)]
    api.stop(third.run_id)  # its process is only just starting
    assert state_of(third) == "stopped"
    waiting = pid_of(second)
    wait_for(lambda: any(isinstance(event, StepDone) for event in read_events(first.folder)))
    assert state_of(second) == "queued"
    assert waiting_before(first) == 0
    assert waiting_before(second) == 1

    computing, began = pid_of(first), time.monotonic()
    api.stop(first.run_id)
    assert time.monotonic() - began < 2.0
    assert state_of(first) == "stopped"
    wait_for(lambda: not is_running(computing), seconds=20.0)  # Python takes its time to leave
    assert [path.name for path in first.folder.glob("*.safetensors*")] == [CHECKPOINT_FILE]
    assert not list(first.folder.glob(".*"))

    wait_for(lambda: state_of(second) == "running", seconds=5.0)
    began = time.monotonic()
    api.stop(second.run_id)  # it is still importing, so only a signal reaches it
    assert time.monotonic() - began < 2.5
    assert state_of(second) == "stopped"
    wait_for(lambda: not is_running(waiting), seconds=20.0)
    assert all(child.wait(timeout=20) is not None for child in runner._children)
    assert state_of(third) == "stopped"
    assert not (third.folder / "events.jsonl").exists()


def test_a_killed_worker_is_interrupted_and_can_be_started_again(long):
    run = runner.submit(long)
    wait_for(lambda: state_of(run) == "running")
    first = pid_of(run)
    os.killpg(first, signal.SIGKILL)
    wait_for(lambda: not is_alive(run.folder), seconds=2.0)
    assert state_of(run) == "interrupted"
    again = runner.submit(long)
    assert again.state == "queued"
    wait_for(lambda: state_of(run) == "running")
    assert pid_of(run) != first
    api.stop(run.run_id)
    assert state_of(run) == "stopped"
