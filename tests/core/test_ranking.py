"""A ranking: metrics against a slow second implementation and scikit-learn, losses by hand, and a
whole training on a made-up one."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from datasets import Dataset
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import log_softmax
from sklearn.metrics import ndcg_score

from core.errors import InputError
from core.families import find_family
from core.family import Trace
from core.metrics import score
from core.targets import find_target
from core.targets.ranking import (
    LOGITS,
    encode,
    label_loss,
    margin_loss,
    teacher_loss,
)
from core.targets.ranks import first_stage, gain, ranked, recall_first, reciprocal_rank
from tests.conftest import tiny_tokenizer

TASK = SimpleNamespace(texts=("query", "candidates"), max_tokens=32)
NAN = math.nan

# (score, relevant) of each candidate, and how many were missed: few scores, so there are many ties
query = st.tuples(
    st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=1, max_size=14),
    st.integers(0, 2),
)


def arrays(queries) -> tuple[np.ndarray, np.ndarray]:
    """Predictions and references of queries as above, padded with NaN."""
    most = max(len(found) for found, _ in queries)
    predictions = np.full((len(queries), most), NAN)
    references = np.full((len(queries), most + 1), NAN)
    for row, (found, missed) in enumerate(queries):
        predictions[row, : len(found)] = [given for given, _ in found]
        references[row, : len(found)] = [float(relevant) for _, relevant in found]
        references[row, -1] = missed
    return predictions, references


def slow(found, missed) -> tuple[float, float, float]:
    """MRR@10, nDCG@10 and recall at 1 of one query, as one would explain them."""
    order = sorted(range(len(found)), key=lambda place: (-found[place][0], place))
    relevant = [found[place][1] for place in order]
    total = sum(relevant) + missed
    rank = next((n for n, hit in enumerate(relevant[:10], start=1) if hit), None)
    reached = sum(1 / math.log2(n + 1) for n, hit in enumerate(relevant[:10], start=1) if hit)
    best = sum(1 / math.log2(n + 1) for n in range(1, min(10, total) + 1))
    return (
        1 / rank if rank else 0.0,
        reached / best if total else 0.0,
        relevant[0] / total if total else 0.0,
    )


@given(queries=st.lists(query, min_size=1, max_size=8))
def test_metrics_are_those_of_a_slow_second_implementation(queries):
    predictions, references = arrays(queries)
    wanted = np.array([slow(*each) for each in queries])
    assert reciprocal_rank(predictions, references) == pytest.approx(wanted[:, 0])
    assert gain(predictions, references) == pytest.approx(wanted[:, 1])
    assert recall_first(predictions, references) == pytest.approx(wanted[:, 2])


@given(
    scores=st.lists(st.integers(0, 1000), min_size=2, max_size=14, unique=True),
    hits=st.lists(st.booleans(), min_size=14, max_size=14),
)
def test_ndcg_is_that_of_scikit_learn_where_no_score_is_twice(scores, hits):
    relevant = hits[: len(scores)]
    predictions, references = arrays([(list(zip(scores, relevant, strict=True)), 0)])
    wanted = ndcg_score([relevant], [scores], k=10)
    assert gain(predictions, references)[0] == pytest.approx(wanted)


def test_a_worked_example_of_the_three_metrics():
    predictions = np.array([[0.1, 0.9, 0.5], [2.0, 2.0, NAN], [1.0, 0.0, 3.0]])
    references = np.array([[0, 0, 1, 0], [0, 1, NAN, 0], [0, 0, 0, 1.0]])
    assert reciprocal_rank(predictions, references).tolist() == [0.5, 0.5, 0.0]
    second = 1 / math.log2(3)
    assert gain(predictions, references) == pytest.approx([second, second, 0.0])
    assert recall_first(predictions, references).tolist() == [0.0, 0.0, 0.0]
    found = score(find_target("ranking").metrics[0], predictions, references)
    assert found.value == pytest.approx(1 / 3)
    assert found.standard_error == pytest.approx(np.std([0.5, 0.5, 0]) / np.sqrt(3))
    assert found.examples == 3


def test_the_eleventh_rank_does_not_count():
    predictions = -np.arange(12.0)[None]
    for place, wanted in ((9, 0.1), (10, 0.0)):
        references = np.zeros((1, 13))
        references[0, place] = 1
        assert reciprocal_rank(predictions, references) == pytest.approx([wanted])


def test_the_first_stage_keeps_its_order():
    references = np.array([[0, 1, 0, 0], [1, NAN, NAN, 0.0]])
    assert ranked(first_stage(references), references).tolist() == [[0, 1, 0], [1, 0, 0]]


# Losses


def answers(*scores: float) -> dict[str, Trace]:
    value = torch.tensor(scores, dtype=torch.float32)[:, None]
    return {LOGITS: Trace(value=value.requires_grad_())}


def gradient(scores: dict[str, Trace]) -> list[list[float]]:
    found = scores[LOGITS].value.grad
    assert found is not None
    return found.tolist()


def labels(relevant: list[float], queries: list[int]) -> dict[str, torch.Tensor]:
    return {"relevant": torch.tensor(relevant), "query": torch.tensor(queries)}


def test_the_label_loss_is_a_cross_entropy_within_each_query():
    found = label_loss(answers(1, 2, 0, 3, 5), labels([0, 1, 0, 1, 0], [4, 4, 4, 7, 7])).detach()
    wanted = -(log_softmax([1, 2, 0])[1] + log_softmax([3, 5])[0]) / 2
    assert float(found) == pytest.approx(wanted, rel=1e-6)


def test_a_query_without_a_relevant_candidate_teaches_nothing():
    both = label_loss(answers(1, 2, 9, 9), labels([1, 0, 0, 0], [0, 0, 1, 1])).detach()
    alone = label_loss(answers(1, 2), labels([1, 0], [0, 0])).detach()
    assert float(both) == pytest.approx(float(alone), rel=1e-6)
    scores = answers(1, 2)
    label_loss(scores, labels([0, 0], [0, 0])).backward()
    assert gradient(scores) == [[0.0], [0.0]]


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_the_teacher_loss_compares_the_lists_of_each_query(temperature):
    student, teacher = [1.0, 2, 0, 3, 5], [0.0, 1, 4, 2, 2]
    truth = labels([0, 1, 0, 1, 0], [0, 0, 0, 1, 1])
    found = teacher_loss(answers(*student), answers(*teacher), truth, temperature)
    wanted = 0.0
    for part in (slice(0, 3), slice(3, 5)):
        ours = log_softmax(np.array(student[part]) / temperature)
        theirs = np.exp(log_softmax(np.array(teacher[part]) / temperature))
        wanted -= float(theirs @ ours) * temperature**2 / 2
    assert float(found.detach()) == pytest.approx(wanted, rel=1e-5)


def test_the_margin_loss_is_margin_mse():
    truth = labels([0, 1, 0, 1, 0], [0, 0, 0, 1, 1])
    found = margin_loss(answers(1, 2, 0, 3, 5), answers(0, 1, 4, 2, 2), truth)
    # margins of the student: 1 and 2, then -2; of the teacher: 1 and -3, then 0
    assert float(found.detach()) == pytest.approx((0 + 25 + 4) / 3)


def test_a_constant_added_to_all_scores_of_a_query_changes_no_loss():
    truth = labels([0, 1, 0, 1, 0], [0, 0, 0, 1, 1])
    teacher, plain, moved = answers(0, 1, 4, 2, 2), answers(1, 2, 0, 3, 5), answers(8, 9, 7, 1, 3)
    for loss in (
        lambda student: label_loss(student, truth),
        lambda student: teacher_loss(student, teacher, truth, 2.0),
        lambda student: margin_loss(student, teacher, truth),
    ):
        assert float(loss(moved).detach()) == pytest.approx(float(loss(plain).detach()), rel=1e-5)


def test_margins_of_a_query_where_all_are_relevant_are_zero_and_have_a_gradient():
    scores = answers(1, 2)
    found = margin_loss(scores, answers(0, 5), labels([1, 1], [0, 0]))
    found.backward()
    assert float(found.detach()) == 0.0
    assert gradient(scores) == [[0.0], [0.0]]


# Rows


def rows(**changes) -> Dataset:
    usual = {
        "query": ["good film", "bad plot"],
        "candidates": [["the film was good", "dull", "a story"], ["it was bad"]],
        "relevant": [[0], []],
        "missed": [0, 1],
    }
    return Dataset.from_dict(usual | changes)


def test_every_candidate_is_a_row_and_answers_return_to_their_query():
    encoded = encode(find_family("bert"), tiny_tokenizer(), rows(), TASK, 32)
    assert encoded.groups.tolist() == [0, 0, 0, 1]
    assert encoded.labels["relevant"].tolist() == [1, 0, 0, 0]
    target = find_target("ranking")
    table = np.array([[3.0], [1], [2], [5]])
    predictions = target.of_examples(table, encoded)
    np.testing.assert_equal(predictions, [[3, 1, 2], [5, NAN, NAN]])
    kept = target.kept_labels(encoded)
    np.testing.assert_equal(kept, [[1, 0, 0, 0], [0, NAN, NAN, 1]])
    assert reciprocal_rank(*target.judged(predictions, encoded, 0.0)).tolist() == [1.0, 0.0]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"candidates": [["a"], []]}, "'bad plot' has no candidates"),
        ({"relevant": [[3], []]}, "'good film' has no candidate 3"),
        ({"relevant": [[-1], []]}, "'good film' has no candidate -1"),
    ],
)
def test_candidates_that_cannot_be_are_refused(changes, sentence):
    with pytest.raises(InputError, match=sentence):
        encode(find_family("bert"), tiny_tokenizer(), rows(**changes), TASK, 32)


def test_an_answer_in_words_names_the_passage_on_top_and_the_rank_of_the_right_one():
    target = find_target("ranking")
    saved = {"teacher": np.array([[1.0, 2, 0], [1, NAN, NAN]])}
    found = target.in_words(TASK, rows(), saved)
    assert found.truth == ["the film was good", "(not among the candidates)"]
    assert found.said["teacher"] == ["dull (the right one on rank 2)", "it was bad"]
    assert found.goodness["teacher"].tolist() == [0.5, 0.0]


def test_agreement_is_the_share_of_queries_with_the_same_top():
    target = find_target("ranking")
    first, second = np.array([[1, 2.0], [1, NAN]]), np.array([[3, 2.0], [0, NAN]])
    assert target.agreement(first, second) == 0.5
