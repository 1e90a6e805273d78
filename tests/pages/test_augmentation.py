"""Data augmentation on the Train page: its options, and the preview of the copies."""

import pytest
from streamlit.testing.v1 import AppTest

from core import api
from core.experiment import Experiment
from tests.conftest import save_tiny_model, tiny_model
from tests.pages.conftest import School, button, errors_of, open_page, press, texts_of, whole

PREVIEW = "Make some copies"


def augmenting(school: School, kind: str, **parameters: str) -> AppTest:
    """The form with augmentation on, copies by the nearest words of the embedding."""
    return open_page(
        "train", task=school.experiments[kind].task, augment="true", role="student", **parameters
    )


def copies_of(app: AppTest):
    (table,) = [each.value for each in app.dataframe if "example" in each.value.columns]
    return table


def test_its_options_reach_the_experiment(lab, submitted):
    app = open_page("train")
    assert not [box for box in app.slider if "augment" in box.key]
    assert "What the copies look like" not in texts_of(app)
    app.toggle(key="augment").set_value(True).run()
    assert app.slider(key="augment_copies").value == api.tasks()["movie-sentiment"].copies
    app.slider(key="augment_probability").set_value(0.6)
    app.slider(key="augment_candidates").set_value(5)
    app.slider(key="augment_copies").set_value(3)
    app.text_input(key="augment_model").set_value("google-bert/bert-base-uncased")
    press(app, "Start")
    train = submitted[0].train
    assert train.augment
    assert (train.augment_probability, train.augment_candidates) == (0.6, 5)
    assert (train.augment_copies, train.augment_model) == (3, "google-bert/bert-base-uncased")

    app.toggle(key="augment").set_value(False).run()
    press(app, "Start")
    assert submitted[1].train == api.default_experiment("movie-sentiment").train


def test_settings_in_the_address_count_only_with_augmentation_on(lab, submitted):
    address = {"augment_copies": "7", "augment_probability": "0.9", "augment_candidates": "many"}
    press(open_page("train", augment="true", **address), "Start")
    press(open_page("train", **address), "Start")
    on, off = (job.train for job in submitted)
    assert (on.augment_copies, on.augment_probability, on.augment_candidates) == (7, 0.9, 15)
    assert off == api.default_experiment("movie-sentiment").train


def test_a_span_has_no_augmentation(school, submitted):
    app = augmenting(school, "span")
    assert not app.toggle
    assert PREVIEW not in [each.label for each in app.button]
    press(app, "Start")
    (experiment,) = submitted
    assert isinstance(experiment, Experiment)
    assert not experiment.train.augment


def test_a_teacher_has_no_augmentation(school, submitted):
    task = school.experiments["pair"].task
    app = open_page("train", task=task, augment="true", role="teacher")
    assert not app.toggle
    assert PREVIEW not in [each.label for each in app.button]
    press(app, "Start")
    assert not submitted[0].train.augment


# The preview


@pytest.mark.parametrize("kind", ["pair", "value"])
def test_the_preview_makes_copies_of_five_examples(school, kind):
    app = augmenting(school, kind)
    assert "example" not in [name for each in app.dataframe for name in each.value.columns]
    table = copies_of(press(app, PREVIEW))
    assert table.columns.tolist() == ["example", "copy 1", "copy 2", "copy 3"]
    assert len(table) == 5
    copies = table.melt("example")
    assert (copies["value"] != copies["example"]).any()
    assert (copies["value"].str.split().str.len() == copies["example"].str.split().str.len()).all()
    if kind == "pair":
        assert copies["value"].str.contains(" / ").all()
    assert copies_of(press(augmenting(school, kind), PREVIEW)).equals(table)  # deterministic


def test_the_preview_stays_until_its_settings_change(school):
    app = press(augmenting(school, "value"), PREVIEW)
    before = copies_of(app)
    assert copies_of(whole(app.run())).equals(before)
    app.slider(key="augment_probability").set_value(0.9).run()
    assert "example" not in [name for each in app.dataframe for name in each.value.columns]
    changed = copies_of(press(app, PREVIEW)).melt("example")
    replaced = (changed["value"] != changed["example"]).sum()
    usual = before.melt("example")
    assert replaced >= (usual["value"] != usual["example"]).sum()


def test_a_folder_with_a_masked_language_model_proposes_the_words(school, tmp_path):
    from transformers import BertForMaskedLM

    folder = tmp_path / "masked"
    save_tiny_model(folder, tiny_model())  # its tokenizer
    BertForMaskedLM(tiny_model().config).save_pretrained(folder)
    app = press(augmenting(school, "value", augment_model=str(folder)), PREVIEW)
    copies = copies_of(app).melt("example")
    assert (copies["value"] != copies["example"]).any()


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        ("/no/such/folder", "There is no folder /no/such/folder"),
        ("google-bert/bert-base-uncased", "the hub does not answer"),
        ("../x", "There is no folder ../x"),
    ],
)
def test_a_masked_language_model_that_cannot_be_had_gives_a_sentence(school, model, sentence):
    app = press(augmenting(school, "value", augment_model=model), PREVIEW)
    assert sentence in errors_of(app)
    assert not button(app, "Start").disabled


def test_a_preview_without_the_text_names_the_command(lab, monkeypatch, tmp_path):
    monkeypatch.setenv("TERNARY_LAB_CACHE", str(tmp_path / "empty"))
    app = press(open_page("train", augment="true"), PREVIEW)
    assert "python -m core prefetch movie-sentiment" in errors_of(app)
