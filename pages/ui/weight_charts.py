"""Pictures of one weight matrix: pure functions from a WeightView to a chart."""

from typing import TYPE_CHECKING

import altair as alt
import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from pages.ui.palette import BLUE, GREY, VERMILION, Layered, ink, student_blue

if TYPE_CHECKING:
    from core.analysis import Histogram, WeightView


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


def weight_histogram(histogram: "Histogram", dark: bool) -> Layered:
    """Latent (grey) and quantized (blue, outlined) weights on the same bins, with level and
    threshold lines. The vertical axis is a square root, so that both can be read."""
    table = histogram_table(histogram)
    colour = student_blue(dark)
    x = alt.X("from:Q", title="weight", scale=alt.Scale(nice=False))
    y_scale = alt.Scale(type="sqrt", domain=[0, 100])
    tooltip = [
        alt.Tooltip("from:Q", format=".3f"),
        alt.Tooltip("to:Q", format=".3f"),
        alt.Tooltip("latent:Q", title="latent %", format=".2f"),
        alt.Tooltip("quantized:Q", title="quantized %", format=".2f"),
    ]

    def bars(column: str, **style) -> alt.Chart:
        y = alt.Y(f"{column}:Q", title="share of weights (%)", scale=y_scale)
        chart = alt.Chart(table).mark_bar(**style)
        return chart.encode(x=x, x2="to:Q", y=y, y2=alt.datum(0), tooltip=tooltip)

    lines = pd.DataFrame(
        [{"x": level, "line": "level", "text": f"{level:+.3f}"} for level in histogram.levels]
        + [{"x": t, "line": "threshold", "text": f"{t:+.3f}"} for t in histogram.thresholds]
    )
    layers = [
        bars("quantized", color=colour, opacity=0.55, stroke=colour),
        bars("latent", color=GREY, opacity=0.75),
    ]
    if len(lines):
        rules = (
            alt.Chart(lines)
            .mark_rule(color=ink(dark))
            .encode(
                x="x:Q",
                strokeDash=alt.StrokeDash(
                    "line:N",
                    scale=alt.Scale(domain=["level", "threshold"], range=[[1, 0], [5, 4]]),
                    legend=alt.Legend(title=None, orient="top"),
                ),
                tooltip=["line:N", "text:N"],
            )
        )
        layers.append(rules)
    return alt.layer(*layers).properties(height=320)


def scales(view: "WeightView", dark: bool) -> alt.Chart:
    """How the scales of the rows are spread."""
    counts, edges = np.histogram(view.scales, bins=40)
    table = pd.DataFrame({"scale": edges[:-1], "to": edges[1:], "rows": counts})
    return (
        alt.Chart(table)
        .mark_bar(color=student_blue(dark))
        .encode(
            x=alt.X("scale:Q", title="scale of a row", scale=alt.Scale(nice=False, zero=False)),
            x2="to:Q",
            y=alt.Y("rows:Q", title="rows"),
            y2=alt.datum(0),
            tooltip=[alt.Tooltip("scale:Q", format=".4f"), "rows:Q"],
        )
        .properties(height=220)
    )


def block(view: "WeightView") -> go.Figure:
    """A 64 x 64 corner as three heat maps: latent weights, codes, error.

    Weights and errors share one colour scale, cut at the end of the histogram's axis.
    """
    limit = float(view.histogram.edges[-1])
    top = max(1, int(np.abs(view.block_codes).max()))
    diverging = [[0.0, VERMILION], [0.5, "#EEEEEE"], [1.0, BLUE]]
    figure = make_subplots(
        cols=3,
        rows=1,
        horizontal_spacing=0.09,
        subplot_titles=("latent weights", "codes", "error (quantized - latent)"),
    )
    panels = ((view.block_latent, limit), (view.block_codes, top), (view.block_error, limit))
    for column, (values, bound) in enumerate(panels, start=1):
        heat = go.Heatmap(
            z=values,
            zmin=-bound,
            zmax=bound,
            colorscale=diverging,
            colorbar={"x": (column - 1) * 0.3633 + 0.278, "thickness": 8, "tickfont": {"size": 10}},
            hovertemplate="row %{y}, column %{x}: %{z:.4g}<extra></extra>",
        )
        figure.add_trace(heat, row=1, col=column)
    figure.update_yaxes(autorange="reversed", showticklabels=False)
    figure.update_xaxes(showticklabels=False)
    figure.update_layout(height=330, margin={"l": 10, "r": 10, "t": 30, "b": 10})
    return figure
