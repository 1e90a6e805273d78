"""What enters the matrices of a layer: how it is spread, its range, its outliers."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import altair as alt
import pandas as pd
import streamlit as st

from core import api
from pages.ui import fast_charts, url_state
from pages.ui.fast_charts import tips
from pages.ui.formatting import percent, plain
from pages.ui.inside import range_panel
from pages.ui.inside.roles import Role
from pages.ui.palette import VERMILION, Layered

if TYPE_CHECKING:
    from core.analysis.internals import Activations, Look

Seen = tuple[Role, api.Inside]
DEVIATIONS = 6


def section(
    teacher: Seen, student: Seen, layers: Sequence[int], row: int, texts: Sequence[str]
) -> None:
    """A matrix of a layer in both models, and a table of all of them; `row` of the text is seen."""
    st.subheader("What enters the matrices")
    pairs = _pairs(teacher[1].look, student[1].look, layers)
    if not pairs:
        st.info("This kind of model does not say what enters its matrices.")
        return
    st.markdown(
        "**With eight bits there are 255 steps for the whole range.** A few values far out make "
        "every step wider, for all the others too."
    )
    number = st.selectbox(
        "Into",
        range(len(pairs)),
        format_func=lambda number: joined(pairs[number][1].titles),
        **url_state.by_id("into", range(len(pairs))),
    )
    roles = (teacher[0], student[0])
    _side_by_side(roles, pairs[number])
    st.caption(
        "Before anything rounds it, of all tokens of this text. Dashed lines: six standard "
        "deviations from the mean, where they lie in the picture. The vertical axis is a square "
        "root, so that single values can be seen."
    )
    with st.expander("Every matrix as a table"):
        st.dataframe(activation_table(roles, pairs), hide_index=True)
    with st.expander("The two histograms as a table"):
        st.dataframe(_bins(roles, pairs[number]), hide_index=True, height=260)
    titles = [each.titles[0] for each in pairs[number]]
    range_panel.section([*zip(roles, titles, strict=True)], row, texts)


def _side_by_side(roles: tuple[Role, Role], shown: tuple["Activations", "Activations"]) -> None:
    domain = [min(each.low for each in shown), max(each.high for each in shown)]
    for place, role, each in zip(st.columns(2), roles, shown, strict=True):
        with place:
            st.markdown(f"**{plain(role.name.capitalize())}**")
            st.altair_chart(
                fast_charts.unchecked(histogram(each, role.colour, domain)),
                alt=f"Histogram of what enters {joined(each.titles)} in {role.name}: from "
                f"{each.low:.2f} to {each.high:.2f}, {each.outliers} outliers.",
                key=f"inside-into-{role.id}",
            )
            st.markdown(
                f"From {each.low:.2f} to {each.high:.2f}; standard deviation {each.deviation:.2f}. "
                f"**{each.outliers:d} of {each.values:,} values lie beyond {DEVIATIONS} standard "
                f"deviations.** The outermost 1 % of the values take {percent(each.outer_share)} "
                "of the range."
            )


def _pairs(
    teacher: "Look", student: "Look", layers: Sequence[int]
) -> list[tuple["Activations", "Activations"]]:
    """(teacher's, student's) of every input of the student's layers; a layer's inputs stand in the
    order of the network in both."""
    found = []
    for layer, of in enumerate(layers):
        theirs = [each for each in teacher.inputs if each.layer == of]
        ours = [each for each in student.inputs if each.layer == layer]
        found += zip(theirs, ours, strict=False)
    return found


def joined(titles: Sequence[str]) -> str:
    """ "layer 0, query", "layer 0, key" -> "layer 0, query, key"."""
    return ", ".join([titles[0], *(title.rpartition(", ")[2] for title in titles[1:])])


def histogram(each: "Activations", colour: str, domain: list[float]) -> Layered:
    """Share of the values per bin; the axis is that of both models."""
    table = bins(each)
    x = alt.X("from:Q", title="value", scale=alt.Scale(domain=domain, nice=False))
    bars = (
        alt.Chart(table)
        .mark_bar(color=colour, opacity=0.75, stroke=colour)
        .encode(
            x=x,
            x2=alt.X2("to:Q"),
            y=alt.Y("values:Q", title="how many", scale=alt.Scale(type="sqrt")),
            y2=alt.Y2Datum(0),
            tooltip=tips(
                alt.Tooltip("from:Q", format=".3f"), alt.Tooltip("to:Q", format=".3f"), "values:Q"
            ),
        )
    )
    far = DEVIATIONS * each.deviation
    ends = [at for at in (each.mean - far, each.mean + far) if domain[0] <= at <= domain[1]]
    rules = (
        alt.Chart(pd.DataFrame({"at": ends}, dtype=float))
        .mark_rule(color=VERMILION, strokeDash=[6, 4], strokeWidth=2)
        .encode(x=alt.X("at:Q"))
    )
    return alt.layer(bars, rules).properties(height=240)


def bins(each: "Activations") -> pd.DataFrame:
    """The bars of a histogram."""
    return pd.DataFrame({"from": each.edges[:-1], "to": each.edges[1:], "values": each.counts})


def _bins(roles: Sequence[Role], shown: Sequence["Activations"]) -> pd.DataFrame:
    tables = [bins(each).assign(model=role.name) for role, each in zip(roles, shown, strict=True)]
    return pd.concat(tables).reindex(columns=["model", "from", "to", "values"])


def activation_table(
    roles: Sequence[Role], pairs: Sequence[tuple["Activations", "Activations"]]
) -> pd.DataFrame:
    """Range, outliers and the room that the outermost values take, of every input of both."""
    rows = [
        {
            "into": joined(each.titles),
            "model": role.name,
            "low": each.low,
            "high": each.high,
            "standard deviation": each.deviation,
            f"beyond {DEVIATIONS} deviations": each.outliers,
            "range of the outermost 1 % (%)": round(100 * each.outer_share, 1),
        }
        for pair in pairs
        for role, each in zip(roles, pair, strict=True)
    ]
    return pd.DataFrame(rows)
