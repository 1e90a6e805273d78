"""Joining a class on the Lessons page, and being known there again.

The address of the invitation names the class. Whoever joins gets an address of their own instead,
which holds their secret: loaded anew, or opened on another computer, it is the same person.
"""

from collections.abc import Sequence

import streamlit as st

from core.classroom import answers, classes, students
from core.classroom.classes import Classroom
from core.classroom.students import MOST_NICKNAME, Student
from core.lessons.lesson import Lesson, Step
from pages.ui import address, state
from pages.ui.classroom import distribution
from pages.ui.lessons import computed
from pages.ui.words import plain

CLASS, MEMBER, NICKNAME = "class", "member", "nickname"


def me(lessons: Sequence[Lesson]) -> Student | None:
    """Who this visitor is in a class; None for somebody who is in none. An invitation is shown."""
    secret, code = address.note(MEMBER), address.note(CLASS)
    student = state.attempt(students.student_of, secret) if secret else None
    if student is not None:
        st.caption(
            f":material/groups: In a class as **{plain(student.nickname)}**. The address of this "
            "page is your way back; whoever has it answers as you."
        )
        return student
    if secret:
        st.warning(
            "The class of this address was deleted. The lessons still work, for you alone.",
            icon=":material/group_off:",
        )
    if code:
        _invited(code, lessons)
    return None


def class_guesses(student: Student | None, lesson: Lesson, step: Step) -> None:
    """What the class guessed, for one of it who has answered."""
    if student is None:
        return
    given = state.attempt(answers.answers_of, student.code) or []
    found = distribution.of_step(given, lesson.name, lesson.version, step)
    revealed = state.attempt(computed.revealed, step.reveal)
    with st.expander(f"What the class guessed ({len(found):d} people)"):
        distribution.draw(step, found, revealed, f"class-{step.name}")


def _invited(code: str, lessons: Sequence[Lesson]) -> None:
    classroom = state.attempt(classes.find_class, code)
    if classroom is None:
        return
    with st.form("join", border=True):
        st.markdown(f"**You are invited to the class {plain(classroom.title)}.**")
        st.text_input("Nickname", max_chars=MOST_NICKNAME, key=NICKNAME)
        st.caption(
            "No account, and no name that is yours in earnest: the lecturer and, on the board, the "
            "class see what you type here. Your guesses are kept on this server until the "
            "lecturer deletes the class."
        )
        st.form_submit_button(
            "Join",
            type=state.main_button(),
            icon=":material/login:",
            on_click=_join,
            args=(classroom, [one.name for one in lessons]),
        )


def _join(classroom: Classroom, lessons: Sequence[str]) -> None:
    with state.explained():
        student = students.join(classroom.code, state.typed(NICKNAME))
        address.write_note(MEMBER, student.secret)
        address.write_note(CLASS, "")
        if classroom.lesson in lessons:
            address.choose("lesson", classroom.lesson, "")
            address.choose("step", 1, 1)
