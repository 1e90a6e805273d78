"""Grids: one JSON file says which experiments answer a question; what is wrong in it is named."""

import json
from dataclasses import replace

import pytest

from core.errors import InputError
from core.experiment import Experiment
from core.paths import CACHED_MODELS
from core.runs.grid_results import case_results
from core.runs.grids import find_grid, grid_of, read_grid
from core.runs.run_store import Run
from tests.conftest import compute

PLAIN = {"name": "g", "question": "What?"}


def cases_of(**fields) -> dict[str, list[Experiment]]:
    found = {}
    for one in grid_of(PLAIN | fields).runs:
        found.setdefault(one.case, []).append(one.experiment)
    return found


def test_base_axes_and_seeds_are_multiplied():
    found = cases_of(
        base={"train.steps": 5, "quant": {"embedding_bits": 8}},
        axes={"quant.method": ["twn", "lat"], "train.batch_size": [8, 16]},
        seeds=[0, 1, 2],
    )
    assert list(found) == [
        "twn, batch size 8",
        "twn, batch size 16",
        "lat, batch size 8",
        "lat, batch size 16",
    ]
    experiments = found["lat, batch size 8"]
    assert [one.seed for one in experiments] == [0, 1, 2]
    assert experiments[0].train == replace(Experiment().train, steps=5, batch_size=8)
    assert experiments[0].quant.method == "lat"
    assert experiments[0].quant.embedding_bits == 8


def test_cases_change_the_base_and_are_named_with_the_axes():
    found = cases_of(
        axes={"train.steps": [5]},
        cases={"paper": {}, "without layers": {"distill": {"hidden": 0, "attention": 0}}},
    )
    assert list(found) == ["steps 5, paper", "steps 5, without layers"]
    assert found["steps 5, without layers"][0].distill.hidden == 0.0


def test_words_that_two_axes_share_are_told_apart():
    axes = {"quant.weight_granularity": ["row"], "quant.embedding_granularity": ["row", "layer"]}
    assert list(cases_of(axes=axes)) == [
        "weight granularity row, embedding granularity row",
        "row, layer",
    ]


def test_an_experiment_that_two_cases_share_is_computed_once():
    found = cases_of(cases={"first": {}, "again": {"quant.method": "twn"}, "lat": {"task": "rte"}})
    assert list(found) == ["first", "lat"]


def test_the_smallest_grid_is_one_default_run():
    grid = grid_of(PLAIN)
    assert grid.cases == ("default",)
    assert grid.reference == "default"
    assert grid.runs[0].experiment == Experiment()


def test_a_case_is_compared_with_one_of_its_own_task():
    cases = {
        "a": {},
        "b": {"quant.method": "lat"},
        "c": {"task": "rte"},
        "d": {"task": "rte", "quant.method": "lat"},
    }
    grid = grid_of({**PLAIN, "cases": cases, "reference": "b"})
    assert [grid.reference_of(case) for case in grid.cases] == ["b", "b", "c", "c"]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"base": {"quant.methd": "lat"}}, "base: option 'quant.methd' is not known"),
        ({"base": {"steps": 3}}, "base: option 'steps' is not known. Choose one of: .*train.steps"),
        ({"base": {"quant": 3}}, "base: quant must be a JSON object"),
        ({"base": {"seed": 3}}, "option 'seed'"),
        ({"axes": {"train.steps": []}}, "axes: train.steps must be a list"),
        ({"axes": {"train.steps": 5}}, "axes: train.steps must be a list"),
        ({"axes": {"train.steps": [0]}}, "Case 'steps 0': Steps is 0"),
        ({"cases": {"x": {"task": 1}}}, "Case 'x': Experiment.task must be str"),
        ({"cases": {"x": {"nothing": 1}}}, "case 'x': option 'nothing'"),
        ({"seeds": [-1]}, "Case 'default': Seed is -1"),
        ({"seeds": []}, "seeds must be a list"),
        ({"seeds": ["a"]}, "seed must be a whole number"),
        ({"reference": "lat"}, "Reference 'lat' is not known"),
        ({"question": " "}, "question must be a text"),
        ({"name": 5}, "name must be a text"),
        ({"extra": 5}, "Field 'extra' is not known"),
        ({"seeds": list(range(1001))}, "number of runs is 1001"),
    ],
)
def test_what_is_wrong_is_named(fields, said):
    with pytest.raises(InputError, match=said):
        grid_of(PLAIN | fields)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 100_000, "\xff"])
def test_a_file_that_is_no_grid_gives_a_sentence(tmp_path, text):
    (tmp_path / "g.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=r"rid g\.json"):
        read_grid(tmp_path / "g.json")


def test_a_shipped_grid_is_found_by_its_name(lab, tmp_path):
    shipped = tmp_path / "grids" / "methods.json"
    shipped.parent.mkdir()
    shipped.write_text(json.dumps(PLAIN))
    assert find_grid("methods") == shipped
    assert find_grid(str(shipped)) == shipped
    with pytest.raises(InputError, match=r"Grid 'bits' is not known\. Choose one of: methods"):
        find_grid("bits")


@pytest.mark.parametrize("path", sorted((CACHED_MODELS / "grids").glob("*.json")), ids=str)
def test_every_shipped_grid_is_sound(path):
    grid = read_grid(path)
    assert grid.name == path.stem
    assert grid.question.endswith("?")


def test_cases_are_summed_up_over_their_seeds(lab):
    run = compute(lab.experiment)
    assert run.result

    def scored(experiment: Experiment, score: float) -> Run:
        result = replace(run.result, run_id=experiment.run_id, score=score)
        return replace(run, run_id=experiment.run_id, experiment=experiment, result=result)

    grid = grid_of(PLAIN | {"axes": {"quant.method": ["twn", "lat", "lsq"]}, "seeds": [0, 1, 2]})
    scores = {"twn": (0.80, 0.82, 0.84), "lat": (0.5,)}
    runs = {}
    for one in grid.runs:
        given = scores.get(one.case, ())
        if one.experiment.seed < len(given):
            runs[one.experiment.run_id] = scored(one.experiment, given[one.experiment.seed])
    twn, lat, lsq = case_results(grid, runs)
    assert (twn.case, twn.seeds, twn.missing) == ("twn", 3, 0)
    assert twn.mean == pytest.approx(0.82)
    assert twn.standard_deviation == pytest.approx(0.02)
    assert twn.standard_error == pytest.approx(0.02 / 3**0.5)
    assert (lat.seeds, lat.missing, lat.mean) == (1, 2, 0.5)
    assert lat.standard_deviation is None
    assert lat.standard_error is None
    assert (lsq.seeds, lsq.missing) == (0, 3)
    assert lsq.mean != lsq.mean
