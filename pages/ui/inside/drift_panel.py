"""How far hidden states drift from the teacher's, layer by layer."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import altair as alt
import pandas as pd
import streamlit as st

from pages.ui import fast_charts, state
from pages.ui.fast_charts import tips
from pages.ui.formatting import plain
from pages.ui.inside.roles import Role
from pages.ui.palette import Layered, ink, top_legend

if TYPE_CHECKING:
    from core.analysis.drift import Compared

EMBEDDING = "embedding"
# Of each: the axis, what it is, and how it is read.
MEASURES = {
    "cosine": ("cosine", "cosine with the teacher", "1 is the same direction"),
    "norm": ("length", "length, the teacher's being 1", "above 1 it is longer"),
}


def section(found: Sequence[tuple[Role, "Compared"]]) -> None:
    """A line for each model."""
    st.subheader("Hidden states")
    table = drift_table(found)
    if table.empty:
        st.info("There are no hidden states to compare.")
        return
    st.markdown(
        "**Where a student leaves its teacher.** From the embedding's output through every layer: "
        "the mean over the tokens of the angle's cosine, and of the length."
    )
    roles = [role for role, _ in found]
    for place, (measure, (_, title, meaning)) in zip(st.columns(2), MEASURES.items(), strict=True):
        with place:
            st.altair_chart(
                fast_charts.unchecked(lines(table, measure, roles, state.is_dark())),
                alt=f"Hidden states layer by layer, {title}, one line for each model; the same "
                "numbers are in the table below.",
                key=f"inside-{measure}",
            )
            st.caption(
                plain(f"{title.capitalize()}: {meaning}. The full line at 1 is the teacher.")
            )
    _say_matched(found)
    with st.expander("Hidden states as a table"):
        st.dataframe(table.drop(columns="of"), hide_index=True)


def _say_matched(found: Sequence[tuple[Role, "Compared"]]) -> None:
    """Where a student has fewer layers: which of the teacher's they are held against."""
    for role, compared in found:
        if compared.layers != tuple(range(len(compared.layers))):
            pairs = ", ".join(f"{ours} with {of}" for ours, of in enumerate(compared.layers))
            st.caption(
                f"{plain(role.name)} has fewer layers. Each is compared with the last of those "
                f"that it stands for, as in distillation: layer {plain(pairs)}."
            )


def drift_table(found: Sequence[tuple[Role, "Compared"]]) -> pd.DataFrame:
    """Model, hidden state, cosine and norm; `of` is the place of the teacher's state."""
    rows = [
        {
            "model": role.name,
            "hidden state": f"layer {each.state - 1}" if each.state else EMBEDDING,
            "teacher state": f"layer {each.of - 1}" if each.of else EMBEDDING,
            "cosine": each.cosine,
            "norm": each.norm,
            "of": each.of,
        }
        for role, compared in found
        for each in compared.drift
    ]
    columns = ["model", "hidden state", "teacher state", "cosine", "norm", "of"]
    return pd.DataFrame(rows, columns=columns)


def lines(table: pd.DataFrame, measure: str, roles: Sequence[Role], dark: bool) -> Layered:
    """One measure over the teacher's layers, a line for each model."""
    names = [role.name for role in roles]
    order = list(dict.fromkeys(table.sort_values("of")["teacher state"]))
    x = alt.X("teacher state:N", sort=order, title="hidden state of the teacher", axis=_axis())
    y = alt.Y(f"{measure}:Q", title=MEASURES[measure][0], scale=alt.Scale(zero=False))

    def scale(values: list[str]) -> alt.Scale:
        return alt.Scale(domain=names, range=values)

    legend = top_legend(1)
    paths = [
        alt.Chart(table[table["model"] == role.name])
        .mark_line(strokeWidth=2, color=role.colour, strokeDash=list(role.dash))
        .encode(x=x, y=y)
        for role in roles
    ]
    points = (
        alt.Chart(table)
        .mark_point(size=60, strokeWidth=2, opacity=1)
        .encode(
            x=x,
            y=y,
            color=alt.Color("model:N", scale=scale([r.colour for r in roles]), legend=legend),
            shape=alt.Shape("model:N", scale=scale([r.shape for r in roles]), legend=legend),
            fill=alt.Fill("model:N", scale=scale(_fillings(roles)), legend=legend),
            tooltip=tips(
                *("model:N", "hidden state:N", "teacher state:N"),
                *(alt.Tooltip(f"{name}:Q", format=".4f") for name in MEASURES),
            ),
        )
    )
    teacher = alt.Chart(pd.DataFrame({"at": [1.0]})).mark_rule(color=ink(dark), strokeWidth=2)
    return alt.layer(teacher.encode(y=alt.Y("at:Q")), *paths, points).properties(height=340)


def _fillings(roles: Sequence[Role]) -> list[str]:
    return [role.colour if role.filled else "transparent" for role in roles]


def _axis() -> alt.Axis:
    return alt.Axis(labelAngle=-45, labelOverlap=False)
