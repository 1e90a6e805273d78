"""Planners and frontiers, made once for all sessions: they work out the size of every choice."""

from typing import TYPE_CHECKING

import streamlit as st

from core import api
from core.experiment import Experiment

if TYPE_CHECKING:
    from core.plan.allocation import Planner
    from core.plan.matrix_losses import MatrixLosses


@st.cache_resource(max_entries=16, show_spinner="Sizes of all choices ...")
def planner(
    start: Experiment,
    widths: tuple[int, ...],
    kind: tuple[str, str],
    key: tuple[object, ...],
    _losses: "MatrixLosses",
) -> "Planner":
    """What plans bits for a file of that kind; `key` tells which losses these are."""
    return api.planner_of(start, _losses, widths, *kind)


@st.cache_data(max_entries=32, show_spinner="The frontier of all plans ...")
def frontier(
    start: Experiment,
    widths: tuple[int, ...],
    kind: tuple[str, str],
    key: tuple[object, ...],
    _planner: "Planner",
) -> list[api.SizeAndLoss]:
    """Points of the frontier of the planner of these."""
    return api.frontier_of(_planner)
