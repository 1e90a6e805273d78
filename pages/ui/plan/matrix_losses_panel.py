"""What each matrix does at every number of bits: sizes at once, losses by a button."""

from collections.abc import Generator
from dataclasses import replace
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from core import api
from core.events import Preparing
from pages.ui import cached, fetch_button, size_meter, state
from pages.ui.plan.plan_settings import MIB, Asked

if TYPE_CHECKING:
    from core.plan.matrix_losses import MatrixLosses

WORDS = {
    "predicted": "The loss is **predicted**: the importance of every weight and its squared "
    "rounding error, from the gradients of 256 training sentences. That takes some seconds, once.",
    "measured": "The loss is **measured**: each matrix alone is quantized at each number of bits, "
    "and 64 dev sentences tell how far the answers move. That takes a minute or more, once.",
}
LABELS = {"predicted": "Predict the losses", "measured": "Measure the losses"}


def losses(asked: Asked) -> "MatrixLosses | None":
    """The losses where they are known; else a button that computes them, and what is known
    already."""
    found = cached.known(asked.losses_key)
    if found is not None:
        return found
    st.markdown(WORDS[asked.how])
    with state.explained():
        if fetch_button.is_here(asked.source.task, "plan", "It needs the task's text."):
            pressed = st.button(
                LABELS[asked.how], type=state.main_button(), icon=":material/insights:"
            )
            if cached.on_demand(pressed, asked.losses_key, lambda: _compute(asked)) is not None:
                st.rerun()
    _sizes(asked)
    return None


def _compute(asked: Asked) -> "Generator[Preparing, None, MatrixLosses]":
    opened = cached.model(asked.source)
    widths = api.widths_of(asked.start.quant.method)
    if asked.how == "measured":
        return (yield from api.measure_losses(opened, asked.start, widths))
    importances = cached.importances(asked.source)
    return (yield from api.predict_losses(opened, asked.start, importances, widths))


def _sizes(asked: Asked) -> None:
    """The file of all matrices alike: known before anything is computed."""
    st.markdown("**All matrices alike**: sizes are exact, and known before anything is trained.")
    rows = []
    for width in asked.widths:
        quant = replace(asked.start.quant, weight_bits=width, embedding_bits=width)
        size = size_meter.foreseen_size(replace(asked.start, quant=quant), *asked.kind)
        rows.append(
            {
                "bits": width,
                "MiB": size.size_bytes / MIB,
                "bytes": size.size_bytes,
                "times smaller": size.times_smaller,
            }
        )
    number = st.column_config.NumberColumn
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        column_config={
            "MiB": number(format="%.3f"),
            "bytes": number(format="localized"),
            "times smaller": number(format="%.1fx"),
        },
    )
