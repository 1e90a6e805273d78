"""One step for the wall: large, with keys to go on, and the class's guesses when it is time.

Keys: Page Down and Page Up change the step, as presenters' remotes send them (arrows would move the
choice above, where the focus often is); "Q" shows the question, "G" the guesses, "T" what came out.
"""

import streamlit as st

from core.classroom import class_answers, invitation
from core.classroom.administration import Classroom
from core.lessons.language_words import words_in
from core.lessons.lesson import CHOICE, Lesson, Step
from pages.ui import state, url_state
from pages.ui.classroom import distribution
from pages.ui.formatting import plain, prose
from pages.ui.lessons import computed

LOOK_SECONDS = 2.0
QUESTION, GUESSES, TRUTH = STAGES = ("question", "guesses", "truth")
STEP, STAGE = "wall_step", "wall_stage"


def panel(classroom: Classroom, lesson: Lesson) -> None:
    """The step, the class's guesses or what came out, and the buttons that keys press."""
    numbers = range(1, len(lesson.steps) + 1)
    number = int(url_state.note(STEP) or 1)
    number = number if number in numbers else 1
    stage = url_state.note(STAGE)
    step = lesson.steps[number - 1]
    st.title(prose(step.title))
    if stage in (GUESSES, TRUTH):
        _live(classroom, lesson, step, stage == TRUTH)
    else:
        _question(classroom, lesson, step)
    _keys(number, len(lesson.steps))


def _question(classroom: Classroom, lesson: Lesson, step: Step) -> None:
    words, way_in = st.columns([3, 1])
    with words:
        st.header(prose(step.question.text))
        if step.question.kind == CHOICE:
            for option in step.question.options:
                st.markdown(f"### ◯ {prose(option.text)}")
        st.markdown(f"### {prose(step.reason.text)}")
        _count(classroom, lesson, step)
    link = invitation.address(state.server_address(), classroom.code)
    way_in.image(invitation.qr_svg(link), caption=f"Class {classroom.code}", width=260)


@st.fragment(run_every=LOOK_SECONDS)
def _count(classroom: Classroom, lesson: Lesson, step: Step) -> None:
    given = state.attempt(class_answers.answers_of, classroom.code) or []
    people = state.attempt(class_answers.progress, classroom.code, lesson.name) or []
    found = distribution.of_step(given, lesson.name, lesson.version, step)
    st.markdown(f"### {len(found):d} of {len(people):d} have answered")


@st.fragment(run_every=LOOK_SECONDS)
def _live(classroom: Classroom, lesson: Lesson, step: Step, shown: bool) -> None:
    given = state.attempt(class_answers.answers_of, classroom.code) or []
    found = distribution.of_step(given, lesson.name, lesson.version, step)
    revealed = state.attempt(computed.revealed, step.reveal) if shown else None
    st.header(prose(step.question.text))
    if revealed is not None:
        st.markdown(f"### It came out: {plain(revealed.said(revealed.value))}")
    distribution.draw(step, found, revealed, f"wall-{step.name}-{shown}", words_in())


def _keys(number: int, steps: int) -> None:
    with st.container(horizontal=True):
        _key("Back", "PageUp", STEP, str(number - 1), number == 1)
        _key("Question", "Q", STAGE, QUESTION)
        _key("Guesses", "G", STAGE, GUESSES)
        _key("What came out", "T", STAGE, TRUTH)
        _key("Next step", "PageDown", STEP, str(number + 1), number == steps)


def _key(label: str, key: str, name: str, value: str, disabled: bool = False) -> None:
    st.button(
        label, shortcut=key, disabled=disabled, on_click=_go, args=(name, value), key=f"wall-{key}"
    )


def _go(name: str, value: str) -> None:
    url_state.write_note(name, value)
    if name == STEP:
        url_state.write_note(STAGE, QUESTION)
