"""How much of a text a model reads is counted, and said."""

import pytest

from core import api
from core.api.text_coverage import Reading


@pytest.fixture
def opened(lab, finished_run):
    return api.open_model(api.source_of_run(finished_run))


@pytest.mark.parametrize(
    ("text", "words", "unknown"),
    [
        ("a good film", 3, 0),
        ("a good 电 影", 4, 2),
        ("电影电影", 4, 4),
        ("good 😀", 2, 1),
        ("good zzzz film qqqq", 4, 2),
    ],
)
def test_unknown_words_are_counted(opened, text, words, unknown):
    found = api.predict(opened, text).reading
    assert (found.words, found.unknown) == (words, unknown)
    assert found.read == found.tokens == words


def test_a_text_longer_than_the_model_says_how_much_was_read(opened):
    longest = opened.config.max_position_embeddings
    answer = api.predict(opened, "film " * 2000)
    assert answer.reading == Reading(tokens=2000, read=longest - 2, words=2000, unknown=0)
    assert answer.tokens == longest
    assert f"2,000 tokens; {longest - 2} of them were read" in answer.reading.missing


def test_what_is_not_read_is_said_in_words():
    assert Reading(tokens=9, read=9, words=9, unknown=0).missing == ""
    assert Reading(tokens=9, read=9, words=7, unknown=2).missing == (
        "2 of 7 words or signs are unknown to this model: each of them is read as the same mark."
    )
    nothing = Reading(tokens=9, read=9, words=9, unknown=9).missing
    assert nothing.endswith("So the answer says nothing about this text.")
    both = Reading(tokens=900, read=510, words=9, unknown=1).missing
    assert both.startswith("The text has 900 tokens; 510 of them were read, the rest was cut off.")
