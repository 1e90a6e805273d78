"""The weights over training on the panel of a run: shown where a run tells of them, else not."""

import math

import pytest

from core.events import MatrixState, WeightsSeen, to_json
from pages.ui.train import weight_history_charts as charts
from tests.pages.conftest import open_page, texts_of, whole

QUESTION = "Do the weights settle?"


def state(name: str, part: str, **changes) -> MatrixState:
    usual = {
        "changed": 0.5,
        "zeros": 0.25,
        "scale": 1.0,
        "threshold": 0.5,
        "low": -2.0,
        "high": 2.0,
        "counts": (1, 2, 1, 0),
    }
    return MatrixState(name=name, part=part, **(usual | changes))


LAYER = "bert.encoder.layer.0.attention.self."


@pytest.fixture
def seen() -> list[WeightsSeen]:
    return [
        WeightsSeen(
            step=step,
            matrices=(
                state(f"{LAYER}query", "attention", changed=0.1, counts=(1, 0, 0, 1)),
                state(f"{LAYER}key", "attention", changed=0.4, counts=(2, 2, 1, 1)),
                state("bert.pooler.dense", "pooler", threshold=None, high=3.0 + step),
            ),
        )
        for step in (2, 4)
    ]


def append(run, events) -> None:
    with (run.folder / "events.jsonl").open("a") as log:
        log.writelines(to_json(event) + "\n" for event in events)


def without_weights(run) -> None:
    file = run.folder / "events.jsonl"
    lines = [line for line in file.read_text().splitlines() if '"WeightsSeen"' not in line]
    file.write_text("\n".join(lines) + "\n")


def test_a_part_counts_its_matrices_by_their_weights(seen):
    table = charts.changes(seen)
    assert table["line"].tolist() == ["attention", "pooler"] * 2
    assert table["changed"].tolist()[:2] == pytest.approx([100 * (2 * 0.1 + 6 * 0.4) / 8, 50.0])


def test_one_matrix_stands_out_from_the_others(seen):
    table = charts.changes(seen, f"{LAYER}key", "layer 0, key")
    assert table["line"].tolist()[:3] == [charts.OTHERS, "layer 0, key", charts.OTHERS]
    assert table["changed"].tolist()[:3] == pytest.approx([10, 40, 50])


def test_bins_by_hand(seen):
    table = charts.bins(seen[0].matrices[1])
    assert table["from"].tolist() == [-2, -1, 0, 1]
    assert table["to"].tolist() == [-1, 0, 1, 2]
    assert table["share"].sum() == pytest.approx(100)
    assert charts.limits(charts.of_matrix(seen, "bert.pooler.dense")) == (-2.0, 7.0)


def test_many_looks_are_thinned_and_the_last_one_stays(seen):
    many = [WeightsSeen(step=step, matrices=seen[0].matrices) for step in range(1, 1002)]
    steps = charts.changes(many)["step"]
    assert steps.nunique() <= charts.MAX_POINTS
    assert steps.max() == 1001


@pytest.mark.parametrize("dark", [True, False])
def test_the_charts_are_charts(seen, dark):
    mine = charts.of_matrix(seen, "bert.pooler.dense")
    for table in (charts.changes(seen), charts.changes(seen, "bert.pooler.dense", "pooler")):
        assert charts.change_lines(table, 4, dark).to_dict()["mark"]["type"] == "line"
    assert charts.level_lines(charts.levels(seen, "bert.pooler.dense"), 4, dark).to_dict()
    assert len(charts.heat_map(mine, 4, dark).to_dict()["layer"]) == 2
    assert len(charts.histogram(mine[0][1], charts.limits(mine), dark).to_dict()["layer"]) == 2


def test_a_run_that_tells_nothing_of_its_weights_shows_nothing(finished_run):
    without_weights(finished_run)
    app = open_page("train", run=finished_run.run_id)
    assert QUESTION not in texts_of(app)
    assert not [box for box in app.selectbox if box.label == "Matrix"]


def test_a_finished_run_replays_its_weights(finished_run, seen):
    without_weights(finished_run)
    append(finished_run, seen)
    app = open_page("train", run=finished_run.run_id)
    assert QUESTION in texts_of(app)
    assert "After step 4: 25.0 % zeros, scale 1.0000, threshold 0.5000" in texts_of(app)
    app.selectbox(key="history-matrix").set_value("bert.pooler.dense").run()
    assert "scale 1.0000. Dotted" in texts_of(whole(app))
    app.select_slider(key="history-step").set_value(2).run()
    assert "After step 2" in texts_of(whole(app))
    app.segmented_control(key="lines").set_value("by matrix").run()
    assert not whole(app).error
    twin = next(f.value for f in app.dataframe if "zeros (%)" in f.value)
    assert len(twin) == 6
    assert math.isnan(twin["threshold"].iloc[2])


def test_a_single_look_has_no_slider(finished_run, seen):
    without_weights(finished_run)
    append(finished_run, seen[:1])
    app = open_page("train", run=finished_run.run_id)
    assert "After step 2" in texts_of(app)
    assert not [box for box in app.select_slider if box.key == "history-step"]
