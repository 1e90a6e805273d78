"""Paired tests and intervals: worked by hand, against scipy, and on simulated models."""

import numpy as np
import pytest
import scipy.stats

from core.analysis import paired
from core.analysis.paired import bootstrap_p, compare, mcnemar
from core.analysis.seeds import difference_over_seeds, student_t
from core.errors import InputError
from core.metrics import Metric


def logits_of(right: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Two-class logits that are right exactly where `right` is true."""
    answers = np.where(right, labels, 1 - labels)
    return np.eye(2, dtype=np.float32)[answers]


def marks(*counts: int) -> tuple[np.ndarray, np.ndarray]:
    """Right or wrong for two models: both, only the first, only the second, neither."""
    both, one, two, neither = counts
    first = [1] * both + [1] * one + [0] * two + [0] * neither
    second = [1] * both + [0] * one + [1] * two + [0] * neither
    return np.array(first, bool), np.array(second, bool)


# McNemar


def test_three_and_nine_coins():
    assert mcnemar(3, 9) == pytest.approx(2 * (1 + 12 + 66 + 220) / 4096)
    assert mcnemar(9, 3) == mcnemar(3, 9)
    assert mcnemar(0, 0) == 1.0
    assert mcnemar(4, 4) == 1.0
    assert mcnemar(0, 6) == pytest.approx(2 / 64)


@pytest.mark.parametrize("pair", [(0, 1), (2, 11), (40, 61), (999, 1200), (20_000, 20_400)])
def test_mcnemar_is_the_binomial_test(pair):
    expected = scipy.stats.binomtest(pair[0], sum(pair)).pvalue
    assert mcnemar(*pair) == pytest.approx(expected, rel=1e-8)


def test_a_difference_that_coins_would_not_give_is_shown():
    labels = np.arange(100) % 2
    first, second = marks(60, 3, 20, 17)
    found = compare("accuracy", logits_of(first, labels), logits_of(second, labels), labels)
    assert (found.only_first, found.only_second) == (3, 20)
    assert found.test == "McNemar's exact test"
    assert found.first == pytest.approx(0.63)
    assert found.difference == pytest.approx(0.17)
    assert found.p == pytest.approx(mcnemar(3, 20))
    assert 0 < found.low < 0.17 < found.high
    assert found.better == "second"
    swapped = compare("accuracy", logits_of(second, labels), logits_of(first, labels), labels)
    assert swapped.better == "first"
    assert swapped.low == pytest.approx(-found.high)


def test_a_difference_that_coins_give_is_not_shown():
    labels = np.arange(100) % 2
    first, second = marks(60, 3, 9, 28)
    found = compare("accuracy", logits_of(first, labels), logits_of(second, labels), labels)
    assert found.difference > 0
    assert found.better == ""


def test_a_model_does_not_differ_from_itself():
    labels = np.arange(30) % 2
    said = logits_of(np.arange(30) % 3 > 0, labels)
    for metric in ("accuracy", "f1", "macro-f1", "matthews"):
        found = compare(metric, said, said, labels)
        assert (found.difference, found.low, found.high, found.p) == (0, 0, 0, 1)
        assert found.better == ""


def test_models_that_answered_other_examples_have_no_pairs():
    with pytest.raises(InputError, match="same test examples"):
        compare("accuracy", np.eye(2), np.eye(3), np.zeros(2))
    with pytest.raises(InputError, match="Metric 'speed' is not known"):
        compare("speed", np.eye(2), np.eye(2), np.zeros(2))


# The bootstrap


def test_the_interval_of_a_mean_is_scipys():
    source = np.random.default_rng(1)
    labels = source.integers(2, size=400)
    first, second = source.random(400) < 0.7, source.random(400) < 0.76
    found = compare("accuracy", logits_of(first, labels), logits_of(second, labels), labels)
    gap = second.astype(float) - first.astype(float)
    expected = scipy.stats.bootstrap((gap,), np.mean, method="percentile", rng=source)
    assert found.low == pytest.approx(expected.confidence_interval.low, abs=0.01)
    assert found.high == pytest.approx(expected.confidence_interval.high, abs=0.01)


@pytest.mark.parametrize("metric", ["pearson", "spearman"])
def test_a_correlation_is_compared_by_the_bootstrap(metric):
    source = np.random.default_rng(0)
    truth = source.normal(size=200)
    good, poor = (truth + spread * source.normal(size=200) for spread in (0.2, 1.0))
    found = compare(metric, poor[:, None], good[:, None], truth)
    assert found.test == "paired bootstrap"
    assert found.only_first is None
    assert found.better == "second"
    assert found.p == pytest.approx(2 / 2001)
    close = compare(metric, good[:, None], good[:, None] + 1e-3 * truth[::-1, None], truth)
    assert close.better == ""


def test_p_of_draws():
    assert bootstrap_p(np.array([1.0] * 97 + [-1.0] * 3)) == pytest.approx(2 * 4 / 101)
    assert bootstrap_p(np.zeros(10)) == 1.0


def test_spans_are_compared_by_their_words():
    accepted = [("a red car",), ("blue",), ()] * 20
    first = ["red", "green", "x"] * 20
    second = ["red car", "blue", ""] * 20
    found = compare("answer-f1", first, second, accepted)
    assert found.first == pytest.approx(2 / 3 / 3)
    assert found.second == 1.0
    assert found.better == "second"
    assert found.only_first is None
    assert compare("exact-match", first, second, accepted).only_second == 60


def test_of_an_error_rate_the_smaller_is_better(monkeypatch):
    distance = Metric(
        name="distance",
        title="mean distance",
        higher_is_better=False,
        of_example=lambda said, true: np.abs(said - true),
    )
    monkeypatch.setattr(paired, "metric_of", {"distance": distance}.__getitem__)
    truth, source = np.arange(60.0), np.random.default_rng(2)
    near, far = (truth + spread * source.normal(size=60) for spread in (0.1, 2.0))
    found = compare("distance", far, near, truth)
    assert found.difference < 0
    assert found.high < 0
    assert found.better == "second"
    assert compare("distance", near, far, truth).better == "first"
    assert compare("distance", near, near, truth).better == ""


# Over seeds


@pytest.mark.parametrize("freedom", [1, 2, 2.7, 3, 10, 60, 5000])
def test_students_t_is_scipys(freedom):
    assert student_t(freedom) == pytest.approx(scipy.stats.t.ppf(0.975, freedom), rel=1e-4)


def test_students_t_of_many_is_normal():
    assert student_t(1e12) == pytest.approx(1.95996, abs=1e-3)


def test_two_seeds_by_hand():
    """Of 4 examples the second recipe gains two with seed 0 and none with seed 1."""
    labels = np.zeros(4, int)
    first = [logits_of(np.array([1, 1, 0, 0], bool), labels)] * 2
    second = [
        logits_of(np.array([1, 1, 1, 1], bool), labels),
        logits_of(np.array([1, 1, 0, 0], bool), labels),
    ]
    found = difference_over_seeds("accuracy", first, second, labels)
    assert found.difference == pytest.approx(0.25)
    of_training = (0.25**2 + 0.25**2) / 1 / 2  # variance of 0.5 and 0, over two seeds
    of_test = np.std([0, 0, 0.5, 0.5]) ** 2 / 4
    freedom = (of_training + of_test) ** 2 / of_training**2
    reach = scipy.stats.t.ppf(0.975, freedom) * np.sqrt(of_training + of_test)
    assert found.high - found.difference == pytest.approx(reach, rel=1e-3)
    assert not found.is_shown


def test_one_seed_has_only_the_luck_of_the_test():
    labels = np.zeros(100, int)
    first, second = marks(60, 3, 20, 17)
    pair = [logits_of(first, labels)], [logits_of(second, labels)]
    found = difference_over_seeds("accuracy", *pair, labels)
    gap = second.astype(float) - first
    assert found.high - found.low == pytest.approx(2 * 1.96 * gap.std() / 10, rel=1e-3)
    assert found.is_shown
    alone = difference_over_seeds("accuracy", pair[0], pair[0], labels)
    assert (alone.low, alone.high) == (0, 0)


def test_a_correlation_over_seeds():
    source = np.random.default_rng(3)
    truth = source.normal(size=150)
    noisy = [[(truth + s * source.normal(size=150))[:, None] for _ in range(3)] for s in (1, 0.3)]
    found = difference_over_seeds("pearson", *noisy, truth)
    assert found.seeds == 3
    assert found.is_shown
    assert found.difference > 0.1


@pytest.mark.parametrize("seeds", [([], []), ([np.eye(2)], []), ([np.eye(2)], [np.eye(3)])])
def test_what_has_no_pairs_is_refused(seeds):
    with pytest.raises(InputError, match="same seeds and test examples"):
        difference_over_seeds("accuracy", *seeds, np.zeros(2, int))


def test_the_interval_holds_the_truth_as_often_as_it_says():
    """Two recipes that are equal, but lucky with seeds and with examples: at most 5 in 100
    intervals may miss zero (a few more by chance)."""
    source = np.random.default_rng(5)
    labels, missed = np.zeros(300, int), 0
    for _ in range(200):
        hard = source.normal(size=300)
        recipes = [
            [
                logits_of(
                    hard + 0.15 * source.normal() + 0.5 * source.normal(size=300) > -1, labels
                )
                for _ in range(3)
            ]
            for _ in range(2)
        ]
        missed += difference_over_seeds("accuracy", *recipes, labels).is_shown
    assert missed <= 16
