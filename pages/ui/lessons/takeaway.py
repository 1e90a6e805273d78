"""The end of a lesson: how it went, the sheet to take away, and the way to the next."""

from collections.abc import Sequence

import streamlit as st

from core.lessons import judging
from core.lessons.catalogue import Words
from core.lessons.lesson import BOTH, REASON, Lesson
from core.lessons.lesson_answers import Answer
from core.lessons.sheet import Taken, sheet
from pages.ui import state, url_state
from pages.ui.formatting import plain
from pages.ui.lessons import computed, given


def panel(
    lessons: Sequence[Lesson], answers: Sequence[Answer], lesson: Lesson, words: Words
) -> None:
    """The sheet of a lesson whose steps are all answered."""
    mine = given.of_lesson(answers, lesson)
    taken = state.attempt(_taken, lesson, mine, words)
    if taken is None:
        return
    outcomes = [judging.judge(one.step, one.answer, one.revealed).outcome for one in taken]
    both, half = outcomes.count(BOTH), outcomes.count(REASON)
    st.markdown(words.ending.score.format(steps=len(taken), both=f"{both:d}", half=f"{half:d}"))
    address_here = state.server_address()  # not known any more where the file is made
    st.download_button(
        words.ending.download,
        lambda: sheet(lesson, taken, address_here).encode(),
        file_name=f"ternary-lab-{lesson.name}.html",
        mime="text/html",
        icon=":material/download:",
    )
    st.caption(words.ending.one_file)
    names = [one.name for one in lessons]
    after = names[names.index(lesson.name) + 1 :][:1]
    if after:
        st.button(
            words.ending.next_lesson.format(title=plain(lessons[names.index(after[0])].title)),
            on_click=_go_to,
            args=(after[0],),
            icon=":material/arrow_forward:",
        )
    st.button(
        words.ending.again,
        on_click=given.begin_again,
        args=(lessons, answers, lesson),
        icon=":material/replay:",
    )


def _taken(lesson: Lesson, mine: dict[str, Answer], words: Words) -> list[Taken]:
    """The steps with what came out. Raises InputError where one cannot be computed."""
    return [
        Taken(step=step, answer=mine[step.name], revealed=computed.revealed(step.reveal, words))
        for step in lesson.steps
    ]


def _go_to(name: str) -> None:
    url_state.choose("lesson", name, "")
    url_state.choose("step", 1, 1)
