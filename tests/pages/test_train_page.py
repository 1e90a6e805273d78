"""The Train page for a student: the form, the queue, a run in every state."""

from dataclasses import replace

import pytest
from filelock import FileLock
from streamlit.testing.v1 import AppTest

from core import api
from core.errors import InputError
from core.events import ThreadsChanged, to_json
from core.experiment import QuantRecipe
from core.options import flatten
from core.recipes.presets import options_of
from core.serialization import canonical_json
from pages.ui.train import live_run
from tests.conftest import with_train
from tests.pages.conftest import errors_of, open_page, prepared, press, texts_of
from tests.pages.damages import damage_experiment, damage_result, empty_folder

# The form


def test_start_submits_what_was_chosen_and_watches_it(lab, submitted):
    app = open_page("train")
    app.selectbox(key="method").set_value("lat")
    app.number_input(key="steps").set_value(20)
    app.number_input(key="seed").set_value(7)
    press(app, "Start")
    (experiment,) = submitted
    assert (experiment.task, experiment.model) == ("movie-sentiment", lab.model)
    assert experiment.quant == replace(experiment.quant, method="lat")
    assert (experiment.train.steps, experiment.seed) == (20, 7)
    assert app.query_params["run"] == experiment.run_id
    assert experiment.run_id in texts_of(app)


def test_settings_come_from_the_address_and_wrong_ones_are_dropped(lab, submitted):
    wanted = {"weight_bits": "4", "activation": "symmetric", "steps": "20", "method": "lat"}
    press(open_page("train", **wanted, embedding_bits="5", labels="many", seed="-3"), "Start")
    (experiment,) = submitted
    quant = experiment.quant
    assert (quant.method, quant.weight_bits, quant.activation) == ("lat", 4, "symmetric")
    assert (quant.embedding_bits, experiment.distill.labels, experiment.seed) == (2, 0.0, 0)
    assert experiment.train.steps == 20


def test_every_loss_switched_off_gives_a_sentence_and_submits_nothing(lab, submitted):
    app = open_page("train")
    for name in ("hidden", "attention", "logits", "labels"):
        app.number_input(key=name).set_value(0.0)
    press(app, "Start")
    assert "All losses are off" in errors_of(app)
    assert submitted == []


def test_a_start_that_is_refused_gives_the_sentence(lab, monkeypatch):
    def full(experiment, again):
        raise InputError("The disk is full. Free some space.")

    monkeypatch.setattr(api, "submit", full)
    assert "The disk is full." in errors_of(press(open_page("train"), "Start"))


def test_parts_and_layers_reach_the_experiment_and_one_click_brings_the_paper_back(lab, submitted):
    app = open_page("train", method="lat", weight_bits="8", activation="symmetric")
    app.multiselect(key="parts").set_value(["attention"])
    app.text_input(key="layers").set_value("1, 0")
    press(app, "Start")
    assert submitted[0].quant.parts == ("attention",)
    assert submitted[0].quant.layers == (0, 1)
    press(press(app, "Back to the paper's recipe"), "Start")
    assert submitted[1].quant == QuantRecipe()


def test_one_bit_goes_from_the_form_into_the_run(lab, submitted):
    """A method of one bit takes it for weights and words by itself; activations of one bit want an
    elastic range."""
    app = open_page("train", method="binary", activation_bits="1")
    assert "minmax has no levels of 1 bit" in errors_of(app)
    press(open_page("train", method="binary", activation_bits="1", activation="elastic"), "Start")
    (job,) = submitted
    assert (job.quant.label, job.quant.activation) == ("1-1-1", "elastic")


def test_one_click_sets_the_recipe_of_kdlsq(lab, submitted):
    press(press(open_page("train"), "KDLSQ-BERT's recipe"), "Start")
    texts = flatten(submitted[0])
    assert {name: texts[name] for name in options_of("kdlsq")} == options_of("kdlsq")


def test_one_click_takes_all_of_it_back(lab, submitted):
    press(open_page("train"), "Start")
    app = press(press(open_page("train"), "KDLSQ-BERT's recipe"), "Back to the paper's recipe")
    press(app, "Start")
    assert submitted[0] == submitted[1]


def test_layers_that_are_no_numbers_are_refused_in_a_sentence(lab, submitted):
    app = open_page("train")
    app.text_input(key="layers").set_value("first")
    press(app, "Start")
    assert "layers must be a comma separated list" in errors_of(app)
    assert submitted == []


# A run in the address, in every state


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


def test_a_run_that_changed_its_threads_says_so(finished_run):
    """In the run's panel, as text, and beside its time."""
    change = ThreadsChanged(step=2, threads=1, text="Computing with 1 of 2 threads. *Others*.")
    with (finished_run.folder / "events.jsonl").open("a") as file:
        file.write(to_json(change) + "\n")
    assert finished_run.result is not None
    machine = replace(finished_run.result.machine, threads=1, thread_counts=(2, 1))
    result = canonical_json(replace(finished_run.result, machine=machine))
    (finished_run.folder / "result.json").write_text(result)
    texts = texts_of(open_page("train", run=finished_run.run_id))
    assert "After step 2: Computing with 1 of 2 threads. *Others*." in texts
    assert "of training on 2 and 1 threads in turn" in texts


@pytest.mark.parametrize("version", ["0.9.1 *beta*", ""])
def test_the_card_of_a_run_says_which_version_computed_it(finished_run, version):
    """As text; nothing where the record is older than the version in it."""
    assert finished_run.result is not None
    machine = replace(finished_run.result.machine, ternary_lab=version)
    result = canonical_json(replace(finished_run.result, machine=machine))
    (finished_run.folder / "result.json").write_text(result)
    texts = texts_of(open_page("train", run=finished_run.run_id))
    assert "test examples that nothing was selected on" in texts
    assert (f", Ternary Lab {version})." in texts) == bool(version)


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
    ("name", "word"), [("STOP", "stopped"), ("error.txt", "failed"), ("began", "interrupted")]
)
def test_a_run_that_came_to_nothing_says_what_to_do(lab, name, word):
    run = prepared(lab.experiment)
    (run.folder / name).write_text("1")
    app = open_page("train", run=run.run_id)
    assert word in texts_of(app)
    assert "Start it again with the same settings" in texts_of(app)


@pytest.mark.parametrize(
    ("state", "seconds"),
    [
        ("queued", 1.0),
        ("running", 1.0),
        ("interrupted", 5.0),
        ("stopped", 5.0),
        ("failed", 5.0),
        ("damaged", 5.0),
        ("finished", None),
    ],
)
def test_a_page_goes_on_asking_while_a_run_can_change(lab, state, seconds):
    run = replace(prepared(lab.experiment), state=state)
    assert live_run.refresh_seconds(run) == seconds


def test_a_run_that_somebody_goes_on_with_is_followed_again(lab, monkeypatch):
    run = prepared(lab.experiment)
    intervals, whole = [], live_run.st.fragment

    def fragment(*, run_every):
        intervals.append(run_every)
        return whole

    monkeypatch.setattr(live_run.st, "fragment", fragment)
    app = open_page("train", run=run.run_id)
    assert "interrupted" in texts_of(app)
    assert 5.0 in intervals
    intervals.clear()
    with FileLock(run.folder / "worker.lock"):
        whole_page = app.run()
        assert "waiting" in texts_of(whole_page)
        assert 1.0 in intervals


def test_who_opens_a_second_tab_is_shown_what_is_under_way(lab, finished_run):
    run = prepared(replace(lab.experiment, seed=1))
    (run.folder / "began").touch()
    with FileLock(run.folder / "worker.lock"):
        app = open_page("train")
        said = texts_of(app)
        assert "Is one of them yours?" in said
        assert said.index("Is one of them yours?") < said.index("Does the student reach")
        assert "Also on this server" not in said  # said once
        press(app, "Watch")
        assert app.query_params["run"] == run.run_id
        assert "Is one of them yours?" not in texts_of(app)


def test_any_number_of_steps_can_be_asked_for(lab, submitted):
    press(open_page("train", steps="77"), "Start")
    assert submitted[0].train.steps == 77
    box = open_page("train").number_input(key="steps")
    assert (box.min, box.max) == (1, 1_000_000)


def meter_of(app: AppTest) -> str:
    return next(one.value for one in app.markdown if "Packed file: " in one.value)


def test_the_form_says_how_large_the_file_will_be(lab, finished_run):
    """To the byte: what the run of these settings has ended with."""
    said = meter_of(open_page("train", model=lab.model, steps="4", batch_size="8"))
    default = replace(api.default_experiment("movie-sentiment"), model=lab.model)
    expected = api.foreseen_size(with_train(default, steps=4, batch_size=8))
    assert f"{expected.size_bytes:,} bytes" in said
    again = api.foreseen_size(lab.experiment)
    assert again.size_bytes == finished_run.result.size_bytes_packed
    assert again.teacher_bytes == finished_run.result.size_bytes_float32


def test_the_meter_follows_the_bits_and_says_what_the_model_lacks(lab):
    app = open_page("train", model=lab.model)
    two = meter_of(app)
    app.segmented_control(key="weight_bits").set_value(8).run()
    assert meter_of(app) != two
    app = open_page("train", model=lab.model, matrix_bits="bert.pooler=8")
    said = " ".join(one.value for one in app.warning)
    assert "no matrix bert" in said.replace("\\", "")
    assert not [one for one in app.markdown if "Packed file" in one.value]


def test_a_teacher_has_no_packed_file(lab):
    app = open_page("train", model=lab.model, role="teacher")
    assert not [one for one in app.markdown if "Packed file" in one.value]
