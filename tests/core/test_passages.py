"""Passages and questions become rows: what is tested is not learned, and no cut is by chance."""

import json
from itertools import chain

import pytest

from core.errors import InputError
from core.search import index_of
from core.tasks import passages
from core.tasks.collection import (
    collection_of,
    read_squad,
    rows_to_learn,
    rows_to_rank,
    some,
)
from core.tasks.passages import held_out, parts_of

FOUND = [
    ("Tea", "Green tea grows in China.", "Where does tea grow?"),
    ("Tea", "Black tea is strong.", "Which tea is strong?"),
    ("Owls", "An owl hunts at night.", "When does it hunt?"),
    ("Foxes", "A fox hunts at night, too.", "When  does it HUNT?"),
    ("Foxes", "A fox hunts at night, too.", "Who hunts?"),
    ("Foxes", "", "Who is not there?"),
]


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TERNARY_LAB_CACHE", str(tmp_path))


def made_up(name: str, articles: int):
    """Articles of three passages with two questions each."""
    return collection_of(
        (f"{name} {a}", f"{name} {a} speaks of thing {p} and of word{a}{p}.",
         f"What speaks of thing {p} and of word{a}{p}, {name} number {q}?")
        for a in range(articles) for p in range(3) for q in range(2)
    )  # fmt: skip


def squad_json(found) -> bytes:
    articles = [
        {"title": title, "paragraphs": [{"context": text, "qas": [{"question": asked}]}]}
        for title, text, asked in found
    ]
    return json.dumps({"data": articles}).encode()


def test_a_squad_file_becomes_a_collection():
    found = read_squad("made.json", squad_json(FOUND))
    assert found == collection_of(FOUND)
    assert found.passages == tuple(dict.fromkeys(text for _, text, _ in FOUND[:-1]))
    assert found.articles == ("Tea", "Tea", "Owls", "Foxes")
    assert [question.text for question in found.questions] == [
        "Where does tea grow?", "Which tea is strong?", "When does it hunt?", "Who hunts?",
    ]  # fmt: skip


def test_a_question_for_two_passages_has_both_as_relevant():
    question = collection_of(FOUND).questions[2]
    assert question.relevant == (2, 3)
    assert question.articles == {"Owls", "Foxes"}


@pytest.mark.parametrize("text", [b"{", b"[]", b'{"data": [{"title": "a"}]}', b"\xff", b"[" * 9999])
def test_a_file_that_is_none_is_refused(text):
    with pytest.raises(InputError, match=r"made.json is not a SQuAD JSON file"):
        read_squad("made.json", text)


def test_a_part_has_its_own_numbers_and_no_question_about_other_articles():
    part = collection_of(FOUND).of_articles(["Foxes", "Tea"])
    assert part.articles == ("Tea", "Tea", "Foxes")
    assert {q.text: q.relevant for q in part.questions} == {
        "Where does tea grow?": (0,),
        "Which tea is strong?": (1,),
        "Who hunts?": (2,),
    }


def test_rows_to_rank_say_what_is_relevant_and_what_was_missed():
    whole = collection_of(FOUND)
    tea, strong, hunt, _ = rows_to_rank(whole.questions, index_of(whole.passages), 1)
    assert tea["candidates"] == ["Green tea grows in China."] or tea["missed"] == 1
    assert strong == {
        "query": "Which tea is strong?",
        "candidates": ["Black tea is strong."],
        "relevant": [0],
        "missed": 0,
    }
    assert len(hunt["relevant"]) + hunt["missed"] == 2


def test_rows_to_learn_have_one_relevant_candidate_even_where_the_first_stage_missed_it():
    whole = made_up("Nature", 9)
    index = index_of(whole.passages)
    for row, question in zip(rows_to_learn(whole.questions, index), whole.questions, strict=True):
        (place,) = row["relevant"]
        assert row["candidates"][place] == whole.passages[question.relevant[0]]
        assert len(set(row["candidates"])) == 4
        assert row["missed"] == 0
    lost = collection_of(
        [*FOUND, *[("Sea", f"The sea {n} hunts hunts.", f"{n}?") for n in range(30)]]
    )
    (row,) = rows_to_learn([lost.questions[3]], index_of(lost.passages))
    assert row["relevant"] == [3]
    assert row["candidates"][3] == "A fox hunts at night, too."


def test_parts_share_no_article_and_no_learned_passage_is_tested():
    paper, encyclopedia, squad = made_up("News", 20), made_up("Nature", 5), made_up("Old", 8)
    parts = parts_of(paper, encyclopedia, squad, 6, 12)
    assert {name: len(rows) for name, rows in parts.items()} == {
        "train": 20 * 6 - 18 + 5 * 6,
        "dev": 6,
        "test": 12,
        "squad": 12,
    }
    learned = set(chain.from_iterable(row["candidates"] for row in parts["train"]))
    for name in ("dev", "test", "squad"):
        for row in parts[name]:
            assert not learned & {row["candidates"][place] for place in row["relevant"]}
    assert len({row["query"] for rows in parts.values() for row in rows}) == sum(
        map(len, parts.values())
    )


def test_articles_are_held_out_until_there_are_enough_questions():
    tested, developed, learned = held_out(made_up("News", 20), (12, 7))
    assert [len(part) for part in (tested, developed, learned)] == [2, 2, 16]
    assert not tested & developed


def test_the_cut_is_the_same_for_ever():
    tested, developed, _ = held_out(made_up("News", 20), (12, 6))
    assert (sorted(tested), sorted(developed)) == (["News 2", "News 3"], ["News 17"])
    chosen = some(made_up("News", 3).questions, 2)
    assert [question.text for question in chosen] == [
        "What speaks of thing 2 and of word22, News number 1?",
        "What speaks of thing 0 and of word10, News number 1?",
    ]


def test_the_archive_is_read_in_one_pass(monkeypatch):
    contents = {
        f"{passages.FOLDER}/{name}": squad_json(FOUND)
        for name in (passages.NEWSPAPER, passages.WIKIPEDIA, passages.SQUAD)
    }
    asked = []
    monkeypatch.setattr(
        passages, "members", lambda archive, names: asked.append(archive) or contents
    )
    assert passages.collections() == (collection_of(FOUND),) * 3
    assert asked == [passages.BIGBENCH]
