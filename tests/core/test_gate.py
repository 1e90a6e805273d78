"""The gate and the power of a comparison: by hand, against a slow search, on simulated models."""

import json
from functools import cache

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from core import api
from core.__main__ import main
from core.analysis import pair_spread as spreads
from core.analysis.gate import FAILED, OPEN, PASSED, fraction_of, judge, rounded
from core.analysis.pair_spread import PairSpread, pair_spread, tango_interval, variance_if
from core.analysis.paired import mcnemar
from core.analysis.power import examples_for, examples_to_show, smallest_to_show
from core.errors import InputError
from core.metrics import Metric

interval, p_of = cache(tango_interval), cache(mcnemar)


def pairs(losses: int, gains: int, count: int) -> PairSpread:
    """Two classifiers of which the first alone is right so often, the second alone so often."""
    labels, rows = np.zeros(count, int), np.arange(count)
    first = np.eye(2, dtype=np.float32)[((rows >= losses) & (rows < losses + gains)).astype(int)]
    second = np.eye(2, dtype=np.float32)[(rows < losses).astype(int)]
    found = pair_spread("accuracy", first, second, labels)
    assert (found.losses, found.gains) == (losses, gains)
    return found


# The interval


def test_two_that_agree_everywhere_may_still_differ():
    # With l = g = 0 the test refuses D where D^2 > z^2 (D - D^2) / n: above z^2 / (n + z^2).
    low, high = tango_interval(0, 0, 20)
    assert high == pytest.approx(3.8415 / 23.8415, abs=1e-4)
    assert low == -high


@pytest.mark.parametrize(
    ("losing", "gaining", "change"), [(0.1, 0.04, -0.02), (0.02, 0.3, 0.1), (0.05, 0.0, -0.2)]
)
def test_the_likeliest_share_is_found_by_a_search_too(losing, gaining, change):
    lost = np.linspace(1e-9, 1, 2_000_001)
    gained = lost + change
    same = 1 - lost - gained
    fine = (gained > 0) & (same > 0)
    lost, gained, same = lost[fine], gained[fine], same[fine]
    rest = 1 - losing - gaining
    likelihood = losing * np.log(lost) + gaining * np.log(gained) + rest * np.log(same)
    best = lost[likelihood.argmax()]
    found = variance_if(losing, gaining, change)
    assert found == pytest.approx(2 * best + change - change**2, abs=1e-5)


def test_the_interval_turns_round_with_its_models():
    low, high = tango_interval(9, 3, 44)
    assert low < -6 / 44 < high
    assert tango_interval(3, 9, 44) == pytest.approx((-high, -low))


# The verdict


@pytest.mark.parametrize(
    ("losses", "gains", "may_lose", "verdict"),
    [
        (10, 30, 0.0, PASSED),  # it is better
        (20, 20, 0.02, PASSED),
        (20, 20, 0.01, OPEN),
        (60, 10, 0.01, FAILED),
        (0, 0, 0.01, PASSED),  # 1.96^2 / 1003.8 is 0.4 points
        (0, 0, 0.003, OPEN),
    ],
)
def test_verdicts_on_a_thousand_examples(losses, gains, may_lose, verdict):
    found = judge(pairs(losses, gains, 1000), may_lose)
    assert found.verdict == verdict
    assert (found.more is None) == (verdict != OPEN)


def test_an_open_verdict_says_what_it_takes_and_which_way():
    found = judge(pairs(30, 28, 1000), 0.01)
    assert (
        found.sentence == "Not shown to lose at most 1 point: that needs about 6,200 more examples."
    )
    found = judge(pairs(33, 18, 500), 0.01)
    assert found.sentence.startswith("Not shown to lose more than 1 point: that needs about ")
    found = judge(pairs(30, 20, 1000), 0.01)  # just what it may
    assert found.more is None
    assert found.sentence.startswith("Not shown: it lost 1 point here")
    assert judge(pairs(200, 0, 1000), 0.025).sentence == "Shown to lose more than 2.5 points."
    assert "-20.0 points against its teacher (95 %: -22." in judge(pairs(200, 0, 1000), 0).numbers


@pytest.mark.parametrize(
    ("losing", "gaining", "count", "may_lose"),
    [
        (0.03, 0.028, 1000, 0.01),
        (0.025, 0.025, 500, 0.01),
        (0.066, 0.036, 500, 0.01),
        (0, 0, 99, 0.02),
    ],
)
def test_as_many_more_examples_settle_it_in_four_of_five_cases(losing, gaining, count, may_lose):
    found = judge(pairs(round(losing * count), round(gaining * count), count), may_lose)
    assert found.more is not None
    whole = count + found.more
    verdicts = simulated(losing, gaining, whole, may_lose, 600)
    right = PASSED if gaining - losing > -may_lose else FAILED
    wrong = FAILED if right == PASSED else PASSED
    assert 0.75 < verdicts.count(right) / 600 <= (0.86 if losing else 1.0)
    assert verdicts.count(wrong) == 0


@pytest.mark.parametrize("count", [40, 300, 2000])
@pytest.mark.parametrize(("apart", "limit"), [(0.05, 0.01), (0.1, 0.03), (0.03, 0.02)])
def test_a_student_that_loses_just_the_limit_passes_one_time_in_forty(apart, limit, count):
    """Error rates, up to three standard errors of 2,000 simulated samples (0.35 points); where
    nine examples differ, the test refuses a little too much, and so never passes too often."""
    verdicts = simulated((apart + limit) / 2, (apart - limit) / 2, count, limit, 2000)
    assert verdicts.count(PASSED) / 2000 < 0.025 + 0.0105
    assert verdicts.count(FAILED) / 2000 < 0.05


def simulated(losing: float, gaining: float, count: int, limit: float, samples: int) -> list[str]:
    """Verdicts on samples of students whose true shares are these."""
    source = np.random.default_rng(3)
    drawn = source.multinomial(count, [losing, gaining, 1 - losing - gaining], size=samples)
    ends = [interval(int(losses), int(gains), count) for losses, gains, _ in drawn]
    return [PASSED if low > -limit else FAILED if high < -limit else OPEN for low, high in ends]


def test_a_mean_that_is_not_right_or_wrong_is_judged_by_the_bootstrap():
    """Words found of an answer: the error rate of a student that loses just the limit."""
    source, passed = np.random.default_rng(5), 0
    teacher = source.beta(4, 2, 300)
    metric = Metric(name="share", title="share", of_example=lambda said, true: said)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spreads, "metric_of", {"share": metric}.__getitem__)
        for _ in range(40):
            student = np.clip(teacher + source.normal(-0.02, 0.1, 300), -1, 2)
            passed += judge(pair_spread("share", teacher, student, teacher), 0.02).verdict == PASSED
        near = pair_spread("share", teacher, teacher - 0.02, teacher)
        assert (near.low, near.high) == pytest.approx((-0.02, -0.02))
        same = pair_spread("share", teacher, teacher, teacher)
    assert passed <= 4  # 1 of 40 is expected
    assert same.low == pytest.approx(-(1 - 0.025 ** (1 / 300)))  # nothing seen is not nothing there
    found = judge(same, 0.001)
    assert found.verdict == OPEN
    assert found.more is not None


def test_of_an_error_rate_a_larger_one_is_lost(monkeypatch):
    wrong = Metric(
        name="errors",
        title="errors",
        higher_is_better=False,
        right_or_wrong=True,
        of_example=lambda said, true: (said != true).astype(float),
    )
    far = Metric(
        name="distance",
        title="distance",
        higher_is_better=False,
        of_example=lambda said, true: np.abs(said - true) / 100,
    )
    monkeypatch.setattr(spreads, "metric_of", {"errors": wrong, "distance": far}.__getitem__)
    truth = np.arange(400)
    good, bad = truth + (truth < 4), truth + (truth < 80)
    worse = pair_spread("errors", good, bad, truth)
    assert (worse.losses, worse.gains) == (76, 0)
    assert worse.second > worse.first
    assert worse.change == pytest.approx(-0.19)
    assert judge(worse, 0.1).verdict == FAILED
    assert judge(pair_spread("errors", bad, good, truth), 0.0).verdict == PASSED
    near, apart = truth + 1.0, truth + np.where(truth % 2, 9.0, 3.0)
    assert judge(pair_spread("distance", near, apart, truth), 0.01).verdict == FAILED
    assert judge(pair_spread("distance", apart, near, truth), 0.01).verdict == PASSED


def test_a_statistic_of_the_whole_sample_has_a_verdict():
    source = np.random.default_rng(1)
    truth = source.normal(size=200)
    teacher, student = (truth + spread * source.normal(size=200) for spread in (0.1, 1.5))
    one, two = (each.reshape(-1, 1).astype(np.float32) for each in (teacher, student))
    assert judge(pair_spread("pearson", one, two, truth), 0.1).verdict == FAILED
    assert judge(pair_spread("pearson", two, one, truth), 0.1).verdict == PASSED


@pytest.mark.parametrize("points", [-0.1, 100.5, float("nan"), float("inf")])
def test_what_cannot_be_lost_is_refused(points):
    with pytest.raises(InputError, match="from 0 to 100 points"):
        fraction_of(points)


def test_an_estimate_has_two_digits():
    assert [rounded(n) for n in (0, 1, 87, 123, 1_249, 987_654)] == [1, 1, 87, 120, 1_200, 990_000]


# Power


@pytest.mark.parametrize(("apart", "wished"), [(0.05, 0.01), (0.1, 0.03), (0.2, 0.05), (0.3, 0.1)])
def test_as_many_examples_show_the_difference_in_four_of_five_samples(apart, wished):
    count = examples_to_show(pairs(round(500 * apart), round(500 * apart), 1000), wished)
    assert count is not None
    shares = [(apart + wished) / 2, (apart - wished) / 2, 1 - apart]
    drawn = np.random.default_rng(4).multinomial(count, shares, size=2000)
    shown = sum(p_of(int(losses), int(gains)) < 0.05 for losses, gains, _ in drawn)
    assert 0.77 < shown / 2000 < 0.84


def test_the_smallest_difference_is_the_one_that_needs_this_sample():
    found = pairs(40, 60, 1000)
    smallest = smallest_to_show(found)
    assert smallest is not None
    assert examples_to_show(found, smallest) == pytest.approx(1000, abs=1)
    assert (examples_to_show(found, 0.9 * smallest) or 0) > 1000
    more = smallest_to_show(pairs(400, 600, 10_000))
    assert more is not None
    assert more < smallest / 2.5


def test_very_few_examples_show_nothing():
    assert smallest_to_show(pairs(1, 1, 4)) is None
    assert examples_to_show(pairs(0, 0, 4), 1e-10) is None
    assert examples_for(0.3, 0.3, 0.0) is None


def test_a_plain_mean_needs_what_the_textbook_says():
    # 7.849 (0.2 / 0.01)^2
    assert examples_for(0.2, 0.2, 0.01) == 3140


# The command


@pytest.fixture
def judged(finished_run):
    """A run whose student is right on so many of the twenty test examples, its teacher on all."""

    def made(right: int) -> str:
        file = finished_run.folder / "predictions.safetensors"
        saved = load_file(file)
        labels = saved["test.labels"]
        answers = np.where(np.arange(len(labels)) < right, labels, 1 - labels)
        saved["test.teacher"] = np.eye(2, dtype=np.float32)[labels]
        saved["test.student"] = np.eye(2, dtype=np.float32)[answers]
        save_file(saved, file)
        return finished_run.run_id

    return made


@pytest.mark.parametrize(
    ("right", "may_lose", "code", "verdict"),
    [(20, "20", 0, "passed"), (5, "20", 1, "failed"), (18, "1", 2, "open")],
)
def test_the_exit_code_is_the_verdict(judged, capsys, right, may_lose, code, verdict):
    run_id = judged(right)
    assert main(["gate", run_id, "--may-lose", may_lose, "--json"]) == code
    found = json.loads(capsys.readouterr().out)
    assert (found["verdict"], found["exit_code"]) == (verdict, code)
    assert found["student"] == right / 20
    assert found["change_points"] == pytest.approx(5 * (right - 20))
    assert found["only_teacher_right"] == 20 - right
    assert (found["more_examples"] is None) == (code != 2)
    assert main(["gate", run_id, "--may-lose", may_lose]) == code
    assert capsys.readouterr().out.startswith(f"{verdict}: {found['sentence']}\naccuracy on 20 ")


def test_another_split_can_be_asked(judged, capsys):
    run_id = judged(5)
    main(["gate", run_id, "--split", "dev", "--json"])
    run = api.find_run(run_id)
    assert run.result is not None
    found = json.loads(capsys.readouterr().out)
    assert found["split"] == "dev"
    assert found["student"] == pytest.approx(run.result.dev_score)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--split", "train"], "Choose one of: dev, test."),
        (["--may-lose", "-1"], "from 0 to 100 points"),
    ],
)
def test_what_cannot_be_asked_is_no_verdict(judged, capsys, arguments, words):
    assert main(["gate", judged(20), *arguments]) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err
    assert main(["gate", "0123456789ab"]) == 3


def test_a_run_without_answers_is_no_verdict(finished_run, capsys):
    (finished_run.folder / "predictions.safetensors").unlink()
    assert main(["gate", finished_run.run_id]) == 3
    assert "without its answers" in capsys.readouterr().err
