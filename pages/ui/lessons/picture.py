"""One picture of a step: my guess, what came out with its interval, and, where there is a class,
what the others guessed. For a cut it is the curve of all cuts with these on it."""

from collections.abc import Sequence
from itertools import pairwise

import altair as alt
import pandas as pd

from core.lessons.catalogue import Words
from core.lessons.judging import error_at
from core.lessons.revealing import Revealed
from pages.ui.fast_charts import tips
from pages.ui.palette import GREY, VERMILION, Layered, ink, student_blue, top_legend

SHAPES = ("diamond", "circle", "circle", "stroke")


def kinds_of(words: Words) -> tuple[str, str, str, str]:
    """The kinds of marks: my guess, what came out, what stands beside it, the class."""
    said = words.picture
    return said.mine, said.came_out, said.beside, said.group


def columns(words: Words) -> dict[str, str | None]:
    """What the columns of the table are called."""
    said = words.picture
    return {
        "label": said.label,
        "value": said.value,
        "low": said.low,
        "high": said.high,
        "mark": said.mark,
    }


def table(
    revealed: Revealed, mine: float | None, words: Words, others: Sequence[float] = ()
) -> pd.DataFrame:
    """A row for each mark: who, its label, its value and its interval."""
    my_guess, out, beside, group = kinds_of(words)
    rows = [
        {
            "label": item.label,
            "value": item.value,
            "low": item.low,
            "high": item.high,
            "mark": out if item.main else beside,
        }
        for item in revealed.items
    ]
    if mine is not None:
        first = {"label": my_guess, "value": mine, "low": None, "high": None, "mark": my_guess}
        rows.insert(0, first)
    rows += [
        {"label": group, "value": value, "low": None, "high": None, "mark": group}
        for value in others
    ]
    found = pd.DataFrame(rows, columns=["label", "value", "low", "high", "mark"])
    return found.astype({"value": float, "low": float, "high": float})


def marks(
    found: pd.DataFrame, unit: str, dark: bool, words: Words, narrow: bool = False
) -> Layered:
    """Every value as a mark, its 95 % interval as a bar."""
    all_kinds, present = kinds_of(words), set(found["mark"])
    kinds = [kind for kind in all_kinds if kind in present]
    colours = (VERMILION, student_blue(dark), GREY, ink(dark))
    fills = (VERMILION, student_blue(dark), "transparent", ink(dark))

    def scale(of: Sequence[str]) -> alt.Scale:
        ours = dict(zip(all_kinds, of, strict=True))
        return alt.Scale(domain=kinds, range=[ours[kind] for kind in kinds])

    title = words.picture.in_unit.format(unit=unit) if unit else words.picture.value
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
        shape=alt.Shape("mark:N", scale=scale(SHAPES), legend=None),
        fill=alt.Fill("mark:N", scale=scale(fills), legend=None),
        tooltip=_tips(words),
    )
    # An empty layer is a picture without a name to a screen reader.
    layers = [bars, points] if bool(found["low"].notna().any()) else [points]
    return alt.layer(*layers).properties(height=alt.Step(38))


def _tips(words: Words) -> list[alt.Tooltip]:
    """What is shown under the pointer: the columns of the table."""
    numbers = ("value", "low", "high")
    return [
        alt.Tooltip(f"{name}:Q", title=title, format=".4~g")
        if name in numbers
        else alt.Tooltip(f"{name}:N", title=title)
        for name, title in columns(words).items()
    ]


def curve(
    revealed: Revealed, mine: float, dark: bool, words: Words, others: Sequence[float] = ()
) -> Layered:
    """The error of every cut, with my cut and those of the rules on it."""
    line = pd.DataFrame(revealed.curve, columns=["cut", "error"])
    found = table(revealed, mine, words, others).rename(columns={"value": "cut"})
    found["error"] = [error_at(revealed, at) for at in found["cut"]]
    found["what"] = found["label"]
    names = list(dict.fromkeys(found["what"]))
    palette = {words.picture.mine: VERMILION, words.picture.group: ink(dark)}
    rest = iter((student_blue(dark), GREY, GREY))
    colours = [palette.get(name) or next(rest) for name in names]
    shapes = ["diamond", "circle", "square", "triangle-up"][: len(names)]
    x = alt.X("cut:Q", title=words.picture.cut_axis)
    y = alt.Y("error:Q", title=words.picture.error_axis, scale=alt.Scale(domain=[0, 100]))
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
                alt.Tooltip("what:N", title=words.picture.label),
                alt.Tooltip("cut:Q", title=words.picture.cut, format=".4f"),
                alt.Tooltip("error:Q", title=words.picture.error, format=".1f"),
            ),
        )
    )
    whole = alt.Chart(line).mark_line(color=GREY, strokeWidth=2).encode(x=x, y=y)
    return alt.layer(whole, points).properties(height=320)


def hill(edges: Sequence[float], counts: Sequence[float], cut: float, words: Words) -> Layered:
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
            x=alt.X("from:Q", title=words.picture.weight, scale=alt.Scale(nice=False)),
            x2=alt.X2("to:Q"),
            y=alt.Y("share:Q", title=words.picture.share),
            y2=alt.Y2Datum(0),
            color=alt.Color("becomes:N", scale=scale, legend=top_legend()),
            tooltip=tips(
                alt.Tooltip("becomes:N", title=words.picture.becomes),
                alt.Tooltip("share:Q", title=words.picture.share, format=".2f"),
            ),
        )
    )
    lines = alt.Chart(pd.DataFrame({"cut": [-cut, cut]})).mark_rule(
        color=GREY, strokeWidth=3, strokeDash=[8, 5]
    )
    return alt.layer(hills, lines.encode(x=alt.X("cut:Q"))).properties(height=280)
