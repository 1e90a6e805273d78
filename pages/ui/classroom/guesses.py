"""The answers of a class as they arrive, one step at a time."""

import streamlit as st

from core.classroom import class_answers
from core.classroom.administration import Classroom
from core.lessons.language_words import words_in
from core.lessons.lesson import Lesson, Step
from pages.ui import state, url_state
from pages.ui.classroom import distribution
from pages.ui.formatting import plain, prose
from pages.ui.lessons import computed

LOOK_SECONDS = 2.0


def panel(classroom: Classroom, lesson: Lesson) -> None:
    """Which step, whether what came out is shown, and the guesses."""
    names = [step.name for step in lesson.steps]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        number = st.segmented_control(
            "Step",
            range(1, len(names) + 1),
            required=True,
            **url_state.by_id("class_step", range(1, len(names) + 1), usual=1),
        )
        shown = st.toggle("Show what came out", key="class-truth")
    step = lesson.steps[(number or 1) - 1]
    st.header(prose(step.question.text), divider="gray")
    _live(classroom, lesson, step, shown)


@st.fragment(run_every=LOOK_SECONDS)
def _live(classroom: Classroom, lesson: Lesson, step: Step, shown: bool) -> None:
    """Drawn again every two seconds."""
    given = state.attempt(class_answers.answers_of, classroom.code)
    people = state.attempt(class_answers.progress, classroom.code, lesson.name)
    if given is None or people is None:
        return
    found = distribution.of_step(given, lesson.name, lesson.version, step)
    st.markdown(f"**{len(found):d} of {len(people):d}** people have answered.")
    revealed = state.attempt(computed.revealed, step.reveal) if shown else None
    distribution.draw(step, found, revealed, f"{plain(classroom.code)}-{step.name}", words_in())
