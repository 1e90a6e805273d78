"""One matrix under one rule, number by number, and what it takes in bytes."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from core import api
from core.api import worked_numbers
from pages.ui import browser, cached, fetch_button, formula, state, url_state
from pages.ui.formatting import plain
from pages.ui.weights import weight_panels
from pages.ui.weights.weight_panels import Matrix
from pages.ui.weights.weight_sentences import PER, Quant, in_bits

if TYPE_CHECKING:
    from core.analysis.worked import Worked

MIB = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What the page puts numbers in for: a matrix, how it is quantized, and which of its rows."""

    matrix: Matrix
    quant: Quant
    row: int


def choose() -> Chosen | None:
    """The sidebar; None (and a sentence) where there is no model to take numbers from."""
    with browser.settings():
        if not api.teachers():
            st.info(
                "Numbers need a model, and there is no teacher yet: make one on the Train page."
            )
            return None
        matrix = state.attempt(weight_panels.choose_matrix)
        if matrix is None:
            return None
        quant = weight_panels.knobs(0, matrix)
        return Chosen(matrix=matrix, quant=quant, row=_row(matrix, quant))


def _row(matrix: Matrix, quant: Quant) -> int:
    """Which row is worked through, where each has a scale of its own."""
    if quant[2] == "layer":
        return 0
    rows = api.matrix_shapes(cached.model(matrix.source))[matrix.name][0]
    bound = url_state.bound_number("row")
    return int(st.number_input("Row", 0, rows - 1, min(rows - 1, 100), **bound))


@st.cache_resource(max_entries=200, show_spinner="Working it through ...")
def _worked(source: api.Source, name: str, quant: Quant, row: int, weighted: bool) -> "Worked":
    importance = cached.importances(source)[name].whole() if weighted else None
    return worked_numbers.worked_matrix(cached.model(source), name, quant, row, importance)


def panel(chosen: Chosen) -> None:
    """The rule's formula, the same with numbers, its turns, and the error. Raises InputError."""
    method, bits, granularity = chosen.quant
    matrix, rule = chosen.matrix, api.rules()[method]
    weighted = rule.uses_importance and fetch_button.is_here(
        matrix.source.task,
        "importance",
        "Every weight counts the same here (D = 1): importance needs the task's text, which is not "
        "on this computer.",
    )
    found = _worked(matrix.source, matrix.name, chosen.quant, chosen.row, weighted)
    which = "" if granularity == "layer" else f", row {chosen.row:d}"
    which += ", its first group" if granularity.startswith("group") else ""
    st.markdown(
        f"**{plain(matrix.title)}**{which}: {found.weights:,} weights by {plain(rule.title)} in "
        f"{in_bits(bits)}, {PER[granularity]}."
    )
    formula.draw(rule.latex)
    st.caption(f"The rule, from {plain(rule.source)}. Below, with these weights:")
    for line in found.lines:
        formula.draw(line)
    if found.turns:
        _turns(found)
    formula.draw(found.error_line)
    st.caption(
        f"What is lost. {100 * found.error.zeros:.1f} % of the codes are zero; the cosine between "
        f"latent and quantized weights is {found.error.cosine:.4f}. Sums and codes are those that "
        "training, the packed file and the pictures use."
    )


def _turns(found: "Worked") -> None:
    st.markdown(
        "**Turn by turn:** the best scale for the codes, then the nearest codes for the scale. The "
        "last column never rises."
    )
    table = pd.DataFrame(
        {
            "turn": range(len(found.turns)),
            "scale": [turn.scale for turn in found.turns],
            "codes that are not 0": [turn.kept for turn in found.turns],
            "sum of D (w - scale x code)²": [turn.objective for turn in found.turns],
        }
    )
    number = st.column_config.NumberColumn
    columns = {"scale": number(format="%.6f"), table.columns[3]: number(format="%.6g")}
    st.dataframe(table, hide_index=True, column_config=columns)


def sizes(chosen: Chosen) -> None:
    """The arithmetic of the matrix, and of its whole model."""
    opened, (_, bits, granularity) = cached.model(chosen.matrix.source), chosen.quant
    for line in worked_numbers.matrix_bytes(opened, chosen.matrix.name, bits, granularity).lines:
        formula.draw(line)
    st.caption("m bits a code, n weights, s scales: one, or one for each row or group.")
    rows = worked_numbers.size_arithmetic(opened, weight_panels.recipe(chosen.quant))
    before, after = (
        sum(row.size_bytes_float32 for row in rows),
        sum(row.size_bytes for row in rows),
    )
    st.dataframe(
        pd.DataFrame(
            {
                "part": [row.group for row in rows],
                "numbers": [row.numbers for row in rows],
                "float32 (MiB)": [row.size_bytes_float32 / MIB for row in rows],
                "packed (MiB)": [row.size_bytes / MIB for row in rows],
            }
        ),
        hide_index=True,
        column_config={
            "numbers": st.column_config.NumberColumn(format="localized"),
            "float32 (MiB)": st.column_config.NumberColumn(format="%.3f"),
            "packed (MiB)": st.column_config.NumberColumn(format="%.3f"),
        },
    )
    st.markdown(
        f"**The whole model like this:** {before / MIB:.2f} MiB in float32, {after / MIB:.2f} MiB "
        f"packed, {before / after:.2f} times smaller; words with a scale each, as in the paper."
    )
    st.caption(
        "By arithmetic: without the task's head and the file's header. Export has a real file."
    )
