"""Activations and distillation: their formulas, with the numbers of eight dev examples."""

from typing import TYPE_CHECKING

import streamlit as st

from core import api
from core.api import worked_numbers
from core.experiment import QuantRecipe
from pages.ui import cached, fetch_button, formula
from pages.ui.formatting import plain
from pages.ui.theory.matrix_panel import Chosen
from pages.ui.weights import weight_panels

if TYPE_CHECKING:
    from core.analysis.worked_step import WorkedLoss, WorkedStep


@st.cache_resource(max_entries=64, show_spinner="Computing eight examples ...")
def _worked(source: api.Source, quant: QuantRecipe) -> "WorkedStep":
    return worked_numbers.worked_step(cached.model(source), quant)


def numbers(chosen: Chosen | None) -> "WorkedStep | None":
    """The step worked through, where there is a model and its task's text; else a button that
    fetches the text, or nothing. Raises InputError."""
    if chosen is None:
        return None
    source = chosen.matrix.source
    if not fetch_button.is_here(source.task, "step", "Their numbers need the task's text."):
        return None
    return _worked(source, weight_panels.recipe(chosen.quant))


def ranges(found: "WorkedStep | None") -> None:
    """Each kind of activation range."""
    if found is None:
        for kind, latex in worked_numbers.range_formulas():
            st.markdown(f"**{plain(kind)}**")
            formula.draw(latex)
        return
    for one in found.ranges:
        st.markdown(f"**{plain(one.kind)}**")
        formula.draw(one.latex)
        formula.draw(one.numbers)
        st.caption(f"Mean squared error of the rounded values: {one.mse:.3g}.")
    st.caption(
        f"{found.numbers:,} numbers: the first hidden states of {found.examples:d} dev examples, "
        f"without padding, as one tensor. m is {found.bits:d} bits."
    )


def losses(found: "WorkedStep | None") -> None:
    """The terms of the loss: those of the paper's recipe, the others in a fold."""
    terms = found.losses if found else worked_numbers.loss_formulas()
    _lines([one for one in terms if one.weight])
    if found:
        formula.draw(found.total_line)
    with st.expander("Terms with weight 0: not in the paper's recipe, but there to be tried"):
        _lines([one for one in terms if not one.weight])
    st.caption(
        "S is the student, T the teacher; H hidden states, A attention scores, O what attention "
        "hands on, z logits, y the true class, t the temperature. For a task with a number the "
        "logits and labels have squared errors; for an answer in a passage they are summed over "
        "its start and its end."
    )
    if found:
        st.caption(
            f"Numbers: {found.examples:d} dev examples through the model, and through itself "
            "quantized like the chosen matrix, not trained. This is what training begins with."
        )


def _lines(terms: "list[WorkedLoss]") -> None:
    for one in terms:
        formula.draw(one.line)
