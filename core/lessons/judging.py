"""Was it right? Guess and reason against what came out, and the text for that way of answering.

    both right     number (or choice) and reason
    reason right   the mechanism was seen, its size was not
    trap           the reason was another one; the guess may have been right by luck

The guess is held against what was computed or replayed, never against a figure of the file.
"""

from bisect import bisect_left
from dataclasses import dataclass

from core.lessons.lesson import BOTH, CHOICE, REASON, TRAP, Question, Step
from core.lessons.lesson_answers import Answer, number_of
from core.lessons.revealing import Revealed, holds


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """`outcome` is one of OUTCOMES; `text` the explanation with its figures put in, Markdown;
    `guess` and `reason` in words."""

    outcome: str
    guess_right: bool
    reason_right: bool
    guess: str
    reason: str
    text: str


def judge(step: Step, answer: Answer, revealed: Revealed) -> Judged:
    """What an answer was worth. `answer` fits the step (see `check_answer`)."""
    guess_right = is_right(step.question, answer.guess, revealed)
    reason_right = answer.reason == step.reason.right
    outcome = TRAP if not reason_right else BOTH if guess_right else REASON
    reasons = {option.key: option.text for option in step.reason.options}
    return Judged(
        outcome=outcome,
        guess_right=guess_right,
        reason_right=reason_right,
        guess=in_words(step.question, answer.guess),
        reason=reasons[answer.reason],
        text=fill(step.explanations.of(outcome), step.question, answer.guess, revealed),
    )


def is_right(question: Question, guess: str, revealed: Revealed) -> bool:
    """Whether a guess holds."""
    if question.kind == CHOICE:
        return holds(guess, revealed)
    return abs(number_of(guess) - revealed.value) <= question.within


def in_words(question: Question, guess: str) -> str:
    """A guess as it is read."""
    if question.kind == CHOICE:
        return {option.key: option.text for option in question.options}[guess]
    return f"{number_of(guess):g} {question.unit}".strip()


def fill(text: str, question: Question, guess: str, revealed: Revealed) -> str:
    """An explanation with {value}, {low}, {high}, {guess} and the reveal's facts put in."""
    for name, said in facts(question, guess, revealed).items():
        text = text.replace("{" + name + "}", said)
    return text


def facts(question: Question, guess: str, revealed: Revealed) -> dict[str, str]:
    """What an explanation may quote, by name."""
    known = {fact.name: fact.text for fact in revealed.facts}
    known |= {"value": revealed.said(revealed.value), "guess": in_words(question, guess)}
    for name, end in (("low", revealed.low), ("high", revealed.high)):
        if end is not None:
            known[name] = revealed.bare(end)
    if revealed.curve and question.kind != CHOICE:
        known["guess_error"] = f"{error_at(revealed, number_of(guess)):.1f} %"
    return known


def error_at(revealed: Revealed, cut: float) -> float:
    """The error of a cut, between two points of the curve in proportion."""
    xs = [x for x, _ in revealed.curve]
    after = min(max(bisect_left(xs, cut), 1), len(xs) - 1)
    (x0, y0), (x1, y1) = revealed.curve[after - 1 : after + 1]
    share = min(max((cut - x0) / (x1 - x0), 0.0), 1.0)
    return y0 + share * (y1 - y0)
