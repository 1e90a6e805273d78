"""The ladder: what a bit-width gives rounded, calibrated and trained, and how long each took.

Only what was computed is drawn: on this computer, from here or by `python -m core ladder`, or
before it was shipped.
"""

import altair as alt
import pandas as pd
import streamlit as st

from core import api
from pages.ui import cached, fetch_button, state, url_state
from pages.ui.fast_charts import tips, unchecked
from pages.ui.formatting import duration, metric_name, metric_title
from pages.ui.glossary import TERMS
from pages.ui.palette import ORANGE, Layered, ink, student_blue

USUAL_BITS = 2
WITHOUT, WITH = "without training", "trained"


def panel(source: api.Source) -> None:
    """The ladders that are known, and a button for one that is not."""
    st.markdown(
        "**The same teacher, quantized with more and more care.** All rungs but the last two need "
        "no training: they choose codes, biases or scales from 128 training texts."
    )
    bits = url_state.segments(
        "Bits of the ladder", api.LADDER_BITS, USUAL_BITS, "ladder_bits", TERMS["ladder"]
    )
    with state.explained():
        known = _known(source)
        if bits not in known and _computed(source, bits):
            known = _known(source)
        if not known:
            st.caption("No ladder of this teacher has been computed yet.")
            return
        _draw(list(known.values()))


def _known(source: api.Source) -> dict[int, api.Ladder]:
    """By bits. Raises InputError for a damaged file."""
    found = {bits: api.known_ladder(_question(source, bits)) for bits in api.LADDER_BITS}
    return {bits: ladder for bits, ladder in found.items() if ladder is not None}


def _question(source: api.Source, bits: int) -> api.LadderQuestion:
    return api.ladder_question(source.task, source.model, bits)


def _computed(source: api.Source, bits: int) -> bool:
    """Offer to compute a ladder; whether it was done just now. Raises InputError."""
    if not fetch_button.is_here(source.task, "ladder", "The ladder needs the task's text."):
        return False
    asked = st.button(f"Compute the ladder at {bits} bits", icon=":material/stairs:")
    command = f"python -m core ladder --task {source.task} --model {source.model} --bits {bits}"
    st.caption(
        "Every rung is a student of its own, scored on the whole test: that takes minutes. The "
        "same in a terminal, with all cores:"
    )
    st.code(command, language=None, wrap_lines=True)
    if not asked:
        return False
    cached.shown(api.compute_ladder(_question(source, bits)))
    return True


def _draw(ladders: list[api.Ladder]) -> None:
    table = ladder_table(ladders)
    metric = ladders[0].teacher.metric
    st.altair_chart(
        unchecked(chart(table, metric, 100 * ladders[0].teacher.value, state.is_dark())),
        alt="Score on test of every rung, by bits; the same numbers are in the table below.",
        key="ladder",
    )
    machine = ladders[0].machine
    st.caption(
        f"{metric_name(metric).capitalize()} on test, bars are one standard error; the line is the "
        f"teacher. Seconds are those of {machine.threads} threads, for making the student, not for "
        "scoring it. Scales are those of the exact optimum, but for max-abs; words are rounded to "
        "the nearest level everywhere. Of several trained runs it is the one that is best on dev. "
        "Neighbouring rungs whose bars overlap are not told apart."
    )
    with st.expander("As a table"):
        one = st.column_config.NumberColumn(format="%.1f")
        shapes = {"score": one, "standard error": one, "seconds": one}
        shapes["MiB"] = st.column_config.NumberColumn(format="%.2f", help=TERMS["mib"])
        st.dataframe(table.drop(columns=["low", "high"]), hide_index=True, column_config=shapes)


def ladder_table(ladders: list[api.Ladder]) -> pd.DataFrame:
    """A row for each rung of each ladder, in their order."""
    return pd.DataFrame(
        [
            {
                "bits": f"{row.bits} bits",
                "rung": row.title,
                "who": WITH if row.run_id else WITHOUT,
                "score": 100 * row.score.value,
                "standard error": 100 * row.score.standard_error,
                "low": 100 * (row.score.value - row.score.standard_error),
                "high": 100 * (row.score.value + row.score.standard_error),
                "MiB": row.size_bytes / 2**20,
                "seconds": row.seconds,
                "took": duration(row.seconds),
                "run": row.run_id,
            }
            for ladder in ladders
            for row in api.ladder_rows(ladder)
        ]
    )


def chart(table: pd.DataFrame, metric: str, teacher: float, dark: bool) -> Layered:
    """Score over rungs, one panel for each bit-width, the seconds beside."""
    order = list(dict.fromkeys(table["rung"]))
    colours = alt.Scale(domain=[WITHOUT, WITH], range=[ORANGE, student_blue(dark)])
    shapes = alt.Scale(domain=[WITHOUT, WITH], range=["diamond", "circle"])
    y = alt.Y("rung:N", sort=order, title=None, axis=alt.Axis(labelLimit=200))
    x = alt.X("score:Q", title=metric_title(metric), scale=alt.Scale(zero=False, padding=30))
    legend = alt.Legend(title=None, orient="top")
    words = tips("bits:N", "rung:N", "who:N", "took:N")
    numbers = [alt.Tooltip(f"{name}:Q", format=".1f") for name in ("score", "standard error")]
    base = alt.Chart(table)
    marks = base.mark_point(size=110, filled=True, opacity=1).encode(
        x=x,
        y=y,
        color=alt.Color("who:N", scale=colours, legend=legend),
        shape=alt.Shape("who:N", scale=shapes, legend=legend),
        tooltip=tips(*words, *numbers),
    )
    bars = base.mark_rule(color=ink(dark)).encode(x=alt.X("low:Q"), x2=alt.X2("high:Q"), y=y)
    took = base.mark_text(align="left", dx=12, dy=-8, color=ink(dark)).encode(
        x=x, y=y, text=alt.Text("took:N")
    )
    line = base.mark_rule(color=ink(dark)).encode(x=alt.XDatum(teacher))
    layered = alt.layer(line, bars, marks, took).properties(height=24 * len(order))
    return layered.facet(row=alt.Row("bits:N", title=None, sort=list(dict.fromkeys(table["bits"]))))
