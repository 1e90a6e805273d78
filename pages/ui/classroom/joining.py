"""Joining a class on the Lessons page, and being known there again.

The address of the invitation names the class. Whoever joins gets an address of their own instead,
which holds their secret: loaded again, or opened on another computer, it is the same person.
"""

from collections.abc import Sequence

import streamlit as st

from core.classroom import administration, class_answers, students
from core.classroom.administration import Classroom
from core.classroom.students import MOST_NICKNAME, Student
from core.lessons.catalogue import Words
from core.lessons.lesson import Lesson, Step
from pages.ui import state, url_state
from pages.ui.classroom import distribution
from pages.ui.formatting import plain
from pages.ui.lessons import computed

CLASS, MEMBER, NICKNAME = "class", "member", "nickname"


def me(lessons: Sequence[Lesson], words: Words) -> Student | None:
    """Who this visitor is in a class; None for somebody who is in none. An invitation is shown."""
    secret, code = url_state.note(MEMBER), url_state.note(CLASS)
    student = state.attempt(students.student_of, secret) if secret else None
    if student is not None:
        st.caption(
            f":material/groups: {words.joining.member.format(nickname=plain(student.nickname))}"
        )
        return student
    if secret:
        st.warning(words.joining.deleted, icon=":material/group_off:")
    if code:
        _invited(code, lessons, words)
    return None


def class_guesses(student: Student | None, lesson: Lesson, step: Step, words: Words) -> None:
    """What the class guessed, for one of it who has answered."""
    if student is None:
        return
    given = state.attempt(class_answers.answers_of, student.code) or []
    found = distribution.of_step(given, lesson.name, lesson.version, step)
    revealed = state.attempt(computed.revealed, step.reveal, words)
    with st.expander(words.joining.guesses.format(people=len(found))):
        distribution.draw(step, found, revealed, f"class-{step.name}", words)


def _invited(code: str, lessons: Sequence[Lesson], words: Words) -> None:
    classroom = state.attempt(administration.find_class, code)
    if classroom is None:
        return
    with st.form("join", border=True):
        st.markdown(f"**{words.joining.invited.format(title=plain(classroom.title))}**")
        st.text_input(words.joining.nickname, max_chars=MOST_NICKNAME, key=NICKNAME)
        st.caption(words.joining.kept)
        st.form_submit_button(
            words.joining.join,
            type=state.main_button(),
            icon=":material/login:",
            on_click=_join,
            args=(classroom, [one.name for one in lessons]),
        )


def _join(classroom: Classroom, lessons: Sequence[str]) -> None:
    with state.explained():
        student = students.join(classroom.code, state.typed(NICKNAME))
        url_state.write_note(MEMBER, student.secret)
        url_state.write_note(CLASS, "")
        if classroom.lesson in lessons:
            url_state.choose("lesson", classroom.lesson, "")
            url_state.choose("step", 1, 1)
