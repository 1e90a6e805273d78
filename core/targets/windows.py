"""Windows of a passage: where an answer lies in them, and which answer they propose together.

In training a window's labels are the tokens where the answer starts and ends, or token 0 when it
does not hold the answer. In prediction each window proposes its best span, the best of all windows
is the answer, and token 0 as start and end stands for none.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from core.family import Windows

ANSWER_TOKENS = 30
BEST = 20  # starts and ends that are tried with each other in a window


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


def positions(
    windows: "Windows", answers: Sequence[Sequence[str]], starts: Sequence[Sequence[int]]
) -> np.ndarray:
    """(rows, 2): first and last token of the first accepted answer in each row, or 0, 0."""
    found = np.zeros((len(windows.example), 2), dtype=np.int64)
    for row, number in enumerate(map(int, windows.example)):
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


def spans_of_row(logits: np.ndarray, row: int, windows: "Windows") -> np.ndarray:
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


def best_of_windows(rows: np.ndarray, windows: "Windows") -> Answers:
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


def ranked_spans(
    windows: "Windows", logits: Mapping[int, np.ndarray]
) -> tuple[float, list[tuple[tuple[int, int], float]]]:
    """Of one question, by the logits (2, tokens) of each of its windows: the smallest score of "no
    answer", and ((start, end), score) of every candidate, best first."""
    tables = [spans_of_row(each, row, windows) for row, each in logits.items()]
    null = min(float(table[0, 3]) for table in tables)
    found: dict[tuple[int, int], float] = {}
    for start, end, score, _ in np.concatenate(tables):
        place = int(start), int(end)
        found[place] = max(score, found.get(place, score))
    return null, sorted(found.items(), key=lambda item: -item[1])
