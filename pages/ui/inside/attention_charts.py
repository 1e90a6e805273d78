"""Pictures of attention: the heads of a model as a grid, a head as maps of tokens by tokens."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import altair as alt
import numpy as np
import pandas as pd
import plotly.graph_objects as go

from pages.ui.fast_charts import tips
from pages.ui.palette import BLUE, LIGHT_BLUE, VERMILION, Layered

if TYPE_CHECKING:
    from core.analysis.drift import Compared
    from core.family import Unit

MOST_TICKS, LONGEST = 32, 14  # labels of an axis, characters of one
SIDE_BY_SIDE = 16  # with more tokens the maps stand below each other
MARKED, SMALLEST_MARKED = 6, 3.0  # differences with their number; in points of a per cent
PAPER = {True: "#0E1117", False: "#FFFFFF"}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HeadPair:
    """One head in two models: teacher, student (tokens, tokens), rows summing to 1."""

    units: "tuple[Unit, ...]"
    teacher: np.ndarray
    student: np.ndarray
    names: tuple[str, str]

    def on_marks(self, attention: np.ndarray) -> float:
        """The share of all attention that marks get."""
        marks = [place for place, unit in enumerate(self.units) if unit.is_mark]
        return float(attention[:, marks].sum(axis=1).mean())

    def table(self, most: int) -> pd.DataFrame:
        """The pairs of tokens that differ most, in per cent."""
        apart = (self.student - self.teacher).ravel()
        order = np.argsort(-np.abs(apart), kind="stable")[:most]
        looking, seen = np.divmod(order, len(self.units))
        names = [f"{place + 1} {unit.text}" for place, unit in enumerate(self.units)]
        return pd.DataFrame(
            {
                "from": [names[place] for place in looking],
                "to": [names[place] for place in seen],
                f"{self.names[0]} (%)": (100 * self.teacher.ravel()[order]).round(1),
                f"{self.names[1]} (%)": (100 * self.student.ravel()[order]).round(1),
                "difference": (100 * apart[order]).round(1),
            }
        )


def overview(compared: "Compared", colour: str, dark: bool) -> Layered:
    """Layers by heads, each with its number: the darker (on a dark page the lighter), the more of
    its attention moved."""
    rows = [
        {"layer": each.layer, "head": each.head, "moved": 100 * each.moved}
        for each in compared.heads
    ]
    axis = alt.Axis(labelAngle=0)
    top = max(row["moved"] for row in rows) or 1.0
    base = alt.Chart(pd.DataFrame(rows)).encode(
        x=alt.X("head:O", title="head", axis=axis),
        y=alt.Y("layer:O", title="layer"),
        tooltip=tips("layer:O", "head:O", alt.Tooltip("moved:Q", title="moved %", format=".1f")),
    )
    scale = alt.Scale(domain=[0, top], range=[PAPER[dark], colour], interpolate="rgb")
    cells = base.mark_rect(stroke="#999999", strokeWidth=0.5).encode(
        color=alt.Color("moved:Q", scale=scale, legend=None)
    )
    # White on the darker half of a light page, black on the lighter half of a dark one.
    far, near = ("#000000", "#FFFFFF") if dark else ("#FFFFFF", "#000000")
    numbers = base.mark_text(fontSize=11).encode(
        text=alt.Text("moved:Q", format=".0f"),
        color=alt.condition(alt.datum.moved > 0.6 * top, alt.value(far), alt.value(near)),
    )
    return alt.layer(cells, numbers).properties(height={"step": 26})


def one(pair: HeadPair, values: np.ndarray, colour: str, dark: bool) -> go.Figure:
    """A head of one model; both models have the same scale."""
    top = 100 * float(max(pair.teacher.max(), pair.student.max()))
    scale = [[0.0, PAPER[dark]], [1.0, colour]]
    return _map(pair, 100 * values, (0.0, top), scale)


def difference(pair: HeadPair, dark: bool) -> go.Figure:
    """Student less teacher, centred on zero; the largest differences have their number."""
    apart = pair.student - pair.teacher
    limit = max(100 * float(np.abs(apart).max()), 1.0)
    middle, more = ("#262730", LIGHT_BLUE) if dark else ("#F5F5F5", BLUE)
    scale = [[0.0, VERMILION], [0.5, middle], [1.0, more]]
    figure = _map(pair, 100 * apart, (-limit, limit), scale)
    return figure.add_trace(_numbers(100 * apart, limit, _names(pair), dark))


def _numbers(apart: np.ndarray, limit: float, names: Sequence[str], dark: bool) -> go.Scatter:
    """The largest differences as text, in a colour that can be read on that of its cell."""
    order = np.argsort(-np.abs(apart).ravel(), kind="stable")[:MARKED]
    places = [divmod(int(place), len(apart)) for place in order]
    places = [place for place in places if abs(apart[place]) >= SMALLEST_MARKED]
    return go.Scatter(
        x=[names[column] for _, column in places],
        y=[names[row] for row, _ in places],
        text=[f"{apart[place]:+.0f}" for place in places],
        mode="text",
        textfont={"size": 10, "color": [_readable(apart[place] / limit, dark) for place in places]},
        hoverinfo="skip",
        showlegend=False,
    )


def _readable(share: float, dark: bool) -> str:
    """Black or white, on the cell of a difference that is this share of the largest."""
    if abs(share) < 0.5:
        return "#FFFFFF" if dark else "#000000"
    return "#FFFFFF" if share > 0 and not dark else "#000000"


def _map(
    pair: HeadPair,
    values: np.ndarray,
    limits: tuple[float, float],
    scale: list[list[float | str]],
) -> go.Figure:
    names = _names(pair)
    both = 100 * np.stack([pair.teacher, pair.student], axis=-1)
    heat = go.Heatmap(
        z=values.round(2),
        x=names,
        y=names,
        zmin=limits[0],
        zmax=limits[1],
        colorscale=scale,
        colorbar={
            **{"orientation": "h", "y": 1.0, "yanchor": "bottom", "thickness": 8, "nticks": 5},
            **{"tickfont": {"size": 10}, "ticksuffix": " %", "outlinewidth": 0},
        },
        customdata=both.round(1),
        hovertemplate=(
            "from %{y}<br>to %{x}<br>teacher %{customdata[0]:.1f} %, student "
            "%{customdata[1]:.1f} %<extra></extra>"
        ),
    )
    figure = go.Figure(heat)
    every = math.ceil(len(names) / MOST_TICKS)
    ticks: dict[str, Any] = {
        "type": "category",
        "tickmode": "array",
        "tickvals": names[::every],
        "ticktext": [_tick(unit) for unit in pair.units[::every]],
        "tickfont": {"size": 10},
        "showgrid": False,
    }
    figure.update_yaxes(**ticks, autorange="reversed", title="from")
    figure.update_xaxes(**ticks, tickangle=-90, title="to")
    height = 150 + max(180, 18 * min(len(names), 32))
    return figure.update_layout(height=height, margin={"l": 5, "r": 5, "t": 10, "b": 10})


def _names(pair: HeadPair) -> list[str]:
    """The tokens with their places, for one may stand in several."""
    return [f"{place + 1} {_label(unit)}" for place, unit in enumerate(pair.units)]


def _label(unit: "Unit") -> str:
    """A token as Plotly shows text: it reads some HTML, so a token's own signs are written out."""
    text = unit.text if len(unit.text) <= LONGEST else f"{unit.text[: LONGEST - 1]}…"
    return escape(text)


def _tick(unit: "Unit") -> str:
    return f"<b>{_label(unit)}</b>" if unit.is_mark else _label(unit)
