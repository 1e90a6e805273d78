"""What is loaded once for all sessions: models, and answers that cannot change.

`cache_resource` hands the same object to everybody, so nothing here is ever modified. Entries are
few, because each is a whole model in memory.
"""

from typing import TYPE_CHECKING

import streamlit as st

from core import api
from core.experiment import QuantRecipe
from core.runs.store import Run

if TYPE_CHECKING:
    from core.analysis import WeightView


@st.cache_resource(max_entries=6, show_spinner="Loading the model ...")
def model(source: api.Source) -> api.OpenModel:
    """The model of a source; shared, read-only."""
    return api.open_model(source)


@st.cache_data(max_entries=500, show_spinner=False)
def prediction(source: api.Source, *texts: str) -> api.Prediction:
    """The answer of one model to one text."""
    return api.predict(model(source), *texts)


@st.cache_resource(max_entries=32, show_spinner="Quantizing ...")
def weight_view(
    source: api.Source, name: str, method: str, bits: int, granularity: str
) -> "WeightView":
    """One matrix quantized one way."""
    return api.view_weight(model(source), name, method, bits, granularity)


def teacher(task: str, model_name: str) -> api.Source:
    """The teacher of (task, model)."""
    return api.Source(kind="teacher", task=task, model=model_name)


def untrained(task: str, model_name: str, quant: QuantRecipe) -> api.Source:
    """That teacher, quantized without training."""
    return api.Source(kind="untrained", task=task, model=model_name, quant=quant)


def student(run: Run) -> api.Source:
    """The packed student of a finished run."""
    assert run.experiment is not None
    return api.Source(
        kind="run", task=run.experiment.task, model=run.experiment.model, run_id=run.run_id
    )
