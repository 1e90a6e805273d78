"""Bits that a person gives to single matrices, kept in the address."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from core import api
from pages.ui import state, url_state
from pages.ui.formatting import plain

if TYPE_CHECKING:
    from core.family import Matrix
    from core.plan.allocation import Planner

NOTE = "by_hand"
KEEP = 8  # what a table is asked to be kept at


@dataclass(frozen=True, slots=True, kw_only=True)
class ByHand:
    """`kept` are bits by the matrix's name; `around`: the others are planned anew around them."""

    kept: Mapping[str, int]
    around: bool


def controls(planner: "Planner") -> ByHand:
    """Draw what gives bits; what was given so far."""
    kept = state.attempt(api.kept_bits, url_state.note(NOTE), planner) or {}
    for matrix in planner.matrices:
        if matrix.is_table and KEEP in planner.widths:
            st.button(
                f"What does it cost to keep the {plain(matrix.title)} at {KEEP} bits?",
                icon=":material/help:",
                on_click=_give,
                args=(kept, matrix.name, KEEP),
                key=f"keep-{matrix.name}",
            )
    _one_matrix(planner, kept)
    if not kept:
        return ByHand(kept=kept, around=False)
    around = st.toggle(
        "Plan the others anew around them, within the budget",
        value=False,
        **url_state.bound("around"),
    )
    st.button(
        "Back to the plan", icon=":material/undo:", on_click=url_state.write_note, args=(NOTE, "")
    )
    return ByHand(kept=kept, around=around)


def _one_matrix(planner: "Planner", kept: Mapping[str, int]) -> None:
    matrices = {matrix.name: matrix for matrix in planner.matrices}
    left, middle, right = st.columns([3, 3, 2], vertical_alignment="bottom")
    with left:
        name = st.selectbox(
            "Matrix",
            list(matrices),
            format_func=lambda one: matrices[one].title,
            **url_state.by_id("matrix", list(matrices)),
        )
    with middle:
        bits = st.segmented_control(
            "Its bits",
            planner.widths,
            required=True,
            **url_state.by_id("its_bits", planner.widths, usual=planner.widths[-1]),
        )
    right.button(
        "Give it these bits",
        icon=":material/edit:",
        on_click=_give,
        args=(kept, name, bits),
        width="stretch",
    )


def _give(kept: Mapping[str, int], name: str, bits: int) -> None:
    url_state.write_note(NOTE, api.spelled_bits({**kept, name: bits}))


def named(kept: Mapping[str, int], matrices: "tuple[Matrix, ...]") -> str:
    """ "word embedding at 8 bits, pooler at 3 bits"."""
    titles = {matrix.name: matrix.title for matrix in matrices}
    return ", ".join(f"{titles[name]} at {bits} bits" for name, bits in kept.items())
