"""Charts of the weights over training: events in, charts out."""

from collections.abc import Sequence
from typing import Any

import altair as alt
import pandas as pd

from core.events import MatrixState, WeightsSeen
from pages.ui.fast_charts import tips
from pages.ui.palette import BLUE, GREY, Layered, ink, student_blue, top_legend

MAX_POINTS, MAX_COLUMNS = 200, 60
OTHERS = "the others"
Seen = Sequence[WeightsSeen]
History = list[tuple[int, MatrixState]]


def changes(seen: Seen, single: str = "", title: str = "") -> pd.DataFrame:
    """Per step the share of changed codes in per cent: of each part (matrices count by their
    weights), or of each matrix with `single` by its `title` and the rest as "the others"."""
    rows = []
    for event in _thinned(seen, MAX_POINTS):
        if single:
            rows += [_change(event.step, one, single, title) for one in event.matrices]
            continue
        for part in dict.fromkeys(one.part for one in event.matrices):
            mine = [one for one in event.matrices if one.part == part]
            weights = [max(1, sum(one.counts)) for one in mine]
            changed = sum(n * one.changed for n, one in zip(weights, mine, strict=True))
            share = 100 * changed / sum(weights)
            rows.append({"step": event.step, "line": part, "matrix": part, "changed": share})
    return pd.DataFrame(rows, columns=["step", "line", "matrix", "changed"])


def _change(step: int, one: MatrixState, single: str, title: str) -> dict[str, Any]:
    line = title if one.name == single else OTHERS
    return {"step": step, "line": line, "matrix": one.name, "changed": 100 * one.changed}


def _thinned(seen: Seen, most: int) -> Seen:
    every = -(-len(seen) // most)
    return seen[::-1][::every][::-1]  # the last one stays


def change_lines(table: pd.DataFrame, total_steps: int, dark: bool) -> alt.Chart:
    """One line a part; or every matrix in grey and the chosen one in blue."""
    lines = list(dict.fromkeys(table["line"]))
    chosen = [line for line in lines if line != OTHERS]
    dashes = [[1, 0], [6, 3], [2, 2], [8, 3, 2, 3]]
    colour, width = alt.Color("line:N", sort=lines, legend=top_legend(2)), alt.SizeValue(2)
    dash = alt.StrokeDash("line:N", sort=lines, legend=None).scale(
        domain=lines, range=[dashes[i % 4] for i in range(len(lines))]
    )
    if OTHERS in lines:
        scale = alt.Scale(domain=[*chosen, OTHERS], range=[student_blue(dark), GREY])
        colour = alt.Color("line:N", scale=scale, legend=top_legend())
        width = alt.condition(alt.datum.line == OTHERS, alt.value(0.6), alt.value(3))
        dash = alt.StrokeDashValue([1, 0])
    return (
        alt.Chart(table)
        .mark_line()
        .encode(
            x=_steps(total_steps),
            y=alt.Y("changed:Q", title="change state in a step (%)"),
            color=colour,
            strokeDash=dash,
            size=width,
            detail=alt.Detail("matrix:N"),
            tooltip=tips("step:Q", "line:N", "matrix:N", alt.Tooltip("changed:Q", format=".3f")),
        )
        .properties(height=260)
    )


def _steps(total_steps: int) -> alt.X:
    return alt.X("step:Q", scale=alt.Scale(domain=[0, total_steps]), title="step")


def of_matrix(seen: Seen, name: str) -> History:
    """(step, state) of one matrix."""
    return [(event.step, one) for event in seen for one in event.matrices if one.name == name]


def levels(seen: Seen, name: str) -> pd.DataFrame:
    """Scale and threshold of one matrix over the steps."""
    rows = []
    for step, one in of_matrix(_thinned(seen, MAX_POINTS), name):
        rows.append({"step": step, "line": "scale", "value": one.scale})
        if one.threshold is not None:
            rows.append({"step": step, "line": "threshold", "value": one.threshold})
    return pd.DataFrame(rows, columns=["step", "line", "value"])


def level_lines(table: pd.DataFrame, total_steps: int, dark: bool) -> alt.Chart:
    """Scale as a full line, threshold as a dashed one."""
    names = list(dict.fromkeys(table["line"]))
    colours = alt.Scale(domain=names, range=[student_blue(dark), ink(dark)][: len(names)])
    dashes = alt.Scale(domain=names, range=[[1, 0], [6, 4]][: len(names)])
    return (
        alt.Chart(table)
        .mark_line(strokeWidth=2)
        .encode(
            x=_steps(total_steps),
            y=alt.Y("value:Q", title="weight", scale=alt.Scale(zero=False)),
            color=alt.Color("line:N", scale=colours, legend=top_legend()),
            strokeDash=alt.StrokeDash("line:N", scale=dashes, legend=top_legend()),
            tooltip=tips("step:Q", "line:N", alt.Tooltip("value:Q", format=".5f")),
        )
        .properties(height=260)
    )


def bins(one: MatrixState) -> pd.DataFrame:
    """Edges of the bins and the share of the weights in each, in per cent."""
    width = (one.high - one.low) / max(1, len(one.counts))
    total = max(1, sum(one.counts))
    return pd.DataFrame(
        {
            "from": [one.low + width * place for place in range(len(one.counts))],
            "to": [one.low + width * (place + 1) for place in range(len(one.counts))],
            "share": [100 * count / total for count in one.counts],
        }
    )


def limits(mine: History) -> tuple[float, float]:
    """The range that all histograms of a matrix need, so that the axis stands still."""
    return min(one.low for _, one in mine), max(one.high for _, one in mine)


def heat_map(mine: History, total_steps: int, dark: bool) -> Layered:
    """Steps to the right, weights upwards, darker (lighter on a dark page) where more of them
    are; the thresholds as dashed lines."""
    every = -(-len(mine) // MAX_COLUMNS)
    columns = mine[::-1][::every][::-1]
    ends = [step for step, _ in columns]
    # A column reaches back to the one before: what was seen at its end.
    begins = [0, *ends[:-1]]
    tables = [
        bins(one).assign(begin=begin, end=end)
        for begin, (end, one) in zip(begins, columns, strict=True)
    ]
    table = pd.concat(tables, ignore_index=True)
    shades = ["#0E1117", "#56B4E9"] if dark else ["#FFFFFF", BLUE]
    y = alt.Y("from:Q", title="latent weight", scale=alt.Scale(domain=limits(mine), nice=False))
    rows = (
        alt.Chart(table)
        .mark_rect(strokeWidth=0)
        .encode(
            x=alt.X("begin:Q", scale=alt.Scale(domain=[0, total_steps]), title="step"),
            x2=alt.X2("end:Q"),
            y=y,
            y2=alt.Y2("to:Q"),
            color=alt.Color(
                "share:Q",
                scale=alt.Scale(range=shades, type="sqrt", interpolate="rgb"),
                legend=alt.Legend(title="% of weights", orient="top"),
            ),
            tooltip=tips("end:Q", *(alt.Tooltip(f"{c}:Q", format=".4f") for c in ("from", "to"))),
        )
    )
    lines = (
        _lines_of(columns)
        .mark_line(strokeWidth=2, color=ink(dark))
        .encode(
            x=alt.X("end:Q"),
            y=alt.Y("at:Q"),
            strokeDash=alt.StrokeDash("line:N", scale=_DASHES, legend=None),
            detail=alt.Detail("which:N"),
        )
    )
    return alt.layer(rows, lines).properties(height=300)


_DASHES = alt.Scale(domain=["threshold", "level"], range=[[6, 4], [1, 3]])


def _lines_of(columns: History) -> alt.Chart:
    rows = []
    for step, one in columns:
        for sign in (-1, 1):
            rows.append(_line(step, sign * one.scale, "level", sign))
            if one.threshold is not None:
                rows.append(_line(step, sign * one.threshold, "threshold", sign))
    return alt.Chart(pd.DataFrame(rows))


def _line(step: int, at: float, line: str, sign: int) -> dict[str, Any]:
    return {"end": step, "at": at, "line": line, "which": f"{sign} {line}"}


def histogram(one: MatrixState, domain: tuple[float, float], dark: bool) -> Layered:
    """The latent weights of one matrix after one step, with thresholds and levels."""
    x = alt.X("from:Q", title="latent weight", scale=alt.Scale(domain=domain, nice=False))
    tooltip = tips(*(alt.Tooltip(f"{name}:Q", format=".4f") for name in ("from", "to", "share")))
    bars = alt.Chart(bins(one)).mark_bar(color=GREY, stroke=None)
    bars = bars.encode(
        x=x,
        x2=alt.X2("to:Q"),
        y=alt.Y("share:Q", title="share (%)"),
        y2=alt.Y2Datum(0),
        tooltip=tooltip,
    )
    rules = _lines_of([(0, one)]).mark_rule(strokeWidth=2, color=ink(dark))
    rules = rules.encode(
        x=alt.X("at:Q"), strokeDash=alt.StrokeDash("line:N", scale=_DASHES, legend=top_legend())
    )
    return alt.layer(bars, rules).properties(height=220)


def twin(seen: Seen) -> pd.DataFrame:
    """The same as numbers, thinned like the lines."""
    return pd.DataFrame(
        [
            {
                "step": event.step,
                "matrix": one.name,
                "changed (%)": 100 * one.changed,
                "zeros (%)": 100 * one.zeros,
                "scale": one.scale,
                "threshold": one.threshold,
            }
            for event in _thinned(seen, 30)
            for one in event.matrices
        ]
    )
