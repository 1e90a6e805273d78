"""Pictures of weight matrices: pure functions from views and errors to charts."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import altair as alt
import numpy as np
import pandas as pd
import plotly.graph_objects as go

from pages.ui.fast_charts import tips
from pages.ui.palette import BLUE, GREY, ORANGE, VERMILION, Layered, ink, student_blue
from pages.ui.weights import weight_sentences

if TYPE_CHECKING:
    from core.analysis.matrix_view import Histogram, WeightView
    from core.analysis.sensitivity import MatrixError

_EVERY_NAME = alt.Axis(labelLimit=200, labelOverlap=False)
LINES = ("level", "threshold", "exact optimum")


def histogram_table(histogram: "Histogram") -> pd.DataFrame:
    """Share of the weights per bin, in per cent."""
    total = float(histogram.latent.sum())
    return pd.DataFrame(
        {
            "from": histogram.edges[:-1],
            "to": histogram.edges[1:],
            "latent": 100 * histogram.latent / total,
            "quantized": 100 * histogram.quantized / total,
        }
    )


def line_table(histogram: "Histogram") -> pd.DataFrame:
    """Where the lines stand: levels, thresholds, and the outermost levels of the optimum."""
    kinds = zip(LINES, (histogram.levels, histogram.thresholds, histogram.optimum), strict=True)
    rows = [{"x": x, "line": kind, "at": f"{x:+.4f}"} for kind, xs in kinds for x in xs]
    return pd.DataFrame(rows, columns=["x", "line", "at"])


def weight_histogram(histogram: "Histogram", dark: bool) -> Layered:
    """Latent (grey) and quantized (blue) weights on the same bins, with level, threshold and
    optimum lines. The vertical axis is a square root, so that both can be read."""
    table = histogram_table(histogram)
    colour = student_blue(dark)
    x = alt.X("from:Q", title="weight", scale=alt.Scale(nice=False))
    y_scale = alt.Scale(type="sqrt", domain=[0, 100])
    tooltip = tips(
        alt.Tooltip("from:Q", format=".3f"),
        alt.Tooltip("to:Q", format=".3f"),
        alt.Tooltip("latent:Q", title="latent %", format=".2f"),
        alt.Tooltip("quantized:Q", title="quantized %", format=".2f"),
    )

    def bars(column: str, **style: Any) -> alt.Chart:
        y = alt.Y(f"{column}:Q", title="share of weights (%)", scale=y_scale)
        chart = alt.Chart(table).mark_bar(**style)
        return chart.encode(x=x, x2=alt.X2("to:Q"), y=y, y2=alt.Y2Datum(0), tooltip=tooltip)

    dashes = alt.Scale(domain=list(LINES), range=[[1, 0], [8, 5], [2, 4]])
    colours = alt.Scale(domain=list(LINES), range=[ink(dark), ORANGE, VERMILION])
    legend = alt.Legend(title=None, orient="top", symbolSize=300, symbolStrokeWidth=2)
    rules = (
        alt.Chart(line_table(histogram))
        .mark_rule(clip=True, strokeWidth=2)
        .encode(
            x=alt.X("x:Q"),
            color=alt.Color("line:N", scale=colours, legend=legend),
            strokeDash=alt.StrokeDash("line:N", scale=dashes, legend=legend),
            tooltip=tips("line:N", "at:N"),
        )
    )
    layers = [
        bars("quantized", color=colour, opacity=0.55, stroke=colour),
        bars("latent", color=GREY, opacity=0.75),
        rules,
    ]
    return alt.layer(*layers).properties(height=300)


def scales(view: "WeightView", dark: bool) -> alt.Chart:
    """How the scales of the rows or groups are spread."""
    counts, edges = np.histogram(view.scales, bins=40)
    owner = weight_sentences.owner(view)
    table = pd.DataFrame({"scale": edges[:-1], "to": edges[1:], f"{owner}s": counts})
    return (
        alt.Chart(table)
        .mark_bar(color=student_blue(dark))
        .encode(
            x=alt.X(
                "scale:Q", title=f"scale of a {owner}", scale=alt.Scale(nice=False, zero=False)
            ),
            x2=alt.X2("to:Q"),
            y=alt.Y(f"{owner}s:Q", title=f"{owner}s"),
            y2=alt.Y2Datum(0),
            tooltip=tips(alt.Tooltip("scale:Q", format=".4f"), f"{owner}s:Q"),
        )
        .properties(height=180)
    )


def blocks(view: "WeightView") -> list[tuple[str, go.Figure]]:
    """A 64 x 64 corner as three heat maps: latent weights, codes, error (quantized - latent).

    Weights and errors share one colour scale, cut at the end of the histogram's axis. Hovering
    over any of them tells what one weight becomes.
    """
    limit = float(view.histogram.edges[-1])
    top = max(1.0, float(np.abs(view.block_codes).max()))
    error = view.block_values - view.block_latent
    told = np.stack([view.block_latent, view.block_codes, view.block_values, error], axis=-1)
    return [
        ("latent weights", _heat_map(view.block_latent, limit, told)),
        ("codes", _heat_map(view.block_codes, top, told)),
        ("error", _heat_map(error, limit, told)),
    ]


def _heat_map(values: np.ndarray, limit: float, told: np.ndarray) -> go.Figure:
    heat = go.Heatmap(
        z=values,
        zmin=-limit,
        zmax=limit,
        colorscale=[[0.0, VERMILION], [0.5, "#EEEEEE"], [1.0, BLUE]],
        colorbar={"thickness": 8, "tickfont": {"size": 10}},
        customdata=told.round(5),
        hovertemplate=(
            "row %{y}, column %{x}<br>%{customdata[0]:.4f} → code %{customdata[1]:.0f} → "
            "%{customdata[2]:.4f}<br>error %{customdata[3]:+.4f}<extra></extra>"
        ),
    )
    figure = go.Figure(heat)
    figure.update_yaxes(autorange="reversed", showticklabels=False)
    figure.update_xaxes(showticklabels=False)
    return figure.update_layout(height=300, margin={"l": 5, "r": 5, "t": 10, "b": 10})


def ranking_table(errors: "Sequence[MatrixError]", title: Callable[[str], str]) -> pd.DataFrame:
    """Matrix, and its isolated and accumulated error in per cent, in the order of the network."""
    rows = [
        {
            "matrix": title(error.name),
            "isolated": 100 * error.isolated,
            "accumulated": 100 * error.accumulated,
        }
        for error in errors
    ]
    return pd.DataFrame(rows, columns=["matrix", "isolated", "accumulated"])


def isolated(table: pd.DataFrame, dark: bool) -> alt.Chart:
    """Matrices ranked by what quantizing only them does."""
    return (
        alt.Chart(table)
        .mark_bar(color=student_blue(dark))
        .encode(
            x=alt.X("isolated:Q", title="error of the last hidden states (%)"),
            y=alt.Y("matrix:N", sort="-x", title=None, axis=_EVERY_NAME),
            tooltip=tips("matrix:N", alt.Tooltip("isolated:Q", format=".2f")),
        )
        .properties(height={"step": 18})
    )


def accumulated(table: pd.DataFrame, dark: bool) -> alt.Chart:
    """What is left after quantizing everything from the embedding up to each matrix."""
    return (
        alt.Chart(table)
        .mark_line(color=student_blue(dark), point={"color": student_blue(dark)})
        .encode(
            x=alt.X("accumulated:Q", title="error of the last hidden states (%)"),
            y=alt.Y("matrix:N", sort=None, title=None, axis=_EVERY_NAME),
            order=alt.OrderValue(0),
            tooltip=tips("matrix:N", alt.Tooltip("accumulated:Q", format=".2f")),
        )
        .properties(height={"step": 18})
    )
