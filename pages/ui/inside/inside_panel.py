"""The view "see inside" of Predict: nothing of it is computed until somebody asks for it."""

from collections.abc import Sequence

import streamlit as st

from core import api
from pages.ui import cached, state, url_state
from pages.ui.glossary import TERMS
from pages.ui.inside.roles import roles

ANSWERS, INSIDE = "answers", "see inside"


def choose_view() -> str:
    """Answers alone, or with what happens inside."""
    return url_state.segments(
        "View",
        (ANSWERS, INSIDE),
        ANSWERS,
        "view",
        "Inside: attention, hidden states and activations of teacher and student on this text.",
    )


def inside(texts: Sequence[str], models: Sequence[tuple[str, api.Source]]) -> None:
    """What happens in the models (name, source), the teacher first, on one example. Raises
    InputError for a text that cannot be read."""
    # Not at the top: who only asks for answers need not wait for what draws maps.
    from pages.ui.inside import activation_panel, attention_panel, drift_panel

    st.header("Inside", divider="gray")
    teacher, *others = roles(models, state.is_dark())
    ids = {role.id: role for role in others}
    usual = next(role.id for role in others if role.source.kind == "run")
    rival = ids[
        st.selectbox(
            "Compare the teacher with",
            list(ids),
            format_func=lambda one: ids[one].name,
            **url_state.by_id("rival", list(ids), usual=usual),
        )
    ]
    row = _choose_row(cached.inside(teacher.source, 0, *texts))
    theirs = cached.inside(teacher.source, row, *texts)
    _say_read(theirs)
    looked = {role.id: cached.inside(role.source, row, *texts) for role in others}
    compared = {}
    for role in others:
        found = state.attempt(api.compare_inside, looked[role.id], theirs, role.name)
        if found is not None:
            compared[role.id] = found
    lines = [(role, compared[role.id]) for role in others if role.id in compared]
    if rival.id not in compared:
        drift_panel.section(lines)
        return
    student = rival, looked[rival.id]
    attention_panel.section((teacher, theirs), student, compared[rival.id])
    drift_panel.section(lines)
    activation_panel.section((teacher, theirs), student, compared[rival.id].layers, row, texts)


def _choose_row(first: api.Inside) -> int:
    """Which piece of a long passage is looked at."""
    rows = first.look.rows
    if rows == 1:
        return 0
    return st.selectbox(
        "Piece of the text",
        range(rows),
        format_func=lambda row: f"piece {row + 1} of {rows}",
        help=TERMS["window"],
        **url_state.by_id("piece", range(rows)),
    )


def _say_read(seen: api.Inside) -> None:
    """How much of the text is seen here."""
    told = f"{len(seen.look.units)} tokens are read here, {seen.shown:d} of them of the text; the "
    told += "others are marks of the model."
    if seen.shown < seen.reading.read:
        told += (
            f" When it answers, the model reads {seen.reading.read:,} tokens of the text; inside, "
            f"at most {api.MOST_UNITS} are looked at, so what is seen here is of this part alone."
        )
    st.caption(told)
