"""An answered step: what was guessed, the instrument, what came out, why, and the way to the page.

`others` are what a class guessed to the same question: numbers for its picture.
"""

from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from core.lessons.answers import Answer, number_of
from core.lessons.judging import Judged, judge
from core.lessons.lesson import BOTH, CHOICE, REASON, Link, Step
from core.lessons.revealing import REPLAYED, Revealed, find_reveal
from pages.ui import browser, state
from pages.ui.lessons import computed, instruments, picture
from pages.ui.quick import unchecked
from pages.ui.words import plain, prose

PAGES = Path("pages")


def panel(step: Step, answer: Answer, others: Sequence[float] = ()) -> None:
    """Everything that comes after the lock. What cannot be computed is said."""
    revealed = state.attempt(computed.revealed, step.reveal)
    if revealed is None:
        return
    judged = judge(step, answer, revealed)
    st.markdown(
        f"*{prose(step.question.text)}*\n\n:material/lock: **My guess:** {prose(judged.guess)}  \n"
        f"**Because:** {prose(judged.reason)}"
    )
    st.subheader("See for yourself")
    with state.explained():
        instruments.draw(step.instrument)
    st.subheader("What came out")
    _picture(step, answer, revealed, others)
    _verdict(judged)
    st.markdown(prose(judged.text))
    _source(step, revealed)
    _link(step.link)


def _picture(step: Step, answer: Answer, revealed: Revealed, others: Sequence[float]) -> None:
    mine = None if step.question.kind == CHOICE else number_of(answer.guess)
    dark = state.is_dark()
    found = picture.table(revealed, mine, others)
    if revealed.curve and mine is not None:
        chart = picture.curve(revealed, mine, dark, others)
    else:
        chart = picture.marks(found, revealed.unit, dark, browser.is_narrow())
    st.altair_chart(
        unchecked(chart),
        alt="My guess beside what came out, with its interval; as in the table below.",
        key=f"reveal-{step.name}",
    )
    with st.expander("As a table"):
        st.dataframe(found, hide_index=True)


def _verdict(judged: Judged) -> None:
    guess = "right" if judged.guess_right else "not right"
    if judged.outcome == BOTH:
        st.success("Guess and reason are right.", icon=":material/check:")
    elif judged.outcome == REASON:
        st.info("The reason is right, the guess is not.", icon=":material/straighten:")
    else:
        st.warning(
            f"That is not the reason. The guess is {guess}.", icon=":material/psychology_alt:"
        )


def _source(step: Step, revealed: Revealed) -> None:
    """How it came about, and from which runs."""
    kind = find_reveal(step.reveal.name).kind
    if kind == REPLAYED:
        runs = ", ".join(plain(run) for run in revealed.runs)
        st.caption(f"Replayed from runs {runs}. {plain(revealed.how)}")
    else:
        st.caption(f"Computed now by this program. {plain(revealed.how)}")


def _link(link: Link) -> None:
    st.page_link(
        str(PAGES / f"{link.page}.py"),
        label=prose(link.text),
        icon=":material/open_in_new:",
        query_params=dict(link.settings.pairs),
    )
