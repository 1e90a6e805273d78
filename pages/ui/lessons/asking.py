"""The question of a step: a choice, a number or a cut, and its reason; locked by one button.

Neither the instrument nor anything that was computed is drawn before.
"""

from collections.abc import Callable

import streamlit as st

from core.lessons.catalogue import Words
from core.lessons.lesson import CHOICE, DRAG, Lesson, Question, Step
from core.lessons.lesson_answers import Answer
from core.lessons.material import MATRIX_SETTING
from pages.ui import cached, state
from pages.ui.fast_charts import unchecked
from pages.ui.formatting import plain, prose
from pages.ui.lessons import instrument_panels, picture


def panel(lesson: Lesson, step: Step, words: Words, locked: Callable[[Answer], None]) -> None:
    """Ask; `locked` gets the answer once the button is pressed."""
    key = f"{lesson.name}-{lesson.version}-{step.name}"
    state.since(key)
    guess = state.attempt(_guess, step, key, words)
    reasons = {option.key: option.text for option in step.reason.options}
    reason = st.radio(
        prose(step.reason.text),
        list(reasons),
        index=None,
        format_func=lambda one: prose(reasons[one]),
        key=f"reason-{key}",
    )
    ready = guess is not None and reason is not None
    st.button(
        words.asking.lock,
        type=state.main_button(),
        icon=":material/lock:",
        disabled=not ready,
        key=f"lock-{key}",
        on_click=_lock,
        args=(lesson, step, guess, reason, locked),
    )
    if not ready:
        st.caption(words.asking.both)


def _lock(
    lesson: Lesson, step: Step, guess: str, reason: str, locked: Callable[[Answer], None]
) -> None:
    seconds = state.since(f"{lesson.name}-{lesson.version}-{step.name}")
    locked(
        Answer(
            lesson=lesson.name,
            version=lesson.version,
            step=step.name,
            guess=guess,
            reason=reason,
            seconds=round(seconds, 1),
        )
    )


def _guess(step: Step, key: str, words: Words) -> str | None:
    question = step.question
    if question.kind == CHOICE:
        options = {option.key: option.text for option in question.options}
        return st.radio(
            prose(question.text),
            list(options),
            index=None,
            format_func=lambda one: prose(options[one]),
            key=f"guess-{key}",
        )
    if question.kind == DRAG:
        return _dragged(step, key, words)
    number = st.number_input(
        f"{prose(question.text)} ({prose(question.unit)})"
        if question.unit
        else prose(question.text),
        question.low,
        question.high,
        value=None,
        step=question.by,
        placeholder=words.asking.between.format(low=f"{question.low:g}", high=f"{question.high:g}"),
        key=f"guess-{key}",
    )
    return None if number is None else f"{number:.6g}"


def _dragged(step: Step, key: str, words: Words) -> str:
    """A slider over the hill of latent weights; the colours say what becomes of them."""
    question = step.question
    cut = st.slider(
        prose(question.text),
        question.low,
        question.high,
        value=question.low,
        step=question.by,
        format=_decimals(question),
        key=f"guess-{key}",
    )
    settings = step.reveal.settings
    source, name = instrument_panels.source_of(settings), settings.text(MATRIX_SETTING)
    title = instrument_panels.title_of(source, name)
    edges, counts = cached.latent_histogram(source, name)
    st.altair_chart(
        unchecked(picture.hill(edges.tolist(), counts.tolist(), cut, words)),
        alt=words.asking.hill.format(matrix=title),
        key=f"hill-{step.name}",
    )
    st.caption(words.asking.grey.format(matrix=plain(title)))
    return f"{cut:.6g}"


def _decimals(question: Question) -> str:
    """How the slider writes its numbers."""
    text = f"{question.by:f}".rstrip("0").partition(".")[2]
    return f"%.{len(text)}f"
