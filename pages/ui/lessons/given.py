"""What a visitor answered: kept in the address, so that a refresh or a bookmark loses nothing.

An answer that was given stays: a step is locked by it. Only a whole lesson can be begun again.
"""

from collections.abc import Sequence

import streamlit as st

from core.lessons import answers as records
from core.lessons.answers import Answer
from core.lessons.lesson import Lesson
from pages.ui import address
from pages.ui.words import plain

NAME = "answers"


def read(lessons: Sequence[Lesson]) -> list[Answer]:
    """All answers that the address holds; what of it cannot be used is said."""
    found, wrong = records.decode(lessons, address.note(NAME))
    for sentence in wrong:
        st.warning(plain(sentence), icon=":material/link_off:")
    return found


def of_lesson(answers: Sequence[Answer], lesson: Lesson) -> dict[str, Answer]:
    """The answers to one lesson, by step."""
    return {answer.step: answer for answer in answers if answer.lesson == lesson.name}


def lock(lessons: Sequence[Lesson], answers: Sequence[Answer], answer: Answer) -> None:
    """Keep an answer for good; one to the same step that is there already stays."""
    steps = {(one.lesson, one.step) for one in answers}
    if (answer.lesson, answer.step) not in steps:
        address.write_note(NAME, records.encode(lessons, [*answers, answer]))


def begin_again(lessons: Sequence[Lesson], answers: Sequence[Answer], lesson: Lesson) -> None:
    """Forget the answers to one lesson."""
    kept = [answer for answer in answers if answer.lesson != lesson.name]
    address.write_note(NAME, records.encode(lessons, kept))
    address.choose("step", 1, 1)
