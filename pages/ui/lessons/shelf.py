"""Which lesson, and which of its steps: the list of all, and the way through one."""

from collections.abc import Sequence

import streamlit as st

from core.lessons.answers import Answer
from core.lessons.lesson import Lesson, Step
from core.lessons.shelf import ENGLISH, languages
from core.lessons.shelf import lessons as on_shelf
from pages.ui import address, browser
from pages.ui.lessons import given
from pages.ui.words import plain, prose

NAMES = {"en": "English", "de": "Deutsch"}
CARDS = 2  # side by side


def read() -> list[Lesson]:
    """The lessons of the chosen language; a file that is none is named."""
    known = languages()
    language = ENGLISH
    if len(known) > 1:
        language = st.segmented_control(
            "Language",
            known,
            required=True,
            format_func=lambda one: plain(NAMES.get(one) or one),
            **address.by_id("language", known, usual=ENGLISH),
        )
    lessons, wrong = on_shelf(language)
    for sentence in wrong:
        st.error(plain(sentence), icon=":material/error:")
    if not lessons:
        st.info("There is no lesson. How to write one is told in docs/LESSONS.md.")
    return lessons


def choose(lessons: Sequence[Lesson]) -> Lesson | None:
    """The chosen lesson; None for the list of all."""
    known = {lesson.name: lesson for lesson in lessons}
    names = ["", *known]
    name = st.selectbox(
        "Lesson",
        names,
        format_func=lambda one: (
            f"{known[one].number} · {known[one].title}" if one else "All lessons"
        ),
        **address.by_id("lesson", names),
    )
    return known.get(name)


def cards(lessons: Sequence[Lesson], answers: Sequence[Answer]) -> None:
    """Every lesson with its aim and how far this visitor is."""
    for start in range(0, len(lessons), CARDS):
        row = lessons[start : start + CARDS]
        for place, lesson in zip(st.columns(CARDS), row, strict=False):
            with place.container(border=True):
                _card(lesson, len(given.of_lesson(answers, lesson)))


def _card(lesson: Lesson, done: int) -> None:
    steps = len(lesson.steps)
    st.markdown(f"**{plain(lesson.number)} · {prose(lesson.title)}**")
    st.markdown(prose(lesson.aim))
    st.caption(
        f"About {lesson.minutes:d} minutes, {steps:d} steps, {done:d} answered. "
        f"Before: {prose(lesson.prerequisites)}"
    )
    word = "Look again" if done == steps else "Go on" if done else "Begin"
    st.button(
        f"{word}: {plain(lesson.number)}",
        key=f"begin-{lesson.name}",
        on_click=_begin,
        args=(lesson.name, min(done + 1, steps)),
    )


def _begin(name: str, step: int) -> None:
    address.choose("lesson", name, "")
    address.choose("step", step, 1)


def step_of(lesson: Lesson, answered: Sequence[str]) -> tuple[int, Step]:
    """The chosen step: any up to the first that is not answered."""
    names = [step.name for step in lesson.steps]
    open_ones = [number for number, name in enumerate(names, 1) if name not in answered]
    last = min(open_ones, default=len(names))
    numbers = range(1, last + 1)
    label = "Step" if browser.is_narrow() else f"Step, of {len(names):d}"
    chosen = st.segmented_control(
        label,
        numbers,
        required=True,
        format_func=lambda one: f"{one:d}{' ✓' if names[one - 1] in answered else ''}",
        **address.by_id("step", numbers, usual=1),
    )
    number = chosen or 1
    return number, lesson.steps[number - 1]


def onward(lesson: Lesson, number: int) -> None:
    """The way to the next step."""
    if number < len(lesson.steps):
        st.button(
            "Next step",
            icon=":material/arrow_forward:",
            key=f"next-{lesson.name}-{number}",
            on_click=address.choose,
            args=("step", number + 1, 1),
        )
