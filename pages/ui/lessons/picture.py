"""One picture of a step: my guess, what came out with its interval, and, where there is a class,
what the others guessed. For a cut it is the curve of all cuts with these on it."""

from collections.abc import Sequence
from itertools import pairwise

import altair as alt
import pandas as pd

from core.lessons.judging import error_at
from core.lessons.revealing import Revealed
from pages.ui.palette import GREY, VERMILION, Layered, ink, student_blue, top_legend
from pages.ui.quick import tips

MINE, OUT, BESIDE, CLASS = KINDS = ("my guess", "came out", "beside it", "the class")
SHAPES = ("diamond", "circle", "circle", "stroke")


def table(revealed: Revealed, mine: float | None, others: Sequence[float] = ()) -> pd.DataFrame:
    """A row for each mark: who, its label, its value and its interval."""
    rows = [
        {
            "label": item.label,
            "value": item.value,
            "low": item.low,
            "high": item.high,
            "mark": OUT if item.main else BESIDE,
        }
        for item in revealed.items
    ]
    if mine is not None:
        rows.insert(0, {"label": MINE, "value": mine, "low": None, "high": None, "mark": MINE})
    rows += [
        {"label": CLASS, "value": value, "low": None, "high": None, "mark": CLASS}
        for value in others
    ]
    found = pd.DataFrame(rows, columns=["label", "value", "low", "high", "mark"])
    return found.astype({"value": float, "low": float, "high": float})


def marks(found: pd.DataFrame, unit: str, dark: bool, narrow: bool = False) -> Layered:
    """Every value as a mark, its 95 % interval as a bar."""
    kinds = [kind for kind in KINDS if kind in set(found["mark"])]
    blue, black = student_blue(dark), ink(dark)
    colours: dict[str, str] = dict(zip(KINDS, (VERMILION, blue, GREY, black), strict=True))
    shapes: dict[str, str] = dict(zip(KINDS, SHAPES, strict=True))
    fills: dict[str, str] = colours | {BESIDE: "transparent"}

    def scale(of: dict[str, str]) -> alt.Scale:
        return alt.Scale(domain=kinds, range=[of[kind] for kind in kinds])

    title = f"in {unit}" if unit else "value"
    labels = alt.Axis(labelLimit=130 if narrow else 260, labelFontSize=11 if narrow else 14)
    y = alt.Y("label:N", sort=None, title=None, axis=labels)
    ticks = alt.Axis(tickCount=4 if narrow else 8)
    x = alt.X(
        "value:Q", title=title, axis=ticks, scale=alt.Scale(zero=False, nice=True, padding=12)
    )
    colour = alt.Color("mark:N", scale=scale(colours), legend=top_legend(2))
    base = alt.Chart(found).encode(y=y)
    bars = (
        base.transform_filter("isValid(datum.low)")
        .mark_rule(strokeWidth=2)
        .encode(x=alt.X("low:Q", title=title, axis=ticks), x2=alt.X2("high:Q"), color=colour)
    )
    points = base.mark_point(size=140, strokeWidth=2, opacity=1).encode(
        x=x,
        color=colour,
        shape=alt.Shape("mark:N", scale=scale(shapes), legend=None),
        fill=alt.Fill("mark:N", scale=scale(fills), legend=None),
        tooltip=tips(
            "mark:N",
            "label:N",
            alt.Tooltip("value:Q", format=".4~g"),
            alt.Tooltip("low:Q", format=".4~g"),
            alt.Tooltip("high:Q", format=".4~g"),
        ),
    )
    # An empty layer is a picture without a name to whoever hears the page.
    layers = [bars, points] if found["low"].notna().any() else [points]
    return alt.layer(*layers).properties(height=alt.Step(38))


def curve(revealed: Revealed, mine: float, dark: bool, others: Sequence[float] = ()) -> Layered:
    """The error of every cut, with my cut and those of the rules on it."""
    line = pd.DataFrame(revealed.curve, columns=["cut", "error"])
    found = table(revealed, mine, others).rename(columns={"value": "cut"})
    found["error"] = [error_at(revealed, at) for at in found["cut"]]
    found["what"] = found["label"]
    names = list(dict.fromkeys(found["what"]))
    palette = {MINE: VERMILION, CLASS: ink(dark)}
    rest = iter((student_blue(dark), GREY, GREY))
    colours = [palette.get(name) or next(rest) for name in names]
    shapes = ["diamond", "circle", "square", "triangle-up"][: len(names)]
    x = alt.X("cut:Q", title="cut: below it a weight becomes 0")
    y = alt.Y("error:Q", title="squared error (%)", scale=alt.Scale(domain=[0, 100]))
    points = (
        alt.Chart(found)
        .mark_point(size=180, strokeWidth=2, filled=True, opacity=1)
        .encode(
            x=x,
            y=y,
            color=alt.Color(
                "what:N", scale=alt.Scale(domain=names, range=colours), legend=top_legend(1)
            ),
            shape=alt.Shape(
                "what:N", scale=alt.Scale(domain=names, range=shapes), legend=top_legend(1)
            ),
            tooltip=tips(
                "what:N", alt.Tooltip("cut:Q", format=".4f"), alt.Tooltip("error:Q", format=".1f")
            ),
        )
    )
    whole = alt.Chart(line).mark_line(color=GREY, strokeWidth=2).encode(x=x, y=y)
    return alt.layer(whole, points).properties(height=320)


def hill(edges: Sequence[float], counts: Sequence[float], cut: float) -> Layered:
    """The latent weights as a hill, and the cut on both sides of zero."""
    total = float(sum(counts))
    bars = pd.DataFrame(
        {
            "from": list(edges[:-1]),
            "to": list(edges[1:]),
            "share": [100 * count / total for count in counts],
            "becomes": [
                "0" if abs(low + high) / 2 <= cut else "+1" if low > 0 else "-1"
                for low, high in pairwise(edges)
            ],
        }
    )
    scale = alt.Scale(domain=["-1", "0", "+1"], range=[VERMILION, "#BBBBBB", "#0072B2"])
    hills = (
        alt.Chart(bars)
        .mark_bar()
        .encode(
            x=alt.X("from:Q", title="weight", scale=alt.Scale(nice=False)),
            x2=alt.X2("to:Q"),
            y=alt.Y("share:Q", title="share of weights (%)"),
            y2=alt.Y2Datum(0),
            color=alt.Color("becomes:N", scale=scale, legend=top_legend()),
            tooltip=tips("becomes:N", alt.Tooltip("share:Q", format=".2f")),
        )
    )
    lines = alt.Chart(pd.DataFrame({"cut": [-cut, cut]})).mark_rule(
        color=GREY, strokeWidth=3, strokeDash=[8, 5]
    )
    return alt.layer(hills, lines.encode(x=alt.X("cut:Q"))).properties(height=280)
