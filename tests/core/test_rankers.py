"""A ranker is taught, distilled, packed and asked like any model; its scores are by query."""

import dataclasses

import numpy as np
import pytest
from safetensors.numpy import load_file

from core import api
from core.errors import InputError
from core.events import StepDone
from core.experiment import DistillRecipe
from core.targets import find_target
from core.targets.ranks import reciprocal_rank
from tests.conftest import RANKING, compute


@pytest.fixture
def run(ranking_lab):
    return compute(ranking_lab.experiment)


def test_a_student_of_a_ranker_is_scored_by_query(run):
    assert run.result is not None
    assert (run.result.metric, run.result.test_examples) == ("mrr-10", 10)
    scores = {(each.who, each.split, each.score.metric) for each in run.result.scores}
    assert ("student", "squad", "ndcg-10") in scores
    assert len(scores) == 3 * 3 * 3
    kept = load_file(run.folder / "predictions.safetensors")
    assert kept["test.student"].shape == (10, 4)
    assert kept["test.labels"].shape == (10, 5)
    found = reciprocal_rank(kept["test.student"], kept["test.labels"]).mean()
    assert run.result.score == pytest.approx(found)
    assert 0.25 <= found <= 1.0


def test_margins_are_a_loss_of_a_ranker_and_of_nothing_else(ranking_lab, lab):
    recipe = DistillRecipe(margins=0.5)
    run = compute(dataclasses.replace(ranking_lab.experiment, distill=recipe))
    steps = [event for event in api.events(run) if isinstance(event, StepDone)]
    assert len(steps) == 4
    for step in steps:
        wanted = step.hidden + step.attention + step.logits + 0.5 * step.margins
        assert step.loss == pytest.approx(wanted, rel=1e-5)
        assert step.margins > 0
    with pytest.raises(InputError, match="no margins loss for classes"):
        compute(dataclasses.replace(lab.experiment, distill=recipe))


def test_two_rankers_are_compared_by_query(ranking_lab, run):
    other = compute(dataclasses.replace(ranking_lab.experiment, seed=1))
    found = api.compare_runs(other, run, ("student", "student"))
    assert found.examples == 10


def test_texts_with_words_replaced_are_refused(ranking_lab):
    changed = dataclasses.replace(ranking_lab.experiment.train, augment=True)
    with pytest.raises(InputError, match="augmentation off"):
        api.check(dataclasses.replace(ranking_lab.experiment, train=changed))


# A search


def test_bm25_finds_and_a_model_ranks_the_same_passages(ranking_lab, run):
    sample = api.sample()
    first = api.find_candidates("good film", 6)
    assert list(first.scores) == sorted(first.scores, reverse=True)
    opened = api.open_model(api.source_of_run(run))
    ranking = api.rank(opened, "good film", first.numbers)
    assert sorted(ranking.numbers) == sorted(first.numbers)
    assert list(ranking.scores) == sorted(ranking.scores, reverse=True)
    assert sum(ranking.shares) == pytest.approx(1.0)
    assert sum(ranking.moved(first)) == 0
    assert len(sample.passages) > 6


def test_a_score_does_not_depend_on_the_other_candidates(ranking_lab, run):
    opened = api.open_model(api.source_of_run(run))
    numbers = api.find_candidates("good film", 6).numbers
    whole = api.rank(opened, "good film", numbers)
    alone = api.rank(opened, "good film", numbers[2:3])
    place = whole.numbers.index(numbers[2])
    assert alone.scores[0] == whole.scores[place]


def test_moved_counts_ranks_upwards():
    def ranking(*numbers):
        return api.Ranking(
            numbers=numbers, scores=(0.0,) * 3, shares=(0.3,) * 3, milliseconds=0, computed_by=""
        )

    assert ranking(7, 8, 9).moved(ranking(9, 7, 8)) == (1, 1, -2)


@pytest.mark.parametrize("query", ["", "  ", "x" * 501])
def test_a_query_that_cannot_be_searched_gives_a_sentence(ranking_lab, query):
    with pytest.raises(InputError, match=r"no text|501 characters"):
        api.find_candidates(query)


def test_a_model_that_ranks_nothing_is_refused(ranking_lab, finished_run):
    opened = api.open_model(api.source_of_run(finished_run))
    with pytest.raises(InputError, match="ranks no passages"):
        api.rank(opened, "good film", (0, 1))


def test_the_question_that_ships_is_known_by_its_words(ranking_lab):
    asked = api.sample().questions[0]
    assert api.asked_like(asked.text.upper()) == asked
    assert api.asked_like("nobody asked this") is None


def test_one_pair_has_a_number_for_an_answer(ranking_lab, run):
    found = api.predict(api.open_model(api.source_of_run(run)), "good film", "a story")
    assert found.value is not None
    assert found.answer == f"{found.value:.2f}"


def test_examples_and_disagreements_name_passages(ranking_lab, run):
    (example, *_) = api.examples(RANKING)
    assert example["candidates"] == "4 passages"
    assert len(example["truth"].split()) == 2
    for row in api.disagreements(run):
        assert row.text.endswith(" / 4 passages")
    assert find_target("ranking").group == 0
    assert np.isfinite(run.result.score)
