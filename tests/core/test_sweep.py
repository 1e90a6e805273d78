"""Sweeps: each run of a grid once, whoever asks; failures are told and stop nothing."""

import json
import os
import re
import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from core.__main__ import main
from core.runs import runner, sweeps
from core.runs.grids import Planned
from core.runs.locks import take
from core.runs.run_store import read_folder, run_folder
from tests.conftest import compute, wait_for, with_train


@pytest.fixture
def asked(lab, monkeypatch) -> list[str]:
    """What was submitted. Runs are computed here and now; those of seed 13 fail."""
    seen = []

    def submit(job):
        seen.append(job.run_id)
        if job.seed == 13:
            runner.prepare_folder(run_folder(job.run_id), job)
            (run_folder(job.run_id) / "error.txt").write_text("Unlucky.")
            return read_folder(run_folder(job.run_id))
        return compute(job)

    monkeypatch.setattr(runner, "submit", submit)
    return seen


@pytest.fixture
def grid(lab, tmp_path) -> str:
    train = lab.experiment.train
    base = {"model": lab.model, "train.steps": 2, "train.batch_size": 8, "train.max_tokens": 16}
    plain = {
        "name": "grid",
        "question": "Which?",
        "base": base | {"train.precision": train.precision},
        "axes": {"quant.method": ["twn", "lat"]},
        "seeds": [13, 1],
    }
    return written(tmp_path, plain)


def written(folder: Path, plain: dict) -> str:
    (folder / "grid.json").write_text(json.dumps(plain))
    return str(folder / "grid.json")


def lines_of(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_sweep_tells_every_run_and_goes_on_where_it_was(grid, asked, capsys):
    assert main(["sweep", grid, "--json"]) == 1
    out, err = capsys.readouterr()
    lines = lines_of(out)
    assert [(line["case"], line["seed"]) for line in lines] == [
        ("twn", 13),
        ("twn", 1),
        ("lat", 13),
        ("lat", 1),
    ]
    assert [line["state"] for line in lines] == ["failed", "finished"] * 2
    assert "error: twn, seed 13: Unlucky." in err
    assert lines[0]["remaining_seconds"] is None
    assert lines[1]["remaining_seconds"] == pytest.approx(2 * lines[1]["seconds"])
    assert lines[3]["remaining_seconds"] == 0
    assert 0 <= lines[3]["score"] <= 1
    assert len(asked) == 4

    assert main(["sweep", grid]) == 1  # only what failed is tried again
    assert len(asked) == 6
    out = capsys.readouterr().out
    assert "lat, seed 1  " in out
    assert " teacher " in out

    assert main(["sweep", grid, "--list", "--json"]) == 0
    lines = lines_of(capsys.readouterr().out)
    assert [line["state"] for line in lines] == ["failed", "finished"] * 2
    assert len(asked) == 6


def test_only_some_cases(grid, asked, capsys):
    assert main(["sweep", grid, "--only", "lat", "--list"]) == 0
    out = capsys.readouterr().out
    assert "lat, seed 1  open" in out
    assert "twn" not in out
    assert main(["sweep", grid, "--only", "lsq"]) == 2
    assert "Case 'lsq' is not known. Choose one of: twn, lat" in capsys.readouterr().err
    assert asked == []


@pytest.mark.parametrize(
    ("cases", "said"),
    [
        ({"good": {}, "bad": {"model": "minilm-l6"}}, "Case 'bad': .*python -m core teach"),
        ({"good": {}, "bad": {"quant.method": "absmean", "quant.weight_bits": 4}}, "Case 'bad'"),
        ({"good": {}, "bad": {"task": "nothing"}}, "Case 'bad': Task 'nothing' is not known"),
    ],
)
def test_nothing_starts_when_a_case_cannot(lab, tmp_path, asked, capsys, cases, said):
    plain = {"name": "g", "question": "?", "base": {"model": lab.model}, "cases": cases}
    assert main(["sweep", written(tmp_path, plain)]) == 2
    assert re.search(said, capsys.readouterr().err)
    assert asked == []


def test_two_sweeps_compute_no_run_twice_and_both_report_all(lab, asked):
    planned = [
        Planned(case=str(seed), experiment=replace(with_train(lab.experiment, steps=1), seed=seed))
        for seed in range(4)
    ]
    reports: list[list[str]] = []

    def work():
        reports.append([run.run_id for _, run in sweeps.sweep(planned)])

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = sorted(one.experiment.run_id for one in planned)
    assert [sorted(report) for report in reports] == [expected, expected]
    assert sorted(asked) == expected


def test_a_sweep_that_is_broken_off_stops_its_run_but_nobody_elses(lab, monkeypatch):
    planned = [Planned(case="x", experiment=lab.experiment)]
    folder = run_folder(lab.experiment.run_id)
    stopped = []

    def interrupt(seconds):
        raise KeyboardInterrupt

    held = []

    def submit(job):
        if not held:
            runner.prepare_folder(folder, job)
            held.append(take(folder / "worker.lock"))
        return read_folder(folder)

    monkeypatch.setattr(runner, "submit", submit)
    monkeypatch.setattr(runner, "stop", stopped.append)
    monkeypatch.setattr(sweeps.time, "sleep", interrupt)
    for expected in ([folder.name], [folder.name]):  # the second finds it queued by the first
        with pytest.raises(KeyboardInterrupt):
            list(sweeps.sweep(planned))
        assert stopped == expected
    held[0].release()


def test_a_real_process_computes_the_run_and_gives_way_to_others(lab, monkeypatch):
    nice, sessions, submit = [], [], runner.submit

    def submitted(job):
        run = submit(job)
        worker = runner._children[-1].pid
        nice.append(os.getpriority(os.PRIO_PROCESS, worker))
        with suppress(OSError):  # not every system groups by session
            sessions.append(Path(f"/proc/{worker}/autogroup").read_text())
        return run

    monkeypatch.setattr(runner, "submit", submitted)
    planned = [Planned(case="x", experiment=with_train(lab.experiment, steps=1))]
    ((_, run),) = sweeps.sweep(planned)
    assert run.state == "finished"
    assert nice == [max(runner.NICE, os.getpriority(os.PRIO_PROCESS, 0))]
    assert all(session.endswith(f" nice {runner.NICE}\n") for session in sessions)
    assert bool(sessions) == Path("/proc/self/autogroup").exists()
    wait_for(lambda: all(child.poll() is not None for child in runner._children))
