"""Every page opens in every state of the lab, answers, and says what is wrong in a sentence."""

import shutil
from collections.abc import Iterator
from dataclasses import replace

import pytest
import streamlit as st
from filelock import FileLock
from safetensors.numpy import save_file
from streamlit.testing.v1 import AppTest

from core import api
from core.errors import InputError
from core.experiment import QuantRecipe
from core.records import canonical_json
from core.runs import runner, store
from tests.conftest import compute, with_quant, with_train

PAGES = {
    "start": "How small can a language model get?",
    "weights": "What does quantizing do to one weight matrix?",
    "train": "Can a ternary student learn from its teacher?",
    "compare": "What does each bit cost?",
    "predict": "Where do they disagree?",
    "export": "How many bytes is it really?",
}
TEN_MEGABYTES = "x" * 10_000_000


@pytest.fixture(autouse=True)
def _no_caches():
    st.cache_data.clear()
    st.cache_resource.clear()


def open_page(page: str, **parameters: str) -> AppTest:
    """The page as after following an address with these URL parameters."""
    app = AppTest.from_file(str(runner.PROJECT / "app.py"), default_timeout=60).run()
    app.switch_page(f"pages/{page}.py")
    for name, value in parameters.items():
        app.query_params[name] = value
    return whole(app.run())


def tour() -> Iterator[tuple[str, AppTest]]:
    """One visitor who looks at every page."""
    app = AppTest.from_file(str(runner.PROJECT / "app.py"), default_timeout=60).run()
    for page, title in PAGES.items():
        whole(app.switch_page(f"pages/{page}.py").run())
        assert [shown.value for shown in app.title] == [title]
        yield page, app


def whole(app: AppTest) -> AppTest:
    assert not app.exception, [error.value for error in app.exception]
    return app


def errors_of(app: AppTest) -> str:
    return "\n".join(error.value for error in app.error)


def texts_of(app: AppTest) -> str:
    parts = (*app.markdown, *app.caption, *app.subheader, *app.info, *app.error)
    return "\n".join(part.value for part in parts)


def press(app: AppTest, label: str) -> AppTest:
    (button,) = [button for button in app.button if button.label == label]
    return whole(button.click().run())


def prepared(experiment):
    """A run that was asked for and that no process computes."""
    folder = store.run_folder(experiment.run_id)
    runner.prepare_folder(folder, experiment)
    return store.read_folder(folder)


# Every page in every state


@pytest.mark.parametrize("page", PAGES)
def test_it_opens_in_an_empty_lab(lab, page):
    app = open_page(page)
    assert [title.value for title in app.title] == [PAGES[page]]
    assert not app.error


@pytest.mark.parametrize("page", PAGES)
def test_it_opens_without_any_teacher(lab, page):
    shutil.rmtree(lab.home)
    app = open_page(page)
    assert [title.value for title in app.title] == [PAGES[page]]
    if page in ("weights", "train"):
        assert "python -m core teach" in errors_of(app)


@pytest.mark.parametrize("page", PAGES)
def test_it_opens_with_a_finished_run(finished_run, page):
    app = open_page(page)
    assert [title.value for title in app.title] == [PAGES[page]]
    assert not app.error
    assert "no finished run yet" not in texts_of(app)


@pytest.mark.parametrize("page", PAGES)
def test_it_opens_when_the_text_is_not_on_this_computer(finished_run, monkeypatch, tmp_path, page):
    monkeypatch.setenv("TERNARY_LAB_CACHE", str(tmp_path / "empty"))
    app = open_page(page)
    if page == "predict":
        assert "python -m core prefetch movie-sentiment" in errors_of(app)


def damage_experiment(run) -> None:
    (run.folder / "experiment.json").write_text("{")


def damage_result(run) -> None:
    (run.folder / "result.json").write_bytes(b"\xff")


def damage_record(run) -> None:
    (run.folder / "events.jsonl").write_bytes(b"\xff\0[]\n{}")


def damage_model(run) -> None:
    path = run.folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1])


def damage_predictions(run) -> None:
    save_file({}, run.folder / "predictions.safetensors")


def empty_folder(run) -> None:
    shutil.rmtree(run.folder)
    run.folder.mkdir()


def unknown_task(run) -> None:
    """A run of a task that this version does not have."""
    experiment = replace(run.experiment, task="poetry")
    result = replace(run.result, task="poetry", run_id=experiment.run_id)
    (run.folder / "experiment.json").write_text(canonical_json(experiment))
    (run.folder / "result.json").write_text(canonical_json(result))
    run.folder.rename(store.run_folder(experiment.run_id))


def hopeless_teacher(run) -> None:
    result = replace(run.result, teacher_score=0.0, score=0.0)
    (run.folder / "result.json").write_text(canonical_json(result))


DAMAGES = (
    damage_experiment,
    damage_result,
    damage_record,
    damage_model,
    damage_predictions,
    empty_folder,
    unknown_task,
    hopeless_teacher,
)


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_damaged_run_breaks_no_page(finished_run, damage):
    damage(finished_run)
    assert [page for page, _ in tour()] == [*PAGES]


def test_a_damaged_teacher_breaks_no_page(finished_run, lab):
    next((lab.home / "teachers").glob("*/model.safetensors")).write_bytes(b"damaged")
    for page, app in tour():
        if page in ("weights", "start", "predict"):
            assert "is damaged" in errors_of(app), page


# The sentence box


@pytest.mark.parametrize(("page", "kind"), [("start", "text_input"), ("predict", "text_area")])
def test_one_text_through_three_models(finished_run, page, kind):
    app = open_page(page)
    box = getattr(app, kind)(key="kept-sentence")
    table = whole(box.set_value("a good film").run()).dataframe[0].value
    assert table["model"].tolist() == [
        "teacher (full precision)",
        "quantized without training",
        "trained student",
    ]
    assert (table["negative"] + table["positive"]).tolist() == pytest.approx([1.0] * 3)
    other = whole(box.set_value("a bad plot").run()).dataframe[0].value
    assert table["positive"].tolist() != other["positive"].tolist()


@pytest.mark.parametrize(("page", "kind"), [("start", "text_input"), ("predict", "text_area")])
@pytest.mark.parametrize(
    ("text", "sentence"),
    [("", "There is no text"), (" \n ", "There is no text"), (TEN_MEGABYTES, "10,000,000")],
    ids=["empty", "blank", "ten megabytes"],
)
def test_a_text_that_cannot_be_read_gives_a_sentence(finished_run, page, kind, text, sentence):
    box = getattr(open_page(page), kind)(key="kept-sentence")
    assert sentence in errors_of(whole(box.set_value(text).run()))


def test_the_sentence_is_kept_from_page_to_page(finished_run):
    app = open_page("start")
    app.text_input(key="kept-sentence").set_value("a good film").run()
    app.switch_page("pages/predict.py").run()
    assert whole(app).text_area(key="kept-sentence").value == "a good film"


# Train


@pytest.fixture
def submitted(monkeypatch):
    """The experiments that were submitted; nothing is started."""
    asked = []
    monkeypatch.setattr(api, "submit", lambda chosen: asked.append(chosen) or prepared(chosen))
    return asked


def test_start_submits_what_was_chosen_and_watches_it(lab, submitted):
    app = open_page("train")
    app.selectbox(key="method").set_value("lat")
    app.select_slider(key="steps").set_value(50)
    app.number_input(key="seed").set_value(7)
    press(app, "Start")
    (experiment,) = submitted
    assert (experiment.task, experiment.model) == ("movie-sentiment", lab.model)
    assert experiment.quant == replace(experiment.quant, method="lat")
    assert (experiment.train.steps, experiment.seed) == (50, 7)
    assert app.query_params["run"] == experiment.run_id
    assert experiment.run_id in texts_of(app)


def test_settings_come_from_the_address_and_wrong_ones_are_dropped(lab, submitted):
    wanted = {"weight_bits": "4", "activation": "symmetric", "steps": "10", "method": "lat"}
    press(open_page("train", **wanted, embedding_bits="5", labels="many", seed="-3"), "Start")
    (experiment,) = submitted
    quant = experiment.quant
    assert (quant.method, quant.weight_bits, quant.activation) == ("lat", 4, "symmetric")
    assert (quant.embedding_bits, experiment.distill.labels, experiment.seed) == (2, 0.0, 0)
    assert experiment.train.steps == 10


def test_every_loss_switched_off_gives_a_sentence_and_submits_nothing(lab, submitted):
    app = open_page("train")
    for name in ("hidden", "attention", "logits", "labels"):
        app.number_input(key=name).set_value(0.0)
    press(app, "Start")
    assert "All four losses are off" in errors_of(app)
    assert submitted == []


def test_a_start_that_is_refused_gives_the_sentence(lab, monkeypatch):
    def full(experiment):
        raise InputError("The disk is full. Free some space.")

    monkeypatch.setattr(api, "submit", full)
    assert "The disk is full." in errors_of(press(open_page("train"), "Start"))


@pytest.mark.parametrize(
    ("run_id", "sentence"),
    [("0" * 12, "There is no run 000000000000"), ("../../etc", "is not a run id"), ("é", "is not")],
)
def test_a_wrong_run_in_the_address_gives_a_sentence(lab, run_id, sentence):
    assert sentence in errors_of(open_page("train", run=run_id))


def test_a_run_in_the_address_is_shown_with_its_curves_and_outcome(finished_run):
    app = open_page("train", run=finished_run.run_id)
    assert f"run {finished_run.run_id}" in texts_of(app)
    assert len(app.metric) == 4
    assert app.dataframe[0].value["step"].tolist() == [2, 4]
    assert app.dataframe[1].value["step"].tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize("damage", [damage_experiment, damage_result, empty_folder])
def test_a_damaged_run_in_the_address_says_so(finished_run, damage):
    damage(finished_run)
    assert "cannot be read" in errors_of(open_page("train", run=finished_run.run_id))


def test_a_queued_run_says_how_many_come_before(lab):
    first = prepared(lab.experiment)
    (first.folder / "ticket").write_text("1")
    second = prepared(replace(lab.experiment, seed=1))
    with FileLock(first.folder / "worker.lock"), FileLock(second.folder / "worker.lock"):
        app = open_page("train", run=second.run_id)
        assert app.get("progress")[0].proto.text == "Waiting: 1 run(s) before this one"
        press(app, "Watch")
        assert app.query_params["run"] == first.run_id


def test_a_running_run_shows_its_progress_and_can_be_stopped(finished_run, monkeypatch):
    (finished_run.folder / "result.json").unlink()
    record = finished_run.folder / "events.jsonl"
    lines = record.read_text().splitlines()
    until = max(number for number, line in enumerate(lines) if '"StepDone"' in line)
    record.write_text("\n".join(lines[: until + 1]) + "\n" + lines[0][:20])
    stopped = []
    monkeypatch.setattr(api, "stop", stopped.append)
    with FileLock(finished_run.folder / "worker.lock"):
        app = open_page("train", run=finished_run.run_id)
        assert app.get("progress")[0].proto.text.startswith("Step 4 of 4")
        assert "training" in texts_of(app)
        press(app, "Stop")
    assert stopped == [finished_run.run_id]


@pytest.mark.parametrize(
    ("name", "word"), [("STOP", "stopped"), ("error.txt", "failed"), ("ticket", "interrupted")]
)
def test_a_run_that_came_to_nothing_says_what_to_do(lab, name, word):
    run = prepared(lab.experiment)
    (run.folder / name).write_text("1")
    app = open_page("train", run=run.run_id)
    assert word in texts_of(app)
    assert "Start it again with the same settings" in texts_of(app)


# Compare, Predict, Weights


def test_compare_lists_every_run_once_and_its_teacher(lab, finished_run):
    other = compute(with_train(with_quant(lab.experiment, weight_bits=4), steps=2))
    table = open_page("compare").dataframe[0].value
    students = table[table["who"] == "trained student"]
    assert sorted(students["run"]) == sorted([finished_run.run_id, other.run_id])
    assert set(students["bits"]) == {"2-2-8", "4-2-8"}
    assert (table["who"] == "teacher (full precision)").sum() == 1
    assert (table["MiB"] > 0).all()


def test_predict_compares_with_more_runs(lab, finished_run):
    other = compute(with_train(lab.experiment, steps=2))
    app = open_page("predict")
    assert app.selectbox(key="student").value == other.run_id
    app.multiselect(key="kept-more-runs").set_value([finished_run.run_id]).run()
    assert len(whole(app).dataframe[0].value) == 4


def test_predict_lists_the_sentences_on_which_models_disagree(finished_run):
    app = open_page("predict")
    table = app.dataframe[-1].value
    assert (table["teacher"] != table["student"]).all()
    rows = len(table)
    right = 0
    for choice in ("teacher right", "student right"):
        app.segmented_control[-1].set_value(choice).run()
        right += len(whole(app).dataframe[-1].value)
    assert right == rows  # of two labels, exactly one is right


@pytest.mark.parametrize("method", api.rules())
def test_weights_redraws_for_each_method(lab, method):
    app = open_page("weights", method=method)
    table = app.dataframe[0].value
    assert table["quantized by"][0].startswith(f"{method}, ")
    assert 0 <= table["zeros"][0] <= 100
    for bits in app.segmented_control(key="weight_bits").options:
        app.segmented_control(key="weight_bits").set_value(int(bits)).run()
        assert f"{bits} bits" in whole(app).dataframe[0].value["quantized by"][0]


def test_weights_scores_and_ranks_the_whole_model(lab):
    app = press(open_page("weights"), "Score on 200 dev sentences")
    assert app.metric[0].label == "Without training"
    app = press(app, "Rank all matrices")
    ranking = app.dataframe[-1].value
    assert len(ranking) == 1 + 2 * 6 + 1
    assert len(app.metric) == 1  # kept


def test_weights_of_one_two_and_three_columns(lab):
    app = open_page("weights")
    for count in (1, 2, 3):
        app.segmented_control(key="columns").set_value(count).run()
        assert len(whole(app).dataframe[0].value) == count


def test_parts_and_layers_reach_the_experiment_and_one_click_brings_the_paper_back(lab, submitted):
    app = open_page("train", method="lat", weight_bits="8", activation="symmetric")
    app.multiselect(key="parts").set_value(["attention"])
    app.text_input(key="layers").set_value("1, 0")
    press(app, "Start")
    assert submitted[0].quant.parts == ("attention",)
    assert submitted[0].quant.layers == (0, 1)
    press(press(app, "Back to the paper's recipe"), "Start")
    assert submitted[1].quant == QuantRecipe()


def test_layers_that_are_no_numbers_are_refused_in_a_sentence(lab, submitted):
    app = open_page("train")
    app.text_input(key="layers").set_value("first")
    press(app, "Start")
    assert "layers must be a comma separated list" in errors_of(app)
    assert submitted == []
