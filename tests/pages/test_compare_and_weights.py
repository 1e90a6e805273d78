"""The Compare page and the Weights page, for tasks of every kind."""

import json
from dataclasses import replace

import pytest

from core import api
from core.calibrate.ladder_records import WAYS
from core.events import Preparing
from core.serialization import canonical_json
from pages.ui import cached, state
from tests.conftest import compute, with_quant, with_train
from tests.pages.conftest import School, errors_of, open_page, press, texts_of, whole


def test_work_without_a_bar_ends_with_the_visitor_too(monkeypatch):
    """The importances of all weights are computed behind a spinner."""

    class GoneError(BaseException):
        pass

    def gone() -> None:
        if len(steps) == 2:
            raise GoneError

    def computing():
        for step in range(5):
            steps.append(step)
            yield Preparing(text="Measuring", done=step, total=5)
        return "measured"

    steps: list[int] = []
    monkeypatch.setattr(state, "check_wanted", gone)
    with pytest.raises(GoneError):
        cached.last(computing())
    assert steps == [0, 1]
    steps = [-1, -1]
    assert cached.last(computing()) == "measured"


# Compare


def test_compare_lists_every_run_once_and_its_teacher(lab, finished_run):
    other = compute(with_train(with_quant(lab.experiment, weight_bits=4), steps=2))
    table = open_page("compare").dataframe[0].value
    students = table[table["who"] == "trained student"]
    assert sorted(students["run"]) == sorted([finished_run.run_id, other.run_id])
    assert set(students["bits"]) == {"2-2-8", "4-2-8"}
    assert (table["who"] == "teacher (full precision)").sum() == 1
    assert (table["MiB"] > 0).all()


def set_scores(school: School, kind: str, **scores: float) -> None:
    run = school.run(kind)
    assert run.result
    (run.folder / "result.json").write_text(canonical_json(replace(run.result, **scores)))


def axis_title(app) -> str:
    """The title of the vertical axis."""
    spec = json.loads(app.get("vega_lite_chart")[0].proto.spec)
    points = next(layer for layer in spec["layer"] if layer["mark"]["type"] == "point")
    return points["encoding"]["y"]["title"]


@pytest.mark.parametrize(
    ("kind", "title"),
    [
        ("pair", "test accuracy (%)"),
        ("value", "test Pearson correlation (x 100)"),
        ("span", "test F1 over words (%)"),
    ],
)
def test_compare_names_the_metric_of_the_task(school, kind, title):
    app = open_page("compare", task=school.experiments[kind].task)
    assert axis_title(app) == title
    table = app.dataframe[0].value
    assert len(table) == 3
    assert (table["score"].tolist()[0]) == pytest.approx(100 * school.run(kind).result.score)


def test_scores_below_zero_are_shown_and_have_no_share_of_the_teacher(school):
    set_scores(school, "value", score=-0.25, untrained_score=-0.5, teacher_score=-0.1)
    app = open_page("compare", task=school.experiments["value"].task)
    table = app.dataframe[0].value.set_index("who")
    assert table.loc["trained student", "score"] == pytest.approx(-25.0)
    assert table.loc["quantized without training", "score"] == pytest.approx(-50.0)
    assert table["of teacher"].isna().all()
    app = open_page("train", run=school.experiments["value"].run_id)
    assert [metric.value for metric in app.metric][:3] == ["-10.0", "-50.0", "-25.0"]
    assert "of the teacher's" not in texts_of(app)
    assert "nan" not in texts_of(app)


def test_a_score_below_zero_is_a_share_of_a_teacher_above(school):
    set_scores(school, "value", score=-0.25, teacher_score=0.5)
    app = open_page("compare", task=school.experiments["value"].task)
    table = app.dataframe[0].value.set_index("who")
    assert table.loc["trained student", "of teacher"] == pytest.approx(-50.0)
    assert table.loc["teacher (full precision)", "of teacher"] == pytest.approx(100.0)


def test_every_metric_of_every_split_is_listed(school):
    """On the panel of the run: a task with one metric has nothing more to list."""
    app = open_page("train", run=school.experiments["span"].run_id)
    every = app.dataframe[-1].value
    assert set(every["metric"]) == {"F1 over words (%)", "exact match (%)"}
    assert set(every["model"]) == {
        "teacher (full precision)",
        "quantized without training",
        "trained student",
    }
    assert set(every["split"]) == {"dev", "test"}


# Weights


@pytest.mark.parametrize("method", api.rules())
def test_weights_redraws_for_each_method(lab, method):
    app = open_page("weights", method=method)
    table = app.dataframe[0].value
    assert table["quantized by"][0].startswith(f"{method}, ")
    assert 0 <= table["zeros"][0] <= 100
    for bits in app.segmented_control(key="weight_bits").options:
        app.segmented_control(key="weight_bits").set_value(int(bits)).run()
        assert f", {bits} bit" in whole(app).dataframe[0].value["quantized by"][0]


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


@pytest.mark.parametrize("kind", ["value", "span"])
def test_weights_of_teachers_of_every_kind(school, kind):
    task = school.experiments[kind].task
    app = open_page("weights", task=task, method="lat")
    assert not app.error
    assert app.selectbox(key="task").value == task
    assert (app.dataframe[0].value["weighted error"] > 0).all()  # needs gradients of this task
    assert any("classifier" not in name for name in app.selectbox(key="matrix").options)
    app = press(app, "Score on 200 dev sentences")
    (score,) = app.metric
    assert "±" in score.value
    assert score.value.endswith("%") == (kind == "span")  # a correlation has no unit
    assert not errors_of(press(app, "Rank all matrices"))
    assert len(app.dataframe[-1].value) >= 1 + 2 * 6


@pytest.mark.parametrize("kind", ["pair", "value", "span"])
def test_weights_of_a_student_before_it_was_packed(school, kind):
    run = school.run(kind)
    app = open_page("weights", task=school.experiments[kind].task)
    teacher = app.dataframe[0].value
    app.selectbox(key="of").set_value(run.run_id).run()
    assert not whole(app).error
    assert app.dataframe[0].value["MSE"].tolist() != teacher["MSE"].tolist()


# The ladder


def test_a_ladder_is_there_once_it_was_computed(lab, finished_run, monkeypatch):
    few = {name: WAYS[name] for name in ("rounded", "gptq")}
    monkeypatch.setattr("core.calibrate.ladder.WAYS", few)
    app = open_page("weights", model=lab.model, ladder_bits="2")
    assert "No ladder of this teacher has been computed yet." in texts_of(app)
    app = press(app, "Compute the ladder at 2 bits")
    assert not app.exception
    table = app.dataframe[-1].value
    assert table["rung"].tolist() == ["rounded (max-abs)", "GPTQ", "distilled"]
    assert table["run"].tolist() == ["", "", finished_run.run_id]
    again = open_page("weights", model=lab.model, ladder_bits="3")
    assert again.dataframe[-1].value["bits"].tolist() == ["2 bits"] * 3
    assert [each.label for each in again.button if "Compute the ladder" in each.label] == [
        "Compute the ladder at 3 bits"
    ]
