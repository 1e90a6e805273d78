"""An answered step: what was guessed, the instrument, what came out, why, and the way to the page.

`others` are what a class guessed to the same question: numbers for its picture.
"""

from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from core.lessons.catalogue import Words
from core.lessons.judging import Judged, judge
from core.lessons.lesson import BOTH, CHOICE, REASON, Link, Step
from core.lessons.lesson_answers import Answer, number_of
from core.lessons.revealing import REPLAYED, Revealed, find_reveal
from core.lessons.sheet import judgement
from pages.ui import browser, state
from pages.ui.fast_charts import unchecked
from pages.ui.formatting import plain, prose
from pages.ui.lessons import computed, instrument_panels, picture

PAGES = Path("pages")


def panel(step: Step, answer: Answer, words: Words, others: Sequence[float] = ()) -> None:
    """Everything that comes after the lock. What cannot be computed is said."""
    revealed = state.attempt(computed.revealed, step.reveal, words)
    if revealed is None:
        return
    judged = judge(step, answer, revealed)
    st.markdown(
        f"*{prose(step.question.text)}*\n\n"
        f":material/lock: **{words.shown.guess}:** {prose(judged.guess)}  \n"
        f"**{words.shown.because}:** {prose(judged.reason)}"
    )
    st.subheader(words.shown.see)
    with state.explained():
        instrument_panels.draw(step.instrument, words)
    st.subheader(words.shown.came_out)
    _picture(step, answer, (revealed, others), words)
    _verdict(judged, words)
    st.markdown(prose(judged.text))
    _source(step, revealed, words)
    _link(step.link)


def _picture(
    step: Step, answer: Answer, found_out: tuple[Revealed, Sequence[float]], words: Words
) -> None:
    revealed, others = found_out
    mine = None if step.question.kind == CHOICE else number_of(answer.guess)
    dark = state.is_dark()
    found = picture.table(revealed, mine, words, others)
    if revealed.curve and mine is not None:
        chart = picture.curve(revealed, mine, dark, words, others)
    else:
        chart = picture.marks(found, revealed.unit, dark, words, browser.is_narrow())
    st.altair_chart(
        unchecked(chart),
        alt=words.shown.picture,
        key=f"reveal-{step.name}",
    )
    with st.expander(words.shown.table):
        st.dataframe(found, hide_index=True, column_config=picture.columns(words))


def _verdict(judged: Judged, words: Words) -> None:
    said = judgement(judged, words)
    if judged.outcome == BOTH:
        st.success(plain(said), icon=":material/check:")
    elif judged.outcome == REASON:
        st.info(plain(said), icon=":material/straighten:")
    else:
        st.warning(plain(said), icon=":material/psychology_alt:")


def _source(step: Step, revealed: Revealed, words: Words) -> None:
    """How it came about, and from which runs."""
    kind = find_reveal(step.reveal.name).kind
    if kind == REPLAYED:
        runs = ", ".join(plain(run) for run in revealed.runs)
        st.caption(words.shown.replayed.format(runs=runs, how=plain(revealed.how)))
    else:
        st.caption(words.shown.computed.format(how=plain(revealed.how)))


def _link(link: Link) -> None:
    st.page_link(
        str(PAGES / f"{link.page}.py"),
        label=prose(link.text),
        icon=":material/open_in_new:",
        query_params=dict(link.settings.pairs),
    )
