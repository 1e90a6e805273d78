"""Resume, who may stop, and the teacher's desk, as a page shows them."""

import time
from dataclasses import replace
from types import SimpleNamespace

import pytest
import streamlit as st
from filelock import FileLock

from core import api
from core.families.bert import from_files as weights
from core.runs import pin, runner
from core.runs.run_store import list_runs
from core.teachers import model_loading
from core.training import resume
from core.training.checkpoint_header import FILE
from core.training.student_training import train
from tests.conftest import compute, save_tiny_model, tiny_model
from tests.pages.conftest import button, errors_of, open_page, prepared, press, texts_of, whole


@pytest.fixture
def kept(lab, monkeypatch):
    """A run that lost its process, with a checkpoint."""
    monkeypatch.setattr(resume, "SHARE", 1e9)
    run = prepared(lab.experiment)
    training = train(lab.experiment, run.folder)
    for _ in range(8):
        next(training)
    while not (run.folder / FILE).exists():
        next(training)
    training.close()
    (run.folder / "began").touch()
    return api.find_run(run.run_id)


def buttons(app):
    return [each.label for each in app.button]


def test_a_run_with_a_checkpoint_can_be_resumed_or_begun_again(kept, monkeypatch):
    assert kept.state == "interrupted"
    asked = []
    monkeypatch.setattr(api, "submit", lambda job, again=False: asked.append((job, again)) or kept)
    app = open_page("train", run=kept.run_id)
    assert f"saved after step {api.step_kept(kept)}" in texts_of(app)
    press(app, "Resume")
    press(app, "Begin again")
    assert asked == [(kept.experiment, False), (kept.experiment, True)]


def test_a_run_that_lost_its_process_is_offered_to_whoever_comes(kept, finished_other):
    app = open_page("train", run=finished_other.run_id)
    assert "Also on this server" in texts_of(app)
    assert "saved after step" in texts_of(app)
    press(app, "Watch")
    assert app.query_params["run"] == kept.run_id
    assert "Resume" in buttons(app)


@pytest.fixture
def finished_other(lab):
    return compute(replace(lab.experiment, seed=9))


def test_a_run_that_had_to_begin_again_says_so(kept):
    (kept.folder / FILE).write_bytes(b"damaged")
    runner.prepare_folder(kept.folder, kept.experiment)
    runner.work(kept.folder)
    app = open_page("train", run=kept.run_id)
    assert "The checkpoint is damaged. So the run begins again." in texts_of(app)


# The PIN


@pytest.fixture
def pin_set(monkeypatch):
    monkeypatch.setattr(pin, "_counts", {})
    monkeypatch.setenv("TERNARY_LAB_PIN", "4711")


def give_pin(app, given: str):
    (field,) = [field for field in app.text_input if field.label == "The teacher's PIN"]
    field.set_value(given)
    button(app, "Unlock").click()
    return whole(app.run())


def test_without_a_pin_everybody_clears_and_stops(finished_run):
    app = open_page("train")
    (chosen,) = [box for box in app.multiselect if box.label == "Runs that are over"]
    chosen.set_value([finished_run.run_id])
    whole(app.run())
    press(app, "Remove them for good")
    assert list_runs() == []


def test_with_a_pin_only_the_teacher_clears(finished_run, pin_set):
    app = open_page("train")
    assert "Remove them for good" not in buttons(app)
    give_pin(app, "0000")
    assert "not the teacher's PIN" in errors_of(app)
    assert "Remove them for good" not in buttons(app)
    give_pin(app, "4711")
    assert "Remove them for good" in buttons(app)


def test_with_a_pin_only_who_started_it_and_the_teacher_stop_a_run(lab, pin_set, submitted):
    run = prepared(lab.experiment)
    with FileLock(run.folder / "worker.lock"):
        app = open_page("train", run=run.run_id)
        assert "Stop" not in buttons(app)
        assert "Only the person who started this run, or the teacher, can stop it" in texts_of(app)
        give_pin(app, "4711")
        assert "Stop" in buttons(app)
    other = open_page("train", seed="5")
    press(other, "Start")
    assert "Stop" in buttons(other)


@pytest.fixture
def folder(lab, tmp_path):
    """A folder of the server with a model that fits, of which there is no teacher yet."""
    save_tiny_model(tmp_path / "private", tiny_model(seed=9))
    return str(tmp_path / "private")


def _noting(real, asked):
    def reading(path, *more):
        asked.append(str(path))
        return real(path, *more)

    return reading


def asked_of(monkeypatch, folder):
    """What the pages ask of the files of a folder."""
    asked = []
    for module, name in ((model_loading, "read_text"), (weights, "places")):
        monkeypatch.setattr(module, name, _noting(getattr(module, name), asked))
    return asked


REFUSAL = "can be used as a model only with the teacher's PIN"


@pytest.mark.parametrize("role", ["teacher", "student"])
@pytest.mark.parametrize("name", ["{folder}", "/nowhere/at/all", "~/x", "./x", "core/models", ".."])
def test_with_a_pin_a_stranger_names_no_folder_of_the_server(
    folder, pin_set, submitted, monkeypatch, name, role
):
    asked = asked_of(monkeypatch, folder)
    app = open_page("train", model=name.format(folder=folder), role=role)
    if role == "teacher":
        assert REFUSAL in errors_of(app)
        assert "trained head" not in texts_of(app)  # nor is told what is there
    assert button(app, "Start").disabled
    assert (asked, submitted) == ([], [])


def test_typing_it_is_no_way_round_and_the_pin_opens_it(folder, pin_set, submitted, monkeypatch):
    asked = asked_of(monkeypatch, folder)
    app = open_page("train", role="teacher")
    app.selectbox(key="model").set_value(folder).run()
    assert REFUSAL in errors_of(whole(app))
    assert asked == []
    give_pin(app, "4711")
    assert REFUSAL not in errors_of(app)
    press(app, "Start")
    assert [job.model for job in submitted] == [folder]


def test_without_a_pin_a_folder_is_a_model_as_ever(folder, submitted):
    app = open_page("train", role="teacher", model=folder)
    assert "trained head of the right size" in texts_of(app)
    press(app, "Start")
    assert [job.model for job in submitted] == [folder]


def test_with_a_pin_hub_ids_and_embedded_models_are_free(lab, pin_set, submitted):
    for name in ("minilm-l6", "google-bert/bert-base-uncased"):
        app = open_page("train", role="teacher", model=name, how="fine-tune")
        assert not errors_of(app)
        press(app, "Start")
    assert [job.model for job in submitted] == ["minilm-l6", "google-bert/bert-base-uncased"]


def test_with_a_pin_no_folder_proposes_words_to_a_stranger(lab, folder, pin_set, submitted):
    app = open_page("train", augment="true", augment_model=folder)
    assert REFUSAL in errors_of(app)
    assert button(app, "Start").disabled
    assert "Make some copies" not in buttons(app)
    app = open_page("train", augment="true", augment_model="google-bert/bert-base-uncased")
    assert not errors_of(app)


@pytest.mark.parametrize("more", [{}, {"language_steps": "5"}])
def test_with_a_pin_no_student_of_a_stranger_starts_from_a_folder(
    lab, folder, pin_set, submitted, more
):
    """Nor is a folder read as the language model that it learns from first."""
    model = {} if more else {"student_model": folder}
    app = open_page("train", **more, **model)
    assert REFUSAL in errors_of(app)
    assert button(app, "Start").disabled
    assert not errors_of(open_page("train", student_model="google-bert/bert-base-uncased"))


def test_with_a_pin_a_stranger_does_not_go_on_with_a_run_that_reads_a_folder(
    lab, folder, pin_set, monkeypatch
):
    teaching = replace(api.default_teaching(lab.experiment.task, folder), fine_tune=False)
    run = prepared(teaching)
    (run.folder / "began").touch()
    monkeypatch.setattr(api, "step_kept", lambda run: 5)
    begun = []
    monkeypatch.setattr(api, "submit", lambda job, again=False: begun.append(job) or run)
    app = open_page("train", run=run.run_id)
    press(app, "Resume")
    assert REFUSAL in errors_of(app)
    assert begun == []
    give_pin(app, "4711")
    press(app, "Resume")
    assert begun == [teaching]


def test_a_student_of_a_teacher_that_came_from_a_folder_is_free(lab, pin_set, submitted):
    """It reads what its teacher has kept, not the folder."""
    press(open_page("train", seed="5"), "Start")
    assert [job.model for job in submitted] == [lab.model]


def test_secrets_hold_the_pin_too(finished_run, monkeypatch):
    monkeypatch.delenv("TERNARY_LAB_PIN", raising=False)
    app = open_page("train")
    assert "Remove them for good" in buttons(app)
    app.secrets["TERNARY_LAB_PIN"] = "0815"
    whole(app.run())
    assert "Remove them for good" not in buttons(app)


def test_a_limit_on_the_room_is_told_beforehand(finished_run, monkeypatch):
    monkeypatch.setenv("TERNARY_LAB_RUNS_GIB", "2")
    assert "the next start removes the oldest runs" in texts_of(open_page("train"))
    monkeypatch.setenv("TERNARY_LAB_RUNS_GIB", "much")
    assert "TERNARY_LAB_RUNS_GIB is 'much'" in errors_of(open_page("train"))


def test_wrong_pins_of_one_visitor_do_not_keep_another_waiting(finished_run, pin_set, monkeypatch):
    came_from, waited = ["192.0.2.7"], []
    address = property(lambda context: came_from[0])
    monkeypatch.setattr(type(st.context), "ip_address", address)
    clock = SimpleNamespace(sleep=waited.append, monotonic=time.monotonic)
    monkeypatch.setattr(pin, "time", clock)
    for _ in range(pin.FREE_TRIES + 1):  # each in a session of its own
        give_pin(open_page("train"), "0000")
    assert waited[-1] > 0
    came_from[0] = "192.0.2.8"
    app = open_page("train")
    give_pin(app, "4711")
    assert "Remove them for good" in buttons(app)
    assert waited[-1] == 0
