"""How many test examples would it take? The power of a comparison of two models."""

import streamlit as st

from core import api
from pages.ui import url_state
from pages.ui.glossary import TERMS


def panel(spread: api.PairSpread) -> None:
    """A wished-for difference and the examples that it needs; what this sample could have shown."""
    st.header("How many examples does it take?", divider="gray")
    wished = st.number_input(
        "Difference to show (points)",
        0.1,
        100.0,
        1.0,
        0.1,
        format="%.1f",
        help=TERMS["power"],
        width=260,
        **url_state.bound_number("wished"),
    )
    needed = api.examples_to_show(spread, wished / 100)
    smallest = api.smallest_to_show(spread)
    left, right = st.columns(2)
    left.metric(
        f"Test examples for {wished:.1f} points",
        "more than 1,000,000,000" if needed is None else f"{needed:,}",
    )
    right.metric(
        f"Smallest with these {spread.examples:,}",
        "none" if smallest is None else f"{100 * smallest:.1f} points",
    )
    st.caption(
        f"{_apart(spread)}If that stays so, and a difference is as large as said, four of five "
        "samples of that size show it. A smaller one may be there and not be seen."
    )


def _apart(spread: api.PairSpread) -> str:
    if spread.losses is None or spread.gains is None:
        return (
            "From one example to the next the difference varies by "
            f"{100 * spread.deviation:.1f} points. "
        )
    alone = spread.losses + spread.gains
    return (
        f"Exactly one of the two is right on {alone:,} of {spread.examples:,} examples "
        f"({100 * alone / spread.examples:.1f} %). "
    )
