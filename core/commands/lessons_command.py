"""`lessons`: the lessons, and one of them with its solutions, for the lecturer.

What is right is computed or replayed on this computer at the moment of asking; nothing of it is
written in the lesson's file.
"""

import argparse
from collections.abc import Iterator

from core.lessons.judging import fill
from core.lessons.language_words import words_in
from core.lessons.lesson import BOTH, CHOICE, REASON, TRAP, Lesson, Step
from core.lessons.lesson_list import ENGLISH, find_lesson, lessons
from core.lessons.revealing import Revealed, find_reveal, holds


def add(commands) -> None:
    """Add the command to a parser's commands."""
    text = "list the lessons; with a name, its questions with what comes out, for the lecturer"
    parser = commands.add_parser("lessons", help=text, description=text)
    parser.set_defaults(command=show)
    parser.add_argument("name", nargs="?", help="a lesson, e.g. 01-three-numbers")
    parser.add_argument(
        "--language", default=ENGLISH, help="a folder of core/lessons (default: en)"
    )


def show(parsed: argparse.Namespace) -> int:
    """List them, or print the solutions of one; 2 where a file is no lesson."""
    if parsed.name:
        for line in solutions(find_lesson(parsed.name, parsed.language)):
            print(line)
        return 0
    found, wrong = lessons(parsed.language)
    for lesson in found:
        extent = f"{lesson.minutes:>3} minutes  {len(lesson.steps)} steps"
        print(f"{lesson.name:<32} {extent}  {lesson.title}")
    for sentence in wrong:
        print(f"error: {sentence}")
    return 2 if wrong else 0


def solutions(lesson: Lesson) -> Iterator[str]:
    """Question, what comes out, what is right and what to say, step by step, as Markdown."""
    from core import api

    words = words_in(lesson.language)
    yield f"# {lesson.number} {lesson.title}"
    yield ""
    yield f"Aim: {lesson.aim}"
    for number, step in enumerate(lesson.steps, 1):
        use = step.reveal
        revealed = find_reveal(use.name).compute(use.settings, api.open_model, words)
        yield from _step(number, step, revealed)


def _step(number: int, step: Step, revealed: Revealed) -> Iterator[str]:
    question = step.question
    yield ""
    yield f"## {number}. {step.title}"
    yield ""
    yield question.text
    for option in question.options if question.kind == CHOICE else ():
        yield f"- {'**right** ' if holds(option.key, revealed) else ''}{option.text}"
    yield ""
    yield f"What comes out: **{revealed.said(revealed.value)}**" + _interval(revealed)
    yield f"({revealed.how})"
    yield ""
    yield step.reason.text
    for option in step.reason.options:
        yield f"- {'**right** ' if option.key == step.reason.right else ''}{option.text}"
    guess = _a_guess(step, revealed)
    for outcome in (BOTH, REASON, TRAP):
        yield ""
        yield f"*{outcome}:* {fill(step.explanations.of(outcome), question, guess, revealed)}"


def _interval(revealed: Revealed) -> str:
    if revealed.low is None or revealed.high is None:
        return ""
    return f" (95 %: {revealed.said(revealed.low)} to {revealed.said(revealed.high)})"


def _a_guess(step: Step, revealed: Revealed) -> str:
    """A right guess, for the explanations that quote it."""
    if step.question.kind != CHOICE:
        return f"{revealed.value:.6g}"
    return next(one.key for one in step.question.options if holds(one.key, revealed))
