"""With a PIN set, no button of any page changes on the disk what belongs to somebody else.

Every button of every page is pressed by a visitor who knows no PIN and has made nothing: beside a
finished run, an interrupted one with a checkpoint, one that computes, teachers, and own data.
"""

import ast
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st
from filelock import FileLock
from streamlit.testing.v1 import AppTest

from core import api
from core.errors import InputError
from core.experiment import Experiment, Teaching
from core.runs import pin, run_store, runner
from core.training import resume
from core.training.checkpoint_header import FILE
from core.training.student_training import train
from pages.ui import state
from tests.pages.conftest import (
    PAGES,
    School,
    as_read,
    errors_of,
    open_page,
    prepared,
    texts_of,
    whole,
)

PROJECT = runner.PROJECT
# Of one attempt, and made again by the next; nothing is lost with them.
ATTEMPT = {"STOP", "error.txt", "worker.pid", "began", "ticket", "worker.log"}
LOCKS = {"submit.lock", "worker.lock"}
# What a visitor can do harm with where there is no PIN: this computer is his.
HARMFUL = {"Begin again", "Delete for good", "Remove them for good", "Start", "Stop"}


class World:
    """A shared server on which others have worked; `restored` puts everything back."""

    def __init__(self, school: School, interrupted: str, running: str, scratch: Path) -> None:
        self.school, self.interrupted, self.running = school, interrupted, running
        self.folders = {school.lab.home: scratch / "home", school.lab.cache: scratch / "cache"}
        for here, kept in self.folders.items():
            shutil.copytree(here, kept)
        self.lock = FileLock(run_store.run_folder(running) / "worker.lock")
        self.lock.acquire()

    def restored(self) -> None:
        st.cache_data.clear()
        st.cache_resource.clear()
        self.lock.release()
        for here, kept in self.folders.items():
            shutil.rmtree(here)
            shutil.copytree(kept, here)
        self.lock.acquire()

    def harmed(self) -> set[str]:
        """Files of others that changed or are gone, a request to stop, teachers to be replaced."""
        found = set()
        for here, kept in self.folders.items():
            for old in (path for path in kept.rglob("*") if path.is_file()):
                new = here / old.relative_to(kept)
                if old.name not in ATTEMPT | LOCKS and not (
                    new.exists() and new.read_bytes() == old.read_bytes()
                ):
                    found.add(str(old.relative_to(kept)))
        if (run_store.run_folder(self.running) / "STOP").exists():
            found.add("STOP")
        return found | {
            f"the teacher of {run.teaching.task} and {run.teaching.model}"
            for run in run_store.list_runs()
            if run.teaching and not run.card and self._has_teacher(run.teaching)
        }

    def _has_teacher(self, job: Teaching) -> bool:
        pairs = {(card.task, card.model) for card in api.teachers()}
        return (job.task, job.model) in pairs

    def places(self) -> Iterator[tuple[str, dict[str, str]]]:
        """Every page, and those addresses that show more of others."""
        yield from ((page, {}) for page in PAGES)
        finished = self.school.experiments["value"]
        for run_id in (self.interrupted, self.running, finished.run_id):
            yield "train", {"run": run_id}
        for kind in ("pair", "value", "span"):
            teaching = self.school.teachings[kind]
            subject = {"task": teaching.task, "model": teaching.model}
            yield "train", {**subject, "role": "teacher"}
            yield "train", {**subject, "augment": "true"}
            yield "data", {"task": teaching.task}
        for view in ("Ablations", "Two models", "Published", "All settings"):
            yield "compare", {"view": view}


class _Process:
    """A worker that is started and computes nothing."""

    pid = 0

    def __init__(self, *command, **options) -> None:
        pass

    def poll(self) -> int:
        return 0


@pytest.fixture
def world(school, monkeypatch, tmp_path) -> Iterator[World]:
    monkeypatch.setattr(resume, "SHARE", 1e9)
    monkeypatch.setattr(runner.subprocess, "Popen", _Process)
    monkeypatch.setattr(runner, "let_pages_go_first", lambda worker: None)
    monkeypatch.setattr(pin, "_counts", {})

    def race(run, threads):
        raise InputError("Nothing is measured in this test.")

    monkeypatch.setattr(api, "race", race)
    left = prepared(school.lab.experiment)
    training = train(school.lab.experiment, left.folder)
    while not (left.folder / FILE).exists():
        next(training)
    training.close()
    (left.folder / "began").touch()
    computing = prepared(Experiment(model=school.lab.model, seed=77))
    world = World(school, left.run_id, computing.run_id, tmp_path / "as-it-was")
    yield world
    world.lock.release()


def chosen(app: AppTest) -> AppTest:
    """The page with all runs chosen that may be removed, where that is offered."""
    for box in app.multiselect:
        if box.label == "Runs that are over":
            box.set_value(box.options)
            whole(app.run())
    return app


def press_all(world: World) -> Iterator[tuple[str, str, set[str], AppTest]]:
    """Every button of every place, each pressed by a new visitor: place, label, harm, page. The
    same harmless button is pressed once, one that could do harm wherever it is."""
    done = set()
    for page, parameters in world.places():
        for number, each in enumerate(open_page(page, **parameters).button):
            label = as_read(each.label)
            if each.id in done and label not in HARMFUL:
                continue
            done.add(each.id)
            app = chosen(open_page(page, **parameters))
            if app.button[number].disabled:  # nothing to be pressed
                continue
            whole(app.button[number].click().run())
            yield f"{page} {parameters}", label, world.harmed(), app
            world.restored()


def test_without_the_pin_no_button_harms_what_belongs_to_others(world, monkeypatch):
    monkeypatch.setenv("TERNARY_LAB_PIN", "4711")
    labels = set()
    for place, label, harm, _ in press_all(world):
        assert not harm, f"{label} on {place}"
        labels.add(label)
    assert {"Start", "Resume", "Watch", "Unlock", "Back to the paper's recipe"} <= labels
    assert not labels & (HARMFUL - {"Start"})


@pytest.mark.many
def test_where_there_is_no_pin_the_same_walk_does_harm(world, monkeypatch):
    monkeypatch.delenv("TERNARY_LAB_PIN", raising=False)
    assert {label for _, label, harm, _ in press_all(world) if harm} == HARMFUL


# What each may


@pytest.fixture
def locked(monkeypatch):
    monkeypatch.setattr(pin, "_counts", {})
    monkeypatch.setenv("TERNARY_LAB_PIN", "4711")


def labels_of(app: AppTest) -> list[str]:
    return [as_read(each.label) for each in app.button]


def test_a_stranger_resumes_but_does_not_begin_again(world, locked):
    app = open_page("train", run=world.interrupted)
    assert "Resume" in labels_of(app)
    assert "Begin again" not in labels_of(app)
    assert "its checkpoint would be lost" in texts_of(app)


def test_whoever_presses_start_on_the_run_of_another_does_not_own_it(world, locked):
    """Start with the same settings is Resume; it must not lead to Begin again."""
    app = open_page("train", run=world.interrupted)
    (resume_button,) = [each for each in app.button if each.label == "Resume"]
    whole(resume_button.click().run())
    (run_store.run_folder(world.interrupted) / "error.txt").write_text("Broken off.")
    whole(app.run())
    assert "Resume" in labels_of(app)
    assert "Begin again" not in labels_of(app)


def test_whoever_started_a_run_first_begins_it_again(lab, locked, monkeypatch):
    monkeypatch.setattr(resume, "SHARE", 1e9)
    monkeypatch.setattr(runner.subprocess, "Popen", _Process)
    monkeypatch.setattr(runner, "let_pages_go_first", lambda worker: None)
    app = open_page("train", seed="5")
    (start,) = [each for each in app.button if each.label == "Start"]
    whole(start.click().run())
    (run,) = run_store.list_runs()
    assert run.experiment is not None
    training = train(run.experiment, run.folder)
    while not (run.folder / FILE).exists():
        next(training)
    training.close()
    (run.folder / "error.txt").write_text("Broken off.")
    whole(app.run())
    assert "Begin again" in labels_of(app)
    assert "Begin again" not in labels_of(open_page("train", run=run.run_id))


def test_a_stranger_replaces_no_teacher(world, locked, monkeypatch):
    monkeypatch.setattr(state, "may_use_local_paths", lambda: True)  # the models here are folders
    teaching = world.school.teachings["pair"]
    subject = {"task": teaching.task, "model": teaching.model, "role": "teacher"}
    app = open_page("train", **subject, teacher_steps="10")
    (start,) = [each for each in app.button if each.label == "Start"]
    whole(start.click().run())
    assert "There is a teacher for this task and model already" in errors_of(app)
    assert not world.harmed()


def test_what_is_there_already_is_shown_and_replaces_nothing(world):
    teaching = world.school.teachings["pair"]
    assert not api.replaces_teacher(teaching)
    assert api.replaces_teacher(teaching, again=True)
    other = Teaching(task=teaching.task, model=teaching.model, seed=8)
    assert api.replaces_teacher(other)
    assert not api.replaces_teacher(world.school.experiments["pair"])
    assert not api.replaces_teacher(Teaching(task="movie-sentiment", model="nobody/has-this"))


def test_a_teacher_that_another_run_is_making_counts_as_there(lab):
    first = Teaching(task="movie-sentiment", model="elsewhere/bert", seed=1)
    second = Teaching(task="movie-sentiment", model="elsewhere/bert", seed=2)
    assert not api.replaces_teacher(second)
    run = prepared(first)
    with FileLock(run.folder / "worker.lock"):
        assert api.replaces_teacher(second)
        assert not api.replaces_teacher(first)


def test_own_data_goes_by_whoever_brought_it_only(world, locked):
    app = open_page("data")
    assert "Delete for good" not in labels_of(app)
    assert "Only the person who brought this text" in texts_of(app)


def test_the_app_listens_on_this_computer_only_unless_it_is_asked_to():
    settings = tomllib.loads((PROJECT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    assert settings["server"]["address"] == "localhost"


DESTRUCTIVE = {"stop", "submit", "remove_runs", "keep_data", "delete_data"}


@pytest.mark.parametrize("path", sorted((PROJECT / "pages").rglob("*.py")), ids=lambda p: p.name)
def test_only_the_file_that_decides_calls_what_can_do_harm(path):
    if path.name == "state.py":
        return
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "api":
            assert node.attr not in DESTRUCTIVE, f"{path.name} calls api.{node.attr}"
