"""What enters one matrix by channel and by token, and what each kind of range cuts off."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import altair as alt
import pandas as pd
import streamlit as st

from pages.ui import cached, fast_charts, url_state
from pages.ui.fast_charts import tips
from pages.ui.formatting import percent, plain
from pages.ui.inside.roles import Role
from pages.ui.palette import VERMILION

if TYPE_CHECKING:
    from core.analysis.cut_offs import Examined

BITS = (8, 4)
MOST_NAMED = 6


def section(inputs: Sequence[tuple[Role, str]], row: int, texts: Sequence[str]) -> None:
    """The input of the matrix of this title in each model."""
    st.subheader("Channels, marks and ranges")
    st.markdown(
        "**A few channels and the marks around a text carry values far beyond all others.** One "
        "range for everything must hold them, or cut them off."
    )
    bits = url_state.segments(
        "Rounded to", BITS, BITS[0], "range_bits", format_func=lambda bits: f"{bits:d} bits"
    )
    found = [
        (role, cached.examined(role.source, row, title, bits, *texts)) for role, title in inputs
    ]
    for place, (role, each) in zip(st.columns(len(found)), found, strict=True):
        with place:
            _spots(role, each)
    st.dataframe(ranges_table(found), hide_index=True)
    st.caption(
        "Each range as this text would have it, from the lowest to the highest value, with a zero "
        "point. Per token: the middle one of the tokens' ranges. Percentile leaves out the "
        "outermost thousandth. Error: the mean square of what rounding and cutting off change."
    )
    with st.expander("Channels with outliers as a table"):
        st.dataframe(channel_table(found), hide_index=True)


def _spots(role: Role, each: "Examined") -> None:
    st.markdown(f"**{plain(role.name.capitalize())}**")
    channels = each.channels
    named = ", ".join(str(channel) for channel in channels[:MOST_NAMED])
    more = " and others" if len(channels) > MOST_NAMED else ""
    st.altair_chart(
        fast_charts.unchecked(channel_chart(each, role.colour)),
        alt=f"From the lowest to the highest value of each of {len(each.low)} channels in "
        f"{role.name}; {len(channels)} of them hold outliers.",
        key=f"inside-channels-{role.id}",
    )
    st.altair_chart(
        fast_charts.unchecked(token_chart(each, role.colour)),
        alt=f"The largest magnitude of each token in {role.name}; marks around the text are "
        "triangles.",
        key=f"inside-tokens-{role.id}",
    )
    if not channels:
        st.markdown("No value lies beyond six standard deviations.")
        return
    total = int(each.outliers.sum())
    st.markdown(
        f"**{total:,} outliers in {len(channels):,} of {len(each.low):,} channels** "
        f"({named}{more}); {percent(each.at_marks / total)} of them at marks."
    )


def channel_chart(each: "Examined", colour: str) -> alt.Chart:
    """A line for each channel, from its lowest to its highest value."""
    table = pd.DataFrame({"channel": range(len(each.low)), "low": each.low, "high": each.high})
    table["holds outliers"] = table["channel"].isin(each.channels)
    shade = alt.condition("datum['holds outliers']", alt.value(VERMILION), alt.value(colour))
    return (
        alt.Chart(table)
        .mark_rule()
        .encode(
            x=alt.X("channel:Q", title="channel", scale=alt.Scale(nice=False)),
            y=alt.Y("low:Q", title="value"),
            y2="high:Q",
            color=shade,
            tooltip=tips(
                "channel:Q", alt.Tooltip("low:Q", format=".2f"), alt.Tooltip("high:Q", format=".2f")
            ),
        )
        .properties(height=180)
    )


def token_chart(each: "Examined", colour: str) -> alt.Chart:
    """The largest magnitude of each token; marks are triangles."""
    table = pd.DataFrame(
        {
            "place": range(len(each.units)),
            "token": [unit.text for unit in each.units],
            "kind": ["mark" if unit.is_mark else "text" for unit in each.units],
            "largest": each.farthest,
        }
    )
    kinds = ["text", "mark"]
    return (
        alt.Chart(table)
        .mark_point(filled=True, opacity=1, size=60)
        .encode(
            x=alt.X("place:Q", title="token", axis=alt.Axis(tickMinStep=1)),
            y=alt.Y("largest:Q", title="largest magnitude"),
            color=alt.Color(
                "kind:N", scale=alt.Scale(domain=kinds, range=[colour, VERMILION]), legend=None
            ),
            shape=alt.Shape(
                "kind:N", scale=alt.Scale(domain=kinds, range=["circle", "triangle"]), legend=None
            ),
            tooltip=tips("token:N", "kind:N", alt.Tooltip("largest:Q", format=".2f")),
        )
        .properties(height=160)
    )


def ranges_table(found: Sequence[tuple[Role, "Examined"]]) -> pd.DataFrame:
    """Every range of every model."""
    rows = [
        {
            "model": role.name,
            "range": cut.name,
            "lowest": cut.low,
            "highest": cut.high,
            "cut off (%)": round(100 * cut.outside, 3),
            "one step": cut.step,
            "squared error": cut.error,
        }
        for role, each in found
        for cut in each.ranges
    ]
    return pd.DataFrame(rows)


def channel_table(found: Sequence[tuple[Role, "Examined"]]) -> pd.DataFrame:
    """The channels with outliers, of every model."""
    rows = [
        {
            "model": role.name,
            "channel": channel,
            "tokens with outliers": int(each.outliers[:, channel].sum()),
            "lowest": float(each.low[channel]),
            "highest": float(each.high[channel]),
        }
        for role, each in found
        for channel in each.channels
    ]
    columns = ["model", "channel", "tokens with outliers", "lowest", "highest"]
    return pd.DataFrame(rows, columns=columns)
