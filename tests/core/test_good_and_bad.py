"""The curated settings: each is a shipped run, and the runs show what is claimed of them."""

from dataclasses import replace

import pytest

from core import api
from core.analysis.good_and_bad import BETTER, NO_DIFFERENCE, SETTINGS, WORSE


@pytest.fixture
def found(tmp_path, monkeypatch) -> list[api.Shows]:
    """As in a fresh clone: what ships, and nothing else."""
    monkeypatch.setenv("TERNARY_LAB_HOME", str(tmp_path))
    return api.good_and_bad()


def test_every_setting_has_its_shipped_runs_of_three_seeds(found):
    assert len(SETTINGS) == 8
    assert [one.setting for one in found] == list(SETTINGS)
    for one in found:
        assert all(run.shipped for run in (*one.result.runs, *one.other.runs))
        assert one.difference.seeds == len(one.result.runs) == 3, one.setting.title
        assert one.result.missing == one.other.missing == 0


@pytest.mark.parametrize("number", range(len(SETTINGS)), ids=[one.title for one in SETTINGS])
def test_the_runs_show_what_is_claimed(found, number):
    one = found[number]
    assert one.holds, (one.found, one.difference)
    low, high = one.difference.low, one.difference.high
    claimed = {WORSE: high < 0, BETTER: low > 0, NO_DIFFERENCE: low <= 0 <= high}
    assert claimed[one.setting.claim]
    mean_of = [sum(run.result.score for run in case.runs) / 3 for case in (one.result, one.other)]
    assert one.difference.difference == pytest.approx(mean_of[0] - mean_of[1], abs=1e-9)


def test_both_kinds_are_there():
    assert {one.claim for one in SETTINGS} == {WORSE, BETTER, NO_DIFFERENCE}
    assert len({one.title for one in SETTINGS}) == len(SETTINGS)


def test_a_claim_that_the_runs_do_not_show_is_not_said_to_hold(found):
    first = found[0]
    assert first.setting.claim == WORSE
    assert not replace(first, setting=replace(first.setting, claim=BETTER)).holds
    assert not replace(first, setting=replace(first.setting, claim=NO_DIFFERENCE)).holds
    turned = replace(first.difference, low=0.1, high=0.2)
    assert not replace(first, difference=turned, result=first.other, other=first.result).holds


def test_the_sizes_that_a_reason_names_are_those_of_the_runs(found):
    (eight,) = [one for one in found if one.setting.title == "Eight bits everywhere"]
    sizes = [case.runs[0].result.size_bytes_packed for case in (eight.result, eight.other)]
    assert "almost four times as large" in eight.setting.reason
    assert 3 < sizes[0] / sizes[1] < 4
    (faster,) = [one for one in found if one.setting.claim == BETTER]
    rates = [case.runs[0].experiment.train.learning_rate for case in (faster.result, faster.other)]
    assert "five times as high" in faster.setting.title
    assert rates[0] == pytest.approx(5 * rates[1])
    assert faster.result.runs[0].experiment.train.steps == 300


def test_nothing_is_shown_where_nothing_ships(lab):
    assert api.good_and_bad() == []
