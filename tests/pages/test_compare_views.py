"""The views of the Compare page, with no, one and several runs, and what they say."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from core import api
from core.paths import grids, shipped
from core.runs.run_store import Run, read_folder, run_folder
from core.serialization import canonical_json
from pages.ui.compare import compare_charts, compare_table, published_panel
from pages.ui.compare.compare_panels import VIEWS
from tests.conftest import with_quant, with_train
from tests.pages.conftest import errors_of, open_page, texts_of, whole

ABLATIONS, PAIR, PUBLISHED = VIEWS[2], VIEWS[3], VIEWS[4]


def another(run: Run, experiment, score: float, right: int | None = None) -> Run:
    """A finished run made of another; with `right`, its student is right on so many examples."""
    folder = run_folder(experiment.run_id)
    shutil.copytree(run.folder, folder)
    assert run.result
    result = replace(run.result, run_id=experiment.run_id, task=experiment.task, score=score)
    (folder / "experiment.json").write_text(canonical_json(experiment))
    (folder / "result.json").write_text(canonical_json(result))
    file = folder / "predictions.safetensors"
    saved = load_file(file)
    if right is not None:
        labels = saved["test.labels"]
        answers = np.where(np.arange(len(labels)) < right, labels, 1 - labels)
        saved["test.student"] = np.eye(2, dtype=np.float32)[answers]
    save_file(saved, file)  # names no run
    return read_folder(folder)


@pytest.fixture
def seeds(lab, finished_run) -> list[Run]:
    """Two rules, three seeds each: one always right, one nearly never."""
    made = []
    for method, right in (("lat", 20), ("uniform", 2)):
        for seed in range(3):
            experiment = replace(with_quant(lab.experiment, method=method), seed=seed)
            made.append(another(finished_run, experiment, right / 20 - 0.01 * seed, right))
    return made


@pytest.fixture
def grid(lab, seeds) -> Path:
    """The grid of `seeds`, with one case that is not computed."""
    train = lab.experiment.train
    plain = {
        "name": "rules",
        "question": "Which rule?",
        "base": {
            "model": lab.model,
            "train.steps": train.steps,
            "train.batch_size": train.batch_size,
            "train.evaluate_every": train.evaluate_every,
            "train.max_tokens": train.max_tokens,
        },
        "axes": {"quant.method": ["lat", "uniform", "lsq"]},
        "seeds": [0, 1, 2],
    }
    grids().mkdir(parents=True)
    (grids() / "rules.json").write_text(json.dumps(plain))
    return grids() / "rules.json"


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_opens_with_no_and_with_one_run(lab, finished_run, view):
    assert not open_page("compare", view=view).error
    shutil.rmtree(finished_run.folder)
    assert "no finished run yet" in texts_of(open_page("compare", view=view))


@pytest.mark.parametrize("kind", ["pair", "value", "span"])
@pytest.mark.parametrize("view", VIEWS)
def test_every_view_opens_for_every_kind_of_task(school, kind, view):
    app = open_page("compare", task=school.experiments[kind].task, view=view)
    assert not app.error, errors_of(app)


def open_pair(first: str, second: str):
    """The view of two models with these two chosen."""
    app = open_page("compare", view=PAIR)
    app.selectbox(key="first").set_value(first).run()
    app.selectbox(key="second").set_value(second).run()
    return whole(app)


# Points and filters


def test_seeds_of_one_recipe_are_one_point(seeds):
    table = compare_table.runs_table(seeds)
    points = compare_table.points(table)
    students = points[points["who"] == compare_table.STUDENT]
    assert students["seeds"].tolist() == [3, 3]
    assert set(students["bar"]) == {"seeds"}
    assert students["score"].tolist() == pytest.approx([99.0, 9.0])
    assert students["standard error"].tolist() == pytest.approx([1 / 3**0.5] * 2)
    assert (table["who"] == compare_table.UNTRAINED).sum() == 2  # of two quantizations
    assert (table["who"] == compare_table.TEACHER).sum() == 1


def test_the_front_by_hand():
    found = [(1.0, 5.0), (2.0, 4.0), (2.0, 6.0), (3.0, 6.0), (4.0, 7.0)]
    assert compare_table.front(found) == {(1.0, 5.0), (2.0, 6.0), (4.0, 7.0)}
    assert compare_table.front([]) == set()


def test_filters_keep_what_is_chosen_and_the_teacher(seeds):
    app = open_page("compare")
    assert {box.label for box in app.multiselect} == {"Method", "Seed"}
    app.multiselect(key="only_method").set_value(["lat"]).run()
    app.multiselect(key="only_seed").set_value([1]).run()
    table = whole(app).dataframe[0].value
    students = table[table["who"] == compare_table.STUDENT]
    assert (students["method"].tolist(), students["seed"].tolist()) == (["lat"], [1])
    assert set(table["who"]) == {
        compare_table.STUDENT,
        compare_table.UNTRAINED,
        compare_table.TEACHER,
    }


def test_nothing_left_breaks_nothing(lab, seeds, finished_run):
    another(finished_run, replace(with_train(lab.experiment, steps=2), seed=9), 0.5)
    for view in VIEWS:
        app = open_page("compare", view=view, only_method="lat", only_seed="9")
        assert not app.error


def test_settings_without_a_column_are_named_where_they_differ(lab, finished_run):
    warm = with_train(lab.experiment, warmup=0.3)
    runs = [finished_run, another(finished_run, warm, 0.5)]
    table = compare_table.runs_table(runs)
    assert table["other settings"].tolist()[:2] == ["", "warmup 0.3"]


def test_the_bars_are_explained(seeds):
    text = texts_of(open_page("compare"))
    assert "Points of several seeds (3) are means" in text


# Ablations


def test_a_grid_is_a_table_with_its_reference(grid, seeds):
    app = open_page("compare", view=ABLATIONS)
    table = app.dataframe[0].value.set_index("case")
    assert table.loc["lat", "accuracy (%)"] == "99.0 ± 0.6"
    assert table.loc["lat", "difference [95 %]"] == "reference"
    assert table.loc["uniform", "difference [95 %]"].startswith("-90.0 [-103")
    assert table.loc["uniform", "shown"] == "below"
    assert table.loc["lsq", "difference [95 %]"] == "Not computed yet."
    saved = load_file(seeds[0].folder / "predictions.safetensors")
    teacher = 100 * np.mean(saved["test.teacher"].argmax(axis=1) == saved["test.labels"])
    assert table.loc["lat", "over teacher [95 %]"].startswith(f"{100 - teacher:+.1f} [")
    assert table.loc["uniform", "over teacher [95 %]"].startswith(f"{10 - teacher:+.1f} [")
    said = texts_of(app)
    assert "**Shown to differ from lat:** uniform (below)" in said
    assert "3 of 9 runs are not computed yet" in said


def other_cases(grid: Path, cases: dict) -> None:
    """Give the file of the grid these cases instead of its axes."""
    plain = json.loads(grid.read_text())
    grid.write_text(json.dumps({**plain, "axes": {}, "cases": cases}))


def test_cases_of_two_tasks_are_each_compared_within_their_own(lab, grid, finished_run):
    for method, right in (("lat", 18), ("uniform", 1)):
        for seed in range(3):
            experiment = replace(with_quant(lab.experiment, method=method), seed=seed, task="sst2")
            another(finished_run, experiment, right / 20, right)
    both = {"lat": {"quant.method": "lat"}, "uniform": {"quant.method": "uniform"}}
    theirs = {f"sst2, {name}": {**changes, "task": "sst2"} for name, changes in both.items()}
    other_cases(grid, both | theirs)
    app = open_page("compare", view=ABLATIONS)
    found = app.dataframe[0].value.set_index("case")["difference [95 %]"]
    assert found[["lat", "sst2, lat"]].tolist() == ["reference"] * 2
    assert found["uniform"].startswith("-90.0 [")
    assert found["sst2, uniform"].startswith("-85.0 [")
    said = "differ from the reference of the same task:** uniform (below), sst2, uniform (below)"
    assert said in texts_of(app)
    other_cases(grid, {"lat": both["lat"], "sst2, lat": theirs["sst2, lat"]})
    assert "Each task has one case" in texts_of(open_page("compare", view=ABLATIONS))


def test_runs_that_ship_without_answers_have_scores_and_no_interval(grid, seeds):
    for run in seeds:
        (run.folder / "predictions.safetensors").unlink()
        target = shipped() / "runs" / run.run_id
        target.parent.mkdir(parents=True, exist_ok=True)
        run.folder.rename(target)
    app = open_page("compare", view=ABLATIONS)
    table = app.dataframe[0].value.set_index("case")
    assert table.loc["uniform", "accuracy (%)"] == "9.0 ± 0.6"
    assert "ships without its answers" in table.loc["uniform", "difference [95 %]"]
    assert table.loc["uniform", "over teacher [95 %]"] == ""
    app = open_pair(seeds[0].run_id, "teacher")
    assert "ships without its answers" in errors_of(app)
    assert not open_page("compare").error


def test_a_damaged_grid_is_said_and_the_others_are_shown(grid):
    grid.with_name("broken.json").write_text("{}")
    app = open_page("compare", view=ABLATIONS)
    assert "Grid broken.json: name must be a text" in errors_of(app)
    assert len(app.dataframe) == 1


# Two models


def test_two_students_are_compared_on_the_same_examples(seeds):
    app = open_pair(seeds[0].run_id, seeds[3].run_id)
    assert app.header[0].value == "The student is better than the other"
    assert app.metric[2].value == "+90.0"
    counts = app.dataframe[0].value.iloc[0]
    assert counts.tolist() == [2, 18, 0, 0]
    app = open_pair(seeds[3].run_id, seeds[0].run_id)
    assert app.header[0].value == "The student is worse than the other"
    assert app.metric[3].value == "< 0.001"


def test_the_examples_that_a_wished_for_difference_needs_follow_from_how_often_they_differ(seeds):
    app = open_pair(seeds[0].run_id, seeds[3].run_id)
    app = whole(app.number_input(key="wished").set_value(5.0).run())
    spread = api.spread_of(seeds[3], seeds[0], ("student", "student"))
    assert (spread.losses, spread.gains) == (0, 18)
    found = {metric.label: metric.value for metric in app.metric}
    assert found["Test examples for 5.0 points"] == f"{api.examples_to_show(spread, 0.05):,}"
    smallest = api.smallest_to_show(spread)
    assert smallest
    assert found["Smallest with these 20"] == f"{100 * smallest:.1f} points"
    assert "is right on 18 of 20 examples (90.0 %)" in texts_of(app)


def test_a_student_like_its_teacher_shows_no_difference(finished_run):
    file = finished_run.folder / "predictions.safetensors"
    saved = load_file(file)
    saved["test.student"] = saved["test.teacher"]
    save_file(saved, file)
    app = open_page("compare", view=PAIR)
    assert app.header[0].value == "No difference shown"
    assert app.metric[2].value == "+0.0"
    assert api.agreement(finished_run) == 1.0


def test_runs_of_different_tests_have_no_pairs(seeds):
    file = seeds[3].folder / "predictions.safetensors"
    saved = load_file(file)
    saved["test.labels"] = 1 - saved["test.labels"]
    save_file(saved, file)
    app = open_pair(seeds[0].run_id, seeds[3].run_id)
    assert "not tested on the same examples" in errors_of(app)


def test_spans_are_compared_by_their_answers(school):
    run = school.run("span")
    found = api.compare_runs(run, run, ("teacher", "student"))
    assert found.test == "paired bootstrap"
    assert found.second == pytest.approx(run.result.score)
    assert found.first == pytest.approx(run.result.teacher_score)
    assert 0 <= api.agreement(run) <= 1


# Published


def test_published_figures_are_ratios_and_say_what_is_not_verified(finished_run):
    app = open_page("compare", view=PUBLISHED, benchmark="SST-2")
    table = app.dataframe[0].value
    twn = table[table["model"] == "TernaryBERT, TWN"].iloc[0]
    assert twn["figure"] == published_panel.PUBLISHED
    assert twn["score"] == 92.8
    assert twn["times smaller"] == pytest.approx(418 / 28)
    assert twn["% of its full model"] == pytest.approx(100 * 92.8 / 93.1)
    tiny = table[table["model"] == "TernaryTinyBERT"].iloc[0]
    assert tiny["figure"] == published_panel.UNVERIFIED
    assert "unverified" in tiny["figure"]
    assert table["figure"].tolist()[-1] == "ours, movie-sentiment"
    assert "a higher point is no better method" in texts_of(app)


def test_every_figure_is_held_against_the_full_model_of_its_source():
    figures = api.published()
    named = {(one.benchmark, one.model): one for one in figures}
    for one in figures:
        assert 0 <= one.score <= 100
        full = named[one.benchmark, one.full_model.split(",")[0]]
        assert (full.score, full.share) == (one.full_score, 100.0)
        assert one.megabytes is None or one.times_smaller == pytest.approx(418 / one.megabytes)
        apart = one.source != full.source
        assert apart == one.full_model.endswith("its own paper's is not known here")
    assert sum(one.benchmark == "MNLI-m" for one in figures) == 30
    on_test = {m: one.share for (b, m), one in named.items() if b == "GLUE mean"}
    assert on_test["BiT, 4 bit"] == pytest.approx(94.8, abs=0.05)  # 79.5 of 83.9
    assert named["MTEB v2", "BitNet-embeddings-270m"].share == pytest.approx(99.6, abs=0.05)


def test_two_sources_print_other_figures_of_one_model():
    found = [
        (one.benchmark[-2:], one.score, one.full_score, one.source)
        for one in api.published()
        if one.model.startswith("BinaryBERT, 4 bit") and one.benchmark.startswith("SQuAD v1.1")
    ]
    there, bit = "as compared in print with TernaryBERT or BinaryBERT", "README of BiT"
    assert [(name, score, full) for name, score, full, source in found if source == there] == [
        ("EM", 79.3, 81.5),
        ("F1", 87.2, 88.7),
    ]
    assert [(name, score, full) for name, score, full, source in found if bit in source] == [
        ("EM", 77.9, 82.6),
        ("F1", 85.8, 89.7),
    ]


def test_how_a_figure_was_read_is_said(finished_run):
    table = open_page("compare", view=PUBLISHED, benchmark="MNLI-m").dataframe[0].value
    read = table.set_index("model")["read"]
    assert read["XTC, 6 layers"] == read["BiT, 1 bit"] == "authors' own text"
    assert read["BinaryBERT, 4 bit, as in BiT"] == "second-hand"
    assert read["TernaryTinyBERT"] == "memory"
    assert table.set_index("model").loc["XTC, 6 layers", "times smaller"] == 50.0
    alone = open_page("compare", view=PUBLISHED, benchmark="MTEB v2").dataframe[0].value
    assert alone.set_index("model").loc["harrier-270m", "score"] == 66.5


# Close up, and the lines


def test_close_up_leaves_out_what_is_far_away(seeds):
    every = compare_table.points(compare_table.runs_table(api.finished_runs()))
    near = compare_table.close_up(every, points=5.0)
    students = near[near["who"] == compare_table.STUDENT]
    assert students["method"].tolist() == ["lat"]
    assert len(near) < len(every)
    app = open_page("compare", zoom="the best, close up")
    (outside,) = re.findall(r"(\d+) of (\d+) points lie outside", texts_of(app))
    spec = json.loads(app.get("vega_lite_chart")[0].proto.spec)
    marks = next(layer for layer in spec["layer"] if layer["mark"]["type"] == "point")
    assert marks["encoding"]["x"]["field"] == "MiB"
    assert [int(count) for count in outside] == [len(every) - len(near), len(every)]


def test_lines_have_few_axes_with_few_short_labels(lab, finished_run):
    for clip in range(1, 20):
        another(finished_run, with_train(lab.experiment, clip=float(clip)), 0.5)
    for number, changes in enumerate(({"warmup": 0.3}, {"dropout": 0.1}, {"averaging": 0.2})):
        another(finished_run, with_train(lab.experiment, **changes, evaluate_every=1 + number), 0.6)
    table = compare_table.points(compare_table.runs_table(api.finished_runs()))
    students = table[table["who"] == compare_table.STUDENT]
    others = compare_charts.other_settings(students)
    assert others == ["clip", "averaging", "dropout", "warmup"]  # none for "evaluate every"
    figure = compare_charts.parallel_coordinates(table, "accuracy", dark=False)
    axes = {axis.label: axis for axis in figure.data[0].dimensions}
    assert [name for name in others if name in axes] == others[: compare_charts.MOST_OTHERS]
    assert len(axes["clip"].ticktext) <= compare_charts.MOST_TICKS
    numbers = [float(text) for text in axes["clip"].ticktext]
    assert numbers == sorted(numbers)
    assert len(set(axes["clip"]["values"])) == 20
    app = open_page("compare", view="All settings")
    assert "Without an axis, for want of room: warmup" in texts_of(app)
