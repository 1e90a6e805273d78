"""What a visitor answered: kept in the address, so that a refresh or a bookmark loses nothing.

Who is in a class has the answers kept there as well, and those come first.

An answer that was given stays: a step is locked by it. Only a whole lesson can be begun again.
"""

from collections.abc import Sequence

import streamlit as st

from core.classroom import class_answers as kept
from core.classroom.students import Student
from core.lessons import lesson_answers as records
from core.lessons.lesson import Lesson
from core.lessons.lesson_answers import Answer
from core.lessons.revealing import REPLAYED, find_reveal
from pages.ui import state, url_state
from pages.ui.formatting import plain
from pages.ui.lessons import computed

NAME = "answers"


def read(lessons: Sequence[Lesson], me: Student | None = None) -> list[Answer]:
    """All answers that the class or the address holds; what of it cannot be used is said."""
    found, wrong = records.decode(lessons, url_state.note(NAME))
    for sentence in wrong:
        st.warning(plain(sentence), icon=":material/link_off:")
    if me is None:
        return found
    in_class = _in_class(lessons, state.attempt(kept.answers_by, me) or [])
    steps = {(one.lesson, one.step) for one in in_class}
    return in_class + [one for one in found if (one.lesson, one.step) not in steps]


def _in_class(lessons: Sequence[Lesson], told: Sequence[kept.Given]) -> list[Answer]:
    """What the class holds of a person, of the lessons as they are now."""
    found = []
    for one in told:
        lesson = next((each for each in lessons if each.name == one.lesson), None)
        if lesson is None or str(lesson.version) != one.lesson_version:
            continue
        answer = Answer(
            lesson=lesson.name,
            version=lesson.version,
            step=one.step,
            guess=one.guess,
            reason=one.reason,
            runs=one.runs,
        )
        with state.explained():
            records.check_answer(lesson, answer)
            found.append(answer)
    return found


def of_lesson(answers: Sequence[Answer], lesson: Lesson) -> dict[str, Answer]:
    """The answers to one lesson, by step."""
    return {answer.step: answer for answer in answers if answer.lesson == lesson.name}


def lock(
    lessons: Sequence[Lesson],
    answers: Sequence[Answer],
    answer: Answer,
    me: Student | None = None,
) -> None:
    """Keep an answer for good; one to the same step that is there already stays."""
    steps = {(one.lesson, one.step) for one in answers}
    if (answer.lesson, answer.step) in steps:
        return
    with state.explained():
        if me is not None:
            kept.give(
                me,
                lesson=answer.lesson,
                lesson_version=str(answer.version),
                step=answer.step,
                guess=answer.guess,
                reason=answer.reason,
                runs=_runs(lessons, answer),
            )
    url_state.write_note(NAME, records.encode(lessons, [*answers, answer]))


def _runs(lessons: Sequence[Lesson], answer: Answer) -> tuple[str, ...]:
    """The runs that the truth of a step is read from; none where it is computed."""
    lesson = next(each for each in lessons if each.name == answer.lesson)
    reveal = lesson.step(answer.step).reveal
    if find_reveal(reveal.name).kind != REPLAYED:
        return ()
    revealed = state.attempt(computed.revealed, reveal)
    return revealed.runs if revealed else ()


def begin_again(lessons: Sequence[Lesson], answers: Sequence[Answer], lesson: Lesson) -> None:
    """Forget the answers to one lesson."""
    kept = [answer for answer in answers if answer.lesson != lesson.name]
    url_state.write_note(NAME, records.encode(lessons, kept))
    url_state.choose("step", 1, 1)
