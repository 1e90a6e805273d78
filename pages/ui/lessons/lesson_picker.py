"""Which lesson, and which of its steps: the list of all, and the way through one."""

from collections.abc import Sequence

import streamlit as st

from core.lessons.catalogue import Words
from core.lessons.language_words import found_words, words_in
from core.lessons.lesson import Lesson, Step
from core.lessons.lesson_answers import Answer
from core.lessons.lesson_list import ENGLISH, languages
from core.lessons.lesson_list import lessons as on_shelf
from pages.ui import browser, url_state
from pages.ui.formatting import plain, prose
from pages.ui.lessons import given

CARDS = 2  # side by side


def language() -> str:
    """The chosen language; asked for where there are several, in the words of each."""
    known = languages()
    if len(known) < 2:
        return ENGLISH
    labels = dict.fromkeys(words.page.language for words in map(words_in, known))
    names = {one: _name(one) for one in known}
    chosen = st.segmented_control(
        plain(" · ".join(labels)),
        known,
        required=True,
        format_func=lambda one: plain(names[one]),
        **url_state.by_id("language", known, usual=ENGLISH),
    )
    return chosen or ENGLISH


def _name(language: str) -> str:
    """A language's own name; its code where it has no words of its own."""
    words, wrong = found_words(language)
    return language if wrong else words.name


def read(language: str, words: Words) -> list[Lesson]:
    """The lessons of a language; a file that is none is named."""
    lessons, wrong = on_shelf(language)
    without_words = found_words(language)[1]
    for sentence in (*wrong, *filter(None, (without_words,))):
        st.error(plain(sentence), icon=":material/error:")
    if not lessons:
        st.info(words.page.none)
    return lessons


def translated(lesson: Lesson, words: Words, language: str) -> None:
    """Say where a lesson is not in the chosen language."""
    if lesson.language != language:
        st.info(words.page.not_translated, icon=":material/translate:")


def choose(lessons: Sequence[Lesson], words: Words) -> Lesson | None:
    """The chosen lesson; None for the list of all."""
    known = {lesson.name: lesson for lesson in lessons}
    names = ["", *known]
    name = st.selectbox(
        words.page.lesson,
        names,
        format_func=lambda one: (
            f"{known[one].number} · {known[one].title}" if one else words.page.all
        ),
        **url_state.by_id("lesson", names),
    )
    return known.get(name)


def cards(
    lessons: Sequence[Lesson], answers: Sequence[Answer], words: Words, language: str
) -> None:
    """Every lesson with its aim and how far this visitor is."""
    for start in range(0, len(lessons), CARDS):
        row = lessons[start : start + CARDS]
        for place, lesson in zip(st.columns(CARDS), row, strict=False):
            with place.container(border=True):
                _card(lesson, len(given.of_lesson(answers, lesson)), words)
                if lesson.language != language:
                    st.caption(words.page.not_translated)


def _card(lesson: Lesson, done: int, words: Words) -> None:
    steps = len(lesson.steps)
    st.markdown(f"**{plain(lesson.number)} · {prose(lesson.title)}**")
    st.markdown(prose(lesson.aim))
    st.caption(
        words.page.about.format(
            minutes=lesson.minutes, steps=steps, done=done, before=prose(lesson.prerequisites)
        )
    )
    number = plain(lesson.number)
    if done == steps:
        label = words.page.look_again.format(number=number)
    elif done:
        label = words.page.go_on.format(number=number)
    else:
        label = words.page.begin.format(number=number)
    st.button(
        label,
        key=f"begin-{lesson.name}",
        on_click=_begin,
        args=(lesson.name, min(done + 1, steps)),
    )


def _begin(name: str, step: int) -> None:
    url_state.choose("lesson", name, "")
    url_state.choose("step", step, 1)


def step_of(lesson: Lesson, answered: Sequence[str], words: Words) -> tuple[int, Step]:
    """The chosen step: any up to the first that is not answered."""
    names = [step.name for step in lesson.steps]
    open_ones = [number for number, name in enumerate(names, 1) if name not in answered]
    last = min(open_ones, default=len(names))
    numbers = range(1, last + 1)
    whole = words.page.step_of.format(steps=len(names))
    label = words.page.step if browser.is_narrow() else whole
    chosen = st.segmented_control(
        label,
        numbers,
        required=True,
        format_func=lambda one: f"{one:d}{' ✓' if names[one - 1] in answered else ''}",
        **url_state.by_id("step", numbers, usual=1),
    )
    number = chosen or 1
    return number, lesson.steps[number - 1]


def onward(lesson: Lesson, number: int, words: Words) -> None:
    """The way to the next step."""
    if number < len(lesson.steps):
        st.button(
            words.page.next_step,
            icon=":material/arrow_forward:",
            key=f"next-{lesson.name}-{number}",
            on_click=url_state.choose,
            args=("step", number + 1, 1),
        )
