"""Charts that only lessons have: the error of every cut, and what comes into a matrix."""

from collections.abc import Sequence

import altair as alt
import numpy as np
import pandas as pd

from core.lessons.catalogue import Words
from core.lessons.revealing import Item
from pages.ui.fast_charts import tips
from pages.ui.palette import GREY, ORANGE, Layered, ink, student_blue, top_legend

BINS = 60


def cuts(
    curve: Sequence[tuple[float, float]], rules_cut: Sequence[Item], dark: bool, words: Words
) -> Layered:
    """The squared error of every cut, and where the two rules cut."""
    line = pd.DataFrame(curve, columns=["cut", "error"])
    rules = pd.DataFrame([{"cut": item.value, "rule": item.label} for item in rules_cut])
    x = alt.X("cut:Q", title=words.picture.cut_axis)
    whole = (
        alt.Chart(line)
        .mark_line(color=student_blue(dark), strokeWidth=2)
        .encode(x=x, y=alt.Y("error:Q", title=words.picture.error_axis))
    )
    return alt.layer(whole, _rules(rules, x, dark, words)).properties(height=280)


def inputs(values: np.ndarray, dark: bool, words: Words) -> Layered:
    """A histogram with a square-root axis, and the ends of the two ranges."""
    counts, edges = np.histogram(values, bins=BINS)
    table = pd.DataFrame({"from": edges[:-1], "to": edges[1:], "numbers": counts})
    low, high = float(values.min()), float(values.max())
    most = max(-low, high)
    ends = pd.DataFrame(
        {
            "cut": [low, high, -most, most],
            "rule": [words.picture.min_max] * 2 + [words.picture.symmetric] * 2,
        }
    )
    bars = (
        alt.Chart(table)
        .mark_bar(color=GREY)
        .encode(
            x=alt.X("from:Q", title=words.picture.input_axis, scale=alt.Scale(nice=False)),
            x2=alt.X2("to:Q"),
            y=alt.Y("numbers:Q", title=words.picture.count, scale=alt.Scale(type="sqrt")),
            y2=alt.Y2Datum(0),
            tooltip=tips(
                alt.Tooltip("from:Q", title=words.picture.input_axis, format=".2f"),
                alt.Tooltip("numbers:Q", title=words.picture.count),
            ),
        )
    )
    return alt.layer(bars, _rules(ends, alt.X("cut:Q"), dark, words)).properties(height=280)


def _rules(table: pd.DataFrame, x: alt.X, dark: bool, words: Words) -> alt.Chart:
    names = list(dict.fromkeys(table["rule"]))
    colour = alt.Color(
        "rule:N",
        scale=alt.Scale(domain=names, range=[ink(dark), ORANGE]),
        legend=top_legend(),
    )
    dash = alt.StrokeDash(
        "rule:N", scale=alt.Scale(domain=names, range=[[1, 0], [8, 5]]), legend=top_legend()
    )
    tooltip = tips(
        alt.Tooltip("rule:N", title=words.picture.rule),
        alt.Tooltip("cut:Q", title=words.picture.cut, format=".4f"),
    )
    rules = alt.Chart(table).mark_rule(strokeWidth=2)
    return rules.encode(x=x, color=colour, strokeDash=dash, tooltip=tooltip)
