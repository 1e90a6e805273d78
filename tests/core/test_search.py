"""BM25 against its formula, written out; the index comes back from the cache as it was."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import search
from core.errors import InputError
from core.search import K1, B, index_of, words_of

PASSAGES = ["the cat sat on the mat", "a dog and a cat", "dogs bark", "the the the"]
texts = st.lists(st.sampled_from(["cat", "dog", "the", "bird"]), min_size=1, max_size=6)


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TERNARY_LAB_CACHE", str(tmp_path))


def slow_bm25(query: str, passages: list[str]) -> list[float]:
    """Lucene's BM25, one word and one passage at a time."""
    bags = [words_of(passage) for passage in passages]
    mean = sum(map(len, bags)) / len(bags)
    scores = []
    for bag in bags:
        total = 0.0
        for word in words_of(query):
            having = sum(word in each for each in bags)
            rarity = math.log(1 + (len(bags) - having + 0.5) / (having + 0.5))
            count = bag.count(word)
            total += rarity * count / (count + K1 * (1 - B + B * len(bag) / mean))
        scores.append(total)
    return scores


@given(passages=st.lists(texts.map(" ".join), min_size=2, max_size=6), query=texts.map(" ".join))
def test_scores_are_those_of_the_formula(passages, query):
    table = search._built(tuple(passages))
    found = search.Index(passages=tuple(passages), _table=table).scores(query)
    assert found == pytest.approx(slow_bm25(query, passages), rel=1e-5, abs=1e-6)


def test_words_are_runs_of_letters_and_digits_in_lower_case():
    assert words_of("Who's in the U.S., in 1_000 Ärzte?") == [
        "who", "s", "in", "the", "u", "s", "in", "1", "000", "ärzte",
    ]  # fmt: skip


def test_the_best_come_first_and_equal_ones_in_their_order():
    numbers, scores = index_of(PASSAGES).top("cat", 3)
    assert numbers.tolist() == [1, 0, 2]  # the shorter passage with the word is the better
    assert scores[2] == 0.0
    assert index_of(PASSAGES).top("cat", 99)[0].tolist() == [1, 0, 2, 3]


@pytest.mark.parametrize("query", ["", "?!", "zebra"])
def test_a_query_without_a_known_word_keeps_the_order_of_the_passages(query):
    numbers, scores = index_of(PASSAGES).top(query, 2)
    assert numbers.tolist() == [0, 1]
    assert not scores.any()


def test_the_index_is_kept_and_comes_back_with_the_same_scores(monkeypatch, tmp_path):
    first = index_of(PASSAGES).scores("the cat")
    (folder,) = (tmp_path / "search").iterdir()
    monkeypatch.setattr(search, "_built", None)  # would be called without a kept index
    assert np.array_equal(index_of(PASSAGES).scores("the cat"), first)
    monkeypatch.undo()
    (folder / "params.index.json").write_text("{")
    monkeypatch.setenv("TERNARY_LAB_CACHE", str(tmp_path))
    assert np.array_equal(index_of(PASSAGES).scores("the cat"), first)


def test_other_passages_have_another_index(tmp_path):
    index_of(PASSAGES)
    index_of(PASSAGES[::-1])
    assert len(list((tmp_path / "search").iterdir())) == 2


@pytest.mark.parametrize("passages", [[], ["", "..."]])
def test_nothing_to_search_is_refused(passages):
    with pytest.raises(InputError, match="nothing to search"):
        index_of(passages)


def test_a_disk_that_refuses_is_no_error(monkeypatch, tmp_path):
    (tmp_path / "search").write_text("a file where the folder should be")
    assert index_of(PASSAGES).top("dog", 1)[0].tolist() == [1]
