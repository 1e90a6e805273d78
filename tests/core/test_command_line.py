"""The command line does what the app does; every mistake ends with a sentence and exit code 2."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from core.__main__ import main
from core.events import StepDone
from core.experiment import Teaching, TrainRecipe
from core.runs import runner
from core.runs.event_reading import read_events
from core.training import resume
from tests.conftest import compute, with_train

COMMANDS = ("run", "runs", "predict", "tasks", "teach", "prefetch", "doctor")


@pytest.fixture
def settings(lab) -> list[str]:
    """The arguments that name the lab's experiment."""
    train = lab.experiment.train
    return [
        *("--model", lab.model, "--precision", train.precision, "--steps", str(train.steps)),
        *("--batch-size", str(train.batch_size), "--max-tokens", str(train.max_tokens)),
        *("--evaluate-every", str(train.evaluate_every)),
    ]


def lines_of(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def test_run_prints_one_event_a_line_and_the_result_last(lab, settings, capsys):
    assert main(["run", *settings, "--json"]) == 0
    out, err = capsys.readouterr()
    events = lines_of(out)
    assert err == ""
    assert [event["step"] for event in events if event["type"] == "StepDone"] == [1, 2, 3, 4]
    assert events[-1]["type"] == "Finished"
    result = events[-1]["result"]
    assert result["run_id"] == lab.experiment.run_id
    for name in ("score", "teacher_score", "untrained_score"):
        assert 0.0 <= result[name] <= 1.0
    assert 0 < result["size_bytes_packed"] < result["size_bytes_float32"]

    assert main(["run", *settings, "--json"]) == 0  # answered from the record
    again = capsys.readouterr()
    assert lines_of(again.out) == events
    assert "already finished" in again.err

    assert main(["run", *settings, "--json", "--fresh"]) == 0
    fresh = lines_of(capsys.readouterr().out)
    assert fresh[-1]["result"]["score"] == result["score"]
    assert fresh[-1]["result"]["total_seconds"] != result["total_seconds"]


def test_run_for_people_ends_with_score_and_size(settings, capsys):
    assert main(["run", *settings]) == 0
    out = capsys.readouterr().out
    assert "step 4/4  loss" in out
    assert "Test accuracy: teacher" in out
    assert "MiB packed" in out
    assert "{" not in out


def test_run_of_a_folder_is_what_the_app_starts(lab, finished_run, capsys):
    experiment = with_train(lab.experiment, steps=2)
    folder = runner.run_folder(experiment.run_id)
    runner.prepare_folder(folder, experiment)
    assert main(["run", "--run-dir", str(folder)]) == 0
    assert capsys.readouterr().out == ""
    assert read_events(folder)[-1].result.steps == 2


def test_runs_are_listed_for_people_and_for_programs(lab, finished_run, capsys):
    damaged = runner.run_folder("0" * 12)
    damaged.mkdir()
    assert main(["runs"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{finished_run.run_id}  finished")
    assert lab.experiment.title in first
    assert second.startswith("000000000000  damaged")
    assert main(["runs", "--json"]) == 0
    first, second = lines_of(capsys.readouterr().out)
    assert first["result"]["run_id"] == finished_run.run_id
    assert first["experiment"]["quant"]["method"] == "twn"
    assert second["result"] is None
    assert "cannot be read" in second["message"]


def test_without_runs_nothing_is_listed(lab, capsys):
    assert main(["runs"]) == 0
    assert capsys.readouterr().out == ""


def test_teach_makes_a_teacher_that_predicts(lab, capsys):
    shutil.rmtree(lab.home / "teachers")
    assert main(["predict", "--model", lab.model, "a good film"]) == 2
    assert main(["teach", "--model", lab.model, "--steps", "3", "--seed", "7", "--json"]) == 0
    events = lines_of(capsys.readouterr().out)
    assert [event["step"] for event in events if event["type"] == "StepDone"] == [1, 2, 3]
    assert events[-1]["type"] == "Taught"
    assert events[-1]["teacher"]["seed"] == 7
    assert events[-1]["teacher"]["dev"]["examples"] == 20
    assert main(["predict", "--model", lab.model, "a good film"]) == 0


def test_an_interrupted_teach_goes_on_by_the_same_command(lab, capsys, monkeypatch):
    monkeypatch.setattr(resume, "SHARE", 1e9)  # a checkpoint after every step
    command = ["teach", "--model", lab.model, "--steps", "5", "--json"]

    def interrupted(event) -> None:
        if isinstance(event, StepDone) and event.step == 3:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("core.commands.teach_command.print_json", interrupted)
        assert main(command) == 130
    assert main(command) == 0
    events = lines_of(capsys.readouterr().out)
    (resumed,) = [event["step"] for event in events if event["type"] == "Resumed"]
    assert 1 <= resumed <= 3
    assert [event["step"] for event in events if event["type"] == "StepDone"] == [
        *range(resumed + 1, 6)
    ]
    assert events[-1]["type"] == "Taught"


def test_teach_takes_a_checkpoint_as_it_is(lab, capsys):
    shutil.rmtree(lab.home / "teachers")
    assert main(["teach", "--model", lab.model, "--as-it-is", "--json"]) == 0
    events = lines_of(capsys.readouterr().out)
    assert {event["type"] for event in events} == {"Preparing", "Evaluated", "Taught"}
    assert events[-1]["teacher"]["fine_tuned"] is False
    assert main(["predict", "--model", lab.model, "a good film"]) == 0


def test_a_teaching_is_listed_among_the_runs_and_its_teacher_answers(lab, capsys):
    train = TrainRecipe(steps=2, batch_size=8, max_tokens=16)
    run = compute(Teaching(task="movie-sentiment", model=lab.model, train=train))
    assert main(["runs"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"{run.run_id}  finished")
    assert f"{100 * run.card.test.value:.1f} %" in line
    assert line.endswith(run.teaching.title)
    assert main(["runs", "--json"]) == 0
    (record,) = lines_of(capsys.readouterr().out)
    assert record["experiment"] is record["result"] is None
    assert record["teaching"]["train"]["steps"] == 2
    assert record["teacher"]["test"]["examples"] == 20
    answers = []
    for model in (["--model", lab.model], ["--run", run.run_id]):
        assert main(["predict", *model, "a good film"]) == 0
        answers.append(capsys.readouterr().out)
    assert answers[0] == answers[1]


@pytest.mark.parametrize("file", ["config.json", "model.safetensors", "tokenizer.json"])
def test_teach_refuses_a_damaged_model_folder(lab, capsys, tmp_path, file):
    own = Path(shutil.copytree(lab.model, tmp_path / "own"))
    for content in (b"", b"[]", b"{}", b'{"model_type": "bert", "hidden_size": "many"}'):
        (own / file).write_bytes(content)
        assert main(["teach", "--model", str(own), "--steps", "1"]) == 2, content
        said = capsys.readouterr().err
        assert str(own) in said
        assert "Traceback" not in said


def test_predict_with_the_teacher_and_with_a_run(lab, finished_run, capsys):
    answers = []
    for model in (["--model", lab.model], ["--run", finished_run.run_id]):
        assert main(["predict", *model, "a good film"]) == 0
        answers.append(capsys.readouterr().out)
    for answer in answers:
        label, negative, positive = answer.split()
        shares = [float(share.partition("=")[2]) for share in (negative, positive)]
        assert sum(shares) == pytest.approx(1.0, abs=2e-4)
        assert label == ("negative", "positive")[shares[1] > shares[0]]
    assert answers[0] != answers[1]


def test_tasks_says_what_is_here(lab, capsys, monkeypatch, tmp_path):
    assert main(["tasks"]) == 0
    assert "movie-sentiment      accuracy   here" in capsys.readouterr().out
    monkeypatch.setenv("TERNARY_LAB_CACHE", str(tmp_path / "empty"))
    assert main(["tasks"]) == 0
    assert "2.4 MiB to fetch" in capsys.readouterr().out


def test_prefetch_of_what_is_here_needs_no_network(lab, capsys):
    assert main(["prefetch", "movie-sentiment"]) == 0
    assert capsys.readouterr().out == "movie-sentiment is on this computer.\n"


def test_doctor_says_what_works_and_what_is_missing(lab, capsys, monkeypatch, tmp_path):
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert "MISSING" not in out
    assert "ok       teachers: movie-sentiment on" in out
    assert "ok       text here: movie-sentiment" in out
    monkeypatch.setenv("TERNARY_LAB_CACHE", str(tmp_path / "empty"))
    assert main(["doctor"]) == 0  # text can be fetched
    out = capsys.readouterr().out
    assert "MISSING  text here: none yet" in out
    assert "text to fetch: movie-sentiment, " in out
    assert "python -m core prefetch TASK" in out
    monkeypatch.setenv("TERNARY_LAB_HOME", str(tmp_path / "empty"))
    assert main(["doctor"]) == 1
    assert "MISSING  teachers: none; run: python -m core teach" in capsys.readouterr().out


def test_doctor_names_a_folder_that_cannot_be_written(lab, capsys, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("TERNARY_LAB_HOME", str(tmp_path / "file"))
    assert main(["doctor"]) == 1
    assert "MISSING  runs and teachers:" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["run", "--weight-bits", "5"], "Weight bits 5 is not known. Choose one of: 1, 2, 3"),
        (["run", "--method", "magic"], "Quantization method 'magic' is not known. Choose one of"),
        (["run", "--task", "poetry"], "Task 'poetry' is not known"),
        (["run", "--model", "gpt-7"], "There is no teacher for movie-sentiment on gpt-7"),
        (["run", "--steps", "many"], "steps must be a whole number"),
        (["run", "--steps", "0"], "Steps is 0"),
        (["run", "--learning-rate", "nan"], "Learning rate is nan"),
        (["run", "--parts", "head"], "Part 'head' is not known"),
        (["run", "--hidden", "0", "--attention", "0", "--logits", "0"], "All losses are off"),
        (["run", "--run-dir", "nowhere"], "is not the folder of a run"),
        (["predict", ""], "There is no text"),
        (["predict", " \n"], "There is no text"),
        (["predict", "x" * 10_000_000], "The text has 10,000,000 characters"),
        (["predict", "a film", ""], "There is no text"),
        (["predict", "--file", "/nowhere/texts"], "/nowhere/texts cannot be read: No such file"),
        (["predict", "--run", "0" * 12, "a film"], "There is no run 000000000000"),
        (["predict", "--run", "../..", "a film"], "is not a run id"),
        (["predict", "--task", "poetry", "a film"], "There is no teacher for poetry"),
        (["predict", "--model", "gpt-7", "a film"], "There is no teacher for movie-sentiment"),
        (["prefetch", "poetry"], "Task 'poetry' is not known"),
        (["prefetch", "movie-sentiment", "minilm-l3"], "could not be fetched"),
        (["teach", "--task", "poetry"], "Task 'poetry' is not known"),
        (["teach", "--steps", "0"], "Steps is 0"),
        (["teach", "--model", "/nowhere"], "There is no folder /nowhere. Use a folder with a BERT"),
        (["teach", "--model", "~nobody-here/x"], "There is no folder ~nobody-here/x. Use a folder"),
        (["teach", "--model", "x" * 400], "is not the name of a hub repository. Use a folder"),
        (
            ["teach", "--model", "a/b/c"],
            "'a/b/c' is not the name of a hub repository. Use a folder",
        ),
        (["teach", "--model", "owner/model"], "the hub does not answer. Use a folder with a BERT"),
        (["teach", "--task", "rte"], "the hub does not answer. Without the hub these tasks work: "),
        (["prefetch", "squad-v2"], "Without the hub these tasks work: movie-sentiment, sentiment-"),
    ],
)
def test_a_mistake_ends_with_a_sentence(lab, capsys, monkeypatch, arguments, sentence):
    monkeypatch.setattr(sys, "executable", "/bin/false")  # there is no pip to fetch anything
    if arguments[0] == "predict" and "--model" not in arguments:
        arguments = [*arguments[:1], "--model", lab.model, *arguments[1:]]
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert "{" not in out
    assert err.startswith("error: ") or "\nerror: " in err
    assert sentence in err
    assert "Traceback" not in err
    assert len(err) < 1000


def test_a_run_that_is_not_finished_cannot_predict(lab, capsys):
    folder = runner.run_folder(lab.experiment.run_id)
    runner.prepare_folder(folder, lab.experiment)
    assert main(["predict", "--run", folder.name, "a film"]) == 2
    assert "is interrupted; only a finished run can predict" in capsys.readouterr().err


def test_a_run_that_fails_stays_in_the_list(lab, settings, capsys):
    next((lab.home / "teachers").glob("*/model.safetensors")).write_bytes(b"damaged")
    assert main(["run", *settings]) == 2
    assert "The teacher in" in capsys.readouterr().err
    assert main(["runs"]) == 0
    assert f"{lab.experiment.run_id}  failed" in capsys.readouterr().out


def test_a_home_that_is_no_folder_ends_with_a_sentence(lab, settings, capsys):
    (lab.home / "runs").touch()
    assert main(["run", *settings]) == 2
    assert "Free some space or point TERNARY_LAB_HOME" in capsys.readouterr().err


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command, capsys):
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    out = capsys.readouterr().out
    assert out.startswith(f"usage: python -m core {command}")
    assert len(out.splitlines()) > 3


@pytest.mark.parametrize("arguments", [[], ["dance"], ["run", "--bits", "2"], ["predict"]])
def test_an_unknown_command_or_option_shows_the_usage(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage: python -m core" in capsys.readouterr().err


def test_it_runs_as_a_module():
    command = [sys.executable, "-m", "core", "--help"]
    done = subprocess.run(
        command, cwd=runner.PROJECT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0
    assert done.stderr == ""
    for name in COMMANDS:
        assert name in done.stdout
    assert "examples:" in done.stdout
