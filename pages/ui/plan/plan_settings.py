"""What is planned: whose bits, by which method, for which file, under which budget."""

from dataclasses import dataclass

import streamlit as st

from core import api
from core.errors import InputError
from core.experiment import Experiment
from pages.ui import size_meter, url_state
from pages.ui.glossary import TERMS
from pages.ui.train import forms, task_and_model

MIB = 2**20
ROOM = 1.1  # of the usual budget, beyond the smallest file
HOWS = ("predicted", "measured")
USUAL_WIDTHS = (2, 3, 4, 8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the settings ask for; `start` is the recipe that a plan makes exceptions from."""

    source: api.Source
    start: Experiment
    widths: tuple[int, ...]
    how: str
    layout: str
    leftovers: str
    budget_mib: float

    @property
    def budget_bytes(self) -> int:
        """Of the whole file."""
        return int(self.budget_mib * MIB)

    @property
    def kind(self) -> tuple[str, str]:
        """Which packed file is meant."""
        return self.layout, self.leftovers

    @property
    def losses_key(self) -> tuple[object, ...]:
        """Under which the losses are kept; they do not depend on a budget."""
        return ("plan", self.how, self.source, self.start.quant.method)


def choose() -> Asked:
    """The sidebar. Raises InputError for what makes no plan."""
    card = task_and_model.taught()
    method = forms.method()
    widths = _widths(method)
    how = url_state.segments("Loss of a matrix", HOWS, HOWS[0], "losses", TERMS["plan_loss"])
    layout = url_state.segments("Codes", api.LAYOUTS, api.LAYOUTS[0], "codes", TERMS["codes"])
    leftovers = url_state.segments(
        "Leftovers", api.LEFTOVERS, api.LEFTOVERS[0], "leftovers", TERMS["leftovers"]
    )
    start = api.plan_start(card.task, card.model, method, widths)
    return Asked(
        source=api.source_of_teacher(card.task, card.model),
        start=start,
        widths=widths,
        how=how,
        layout=layout,
        leftovers=leftovers,
        budget_mib=_budget(start, layout, leftovers),
    )


def _widths(method: str) -> tuple[int, ...]:
    possible = api.widths_of(method)
    usual = [bits for bits in USUAL_WIDTHS if bits in possible]
    if len(usual) < 2:
        usual = list(possible)
    chosen = st.multiselect(
        "Bits to choose from",
        possible,
        **url_state.by_id("widths", possible, usual=usual, most=len(possible)),
    )
    if len(chosen) < 2:
        raise InputError("A plan needs at least two numbers of bits to choose from.")
    return tuple(sorted(chosen))


def _budget(start: Experiment, layout: str, leftovers: str) -> float:
    least = size_meter.foreseen_size(start, layout, leftovers).size_bytes / MIB
    usual = round(max(least * ROOM, least + 0.01), 1 if least > 1 else 3)
    url_state.follow("budget_mib", usual)
    return st.number_input(
        "Budget (MiB)",
        min_value=0.001,
        max_value=100_000.0,
        value=usual,
        step=0.1 if least > 1 else 0.001,
        format="%g",
        help=TERMS["budget"],
        **url_state.bound_number("budget_mib"),
    )
