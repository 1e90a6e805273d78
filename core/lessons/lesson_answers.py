"""What one person answered to one step: the record that everything else is made from.

A sheet, a class and an export all read `Answer`. It names the step and the version of the text that
was answered, so an answer to an earlier text is never taken for one to the text of today. In an
address answers are short codes:

    01.1_44b_ca~02.1_0.03a

reads: lesson 01, version 1: to the first step the number 44 and reason b, to the second choice c
and reason a; lesson 02, version 1: ... Letters count the choices in the order of the file.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated

from core.errors import InputError, shown
from core.lessons.lesson import CHOICE, Lesson, Option, Question, Step
from core.results import Count, Seconds
from core.serialization import Range, coerce_fields

LETTERS = "abcdefghijklmnopqrstuvwxyz"
NEXT_LESSON, NEXT_STEP, VERSION = "~", "_", "."
LARGEST = 1e9
Number = Annotated[float, Range(-LARGEST, LARGEST)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A guess and its reason, locked. `guess` is the key of a choice, or a number as text;
    `reason` the key of a reason. `seconds`: how long the question was looked at, 0 where nobody
    measured. `runs`: ids of the runs that the reveal was replayed from, none where it was
    computed."""

    lesson: str
    version: Count
    step: str
    guess: str
    reason: str
    seconds: Seconds = 0.0
    runs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        coerce_fields(self)


def check_answer(lesson: Lesson, answer: Answer) -> Step:
    """The step that was answered. Raises InputError where the lesson has no such step, choice,
    number or reason, or has another version."""
    if (answer.lesson, answer.version) != (lesson.name, lesson.version):
        raise InputError(
            f"The answer is to version {answer.version} of {shown(answer.lesson)}; this is version "
            f"{lesson.version} of {lesson.name}. Answer the step again."
        )
    step = lesson.step(answer.step)
    check_guess(step.question, answer.guess)
    _key("reason", answer.reason, step.reason.options)
    return step


def check_guess(question: Question, guess: str) -> None:
    """Raise InputError unless the question can be answered like that."""
    if question.kind == CHOICE:
        _key("choice", guess, question.options)
        return
    number = number_of(guess)
    if not question.low <= number <= question.high:
        raise InputError(
            f"{shown(guess)} is no answer here: it must lie between {question.low:g} and "
            f"{question.high:g}."
        )


def number_of(guess: str) -> float:
    """The number that a guess says. Raises InputError where it says none."""
    try:
        number = float(guess)
    except ValueError as error:
        raise InputError(f"{shown(guess)} is not a number.") from error
    if not abs(number) <= LARGEST:  # NaN neither
        raise InputError(f"{shown(guess)} is not a number that can be answered.")
    return number


def _key(what: str, key: str, options: Sequence[Option]) -> None:
    keys = [option.key for option in options]
    if key not in keys:
        raise InputError(f"There is no {what} {shown(key)}. Choose one of: {', '.join(keys)}.")


def encode(lessons: Sequence[Lesson], answers: Iterable[Answer]) -> str:
    """The short code of all answers that fit the lessons as they are."""
    given = {(answer.lesson, answer.version, answer.step): answer for answer in answers}
    codes = []
    for lesson in lessons:
        keys = [(lesson.name, lesson.version, step.name) for step in lesson.steps]
        steps = [
            _code(step, given[key]) if key in given else ""
            for step, key in zip(lesson.steps, keys, strict=True)
        ]
        if any(steps):
            head = f"{lesson.number}{VERSION}{lesson.version}"
            codes.append(NEXT_STEP.join([head, *steps]).rstrip(NEXT_STEP))
    return NEXT_LESSON.join(codes)


def _code(step: Step, answer: Answer) -> str:
    guess = answer.guess
    if step.question.kind == CHOICE:
        guess = _letter(step.question.options, guess)
    return guess + _letter(step.reason.options, answer.reason)


def _letter(options: Sequence[Option], key: str) -> str:
    return LETTERS[[option.key for option in options].index(key)]


def decode(lessons: Sequence[Lesson], text: str) -> tuple[list[Answer], list[str]]:
    """The answers that a code says, and a sentence for every part of it that cannot be used."""
    answers: list[Answer] = []
    wrong: list[str] = []
    known = {lesson.number: lesson for lesson in lessons}
    for code in filter(None, text.split(NEXT_LESSON)):
        head, *steps = code.split(NEXT_STEP)
        number, _, version = head.partition(VERSION)
        lesson = known.get(number)
        if lesson is None:
            wrong.append(f"There is no lesson {shown(number)}, so its answers are left out.")
        elif version != str(lesson.version):
            wrong.append(
                f"Lesson {lesson.number} has changed since it was answered (version "
                f"{shown(version)}, now {lesson.version}). Answer it again."
            )
        else:
            _decode_steps(lesson, steps, answers, wrong)
    return answers, wrong


def _decode_steps(
    lesson: Lesson, codes: Sequence[str], answers: list[Answer], wrong: list[str]
) -> None:
    for place, code in enumerate(codes):
        if not code:
            continue
        try:
            if place >= len(lesson.steps):
                raise InputError(f"It has {len(lesson.steps)} steps.")
            answers.append(_decoded(lesson, lesson.steps[place], code))
        except InputError as error:
            wrong.append(f"Lesson {lesson.number}, answer {place + 1}: {error}")


def _decoded(lesson: Lesson, step: Step, code: str) -> Answer:
    guess, letter = code[:-1], code[-1]
    if step.question.kind == CHOICE:
        guess = _of_letter("choice", guess, step.question.options)
    check_guess(step.question, guess)
    return Answer(
        lesson=lesson.name,
        version=lesson.version,
        step=step.name,
        guess=guess,
        reason=_of_letter("reason", letter, step.reason.options),
    )


def _of_letter(what: str, letter: str, options: Sequence[Option]) -> str:
    place = LETTERS.find(letter) if len(letter) == 1 else -1
    if not 0 <= place < len(options):
        raise InputError(f"There is no {what} {shown(letter)}.")
    return options[place].key
