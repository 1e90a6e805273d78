"""What a class guessed to one question, beside what came out."""

from collections import Counter
from collections.abc import Sequence
from textwrap import wrap

import altair as alt
import pandas as pd
import streamlit as st

from core.classroom.answers import Given
from core.lessons.answers import number_of
from core.lessons.judging import is_right
from core.lessons.lesson import CHOICE, Option, Question, Step
from core.lessons.revealing import Revealed
from pages.ui import state
from pages.ui.palette import GREY, VERMILION, Layered, ink, student_blue, top_legend
from pages.ui.quick import tips, unchecked

LINE_LETTERS = 46  # of an option beside its bar
GUESSES, TRUTH = MARKS = ("the class", "came out")
RIGHT, WRONG, UNKNOWN = "right", "not right", "guessed"
TEXT_SIZE = 16


def of_step(given: Sequence[Given], lesson: str, version: int, step: Step) -> list[Given]:
    """The answers to that step of that version of a lesson."""
    wanted = (lesson, str(version), step.name)
    return [one for one in given if (one.lesson, one.lesson_version, one.step) == wanted]


def draw(step: Step, given: Sequence[Given], revealed: Revealed | None, key: str) -> None:
    """Guesses and reasons, with what came out where it is `revealed`."""
    if not given:
        st.info("Nobody has answered this step yet.", icon=":material/hourglass_empty:")
        return
    if step.question.kind == CHOICE:
        found = choices(
            step.question.options, [one.guess for one in given], step.question, revealed
        )
        chart = bars(found, state.is_dark())
    else:
        found = numbers([number_of(one.guess) for one in given], revealed)
        chart = dots(found, step.question, state.is_dark())
    alt_text = f"{len(given)} guesses to: {step.question.text}"
    st.altair_chart(unchecked(chart), alt=alt_text, key=f"{key}-guesses")
    reasons = choices(step.reason.options, [one.reason for one in given], None, revealed)
    if revealed is not None:
        right = {option.text for option in step.reason.options if option.key == step.reason.right}
        reasons["is"] = [RIGHT if text in right else WRONG for text in reasons["text"]]
    st.markdown("**Because**")
    alt_text = f"{len(given)} reasons to: {step.question.text}"
    st.altair_chart(unchecked(bars(reasons, state.is_dark())), alt=alt_text, key=f"{key}-reasons")
    with st.expander("As a table"):
        st.dataframe(found, hide_index=True)
        st.dataframe(reasons, hide_index=True)


def choices(
    options: Sequence[Option],
    chosen: Sequence[str],
    question: Question | None,
    revealed: Revealed | None,
) -> pd.DataFrame:
    """A row for each option: its text, how many chose it, and whether it holds."""
    counts = Counter(chosen)
    return pd.DataFrame(
        [
            {
                "text": option.text,
                "people": counts[option.key],
                "is": _holds(question, option, revealed),
            }
            for option in options
        ]
    )


def _holds(question: Question | None, option: Option, revealed: Revealed | None) -> str:
    if question is None or revealed is None:
        return UNKNOWN
    return RIGHT if is_right(question, option.key, revealed) else WRONG


def numbers(guesses: Sequence[float], revealed: Revealed | None) -> pd.DataFrame:
    """A row for each guess, and one for what came out with its interval."""
    rows = [{"value": guess, "low": None, "high": None, "mark": GUESSES} for guess in guesses]
    if revealed is not None:
        truth = {"value": revealed.value, "low": revealed.low, "high": revealed.high}
        rows.append({**truth, "mark": TRUTH})
    found = pd.DataFrame(rows)
    return found.astype({"value": float, "low": float, "high": float})


def bars(found: pd.DataFrame, dark: bool) -> Layered:
    """How many chose what; what holds is filled, with its word beside the bar."""
    kinds = [kind for kind in (RIGHT, WRONG, UNKNOWN) if kind in set(found["is"])]
    colours = {RIGHT: student_blue(dark), WRONG: GREY, UNKNOWN: GREY}
    found = found.assign(lines=["\n".join(wrap(text, LINE_LETTERS)) for text in found["text"]])
    axis = alt.Axis(labelExpr="split(datum.label, '\\n')", labelLimit=0, labelFontSize=TEXT_SIZE)
    y = alt.Y("lines:N", sort=None, title=None, axis=axis)
    x = alt.X("people:Q", title="people", axis=alt.Axis(format="d", tickMinStep=1))
    scale = alt.Scale(domain=kinds, range=[colours[kind] for kind in kinds])
    base = alt.Chart(found).encode(y=y, x=x)
    bar = base.mark_bar().encode(
        color=alt.Color("is:N", scale=scale, legend=None),
        tooltip=tips("text:N", "people:Q", "is:N"),
    )
    told = f"datum.is == '{RIGHT}' ? datum.people + ' ✓ right' : '' + datum.people"
    word = (
        base.transform_calculate(told=told)
        .mark_text(align="left", dx=6, fontSize=TEXT_SIZE, color=ink(dark))
        .encode(text="told:N")
    )
    return alt.layer(bar, word).properties(height=alt.Step(64))


def dots(found: pd.DataFrame, question: Question, dark: bool) -> Layered:
    """Every guess as a stroke on the axis of the question, what came out as a filled circle."""
    kinds = [kind for kind in MARKS if kind in set(found["mark"])]
    colours = {GUESSES: VERMILION, TRUTH: student_blue(dark)}
    scale = alt.Scale(domain=kinds, range=[colours[kind] for kind in kinds])
    shapes = alt.Scale(domain=kinds, range=["stroke", "circle"][: len(kinds)])
    title = f"in {question.unit}" if question.unit else "value"
    x = alt.X("value:Q", title=title, scale=alt.Scale(domain=[question.low, question.high]))
    y = alt.Y("mark:N", sort=list(MARKS), title=None, axis=alt.Axis(labelFontSize=TEXT_SIZE))
    colour = alt.Color("mark:N", scale=scale, legend=top_legend())
    base = alt.Chart(found)
    interval = (
        base.transform_filter("isValid(datum.low)")
        .mark_rule(strokeWidth=3)
        .encode(x=alt.X("low:Q", title=title), x2=alt.X2("high:Q"), y=y, color=colour)
    )
    points = base.mark_point(size=500, strokeWidth=3, filled=False, opacity=0.8).encode(
        x=x,
        y=y,
        color=colour,
        shape=alt.Shape("mark:N", scale=shapes, legend=top_legend()),
        fill=alt.condition(
            f"datum.mark == '{TRUTH}'", alt.value(colours[TRUTH]), alt.value("transparent")
        ),
        angle=alt.condition(f"datum.mark == '{GUESSES}'", alt.value(90), alt.value(0)),
        tooltip=tips("mark:N", alt.Tooltip("value:Q", format=".4~g")),
    )
    # An empty layer is a picture without a name to whoever hears the page.
    layers = [interval, points] if found["low"].notna().any() else [points]
    return alt.layer(*layers).properties(height=alt.Step(70))
