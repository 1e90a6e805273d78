"""Questions and passages: windows in, answers out.

A passage may be longer than the model can read. It is cut into windows that overlap, each of them

    [CLS] question [SEP] part of the passage [SEP]

so that one window starts 128 tokens after the other (Devlin et al. 2019; PAPER 3: stride 128). Each
window is a row for the model. In training its labels are the tokens where the answer starts and
ends, or token 0, [CLS], when this window does not hold it. In prediction each window proposes its
best span, the best of all windows is the answer, and [CLS] as start and end stands for none.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.models.loading import tokenized

STRIDE = 128
QUESTION_TOKENS = 64
ANSWER_TOKENS = 30
BEST = 20  # starts and ends that are tried with each other in a window


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Windows:
    """What the rows of a span task are windows of.

    example (rows,): the question's number; first (rows,): where the passage begins in the row;
    offsets: per row (passage tokens, 2), where each token lies in the passage's text; contexts and
    accepted answers: per question.
    """

    example: np.ndarray
    first: np.ndarray
    offsets: list[np.ndarray]
    contexts: list[str]
    accepted: list[tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answers:
    """One answer per question: start, end (characters of the passage; end not included), score
    (start logit plus end logit) and null, the smallest score of "no answer" in any window. All
    are columns of `table` (questions, 4)."""

    table: np.ndarray

    def texts(self, contexts: Sequence[str], threshold: float) -> list[str]:
        """The answers as text; "" where null exceeds score by more than `threshold`."""
        return [
            "" if null - score > threshold else context[int(start) : int(end)]
            for (start, end, score, null), context in zip(self.table, contexts, strict=True)
        ]


def question_tokens(max_tokens: int) -> int:
    """How many tokens of a question are read at most, where a window has `max_tokens`."""
    return min(QUESTION_TOKENS, max_tokens // 2)


def encode_windows(
    tokenizer: Any, questions: list[str], contexts: list[str], max_tokens: int
) -> tuple[list[list[int]], list[list[int]], Windows]:
    """(token numbers per row, token types per row, windows); no accepted answers yet."""
    asked = tokenized(tokenizer, questions, add_special_tokens=False)["input_ids"]
    read = tokenized(tokenizer, contexts, add_special_tokens=False, return_offsets_mapping=True)
    start, end = [tokenizer.cls_token_id], [tokenizer.sep_token_id]
    ids, types, example, first, offsets = [], [], [], [], []
    for number, (question, passage) in enumerate(zip(asked, read["input_ids"], strict=True)):
        head = [*start, *question[: question_tokens(max_tokens)], *end]
        room = max(1, max_tokens - len(head) - len(end))
        places = np.asarray(read["offset_mapping"][number], dtype=np.int64).reshape(-1, 2)
        for begin in _starts(len(passage), room):
            part = passage[begin : begin + room]
            ids.append([*head, *part, *end])
            types.append([0] * len(head) + [1] * (len(part) + 1))
            example.append(number)
            first.append(len(head))
            offsets.append(places[begin : begin + room])
    windows = Windows(
        example=np.array(example),
        first=np.array(first),
        offsets=offsets,
        contexts=contexts,
        accepted=[()] * len(contexts),
    )
    return ids, types, windows


def _starts(tokens: int, room: int) -> list[int]:
    """Where windows of `room` tokens begin; the last one reaches the end of the passage."""
    step = min(STRIDE, max(1, room // 2))
    return [0, *range(step, max(0, tokens - room) + step, step)] if tokens > room else [0]


def positions(windows: Windows, answers: Sequence, starts: Sequence) -> np.ndarray:
    """(rows, 2): first and last token of the first accepted answer in each row, or 0, 0."""
    found = np.zeros((len(windows.example), 2), dtype=np.int64)
    for row, number in enumerate(windows.example):
        if not answers[number] or not answers[number][0].strip():
            continue
        answer, begin = answers[number][0], starts[number][0]
        begin += len(answer) - len(answer.lstrip())  # blanks around an answer are in no token
        end = begin + len(answer.strip())
        places = windows.offsets[row]
        inside = np.flatnonzero((places[:, 0] < end) & (places[:, 1] > begin))
        whole = len(inside) and places[inside[0], 0] <= begin and places[inside[-1], 1] >= end
        if whole:
            found[row] = windows.first[row] + inside[[0, -1]]
    return found


def spans_of_row(logits: np.ndarray, row: int, windows: Windows) -> np.ndarray:
    """Candidate answers of one window, best first: (candidates, 4) as in `Answers`.

    logits (2, tokens) of start and end; spans of at most 30 tokens, inside the passage.
    """
    places, first = windows.offsets[row], windows.first[row]
    null = float(logits[0, 0] + logits[1, 0])
    start, end = logits[:, first : first + len(places)]
    starts, ends = np.argsort(-start)[:BEST], np.argsort(-end)[:BEST]
    pairs = [
        (places[s, 0], places[e, 1], start[s] + end[e], null)
        for s in starts
        for e in ends
        if s <= e < s + ANSWER_TOKENS
    ]
    if not pairs:  # no end within reach of a start: the best single token
        best = int(np.argmax(start + end)) if len(places) else 0
        where = places[best] if len(places) else (0, 0)
        pairs = [(*where, start[best] + end[best] if len(places) else null, null)]
    table = np.asarray(pairs, dtype=np.float64)
    return table[np.argsort(-table[:, 2], kind="stable")]


def best_of_windows(rows: np.ndarray, windows: Windows) -> Answers:
    """The answer of each question from the best span of each row, (rows, 4)."""
    table = np.zeros((len(windows.contexts), 4))
    for number in range(len(windows.contexts)):
        mine = rows[windows.example == number]
        table[number] = mine[np.argmax(mine[:, 2])]
        table[number, 3] = mine[:, 3].min()
    return Answers(table=table)


def best_threshold(
    answers: Answers,
    contexts: Sequence[str],
    accepted: Sequence[tuple[str, ...]],
    goodness: Callable[[str, tuple[str, ...]], float],
) -> float:
    """The threshold for "no answer" that gives the best mean of `goodness(text, accepted)`.

    Chosen on dev, used on test; tried are all values that change an answer.
    """
    said = answers.texts(contexts, np.inf)
    given = np.array([goodness(*pair) for pair in zip(said, accepted, strict=True)])
    silent = np.array([goodness("", each) for each in accepted])
    gap = answers.table[:, 3] - answers.table[:, 2]
    order = np.argsort(gap, kind="stable")
    # With the threshold at gap[order[k]] the questions order[: k + 1] are answered, others not.
    totals = silent.sum() + np.cumsum((given - silent)[order])
    # Questions with one gap are answered together, so only the last of them is a choice.
    totals[:-1][np.diff(gap[order]) == 0] = -np.inf
    if silent.sum() >= totals.max():
        return float(gap.min() - 1.0)
    return float(gap[order[int(np.argmax(totals))]])
