"""Who is at which step, and who has not moved for a while."""

import time

import pandas as pd
import streamlit as st

from core.classroom import class_answers
from core.classroom.administration import Classroom
from core.lessons.lesson import Lesson
from pages.ui import state

LOOK_SECONDS = 3.0
STUCK_SECONDS = 180.0


def panel(classroom: Classroom, lesson: Lesson) -> None:
    """The table, those who are furthest behind first."""
    _live(classroom, lesson)


@st.fragment(run_every=LOOK_SECONDS)
def _live(classroom: Classroom, lesson: Lesson) -> None:
    people = state.attempt(class_answers.progress, classroom.code, lesson.name)
    if people is None:
        return
    if not people:
        st.info("Nobody has joined yet.", icon=":material/hourglass_empty:")
        return
    steps, now = len(lesson.steps), time.time()
    quiet = [now - one.since for one in people]
    stuck = [
        seconds > STUCK_SECONDS and one.answered < steps
        for one, seconds in zip(people, quiet, strict=True)
    ]
    done = sum(one.answered >= steps for one in people)
    st.markdown(
        f"**{len(people):d}** people, **{done:d}** have finished, **{sum(stuck):d}** have not "
        f"moved for {STUCK_SECONDS / 60:.0f} minutes."
    )
    table = pd.DataFrame(
        {
            "who": [one.nickname for one in people],
            "at step": [min(one.answered + 1, steps) for one in people],
            "answered": [one.answered / steps for one in people],
            "minutes since": [seconds / 60 for seconds in quiet],
            "stuck": ["⚠ may need help" if is_stuck else "" for is_stuck in stuck],
        }
    )
    columns = {
        "answered": st.column_config.ProgressColumn(format="percent", min_value=0, max_value=1),
        "minutes since": st.column_config.NumberColumn(format="%.1f"),
    }
    st.dataframe(table, hide_index=True, column_config=columns)
