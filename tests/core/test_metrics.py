"""Metrics against scikit-learn and scipy, standard errors against formulas, answers by hand."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

from core.errors import InputError
from core.metrics import Metric
from core.metrics import score as score_by
from core.results import Score
from core.targets import find_target, metric_of, targets
from core.targets.answer_match import exact_match, normalized, word_f1

METRICS = [metric.name for target in targets().values() for metric in target.metrics]
STATISTICS = [name for name in METRICS if metric_of(name).of_all is not None]

classes = st.integers(1, 4).flatmap(
    lambda count: st.lists(
        st.tuples(st.integers(0, count), st.integers(0, count)), min_size=1, max_size=40
    )
)
values = st.lists(
    st.tuples(st.integers(-5, 5), st.integers(-5, 5)), min_size=2, max_size=40
)  # few different numbers, so there are many ties


def one_hot(predicted: np.ndarray) -> np.ndarray:
    """Logits whose largest is the predicted class."""
    logits = np.full((len(predicted), int(predicted.max()) + 1), -1.0)
    logits[np.arange(len(predicted)), predicted] = 2.0
    return logits


def of_scikit_learn(metric: str, predicted: np.ndarray, labels: np.ndarray) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns where there is nothing to count
        return {
            "accuracy": accuracy_score,
            "f1": lambda true, said: f1_score(true == 1, said == 1, zero_division=0),
            "macro-f1": lambda true, said: f1_score(true, said, average="macro", zero_division=0),
            "matthews": matthews_corrcoef,
        }[metric](labels, predicted)


def score(metric: str, predictions, references) -> Score:
    return score_by(metric_of(metric), predictions, references)


def value_of(metric: str, predictions: np.ndarray, references: np.ndarray) -> float:
    """The metric without its 200 resamples."""
    return metric_of(metric).scorer(predictions, references)(np.arange(len(references)))


@pytest.mark.parametrize("metric", ["accuracy", "f1", "macro-f1", "matthews"])
@settings(max_examples=40)
@given(pairs=classes)
def test_metrics_of_classes_are_those_of_scikit_learn(metric, pairs):
    predicted, labels = np.array(pairs).T
    found = value_of(metric, one_hot(predicted), labels)
    assert found == pytest.approx(of_scikit_learn(metric, predicted, labels), abs=1e-12)


@pytest.mark.parametrize("metric", ["accuracy", "f1", "macro-f1", "matthews"])
@pytest.mark.parametrize("labels", [[0, 0, 0], [1, 1, 1], [0, 1, 1], [2, 2, 0]])
@pytest.mark.parametrize("predicted", [[0, 0, 0], [1, 1, 1], [1, 0, 0], [2, 2, 1]])
def test_metrics_of_degenerate_classes_are_those_of_scikit_learn(metric, predicted, labels):
    predicted, labels = np.array(predicted), np.array(labels)
    found = score(metric, one_hot(predicted), labels)
    assert found.value == pytest.approx(of_scikit_learn(metric, predicted, labels), abs=1e-12)
    assert math.isfinite(found.standard_error)
    assert found.examples == 3


@pytest.mark.parametrize("metric", ["pearson", "spearman"])
@settings(max_examples=60)
@given(pairs=values)
def test_correlations_are_those_of_scipy_with_ties_and_0_with_a_constant(metric, pairs):
    said, true = np.array(pairs, dtype=float).T
    found = value_of(metric, said[:, None], true)
    if len(set(said)) == 1 or len(set(true)) == 1:
        assert found == 0.0
    else:
        wanted = {"pearson": stats.pearsonr, "spearman": stats.spearmanr}[metric](said, true)
        assert found == pytest.approx(wanted.statistic, abs=1e-9)


def test_correlation_of_float32_logits_is_computed_in_float64():
    draw = np.random.default_rng(0)
    said = (draw.normal(size=2000) * 1e-3 + 100).astype(np.float32)
    true = (said - 100 + draw.normal(size=2000) * 1e-3).astype(np.float32)
    wanted = stats.pearsonr(said.astype(np.float64), true.astype(np.float64)).statistic
    assert value_of("pearson", said[:, None], true) == pytest.approx(wanted, abs=1e-9)


# Standard errors


@pytest.mark.parametrize("hits", [0, 1, 150, 200])
def test_the_standard_error_of_accuracy_is_that_of_a_share(hits):
    predicted = np.array([1] * hits + [0] * (200 - hits))
    found = score("accuracy", one_hot(np.append(predicted, 1))[:-1], np.ones(200, dtype=int))
    share = hits / 200
    assert found.value == share
    assert found.standard_error == pytest.approx(math.sqrt(share * (1 - share) / 200), abs=1e-12)


@pytest.mark.parametrize("correlation", [0.0, 0.6, 0.9])
def test_the_bootstrap_error_of_a_correlation_is_close_to_that_of_the_normal_distribution(
    correlation,
):
    draw, count = np.random.default_rng(1), 1000
    true = draw.normal(size=count)
    said = correlation * true + math.sqrt(1 - correlation**2) * draw.normal(size=count)
    found = score("pearson", said[:, None], true)
    analytic = (1 - found.value**2) / math.sqrt(count)
    assert found.standard_error == pytest.approx(analytic, rel=0.2)


def test_the_bootstrap_error_of_matthews_on_a_balanced_table_is_twice_that_of_accuracy():
    draw = np.random.default_rng(2)
    labels = draw.integers(0, 2, 1000)
    predicted = np.where(draw.random(1000) < 0.8, labels, 1 - labels)
    found = score("matthews", one_hot(predicted), labels)
    accuracy = score("accuracy", one_hot(predicted), labels)
    assert found.standard_error == pytest.approx(2 * accuracy.standard_error, rel=0.2)


@pytest.mark.parametrize("metric", STATISTICS)
def test_the_same_predictions_have_the_same_standard_error(metric):
    draw = np.random.default_rng(3)
    predictions, references = draw.normal(size=(50, 3)), draw.integers(0, 3, 50)
    first, again = (score(metric, predictions, references) for _ in range(2))
    assert first == again
    assert first.standard_error > 0


def test_an_unknown_metric_is_refused_naming_the_known_ones():
    with pytest.raises(InputError, match="Metric 'rouge' is not known") as refused:
        score("rouge", np.zeros((1, 2)), np.zeros(1))
    assert all(metric in str(refused.value) for metric in METRICS)


# What a metric is


def share_of(predictions, references) -> np.ndarray:
    return np.asarray(predictions == references, dtype=float)


def test_a_metric_is_a_mean_over_examples_or_a_statistic_of_all_of_them():
    for both in ({}, {"of_example": share_of, "of_all": lambda p, r: 1.0}):
        with pytest.raises(ValueError, match="error-rate needs either of_example or of_all"):
            Metric(name="error-rate", title="error rate", **both)


def test_which_of_two_scores_is_better_depends_on_the_metric():
    accuracy = Metric(name="a", title="accuracy", of_example=share_of)
    errors = Metric(name="e", title="errors", of_example=share_of, higher_is_better=False)
    assert (accuracy.is_better(0.2, 0.3), errors.is_better(0.2, 0.3)) == (True, False)
    assert (accuracy.is_better(0.3, 0.2), errors.is_better(0.3, 0.2)) == (False, True)
    assert (accuracy.is_better(0.3, 0.3), errors.is_better(0.3, 0.3)) == (False, False)
    assert (accuracy.best([0.2, 0.4, 0.3]), errors.best([0.2, 0.4, 0.3])) == (0.4, 0.2)


@pytest.mark.parametrize("name", METRICS)
def test_the_scorer_of_some_rows_scores_these_rows(name):
    draw, metric = np.random.default_rng(7), metric_of(name)
    if name in ("exact-match", "answer-f1"):
        references = [("red", "a red car"), ("blue",), ()] * 10
        predictions = [str(word) for word in draw.choice(["red car", "blue", "", "x"], 30)]
    else:
        references, predictions = draw.integers(0, 3, 30), draw.normal(size=(30, 3))
    if metric in find_target("ranking").metrics:
        references = np.column_stack([draw.integers(0, 2, (30, 3)), draw.integers(0, 2, 30)])
    rows = draw.integers(30, size=20)  # with repetitions, as a bootstrap draws them
    if isinstance(references, list):
        part = [predictions[row] for row in rows], [references[row] for row in rows]
    else:
        part = predictions[rows], references[rows]
    found = metric.scorer(predictions, references)(rows)
    assert found == pytest.approx(score_by(metric, *part).value, abs=1e-12)
    assert found != metric.scorer(predictions, references)(np.arange(30))


# Answers, worked by hand


@pytest.mark.parametrize(
    ("answer", "comparable"),
    [
        ("The  Beatles!", "beatles"),
        ("an Apple, a day", "apple day"),
        ("U.S.", "us"),
        ("the-end", "theend"),
        ("Theatre", "theatre"),
        ("Ａ—B", "ａ—b"),  # only ASCII punctuation is removed, as officially
        ("\ttwo\nlines ", "two lines"),
        ("The", ""),
        ("...", ""),
    ],
)
def test_answers_are_compared_without_case_punctuation_articles_and_blanks(answer, comparable):
    assert normalized(answer) == comparable


@pytest.mark.parametrize(
    ("answer", "accepted", "exact", "f1"),
    [
        ("Paris", ("Paris",), 1, 1),
        ("the city of Paris.", ("City of Paris",), 1, 1),
        ("Paris", ("Lyon", "paris"), 1, 1),  # any accepted answer will do
        ("in Paris", ("Lyon", "Paris", "Paris, France"), 0, 2 / 3),  # the best fit counts
        ("Lyon", ("Paris",), 0, 0),
        ("", ("Paris",), 0, 0),
        ("", (), 1, 1),
        ("Paris", (), 0, 0),
        ("the", (), 1, 1),  # nothing is left of it
        ("the", ("a",), 1, 1),
        ("the", ("a", "Paris"), 0, 0),  # what is empty is not an accepted answer beside others
        ("Paris", ("a",), 0, 0),
        # shared: 2 x New, 1 x York; 2 * 3 / (4 + 5)
        ("New York New Jersey", ("New New New York City",), 0, 2 / 3),
        # "the" goes, "to" is shared once: 2 * 1 / (3 + 1)
        ("to to the to", ("to",), 0, 1 / 2),
        ("4.5 million", ("45 million",), 1, 1),  # points go, as officially
    ],
)
def test_exact_match_and_f1_of_answers_worked_by_hand(answer, accepted, exact, f1):
    assert exact_match(answer, accepted) == exact
    assert word_f1(answer, accepted) == pytest.approx(f1)


def test_scores_of_answers_are_means_over_questions():
    said, accepted = ["in Paris", "", "x"], [("Paris",), (), ("y",)]
    exact, f1 = (score(metric, said, accepted) for metric in ("exact-match", "answer-f1"))
    assert (exact.value, exact.examples) == (pytest.approx(1 / 3), 3)
    assert exact.standard_error == pytest.approx(math.sqrt(1 / 3 * 2 / 3 / 3))
    assert f1.value == pytest.approx((2 / 3 + 1 + 0) / 3)
    spread = np.std([2 / 3, 1, 0])
    assert f1.standard_error == pytest.approx(spread / math.sqrt(3))
