"""What the pages say is held against what they show, at every bit-width and granularity."""

import re
from pathlib import Path

import numpy as np
import pytest

from core import api
from core.runs.run_store import Run
from pages.ui import result_panels
from pages.ui.weights import weight_sentences
from tests.pages.conftest import open_page, texts_of, whole

BITS = (2, 3, 4, 8)
GRANULARITIES = ("layer", "row")


def view_of(lab, method: str, bits: int, granularity: str):
    teacher = api.open_model(api.source_of_teacher("movie-sentiment", lab.model))
    name = list(api.matrix_shapes(teacher))[1]
    latent = api.latent_histogram(teacher, name)
    return api.view_weight(teacher, name, (method, bits, granularity), latent)


@pytest.mark.parametrize("method", ["twn", "lat", "optimal", "absmean", "lsq", "uniform"])
@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("granularity", GRANULARITIES)
def test_the_sentence_of_a_column_is_true_of_its_numbers(lab, method, bits, granularity):
    if bits not in api.rules()[method].bits:
        return
    view = view_of(lab, method, bits, granularity)
    words = weight_sentences.what_happens(bits, view)
    sizes = [len(np.unique(np.abs(row[row != 0]).round(7))) for row in view.block_values]
    if "move to the same level" in words:
        kinds = np.unique(np.abs(view.block_values[view.block_values != 0]).round(6))
        assert len(kinds) == 1
    if "the level of their row" in words:
        assert max(sizes) == 1
        assert len(np.unique(view.scales)) > 1
        assert len(view.scales) == view.rows
    assert ("Between the thresholds" in words) == (bits == 2)
    assert ("row" in words) == (granularity == "row")
    if bits > 2:
        (levels,) = re.findall(r"(\d+) levels", words)
        assert int(levels) == 2**bits - 1
        assert np.abs(view.block_codes).max() <= (int(levels) - 1) // 2
        nearest = np.round(view.block_latent[0] / view.scales[0])
        top = (int(levels) - 1) // 2
        assert (np.abs(np.clip(nearest, -top, top) - view.block_codes[0]) <= 1).all()


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("granularity", GRANULARITIES)
def test_the_weights_page_says_what_it_shows(lab, bits, granularity):
    app = open_page("weights", columns="1", weight_bits=str(bits), weight_granularity=granularity)
    said = texts_of(app)
    assert ("they all move to the same level" in said) == (bits == 2 and granularity == "layer")
    assert ("move to the level of their row" in said) == (bits == 2 and granularity == "row")
    assert (f"nearest of {2**bits - 1} levels" in said) == (bits > 2 and granularity == "layer")
    assert (f"{2**bits - 1} levels of its own" in said) == (bits > 2 and granularity == "row")
    assert ("that of the mean" in said or "mean scale" in said) == (
        granularity == "row" and bits < 8
    )
    assert ("the lines are left out" in said) == (bits == 8)
    per = {"layer": "one scale for the whole matrix", "row": "one scale for every row"}
    assert f"by twn in {bits} bits, {per[granularity]}; the word embedding by twn in" in said
    assert f"in {bits} bits, one scale for every row as in the paper." in said
    assert "and the scales" in " ".join(e.label for e in app.expander) or granularity == "layer"


@pytest.mark.parametrize("method", ["binary", "binary-centred"])
def test_one_bit_is_said_to_have_no_zero(lab, method):
    view = view_of(lab, method, 1, "layer")
    assert view.error.zeros == 0
    assert len(np.unique(view.block_values)) == 2
    assert "the two levels of the matrix" in weight_sentences.what_happens(1, view)
    app = open_page("weights", columns="1", method=method)  # the only bits that it has are taken
    assert f"by {method} in 1 bit, one scale for the whole matrix" in texts_of(app)


def test_groups_are_said_to_be_groups(lab):
    view = view_of(lab, "twn", 2, "group-32")
    assert (view.group, len(view.scales)) == (32, view.rows * view.cols // 32)
    words = weight_sentences.what_happens(2, view)
    assert "the level of their group" in words
    assert "row" not in words
    app = open_page("weights", columns="1", weight_granularity="group-32", corner="true")
    said = texts_of(app)
    assert "by twn in 2 bits, one scale for every 32 columns of a row; the word embedding" in said
    assert "Every group has its own scale" in said


def test_choosing_the_embedding_says_that_the_knobs_are_its_own(lab):
    app = open_page("weights", weight_bits="4", weight_granularity="layer")
    assert "These two knobs are now the embedding's" not in texts_of(app)
    names = app.selectbox(key="matrix").options
    embedding = names.index("word embedding")
    teacher = api.open_model(api.source_of_teacher("movie-sentiment", lab.model))
    app.selectbox(key="matrix").set_value(list(api.matrix_shapes(teacher))[embedding]).run()
    assert "These two knobs are now the embedding's" in texts_of(whole(app))
    labels = [control.label for control in app.segmented_control]
    assert "Embedding bits" in labels
    assert "Weight bits" not in labels


def test_the_outcome_of_one_seed_has_an_interval_and_a_verdict(finished_run):
    said = texts_of(open_page("train", run=finished_run.run_id))
    found = api.compare_runs(finished_run, finished_run, ("teacher", "student"))
    assert f"{100 * found.difference:+.1f} points (95 %: {100 * found.low:+.1f} to" in said
    verdicts = {"": "no difference shown", "first": "is worse than", "second": "is better than"}
    assert verdicts[found.better] in said
    assert "of the teacher's" not in said
    assert "This is one seed" in said


@pytest.mark.parametrize(
    ("low", "high", "p", "only_first", "words"),
    [
        (0.001, 0.037, 0.053, 40, "the interval just leaves out zero"),
        (-0.001, 0.037, 0.041, 40, "the interval just holds zero"),
        (0.001, 0.037, 0.041, 40, ""),
        (-0.001, 0.037, 0.053, 40, ""),
        (0.001, 0.037, 0.053, None, ""),
    ],
)
def test_where_p_and_the_interval_part_it_is_said_which_decides(
    monkeypatch, low, high, p, only_first, words
):
    found = api.Comparison(
        metric="accuracy", examples=1000, first=0.876, second=0.895, low=low, high=high,
        test="a test", p=p, only_first=only_first, only_second=only_first,
    )  # fmt: skip
    monkeypatch.setattr(result_panels.cached, "comparison", lambda *asked: found)
    said = result_panels.against_teacher(Run(run_id="0" * 12, folder=Path(), state="finished"))
    assert ("p decides" in said) == bool(words)
    assert words in said


def test_without_answers_no_difference_is_claimed(finished_run):
    (finished_run.folder / "predictions.safetensors").unlink()
    words = result_panels.against_teacher(finished_run)
    assert words.startswith("Whether the student differs from its teacher cannot be told")


@pytest.mark.parametrize("leftovers", api.LEFTOVERS)
def test_export_says_why_its_file_has_another_size(finished_run, leftovers):
    app = open_page("export", leftovers=leftovers)
    own = f"{finished_run.result.size_bytes_packed / 2**20:.2f} MiB"
    (shown,) = [metric.value for metric in app.metric if metric.label == "Packed file"]
    if leftovers == "float32":
        assert shown == own
        assert "that is the size on the other pages" not in texts_of(app)
    else:
        assert f"leftovers in float32, {own}: that is the size on the other pages." in texts_of(app)


def test_start_predict_and_export_tell_of_the_same_run(finished_run):
    chosen = {open_page(page).selectbox(key="student").value for page in ("predict", "export")}
    assert chosen == {finished_run.run_id}


@pytest.mark.parametrize("page", ["predict", "export"])
@pytest.mark.parametrize(
    ("run_id", "sentence"),
    [("zzzz", "'zzzz' is not a run id"), ("0" * 12, "There is no run 000000000000")],
)
def test_a_wrong_run_in_the_address_is_said_on_every_page(finished_run, page, run_id, sentence):
    app = open_page(page, run=run_id)
    assert sentence in "\n".join(error.value for error in app.error)
    assert app.selectbox(key="student").value == finished_run.run_id


def test_a_text_that_is_not_read_whole_is_said(finished_run):
    box = open_page("predict").text_area(key="text_movie-sentiment")
    app = whole(box.set_value("film " * 2000).run())
    assert "The text has 2,000 tokens; 62 of them were read" in texts_of(app)
    app = whole(app.text_area(key="text_movie-sentiment").set_value("good 电影").run())
    assert "2 of 3 words or signs are unknown" in texts_of(app)
    app = whole(app.text_area(key="text_movie-sentiment").set_value("a good film").run())
    assert "unknown" not in texts_of(app)
