"""The Train page says whose curves it shows: those of the form's settings, or others by name."""

import pytest

from core import api, machine
from core.experiment import Experiment
from pages.ui import nearest_note
from tests.conftest import compute, move_to, with_quant, with_train
from tests.pages.conftest import FILES, keep_file, open_page, press, texts_of, whole

SHIPPED_DEFAULT = "197caee709a1"


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    move_to(tmp_path, monkeypatch)
    monkeypatch.delenv("TERNARY_LAB_SHIPPED")


@pytest.mark.parametrize(
    ("precision", "words"),
    [
        ("bf16", ""),
        ("fp32", "No run has exactly these settings yet. This is the same in bfloat16."),
    ],
)
def test_the_first_look_shows_the_default_run_and_names_its_precision(
    shipped, monkeypatch, precision, words
):
    monkeypatch.setattr(machine, "fastest_precision", lambda: precision)
    app = open_page("train")
    assert f"run {SHIPPED_DEFAULT}" in texts_of(app)
    assert [info.value for info in app.info] == ([words] if words else [])


@pytest.mark.parametrize("precision", ["bf16", "fp32"])
@pytest.mark.parametrize(
    ("knob", "value", "words"),
    [
        ("method", "lsq", "the same"),
        ("weight_bits", 4, "weight bits **2** (not 4)"),
        ("weight_granularity", "row", "the same"),
        ("activation", "lsq", "activation **minmax** (not lsq)"),
        ("seed", 9, "seed **0** (not 9)"),
    ],
)
def test_a_knob_changes_the_run_or_the_words(shipped, monkeypatch, precision, knob, value, words):
    monkeypatch.setattr(machine, "fastest_precision", lambda: precision)
    app = open_page("train", **{knob: str(value)})
    told = "\n".join(info.value for info in app.info)
    if words == "the same":
        words += " in bfloat16" * (precision == "fp32") + ", scored on dev every 150 steps"
    assert words in told


def test_changing_a_knob_after_a_run_is_watched_says_how_they_differ(lab, finished_run):
    app = open_page("train", run=finished_run.run_id)
    app.selectbox(key="method").set_value("lat").run()
    assert f"run {finished_run.run_id}" in texts_of(app)
    (told,) = [info.value for info in whole(app).info]
    assert "You are looking at a run with other settings than the form" in told
    assert "method **twn** (not lat)" in told
    press(app, "Show the run of the form's settings")
    assert "run" not in app.query_params
    assert "No run has these settings yet" in texts_of(app)


def test_a_run_that_was_just_started_is_not_commented(lab, submitted):
    app = press(open_page("train"), "Start")
    assert f"run {submitted[0].run_id}" in texts_of(app)
    assert not app.info


def test_an_own_task_never_shows_film_reviews_unsaid(finished_run):
    name = keep_file(*FILES["pair"]).name
    app = open_page("train", task=name, role="teacher")
    told = "\n".join(info.value for info in app.info).replace("\\", "")
    assert "No teacher was made with these settings yet" in told
    assert "a student of another task, movie-sentiment" in told


def test_a_task_without_a_run_of_its_own_says_so(school):
    other = Experiment(task="news-topic")
    shown = api.shown_run(other)
    assert shown is not None
    told = nearest_note.sentence(shown, other).replace("\\", "")
    assert told.startswith("**There is no run of news-topic yet**; Start makes one.")
    assert " As an example, here is a student of another task" in told


def test_what_hardly_matters_comes_last(finished_run):
    order = with_train(finished_run.experiment, evaluate_every=3, steps=9)
    shown = api.shown_run(order)
    assert shown is not None
    assert nearest_note.sentence(shown, order).endswith(
        "It has steps **4** (not 9) and evaluate every **2** (not 3)."
    )


def test_many_differences_are_counted(lab, finished_run):
    changes = {"method": "lat", "weight_bits": 4, "embedding_bits": 8, "activation_bits": 4}
    order = with_train(with_quant(finished_run.experiment, **changes), steps=9, clip=1.0)
    shown = api.shown_run(order)
    assert shown is not None
    assert nearest_note.sentence(shown, order).endswith("(not 4) and 2 other differences.")


def test_the_run_of_the_settings_takes_the_place_of_the_nearest(lab, finished_run):
    order = with_train(with_quant(finished_run.experiment, method="lat"), steps=2)
    before = api.shown_run(order)
    after = compute(order)
    assert before is not None
    assert before.run.run_id == finished_run.run_id
    assert nearest_note.sentence(before, order)
    shown = api.shown_run(order)
    assert shown is not None
    assert shown.run.run_id == after.run_id
    assert nearest_note.sentence(shown, order) == ""
