"""The Plan page: losses by a button, a plan within its budget, bits by hand, what comes next."""

import re
from urllib.parse import unquote_plus

import pytest
from streamlit.testing.v1 import AppTest

from core import api
from core.options import build
from pages.ui.plan import plan_charts
from tests.core.test_allocation import planning_of
from tests.pages.conftest import button, errors_of, open_page, press, texts_of

WORDS = "bert.embeddings.word_embeddings"
POOLER = "bert.pooler.dense"
KEEP = "What does it cost to keep the word embedding at 8 bits?"


@pytest.fixture
def budget(lab) -> float:
    """MiB of the lab's student, all at 3 bits."""
    start = api.plan_start("movie-sentiment", lab.model, "twn", (3, 8))
    return api.foreseen_size(start).size_bytes / 2**20


@pytest.fixture
def planned(lab, budget) -> AppTest:
    """The page with predicted losses and that budget."""
    return press(open_page("plan", budget_mib=str(budget)), "Predict the losses")


def bytes_of(app: AppTest) -> int:
    said = re.search(r"exactly ([\d,]+) bytes", texts_of(app).replace("\\", ""))
    assert said
    return int(said[1].replace(",", ""))


def link_of(app: AppTest) -> dict[str, str]:
    """What "Train this" hands on."""
    (link,) = [one for one in app.get("page_link") if one.proto.label == "Train this"]
    pairs = re.findall(r"([^&=?]+)=([^&]*)", link.proto.query_string)
    return {name: unquote_plus(value) for name, value in pairs}


def test_sizes_stand_there_before_anything_is_computed(lab):
    app = open_page("plan")
    assert not app.error
    assert "All matrices alike" in texts_of(app)
    sizes = app.dataframe[0].value["bytes"].tolist()
    assert sizes[0] == api.foreseen_size(api.plan_start(*asked(lab))).size_bytes
    assert sizes == sorted(sizes)
    assert not [one for one in app.get("page_link") if one.proto.label == "Train this"]


def asked(lab):
    return "movie-sentiment", lab.model, "twn", (2, 3, 4, 8)


def test_a_plan_fits_its_budget_and_is_trained_as_it_stands(lab, budget, planned):
    assert not planned.error
    size = bytes_of(planned)
    assert size <= budget * 2**20
    settings = link_of(planned)
    job = build(settings, api.default_experiment("movie-sentiment"))
    assert job.model == lab.model
    assert job.quant.matrix_bits
    assert api.foreseen_size(job).size_bytes == size
    train = open_page("train", **settings)
    assert not train.warning
    assert f"{size:,} bytes" in texts_of(train).replace("\\", "")


def test_one_click_says_what_it_costs_to_keep_the_embedding(planned, budget):
    before = bytes_of(planned)
    app = press(planned, KEEP)
    assert not app.error
    assert app.query_params["by_hand"] == f"{WORDS}=8"
    said = app.info[0].value
    assert "By hand: word embedding at 8 bits." in said
    assert "MiB more" in said
    assert "Within the budget of" in said
    assert bytes_of(app) > before
    app.toggle(key="around").set_value(True).run()
    assert bytes_of(app) <= budget * 2**20
    assert f"{WORDS}=8" in link_of(app)["matrix_bits"]


def test_bits_are_given_by_hand_and_taken_back(planned):
    before = bytes_of(planned)
    planned.selectbox(key="matrix").set_value(POOLER).run()
    planned.segmented_control(key="its_bits").set_value(8).run()
    app = press(planned, "Give it these bits")
    assert app.query_params["by_hand"] == f"{POOLER}=8"
    assert "pooler at 8 bits" in app.info[0].value
    again = press(app, "Back to the plan")
    assert bytes_of(again) == before
    assert not again.info


def test_its_score_without_training(planned):
    app = press(planned, "Score it on 200 dev sentences, without training")
    (found,) = [one for one in app.metric if one.label == "Without training"]
    assert found.value.endswith("%")


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ({"budget_mib": "0.001"}, "No file of these choices is so small"),
        ({"by_hand": "nothing=2"}, "Matrix 'nothing' is not known"),
        ({"by_hand": f"{POOLER}=32"}, "32 is not known"),
    ],
)
def test_what_cannot_be_planned_says_so(lab, budget, address, sentence):
    address = {"budget_mib": str(budget)} | address
    app = press(open_page("plan", **address), "Predict the losses")
    assert sentence in errors_of(app)


def test_one_number_of_bits_makes_no_plan(lab):
    app = open_page("plan", method="absmean", widths="2")
    assert "at least two numbers of bits" in errors_of(app)


def test_measured_losses_are_another_plan(lab, budget):
    app = open_page("plan", budget_mib=str(budget), losses="measured")
    assert "each matrix alone is quantized" in texts_of(app)
    assert bytes_of(press(app, "Measure the losses")) <= budget * 2**20


def test_without_the_text_it_is_offered(lab, monkeypatch, tmp_path):
    monkeypatch.setenv("TERNARY_LAB_CACHE", str(tmp_path / "empty"))
    app = open_page("plan")
    assert button(app, "Fetch 2.4 MiB from the package vaderSentiment==3.3.2")


def test_the_map_has_every_matrix_once_with_its_bits(lab):
    """Layers by roles; what lies outside the layers has a row of its own."""
    planning = planning_of(lab)
    bits = dict.fromkeys(planning.costs, 2) | {POOLER: 8}
    table = plan_charts.matrix_table(planning.matrices, bits, {POOLER})
    assert len(table) == 14
    assert not table.duplicated(["layer", "role"]).any()
    assert table["layer"].unique().tolist() == ["outside", "0", "1"]
    pooler = table[table["role"] == "pooler"].iloc[0]
    assert (pooler["bits"], bool(pooler["by hand"])) == (8, True)
    assert "query" in table["role"].tolist()
