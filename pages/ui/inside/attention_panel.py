"""Attention of two models side by side: which heads changed, and one of them token by token."""

from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from core import api
from pages.ui import fast_charts, state, url_state
from pages.ui.formatting import percent, plain
from pages.ui.inside import attention_charts
from pages.ui.inside.roles import Role

if TYPE_CHECKING:
    from core.analysis.drift import Compared, Moved

MOST_PAIRS = 200
Seen = tuple[Role, api.Inside]


def section(teacher: Seen, student: Seen, compared: "Compared") -> None:
    """Every head by how much it changed, then the chosen one."""
    st.subheader("Attention")
    if not compared.heads:
        st.info("This kind of model gives no attention scores, so there are no maps to see.")
        return
    name = student[0].name
    st.markdown(
        "**How much of each head's attention went to other tokens**, in per cent of it: 0 is the "
        f"teacher's very map, 100 has nothing in common with it. Here: {plain(name)}."
    )
    st.altair_chart(
        fast_charts.unchecked(
            attention_charts.overview(compared, student[0].colour, state.is_dark())
        ),
        alt=f"Per layer and head, per cent of the attention that {name} gives to other tokens than "
        "the teacher; the same numbers are in the table below.",
        key="inside-heads",
    )
    with st.expander("All heads as a table"):
        st.dataframe(_heads_table(compared), hide_index=True)
    heads = {f"{each.layer}.{each.head}": each for each in compared.heads}
    chosen = heads[
        st.selectbox(
            "Head (the most changed first)",
            list(heads),
            format_func=lambda one: _title(heads[one]),
            **url_state.by_id("head", list(heads)),
        )
    ]
    _maps(teacher, student, chosen)


def _title(head: "Moved") -> str:
    of = "" if head.of == head.layer else f" (teacher's layer {head.of})"
    return f"layer {head.layer}{of}, head {head.head}: {percent(head.moved)} moved"


def _heads_table(compared: "Compared") -> pd.DataFrame:
    rows = [
        {
            "layer": each.layer,
            "teacher's layer": each.of,
            "head": each.head,
            "moved (%)": round(100 * each.moved, 2),
        }
        for each in compared.heads
    ]
    return pd.DataFrame(rows)


def _maps(teacher: Seen, student: Seen, head: "Moved") -> None:
    """The head in both models, and the difference."""
    theirs = teacher[1].look.attention[head.of][head.head]
    ours = student[1].look.attention[head.layer][head.head]
    pair = attention_charts.HeadPair(
        units=teacher[1].look.units,
        teacher=theirs,
        student=ours,
        names=(teacher[0].name, student[0].name),
    )
    dark = state.is_dark()
    figures = (
        (pair.names[0], attention_charts.one(pair, theirs, teacher[0].colour, dark)),
        (pair.names[1], attention_charts.one(pair, ours, student[0].colour, dark)),
        ("difference", attention_charts.difference(pair, dark)),
    )
    st.markdown(
        f"**Layer {head.layer:d}, head {head.head:d}: {percent(head.moved)} of its attention "
        f"went to other tokens.** On marks such as \\[CLS\\] the teacher spends "
        f"{percent(pair.on_marks(theirs))} of it, {plain(pair.names[1])} "
        f"{percent(pair.on_marks(ours))}."
    )
    wide = len(pair.units) <= attention_charts.SIDE_BY_SIDE
    places = st.columns(3) if wide else [st.container() for _ in range(3)]
    for number, (place, (title, figure)) in enumerate(zip(places, figures, strict=True)):
        with place:
            st.markdown(f"**{plain(title.capitalize())}**")
            st.plotly_chart(
                figure,
                alt=f"Heat map, tokens by tokens, layer {head.layer}, head {head.head}: {title}; "
                "the same numbers are in the table below.",
                key=f"inside-map-{number}",
                config={"displayModeBar": False},
            )
    st.caption(
        "A row is a token that looks, a column one that is looked at; a row sums to 100 %. In the "
        "difference blue (+) is where the student looks more than the teacher, vermilion (-) where "
        "it looks less; the largest differences have their number, in points of a per cent. Marks "
        "are bold. These are the probabilities of the scores, before a student rounds them."
    )
    _table(pair)


def _table(pair: attention_charts.HeadPair) -> None:
    table = pair.table(MOST_PAIRS)
    every = len(pair.units) ** 2
    label = "The three maps as a table"
    if every > len(table):
        label += f" (the {len(table)} of {every:,} pairs that differ most)"
    with st.expander(label):
        st.dataframe(table, hide_index=True, height=min(35 * (len(table) + 1), 300))
