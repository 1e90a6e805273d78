"""Windows over long passages, answers as tokens and back, thresholds: against slow versions."""

import random
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from core.families.bert.encoding import STRIDE
from core.families.registry import find_family
from core.family import Encoded, Windows
from core.targets.answer_match import word_f1
from core.targets.span import encode_answers
from core.targets.windows import (
    BEST,
    Answers,
    best_of_windows,
    best_threshold,
    positions,
    spans_of_row,
)
from core.training.batches import evaluation_batches
from tests.conftest import BAD, GOOD, WORDS, tiny_tokenizer

BERT = find_family("bert")
TOKENIZER = tiny_tokenizer()
VOCABULARY = [*WORDS, *GOOD, *BAD, "unheard-of", "!"]


def passage_of(words: int, seed: int = 0) -> str:
    draw = random.Random(seed)
    return "  ".join(draw.choices(VOCABULARY, k=words)) + " "


def encode_windows(questions: list[str], contexts: list[str], max_tokens: int):
    """(token numbers per row, token types per row, windows)."""
    encoded = BERT.windows(TOKENIZER, questions, contexts, max_tokens)
    ids = encoded.inputs["input_ids"]
    assert encoded.units.tolist() == [len(row) for row in ids]
    return ids, encoded.inputs["token_type_ids"], encoded.about


def windows_of(question: str, context: str, max_tokens: int):
    return encode_windows([question], [context], max_tokens)


# Windows


@pytest.mark.parametrize("max_tokens", [12, 31, 64, 200, 384])
@pytest.mark.parametrize("words", [1, 5, 30, 126, 127, 128, 129, 300, 700])
def test_every_token_of_the_passage_is_in_a_window_and_neighbours_overlap(words, max_tokens):
    context = passage_of(words, seed=words)
    ids, types, windows = windows_of("was it good ?", context, max_tokens)
    whole = TOKENIZER(context, add_special_tokens=False, return_offsets_mapping=True)
    places = [tuple(place) for place in whole["offset_mapping"]]
    seen = [[tuple(place) for place in row.tolist()] for row in windows.offsets]
    assert set().union(*seen) == set(places)
    assert max(len(row) for row in ids) <= max_tokens
    starts = [places.index(row[0]) for row in seen]
    for row, start in zip(seen, starts, strict=True):
        assert row == places[start : start + len(row)]  # one piece, in order
    for (left, start), right in zip(zip(seen, starts, strict=True), seen[1:], strict=False):
        assert set(left) & set(right)
        assert 0 < places.index(right[0]) - start <= STRIDE
        assert set(right) - set(left), "a window that adds nothing"
    for row, kinds in zip(ids, types, strict=True):
        assert len(row) == len(kinds)


def test_windows_of_384_tokens_start_128_tokens_after_each_other():
    _, _, windows = windows_of("was it good ?", passage_of(900), 384)
    places = windows.offsets
    assert len(places) > 3
    for left, right in pairwise(places):
        assert right[0].tolist() == left[128].tolist()


@pytest.mark.parametrize(("question", "words"), [("was it good ?", 20), ("why", 1), ("", 3)])
def test_one_window_is_what_the_tokenizer_builds_for_a_pair(question, words):
    context = passage_of(words)
    ids, types, windows = windows_of(question, context, 64)
    pair = TOKENIZER(question, context, return_offsets_mapping=True)
    assert ids == [pair["input_ids"]]
    assert types == [pair["token_type_ids"]]
    first = int(windows.first[0])
    assert pair.sequence_ids()[first - 1 : first + 1] == [None, 1]
    wanted = [list(place) for place in pair["offset_mapping"][first:-1]]
    assert windows.offsets[0].tolist() == wanted


def test_a_question_is_cut_at_64_tokens_and_at_half_of_a_short_window():
    question, context = "was it good " * 40, "it was a film"
    asked = TOKENIZER(question, add_special_tokens=False)["input_ids"]
    for max_tokens, kept in ((384, 64), (128, 64), (100, 50), (12, 6)):
        ids, types, windows = windows_of(question, context, max_tokens)
        for row, kinds, first in zip(ids, types, windows.first, strict=True):
            assert row[: first - 1] == [TOKENIZER.cls_token_id, *asked[:kept]]
            assert row[first - 1] == TOKENIZER.sep_token_id
            assert kinds == [0] * first + [1] * (len(row) - first)


def test_an_empty_passage_has_one_window_without_tokens():
    ids, _, windows = windows_of("was it good", "", 32)
    assert len(ids) == 1
    assert windows.offsets[0].shape == (0, 2)
    logits = np.arange(2 * len(ids[0]), dtype=float).reshape(2, -1)
    table = spans_of_row(logits, 0, windows)
    assert Answers(table=table).texts([""], np.inf) == [""]


def test_rows_of_several_questions_know_their_question():
    contexts = [passage_of(100, seed=1), "it was", passage_of(60, seed=2)]
    ids, _, windows = encode_windows(["was it", "good", "a film"], contexts, 32)
    assert windows.example.tolist() == sorted(windows.example.tolist())
    for number, context in enumerate(contexts):
        alone, _, _ = windows_of(["was it", "good", "a film"][number], context, 32)
        rows = np.flatnonzero(windows.example == number)
        assert [ids[row] for row in rows] == alone
    assert windows.contexts == contexts


# Where the answer is


def text_at(windows: Windows, row: int, label: np.ndarray) -> str:
    """The text of the passage from the label's first token to its last."""
    first = windows.first[row]
    places = windows.offsets[row]
    assert label.min() >= first
    begin, end = places[label[0] - first, 0], places[label[1] - first, 1]
    return windows.contexts[windows.example[row]][begin:end]


@given(st.integers(0, 10**6))
def test_labels_point_at_the_answer_wherever_a_window_holds_all_of_it(seed):
    draw = random.Random(seed)
    context = passage_of(draw.randint(1, 120), seed)
    whole = TOKENIZER(context, add_special_tokens=False, return_offsets_mapping=True)
    tokens = whole["offset_mapping"]
    first = draw.randrange(len(tokens))
    last = min(len(tokens) - 1, first + draw.randrange(6))
    begin, end = tokens[first][0], tokens[last][1]
    answer = context[begin:end]
    _, _, windows = windows_of("was it good", context, draw.choice([16, 32, 64, 128]))
    labels = positions(windows, [[answer]], [[begin]])
    for row, label in enumerate(labels):
        places = windows.offsets[row]
        holds = len(places) and places[0, 0] <= begin and end <= places[-1, 1]
        assert (label.tolist() != [0, 0]) == bool(holds)
        if holds:
            assert text_at(windows, row, label) == answer
            assert label.min() >= windows.first[row]
    assert (labels.sum(axis=1) > 0).any()  # some window holds so short an answer


@pytest.mark.parametrize(
    ("answer", "covered"),
    [
        ("film", "film"),
        ("fil", "film"),  # tokens are whole
        ("ilm was", "film was"),
        (" film ", "film"),  # blanks around it are no tokens
        ("the film was good", "the film was good"),
    ],
)
def test_an_answer_is_covered_by_whole_tokens(answer, covered):
    context = "it was said  the film was good  "
    _, _, windows = windows_of("why", context, 64)
    (label,) = positions(windows, [[answer]], [[context.index(answer)]])
    assert text_at(windows, 0, label) == covered


@pytest.mark.parametrize(
    ("answers", "starts"), [([], []), ([""], [4]), ([" "], [2]), (["x"], [900])]
)
def test_what_is_no_piece_of_the_passage_has_no_label(answers, starts):
    _, _, windows = windows_of("why", "it was said", 64)
    assert positions(windows, [answers], [starts]).tolist() == [[0, 0]]


def test_the_first_accepted_answer_is_the_one_that_is_learned():
    _, _, windows = windows_of("why", "good film", 64)
    labels = positions(windows, [["film", "good"]], [[5, 0]])
    assert text_at(windows, 0, labels[0]) == "film"


# Answers


def brute_force(logits: np.ndarray, row: int, windows: Windows) -> list[tuple]:
    """Every span of at most 30 tokens of the passage: (start, end, score, null), best first."""
    first, places = windows.first[row], windows.offsets[row]
    null = logits[0, 0] + logits[1, 0]
    found = [
        (*places[s][:1], *places[e][1:], logits[0, first + s] + logits[1, first + e], null)
        for s in range(len(places))
        for e in range(s, min(len(places), s + 30))
    ]
    return sorted(found, key=lambda span: -span[2])


@pytest.mark.parametrize("words", [1, 2, 19, 20, 90])
@pytest.mark.parametrize("seed", range(4))
def test_spans_of_a_window_are_the_best_of_all_that_are_short_enough(words, seed):
    ids, _, windows = windows_of("was it good ?", passage_of(words, seed), 200)
    draw = np.random.default_rng(seed)
    logits = draw.normal(size=(2, len(ids[0]) + 7))  # padding at the end
    logits[:, len(ids[0]) :] = 100.0
    found = spans_of_row(logits, 0, windows)
    expected = np.array(brute_force(logits, 0, windows))
    assert (np.diff(found[:, 2]) <= 0).all()
    assert {tuple(span) for span in found} <= {tuple(span) for span in expected}
    if len(windows.offsets[0]) <= BEST:  # then nothing was left out
        np.testing.assert_array_equal(found, expected)
    else:
        np.testing.assert_array_equal(found[0], expected[0])


def test_with_more_tokens_than_are_tried_every_pair_of_the_best_starts_and_ends_counts():
    ids, _, windows = windows_of("why", passage_of(150), 384)
    logits = np.random.default_rng(5).normal(size=(2, len(ids[0])))
    first, count = windows.first[0], len(windows.offsets[0])
    best = [set(np.argsort(-side[first : first + count])[:BEST]) for side in logits]
    pairs = sum(s <= e < s + 30 for s in best[0] for e in best[1])
    assert len(spans_of_row(logits, 0, windows)) == pairs > 20


def test_where_no_end_is_near_a_start_the_best_single_token_answers():
    ids, _, windows = windows_of("why", passage_of(120), 384)
    logits = np.zeros((2, len(ids[0])))
    first, count = int(windows.first[0]), len(windows.offsets[0])
    assert count > 90
    logits[0, first + count - 20 : first + count] = 1.0  # all starts after all ends
    logits[1, first : first + 20] = 1.0
    logits[1, first + 40] = logits[0, first + 40] = 0.9
    table = spans_of_row(logits, 0, windows)
    assert table.tolist() == [[*windows.offsets[0][40].tolist(), pytest.approx(1.8), 0.0]]


def test_no_answer_scores_the_smallest_of_all_windows_and_the_answer_the_best():
    contexts = [passage_of(90, seed=1), "it was", passage_of(50, seed=2)]
    ids, _, windows = encode_windows(["was it", "good", "why"], contexts, 32)
    draw = np.random.default_rng(0)
    rows = np.column_stack(
        [
            np.arange(len(ids)),
            np.arange(len(ids)) + 1,
            draw.normal(size=len(ids)),
            draw.normal(size=len(ids)),
        ]
    )
    table = best_of_windows(rows, windows).table
    assert len(table) == 3
    for number in range(3):
        mine = [
            row for row, example in zip(rows, windows.example, strict=True) if example == number
        ]
        best = max(mine, key=lambda row: row[2])
        assert table[number, :3].tolist() == best[:3].tolist()
        assert table[number, 3] == min(row[3] for row in mine)
    assert sum(windows.example == 0) > 2


def test_an_answer_is_withheld_where_null_exceeds_it_by_more_than_the_threshold():
    answers = Answers(table=np.array([[0, 2, 1.0, 3.0], [3, 6, 1.0, 3.5], [0, 6, 5.0, -5.0]]))
    contexts = ["it was"] * 3
    assert answers.texts(contexts, 2.0) == ["it", "", "it was"]
    assert answers.texts(contexts, 1e9) == ["it", "was", "it was"]
    assert answers.texts(contexts, -11.0) == ["", "", ""]


questions = st.lists(
    st.tuples(st.integers(-3, 3), st.integers(-3, 3), st.sampled_from([(), ("was",), ("it",)])),
    min_size=1,
    max_size=12,
)


@given(questions)
def test_the_threshold_is_the_best_of_all(rows):
    """Scores are small whole numbers, so many questions share one gap."""
    table = np.array([[0, 2, score, null] for score, null, _ in rows], dtype=float)
    answers, contexts = Answers(table=table), ["it was"] * len(rows)
    accepted = [each for _, _, each in rows]

    def total(threshold: float) -> float:
        said = answers.texts(contexts, threshold)
        return sum(word_f1(*pair) for pair in zip(said, accepted, strict=True))

    chosen = best_threshold(answers, contexts, accepted, word_f1)
    assert np.isfinite(chosen)
    assert total(chosen) == pytest.approx(max(total(gap / 2) for gap in range(-20, 20)))


# Batches


def test_a_batch_of_windows_is_padded_and_keeps_its_labels():
    contexts = [passage_of(40, seed=3), "it was good", "a film"]
    answers, starts = [[contexts[0].split()[0]], ["good"], []], [[0], [7], []]
    encoded = encode_answers(
        BERT, TOKENIZER, [["why", "was it ?", "it"], contexts], answers, starts, 24
    )
    assert isinstance(encoded, Encoded)
    assert encoded.labels["span"].shape == (len(encoded), 2)
    assert encoded.about.accepted == [tuple(texts) for texts in answers]
    batch = BERT.collate(encoded, np.arange(len(encoded)))
    assert batch.labels["span"].dtype == torch.int64
    assert batch.labels["span"].tolist() == encoded.labels["span"].tolist()
    ids, types, mask = batch.inputs.values()
    for row, tokens in enumerate(encoded.inputs["input_ids"]):
        padding = ids.shape[1] - len(tokens)
        assert ids[row].tolist() == tokens + [0] * padding
        assert types[row].tolist() == encoded.inputs["token_type_ids"][row] + [0] * padding
        assert mask[row].tolist() == [1] * len(tokens) + [0] * padding
    assert list(batch.inputs) == ["input_ids", "token_type_ids", "attention_mask"]
    seen = [int(row) for each in evaluation_batches(BERT, encoded, 2) for row in each.examples]
    assert sorted(seen) == list(range(len(encoded)))
