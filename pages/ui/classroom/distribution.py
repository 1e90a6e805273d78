"""What a class guessed to one question, beside what came out."""

from collections import Counter
from collections.abc import Sequence
from textwrap import wrap

import altair as alt
import pandas as pd
import streamlit as st

from core.classroom.class_answers import Given
from core.lessons.catalogue import Words
from core.lessons.judging import is_right
from core.lessons.lesson import CHOICE, Option, Question, Step
from core.lessons.lesson_answers import number_of
from core.lessons.revealing import Revealed
from pages.ui import state
from pages.ui.fast_charts import tips, unchecked
from pages.ui.lessons import picture
from pages.ui.palette import GREY, VERMILION, Layered, ink, student_blue, top_legend

LINE_LETTERS = 46  # of an option beside its bar
TEXT_SIZE = 16


def of_step(given: Sequence[Given], lesson: str, version: int, step: Step) -> list[Given]:
    """The answers to that step of that version of a lesson."""
    wanted = (lesson, str(version), step.name)
    return [one for one in given if (one.lesson, one.lesson_version, one.step) == wanted]


def draw(
    step: Step, given: Sequence[Given], revealed: Revealed | None, key: str, words: Words
) -> None:
    """Guesses and reasons, with what came out where it is `revealed`."""
    if not given:
        st.info(words.joining.nobody, icon=":material/hourglass_empty:")
        return
    dark, question = state.is_dark(), step.question.text
    guesses, reasons = [one.guess for one in given], [one.reason for one in given]
    if step.question.kind == CHOICE:
        found = choices(step.question.options, guesses, _right_guesses(step, revealed), words)
        chart = bars(found, dark, words)
    else:
        found = numbers([number_of(guess) for guess in guesses], revealed, words)
        chart = dots(found, step.question, dark, words)
    st.altair_chart(
        unchecked(chart),
        alt=words.joining.guesses_chart.format(people=len(given), question=question),
        key=f"{key}-guesses",
    )
    right = None if revealed is None else {step.reason.right}
    because = choices(step.reason.options, reasons, right, words)
    st.markdown(f"**{words.shown.because}**")
    st.altair_chart(
        unchecked(bars(because, dark, words)),
        alt=words.joining.reasons_chart.format(people=len(given), question=question),
        key=f"{key}-reasons",
    )
    with st.expander(words.shown.table):
        for table in (found, because):
            st.dataframe(table, hide_index=True, column_config=_columns(words))


def _columns(words: Words) -> dict[str, str | None]:
    """What the columns of both tables are called."""
    said = words.joining
    of_choices = {"text": said.answer, "people": said.people, "is": said.verdict}
    return {**picture.columns(words), **of_choices}


def _right_guesses(step: Step, revealed: Revealed | None) -> set[str] | None:
    """The keys of the choices that hold; None while nothing is shown."""
    if revealed is None:
        return None
    question = step.question
    return {one.key for one in question.options if is_right(question, one.key, revealed)}


def choices(
    options: Sequence[Option], chosen: Sequence[str], right: set[str] | None, words: Words
) -> pd.DataFrame:
    """A row for each option: its text, how many chose it, and whether it is right."""
    counts, said = Counter(chosen), words.joining
    return pd.DataFrame(
        [
            {
                "text": option.text,
                "people": counts[option.key],
                "is": said.open
                if right is None
                else said.right
                if option.key in right
                else said.wrong,
            }
            for option in options
        ]
    )


def numbers(guesses: Sequence[float], revealed: Revealed | None, words: Words) -> pd.DataFrame:
    """A row for each guess, and one for what came out with its interval."""
    of_class = {"low": None, "high": None, "mark": words.picture.group}
    rows = [{"value": guess, **of_class} for guess in guesses]
    if revealed is not None:
        truth = {"value": revealed.value, "low": revealed.low, "high": revealed.high}
        rows.append({**truth, "mark": words.picture.came_out})
    found = pd.DataFrame(rows)
    return found.astype({"value": float, "low": float, "high": float})


def bars(found: pd.DataFrame, dark: bool, words: Words) -> Layered:
    """How many chose what; what holds is filled, with its word beside the bar."""
    said = words.joining
    colours = {said.right: student_blue(dark), said.wrong: GREY, said.open: GREY}
    kinds = [kind for kind in colours if kind in set(found["is"])]
    found = found.assign(lines=["\n".join(wrap(text, LINE_LETTERS)) for text in found["text"]])
    axis = alt.Axis(labelExpr="split(datum.label, '\\n')", labelLimit=0, labelFontSize=TEXT_SIZE)
    y = alt.Y("lines:N", sort=None, title=None, axis=axis)
    x = alt.X("people:Q", title=said.people, axis=alt.Axis(format="d", tickMinStep=1))
    scale = alt.Scale(domain=kinds, range=[colours[kind] for kind in kinds])
    base = alt.Chart(found).encode(y=y, x=x)
    bar = base.mark_bar().encode(
        color=alt.Color("is:N", scale=scale, legend=None),
        tooltip=tips(
            alt.Tooltip("text:N", title=said.answer),
            alt.Tooltip("people:Q", title=said.people),
            alt.Tooltip("is:N", title=said.verdict),
        ),
    )
    told = [
        f"{people} ✓ {verdict}" if verdict == said.right else f"{people}"
        for people, verdict in zip(found["people"], found["is"], strict=True)
    ]
    word = (
        alt.Chart(found.assign(told=told))
        .mark_text(align="left", dx=6, fontSize=TEXT_SIZE, color=ink(dark))
        .encode(y=y, x=x, text="told:N")
    )
    return alt.layer(bar, word).properties(height=alt.Step(64))


def dots(found: pd.DataFrame, question: Question, dark: bool, words: Words) -> Layered:
    """Every guess as a stroke on the axis of the question, what came out as a filled circle."""
    said = words.picture
    colours = {said.group: VERMILION, said.came_out: student_blue(dark)}
    kinds = [kind for kind in colours if kind in set(found["mark"])]
    scale = alt.Scale(domain=kinds, range=[colours[kind] for kind in kinds])
    shapes = alt.Scale(domain=kinds, range=["stroke", "circle"][: len(kinds)])
    title = words.picture.in_unit.format(unit=question.unit) if question.unit else said.value
    x = alt.X("value:Q", title=title, scale=alt.Scale(domain=[question.low, question.high]))
    y = alt.Y("mark:N", sort=list(colours), title=None, axis=alt.Axis(labelFontSize=TEXT_SIZE))
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
            alt.datum.mark == said.came_out,
            alt.value(colours[said.came_out]),
            alt.value("transparent"),
        ),
        angle=alt.condition(alt.datum.mark == said.group, alt.value(90), alt.value(0)),
        tooltip=tips(
            alt.Tooltip("mark:N", title=said.mark),
            alt.Tooltip("value:Q", title=said.value, format=".4~g"),
        ),
    )
    # An empty layer is a picture without a name to a screen reader.
    layers = [interval, points] if bool(found["low"].notna().any()) else [points]
    return alt.layer(*layers).properties(height=alt.Step(70))
