"""What others have printed, beside ours: only ratios share an axis.

Published figures are BERT-base on GLUE and SQuAD; ours are other models on other text. So the chart
shows, for both, how many times smaller than the float model and what share of its score is left,
and the table below keeps every figure as printed.
"""

import math

import altair as alt
import pandas as pd
import streamlit as st

from core import api
from pages.ui import state, url_state
from pages.ui.compare.compare_table import STUDENT
from pages.ui.fast_charts import tips, unchecked
from pages.ui.formatting import plain
from pages.ui.palette import GREY, Layered, ink, student_blue, top_legend

PUBLISHED, UNVERIFIED = "published", "published, unverified"


def panel(points: pd.DataFrame, task: str) -> None:
    """Choose a benchmark; ratios as a picture, figures as a table."""
    figures = api.published()
    benchmarks = list(dict.fromkeys(one.benchmark for one in figures))
    benchmark = st.selectbox("Published on", benchmarks, **url_state.bound("benchmark"))
    chosen = [one for one in figures if one.benchmark == benchmark]
    ours = f"ours, {task}"
    table = pd.concat([published_table(chosen), our_table(points, ours)], ignore_index=True)
    drawn = table.loc[table["times smaller"].notna()]
    drawn = drawn.assign(label=labels(drawn))
    st.markdown(
        "**Further right is smaller, further up is more of the full model's score.** Only these "
        "two ratios can stand side by side. Point at a mark for its name."
    )
    st.altair_chart(
        unchecked(against_published(drawn, ours, state.is_dark())),
        alt="Share of the full model's score over times smaller, published and ours.",
        key="published",
    )
    st.caption(
        f"Published: {plain(benchmark)} on dev, relative to the full model of the same source; "
        f"often the best of many checkpoints. Ours: {plain(task)} on test, the last checkpoint, "
        "relative to its own teacher. Other models, other text, other splits: a higher point is no "
        "better method. Hollow diamonds are unverified: written down from memory, not read again "
        "in print. Second-hand: others print it, or it was seen in an excerpt. A row without a "
        "printed size is in the table only."
    )
    st.dataframe(
        table.drop(columns=["share"]).rename(columns={"who": "figure"}),
        hide_index=True,
        column_config={
            name: st.column_config.NumberColumn(format="%.1f")
            for name in ("score", "MB", "times smaller", "% of its full model", "full score")
        },
    )


def published_table(figures: list[api.Published]) -> pd.DataFrame:
    """The figures of one benchmark, each relative to the full model of its own source."""
    return pd.DataFrame(
        [
            {
                "who": PUBLISHED if one.is_verified else UNVERIFIED,
                "model": one.model,
                "bits": one.bits,
                "score": one.score,
                "MB": one.megabytes,
                "times smaller": one.times_smaller,
                "share": one.share,
                "% of its full model": one.share,
                "full score": one.full_score,
                "full model": one.full_model,
                "read": one.reading,
                "source": one.source,
            }
            for one in figures
        ]
    )


def our_table(points: pd.DataFrame, who: str) -> pd.DataFrame:
    """Our trained recipes in the same columns."""
    students = points.loc[(points["who"] == STUDENT) & points["of teacher"].notna()]
    return pd.DataFrame(
        {
            "who": who,
            "model": students["model"] + ", " + students["method"],
            "bits": students["bits"],
            "score": students["score"],
            "MB": students["MiB"],
            "times smaller": students["times smaller"],
            "share": students["of teacher"],
            "% of its full model": students["of teacher"],
            "full score": 100 * students["score"] / students["of teacher"],
            "full model": "its own teacher",
            "read": "computed",
            "source": "this computer",
        }
    )


def labels(table: pd.DataFrame) -> list[str]:
    """Names for the published points that have room for one, the paper's own first."""
    low, high = table["share"].min(), table["share"].max()
    reach = max(high - low, 1e-9) / 14
    taken: list[tuple[float, float]] = []
    found = [""] * len(table)
    published = table["who"].isin([PUBLISHED, UNVERIFIED]).tolist()
    rows = zip(table["model"], table["times smaller"], table["share"], strict=True)
    for row, (model, times, share) in enumerate(rows):
        at = math.log10(times), share
        near = any(abs(at[0] - x) < 0.3 and abs(at[1] - y) < reach for x, y in taken)
        if published[row] and not near:
            found[row] = model.split(",")[0]
            taken.append(at)
    return found


def against_published(table: pd.DataFrame, ours: str, dark: bool) -> Layered:
    """Share of the full model's score over times smaller."""
    names = [PUBLISHED, UNVERIFIED, ours]
    blue = student_blue(dark)
    colours = alt.Scale(domain=names, range=[GREY, GREY, blue])
    fills = alt.Scale(domain=names, range=[GREY, "transparent", blue])
    shapes = alt.Scale(domain=names, range=["diamond", "diamond", "circle"])
    base = alt.Chart(table).encode(
        x=alt.X(
            "times smaller:Q",
            scale=alt.Scale(type="log", nice=False, padding=24),
            title="times smaller than the float32 model",
        ),
        y=alt.Y(
            "share:Q", scale=alt.Scale(zero=False), title="share of the full model's score (%)"
        ),
    )
    words = tips("who:N", "model:N", "bits:N")
    numbers = ["score", "MB", "times smaller", "share"]
    marks = base.mark_point(size=130, strokeWidth=2, opacity=1).encode(
        color=alt.Color("who:N", scale=colours, legend=top_legend(1)),
        fill=alt.Fill("who:N", scale=fills, legend=top_legend(1)),
        shape=alt.Shape("who:N", scale=shapes, legend=top_legend(1)),
        tooltip=tips(*words, *(alt.Tooltip(f"{name}:Q", format=".1f") for name in numbers)),
    )
    names_of = base.mark_text(align="left", dx=9, dy=-6, fontSize=13, color=ink(dark))
    return alt.layer(marks, names_of.encode(text=alt.Text("label:N"))).properties(height=460)
