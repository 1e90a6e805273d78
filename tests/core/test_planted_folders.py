"""Folders that were damaged, or planted: nothing in them passes for what it is not."""

import json
import os
import shutil
import threading
import time
import typing
from contextlib import suppress
from dataclasses import fields, is_dataclass, replace
from pathlib import Path

import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from core import api, events, results
from core.errors import InputError
from core.events import KINDS, Evaluated, Preparing, StepDone
from core.experiment import Experiment
from core.paths import check_file, read_text_up_to, replacing
from core.results import Measured, Result, Score, TeacherCard
from core.runs import event_reading, leftovers, locks, retention, run_files, runner
from core.runs.event_reading import read_events, read_log
from core.runs.grids import read_grid
from core.runs.run_store import find_run, list_runs, read_folder, run_folder, runs_folder
from core.serialization import Range, canonical_json
from core.teacher_folders import read_card
from core.training.checkpoint_header import step_kept
from tests.conftest import card_of, compute, tiny_model, with_train

RECORDS = (Score, Measured, results.LayerReport, results.Machine, Result, TeacherCard)


def plain_of(path: Path) -> dict:
    return json.loads(path.read_text())


def change_result(run, **changes):
    """The run after its result.json was given other values; NaN and infinity are written too."""
    path = run.folder / "result.json"
    path.write_text(json.dumps(plain_of(path) | changes))
    return read_folder(run.folder)


@pytest.fixture
def other_run(lab, finished_run):
    """Another finished run of the same task and model."""
    return compute(replace(lab.experiment, seed=1))


# Numbers


def number_types(kind) -> dict[str, object]:
    """The type of every number that a record holds, by field."""
    found = {}
    for name, hint in typing.get_type_hints(kind, include_extras=True).items():
        inner = [each for each in typing.get_args(hint) if each not in (type(None), ...)]
        bare = inner[0] if typing.get_origin(hint) in (tuple, typing.Union) else hint
        if getattr(hint, "__name__", "") == "UnionType" or type(hint).__name__ == "UnionType":
            bare = inner[0]
        if typing.get_origin(bare) is typing.Annotated or bare in (int, float):
            found[name] = bare
    return found


@pytest.mark.parametrize("kind", [*RECORDS, *KINDS.values(), events.MatrixState])
def test_every_number_of_a_record_has_its_range(kind):
    assert is_dataclass(kind)
    for name, hint in number_types(kind).items():
        arguments = typing.get_args(hint)
        assert arguments, f"{kind.__name__}.{name} is a bare number"
        if arguments[0] in (int, float):
            assert isinstance(arguments[1], Range), name
    assert set(number_types(kind)) <= {field.name for field in fields(kind)}


def test_the_numbers_of_a_result_are_all_found():
    assert {"score", "size_bytes_packed", "steps", "threshold"} <= set(number_types(Result))
    assert {"threshold", "counts"} <= set(number_types(events.MatrixState))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("size_bytes_packed", 0),
        ("size_bytes_float32", -1),
        ("steps", 0),
        ("steps", 10**30),
        ("score", float("nan")),
        ("score", 1.5),
        ("teacher_score", float("inf")),
        ("score_standard_error", -0.1),
        ("test_examples", 0),
        ("train_seconds", -1.0),
        ("total_seconds", 1e300),
        ("threshold", float("-inf")),
    ],
)
def test_a_result_with_a_number_out_of_range_is_damaged(finished_run, field, value):
    run = change_result(finished_run, **{field: value})
    assert run.state == "damaged"
    assert f"Result.{field} is {value!r}; it must lie between" in run.message


def test_a_step_with_a_number_out_of_range_is_no_event(finished_run):
    record = finished_run.folder / "events.jsonl"
    lines = record.read_text().splitlines()
    (number,) = [n for n, line in enumerate(lines) if '"step": 2' in line and "StepDone" in line]
    whole = read_events(finished_run.folder)
    for spoiled in ({"step": 0}, {"total_steps": 0}, {"loss": float("nan")}, {"seconds": -1.0}):
        lines[number] = json.dumps(json.loads(lines[number]) | spoiled)
        record.write_text("\n".join(lines) + "\n")
        left = read_events(finished_run.folder)
        assert len(left) == len(whole) - 1, spoiled
        assert [e.step for e in left if isinstance(e, StepDone)] == [1, 3, 4]


def test_a_card_with_a_number_out_of_range_is_refused(tmp_path):
    card = json.loads(canonical_json(card_of(tiny_model(), "tiny")))
    for spoiled in ({"parameters": 0}, {"seed": -1}, {"train_seconds": float("nan")}):
        (tmp_path / "teacher.json").write_text(json.dumps(card | spoiled))
        with pytest.raises(InputError, match=f"TeacherCard.{next(iter(spoiled))} is"):
            read_card(tmp_path / "teacher.json")


def test_a_score_of_nobody_is_refused(finished_run):
    (first, *others) = plain_of(finished_run.folder / "result.json")["scores"]
    run = change_result(finished_run, scores=[first | {"who": "stranger"}, *others])
    assert run.state == "damaged"
    assert "'stranger' is not known. Choose one of: teacher, untrained, student" in run.message


# Names


def test_an_experiment_of_another_id_is_damaged_also_with_a_result(finished_run, other_run):
    shutil.copy(other_run.folder / "experiment.json", finished_run.folder)
    run = read_folder(finished_run.folder)
    assert (run.state, run.experiment, run.result) == ("damaged", None, None)
    assert "belongs to another run id" in run.message
    assert find_run(finished_run.run_id) == run
    assert read_folder(other_run.folder).state == "finished"


def test_a_teaching_beside_an_experiment_is_damaged(finished_run, lab):
    teaching = api.default_teaching("movie-sentiment", lab.model)
    (finished_run.folder / "teaching.json").write_text(canonical_json(teaching))
    assert read_folder(finished_run.folder).state == "damaged"


def test_a_result_of_another_run_is_damaged(finished_run, other_run):
    shutil.copy(other_run.folder / "result.json", finished_run.folder)
    assert (
        f"its result is that of run '{other_run.run_id}'"
        in read_folder(finished_run.folder).message
    )
    run = change_result(other_run, task="cola")
    assert "its result is that of another task or model" in run.message


def test_events_of_another_run_are_not_shown(finished_run, other_run):
    assert api.events(finished_run)
    assert api.note_on_events(finished_run) == ""
    shutil.copy(other_run.folder / "events.jsonl", finished_run.folder)
    assert api.events(finished_run) == []
    assert f"those of run {other_run.run_id}" in api.note_on_events(finished_run)


def answers_of(run) -> list:
    """Everything that opens a student of a run."""
    source = api.source_of_run(run)
    packed = api.ExportKind(kind="packed")
    return [
        lambda: api.open_model(source),
        lambda: api.packed_contents(run),
        lambda: api.export_bytes(run, packed),
        lambda: api.check_read_back(run, packed),
    ]


def test_the_packed_file_of_another_run_never_answers(finished_run, other_run):
    for ask in answers_of(finished_run):
        ask()
    shutil.copy(other_run.folder / "model.safetensors", finished_run.folder)
    for ask in answers_of(finished_run):
        with pytest.raises(InputError, match=f"is that of run {other_run.run_id}"):
            ask()


def test_predictions_name_their_run(finished_run, other_run):
    with safe_open(finished_run.folder / "predictions.safetensors", framework="np") as file:
        assert file.metadata() == {"run_id": finished_run.run_id}
    assert api.agreement(finished_run) is not None
    shutil.copy(other_run.folder / "predictions.safetensors", finished_run.folder)
    for ask in (api.predictions, api.disagreements):
        with pytest.raises(InputError, match=f"is that of run '{other_run.run_id}'"):
            ask(finished_run)
    with pytest.raises(InputError, match=f"is that of run '{other_run.run_id}'"):
        api.compare_runs(finished_run, other_run, ("student", "student"))
    assert api.agreement(finished_run) is None


@pytest.mark.parametrize("change", ["shorter", "flat", "nan", "labels"])
def test_predictions_without_a_name_are_held_against_the_examples(finished_run, change):
    path = finished_run.folder / "predictions.safetensors"
    found = load_file(path)
    save_file(found, path)
    assert set(api.predictions(finished_run)) == set(found)  # as they were written before
    student = found["test.student"]
    found |= {
        "shorter": {"test.student": student[:-1]},
        "flat": {"test.student": student[:, 0].copy()},
        "nan": {"test.student": student * float("nan")},
        "labels": {"test.labels": found["test.labels"][:-1]},
    }[change]
    save_file(found, path)
    with pytest.raises(InputError, match="20 examples"):
        api.predictions(finished_run)


def test_latent_weights_name_their_run_and_fit_its_teacher(finished_run, other_run):
    path = finished_run.folder / "latent.safetensors"
    own = load_file(path)
    latent = api.source_of_run(finished_run, "latent")
    api.open_model(latent)
    shutil.copy(other_run.folder / "latent.safetensors", path)
    with pytest.raises(InputError, match=f"is that of run '{other_run.run_id}'"):
        api.open_model(latent)
    name = "bert.pooler.dense"
    for spoiled in ({"x.y": own[name]}, {name: own[name][:-1]}, {name: own[name] * float("nan")}):
        save_file(own | spoiled, path)
        with pytest.raises(InputError, match="do not fit its teacher"):
            api.open_model(latent)


# Sizes and kinds of files

READ = ("experiment.json", "teaching.json", "result.json", "error.txt", "ticket", "events.jsonl")
READ += ("events.jsonl.gz", "checkpoint.safetensors", "model.safetensors", "worker.lock")
READ += ("predictions.safetensors", "latent.safetensors")


def look_at(run_id: str) -> None:
    """What pages do with the runs that there are, refusals included."""
    for run in list_runs():
        read_events(run.folder)
        step_kept(run.folder)
        assert run.keeps_student in (False, True)
        asks = [api.forecast_of, api.events, api.step_kept]
        if run.state == "finished":
            asks += [api.predictions, run_files.latent_of, api.packed_contents]
        for ask in asks:
            with suppress(InputError):
                ask(run)
    api.stop(run_id)


@pytest.mark.parametrize("name", READ)
def test_a_pipe_in_place_of_a_file_keeps_nobody_waiting(finished_run, name):
    (finished_run.folder / name).unlink(missing_ok=True)
    os.mkfifo(finished_run.folder / name)
    asker = threading.Thread(target=look_at, args=(finished_run.run_id,), daemon=True)
    asker.start()
    asker.join(timeout=60.0)
    assert not asker.is_alive()


@pytest.mark.parametrize("name", ["experiment.json", "result.json", "teaching.json"])
def test_a_record_is_read_up_to_a_size(finished_run, name):
    with (finished_run.folder / name).open("a") as file:
        file.truncate(2**33)  # without taking that room
    run = read_folder(finished_run.folder)
    assert run.state == "damaged"
    assert f"{name} is larger than" in run.message


def test_a_link_is_not_followed_out_of_the_folder(finished_run, tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("4711")
    (finished_run.folder / "result.json").unlink()
    (finished_run.folder / "error.txt").symlink_to(secret)
    run = read_folder(finished_run.folder)
    assert run.state == "damaged"
    assert "4711" not in run.message
    assert "error.txt is not a regular file" in run.message


def test_a_long_reason_is_cut(lab):
    folder = run_folder(lab.experiment.run_id)
    runner.prepare_folder(folder, lab.experiment)
    (folder / "error.txt").write_bytes(b"No room. " * 10**6 + b"\xff")
    run = read_folder(folder)
    assert run.state == "failed"
    assert run.message.startswith("No room. ")
    assert len(run.message) < 20_000


@pytest.mark.parametrize("text", ["nan", "inf", "-5", "1e300", "5" * 100, "x", ""])
def test_a_ticket_that_is_no_moment_is_none(finished_run, text):
    (finished_run.folder / "ticket").write_text(text)
    assert read_folder(finished_run.folder).ticket == 0.0


def test_a_grid_and_a_text_are_read_up_to_a_size(tmp_path):
    path = tmp_path / "grid.json"
    path.write_text("{}" + " " * 2**23)
    with pytest.raises(InputError, match=r"grid.json is larger than 4 MiB"):
        read_grid(path)
    path.write_bytes(b"abc")
    assert read_text_up_to(path, 3) == "abc"
    with pytest.raises(InputError, match="larger than 2 bytes"):
        read_text_up_to(path, 2)
    with pytest.raises(InputError, match="larger than 2 bytes"):
        check_file(path, 2)
    path.write_bytes(b"\xff")
    with pytest.raises(InputError, match="not a text in UTF-8"):
        read_text_up_to(path, 3)
    for kind in (Path("/dev/zero"), tmp_path):
        with pytest.raises(InputError, match="not a regular file"):
            read_text_up_to(kind, 3)


# Events


def step_line(number: int) -> str:
    zeros = dict.fromkeys(("hidden", "attention", "logits", "labels", "learning_rate"), 0.0)
    step = StepDone(step=number, total_steps=10**6, loss=1.0, tokens=1, seconds=0.1, **zeros)
    return events.to_json(step) + "\n"


def steps_of(folder: Path) -> list[int]:
    return [event.step for event in read_events(folder) if isinstance(event, StepDone)]


@pytest.fixture
def parsed(monkeypatch):
    """The lines that were understood, one by one."""
    seen, whole = [], event_reading.from_json
    monkeypatch.setattr(event_reading, "from_json", lambda line: seen.append(line) or whole(line))
    return seen


def test_only_new_lines_are_read(tmp_path, parsed):
    record = tmp_path / "events.jsonl"
    record.write_text("".join(map(step_line, range(1, 101))))
    assert steps_of(tmp_path) == [*range(1, 101)]
    parsed.clear()
    assert steps_of(tmp_path) == [*range(1, 101)]
    assert parsed == []
    with record.open("a") as file:
        file.write(step_line(101) + step_line(102)[:20])
        file.flush()
        assert steps_of(tmp_path) == [*range(1, 102)]
        file.write(step_line(102)[20:])
    assert steps_of(tmp_path) == [*range(1, 103)]
    assert len(parsed) == 3  # one of them torn


def test_a_record_that_begins_again_or_is_cut_back_is_read_again(tmp_path):
    record = tmp_path / "events.jsonl"
    record.write_text("".join(map(step_line, range(1, 6))))
    assert steps_of(tmp_path) == [1, 2, 3, 4, 5]
    record.write_text("".join(map(step_line, range(11, 19))))  # the same file, longer
    assert steps_of(tmp_path) == [*range(11, 19)]
    with replacing(record) as temporary:
        temporary.write_text(step_line(11))
    assert steps_of(tmp_path) == [11]
    record.unlink()
    assert steps_of(tmp_path) == []


def test_of_a_gigantic_record_beginning_and_end_are_read_and_that_is_said(tmp_path, parsed):
    record = tmp_path / "events.jsonl"
    with record.open("w") as file:
        file.write("".join(map(step_line, range(1, 4))))
        file.truncate(2**30)  # a hole, which takes no room
        file.seek(2**30)
        file.write("\n" + "".join(map(step_line, range(7, 10))))
    assert steps_of(tmp_path) == [1, 2, 3, 7, 8, 9]
    assert "take 1,024 MiB; 1,016 MiB in their middle are not read" in read_log(tmp_path).note
    assert len(parsed) < 20
    with record.open("a") as file:
        file.write(step_line(10))
    assert steps_of(tmp_path) == [1, 2, 3, 7, 8, 9, 10]


def test_a_record_of_one_endless_line_is_no_event(tmp_path, parsed):
    with (tmp_path / "events.jsonl").open("w") as file:
        file.write("[" * 2**22)
        file.truncate(2**30)
    assert read_events(tmp_path) == []
    assert parsed == []


def test_noise_is_not_read_to_its_end(tmp_path, parsed):
    (tmp_path / "events.jsonl").write_text("[]\n" * 10**6 + step_line(1))
    assert read_events(tmp_path) == []
    assert len(parsed) == event_reading.MOST_UNREADABLE + 1


def test_a_long_record_is_thinned_out_between_its_beginning_and_its_end(tmp_path, monkeypatch):
    monkeypatch.setattr(event_reading, "MOST_EVENTS", 100)
    record = tmp_path / "events.jsonl"
    for last in range(10, 1001, 10):
        with record.open("a") as file:
            file.write("".join(map(step_line, range(last - 9, last + 1))))
        told = steps_of(tmp_path)
        assert len(told) <= 100
        assert told == sorted(told)
        assert told[-20:] == [*range(max(1, last - 19), last + 1)]
    record.write_text((events.to_json(Preparing(text="x")) + "\n") * 1000)
    assert len(read_events(tmp_path)) <= 100


def test_packed_events_are_unpacked_up_to_a_size(tmp_path):
    import gzip

    line = events.to_json(Preparing(text="x" * 1000)) + "\n"
    (tmp_path / "events.jsonl.gz").write_bytes(gzip.compress(line.encode() * 10**5))
    log = read_log(tmp_path)
    assert 7900 < len(log.events) < 8000
    assert log.note == "Only the first 8 MiB of the events are read."


# Leftovers


def test_what_killed_processes_left_is_swept(lab, finished_run):
    folder, now = finished_run.folder, time.time()
    old = [folder / f".{name}.x1y2z3" for name in leftovers.WRITTEN]
    fresh = folder / ".result.json.abcdefgh"
    foreign = folder / ".notes.of.mine"
    teacher = next((lab.home / "teachers").iterdir()) / ".model.safetensors.x1y2z3"
    gone = runs_folder() / ".removed-0123456789ab-1", runs_folder() / ".new-x1y2z3"
    for path in (*old, fresh, foreign, teacher):
        path.touch()
    for path in (*old, foreign, teacher):
        os.utime(path, (now - 100_000, now - 100_000))
    for path in gone:
        path.mkdir()
        (path / "file").touch()
    held = locks.take(folder / "worker.lock")
    assert held is not None
    retention.make_room("0" * 12)
    assert all(path.exists() for path in (*old, fresh))  # a process may be writing them
    assert not any(path.exists() for path in (*gone, teacher))
    held.release()
    retention.make_room("0" * 12)
    assert not any(path.exists() for path in old)
    assert fresh.exists()
    assert foreign.exists()
    assert read_folder(folder).state == "finished"


def test_a_new_attempt_sweeps_its_folder_but_not_what_others_write(lab):
    experiment = with_train(lab.experiment, steps=1)
    folder = run_folder(experiment.run_id)
    folder.mkdir(parents=True)
    for name in leftovers.WRITTEN:
        (folder / f".{name}.x1y2z3").touch()
    assert compute(experiment).state == "finished"
    left = {path.name for path in folder.glob(".*")}
    assert left == {".STOP.x1y2z3", ".worker.pid.x1y2z3"}


# What ships


@pytest.mark.parametrize("every", [10, pytest.param(1, marks=pytest.mark.many)])
def test_every_shipped_run_is_read_as_before(every):
    runs = [run for run in list_runs() if run.shipped]
    assert len(runs) >= 184
    for run in runs[::every]:
        assert (run.state, run.run_id) == ("finished", run.folder.name), run.message
        assert isinstance(run.experiment, Experiment)
        assert run.result is not None
        log = event_reading.log_of(run)
        assert log.note == ""
        assert sum(isinstance(event, StepDone) for event in log.events) == run.result.steps
        assert any(isinstance(event, Evaluated) for event in log.events)
        assert len(api.predictions(run)["test.student"]) == run.result.test_examples
        if run.keeps_student:
            assert api.packed_contents(run).experiment == run.experiment
