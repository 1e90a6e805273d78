"""Recipes as points (score over size, with error bars and front) and as lines through all axes."""

import math
from typing import Any

import altair as alt
import pandas as pd
import plotly.graph_objects as go

from core.experiment import HARDLY_MATTER
from core.options import options
from pages.ui.compare.compare_table import STUDENT, TEACHER, UNTRAINED, settings_of
from pages.ui.fast_charts import tips
from pages.ui.formatting import metric_title
from pages.ui.palette import GREY, ORANGE, Layered, ink, student_blue, top_legend

NAMES = [TEACHER, UNTRAINED, STUDENT]
# Axes of the parallel coordinates, from what was chosen to what came of it.
CHOSEN = ("model", "method", "bits", "granularity", "steps")
LABELS = {"agrees with teacher": "agreement", "granularity": "scales"}
MOST_OTHERS, MOST_TICKS = 3, 8  # more could not be read
USUAL = {option.name.replace("_", " "): str(option.default) for option in options()}
CAME_OUT = ("MiB", "score", "agrees with teacher", "seconds")


def score_against_size(points: pd.DataFrame, metric: str, dark: bool) -> Layered:
    """Test score over size (log) with error bars and front; click a point for its runs."""
    pick = alt.selection_point(name="picked", fields=["run"], on="click")
    x = alt.X("MiB:Q", scale=alt.Scale(type="log", nice=False, padding=24), title="size (MiB)")
    y = alt.Y("score:Q", title=f"test {metric_title(metric)}", scale=alt.Scale(zero=False))
    colours = [ink(dark), ORANGE, student_blue(dark)]
    filled = [ink(dark), "transparent", student_blue(dark)]
    who = alt.Color("who:N", scale=alt.Scale(domain=NAMES, range=colours), legend=top_legend(1))
    shape = alt.Shape(
        "who:N", scale=alt.Scale(domain=NAMES, range=["square", "circle", "circle"]), legend=None
    )
    base = alt.Chart(points).encode(x=x)
    edge = alt.Chart(_edge(points)).encode(x=x, y=y)
    edge = edge.mark_line(
        interpolate="step-after", color=GREY, strokeDash=[2, 3], strokeWidth=2, clip=True
    )
    bars = base.mark_rule().encode(y=alt.Y("low:Q", title=""), y2=alt.Y2("high:Q"), color=who)
    marks = base.mark_point(size=_size(points), strokeWidth=2, opacity=1).encode(
        y=y,
        color=who,
        shape=shape,
        fill=alt.Fill("who:N", scale=alt.Scale(domain=NAMES, range=filled), legend=None),
        tooltip=tips(
            "who:N",
            "model:N",
            "method:N",
            "bits:N",
            "granularity:N",
            "steps:Q",
            "other settings:N",
            alt.Tooltip("score:Q", format=".1f"),
            alt.Tooltip("standard error:Q", format=".2f"),
            alt.Tooltip("bar:N", title="its bar is of the"),
            "seeds:Q",
            alt.Tooltip("MiB:Q", format=".2f"),
        ),
    )
    return alt.layer(edge, bars, marks.add_params(pick)).properties(height=420)


def _edge(points: pd.DataFrame) -> pd.DataFrame:
    """The corners of the front, to the end of the axis: nothing further right beats its last."""
    corners = points.loc[points["front"], ["MiB", "score"]].sort_values("MiB")
    if corners.empty:
        return corners
    last = {"MiB": points["MiB"].max(), "score": corners["score"].max()}
    return pd.concat([corners, pd.DataFrame([last])])


def _size(points: pd.DataFrame) -> int:
    """Area of a mark: large enough to read on a projector, smaller where there are many."""
    return 110 if len(points) <= 40 else 50


def parallel_coordinates(points: pd.DataFrame, metric: str, dark: bool) -> go.Figure:
    """One line a trained recipe through everything in which they differ; drag along an axis to
    keep a range of it."""
    students = points.loc[points["who"] == STUDENT]
    columns = {name: students[name].tolist() for name in CHOSEN}
    columns |= _columns_of(students, other_settings(students)[:MOST_OTHERS])
    columns |= {name: students[name].tolist() for name in CAME_OUT}
    dimensions = [
        _dimension(name, values, metric)
        for name, values in columns.items()
        if name in ("MiB", "score") or len(set(values)) > 1
    ]
    # By rank, not by score: one bad recipe would leave all others in one shade.
    places = pd.Series(columns["score"]).rank(pct=True).tolist()
    scale = [[0.0, "#5B7A90" if dark else "#B8D8EA"], [1.0, "#9BDCFF" if dark else "#003E66"]]
    figure = go.Figure(
        go.Parcoords(
            dimensions=dimensions,
            line={"color": places, "colorscale": scale, "showscale": False},
            labelfont={"size": 14, "color": ink(dark)},
            labelangle=-25,  # so that names stay apart where the page is narrow
            tickfont={"size": 13, "color": ink(dark)},
            rangefont={"size": 1, "color": "rgba(0,0,0,0)"},
            unselected={"line": {"color": GREY, "opacity": 0.15}},
            labelside="top",
        )
    )
    return figure.update_layout(
        height=460,
        margin={"l": 70, "r": 60, "t": 90, "b": 20},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": ink(dark)},
    )


def other_settings(students: pd.DataFrame) -> list[str]:
    """The settings without a column in which the recipes differ, the one that most of them change
    first; without those that hardly matter."""
    counts: dict[str, int] = {}
    for text in students["other settings"].tolist():
        for name in settings_of(text):
            counts[name] = counts.get(name, 0) + 1
    hardly = {name.replace("_", " ") for name in HARDLY_MATTER}
    found = [name for name in counts if name not in hardly]
    return sorted(found, key=lambda name: (-counts[name], name))


def _columns_of(students: pd.DataFrame, names: list[str]) -> dict[str, list[str]]:
    """Their values, one a recipe; where it says nothing, the usual one."""
    texts = [settings_of(text) for text in students["other settings"].tolist()]
    return {name: [each.get(name, USUAL[name]) for each in texts] for name in names}


def _in_order(value: object) -> tuple[bool, float, str]:
    """Numbers by their size, also where they are texts, then words."""
    try:
        return False, float(str(value)), ""
    except ValueError:
        return True, 0.0, str(value)


def _dimension(name: str, values: list[Any], metric: str) -> dict[str, Any]:
    """An axis: numbers as they are, words as evenly spaced ticks."""
    label = LABELS.get(name, name)
    if name == "score":
        label = metric_title(metric) if len(metric) < 10 else "test score"
    if name in CAME_OUT:
        return {"label": label, "values": values}
    kinds = sorted(set(values), key=_in_order)
    every = math.ceil(len(kinds) / MOST_TICKS)
    ticks = list(range(0, len(kinds), every))
    return {
        "label": label,
        "values": [kinds.index(value) for value in values],
        "tickvals": ticks,
        "ticktext": [str(kinds[tick]) or "none" for tick in ticks],
        "range": [-0.2, max(len(kinds) - 0.8, 0.2)],
    }
