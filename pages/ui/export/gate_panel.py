"""May it be shipped? A limit to what the student may lose, and the paired interval's verdict."""

from typing import Literal

import streamlit as st

from core import api
from core.runs.run_store import Run
from pages.ui import cached, state, url_state
from pages.ui.formatting import metric_name, plain, scored
from pages.ui.glossary import TERMS

LOOKS: dict[str, tuple[str, Literal["green", "red", "gray"], str]] = {
    "passed": (":material/check_circle:", "green", "passed"),
    "failed": (":material/cancel:", "red", "failed"),
    "open": (":material/help:", "gray", "not shown"),
}


def panel(run: Run) -> None:
    """The limit, the badge, and what it rests on."""
    limit = st.number_input(
        "It may lose (points)",
        0.0,
        100.0,
        1.0,
        0.1,
        format="%.1f",
        help=TERMS["gate"],
        width=220,
        **url_state.bound_number("may_lose"),
    )
    spread = state.attempt(cached.pair_spread, run, "teacher", run)
    if spread is None:
        return
    found = api.judge(spread, limit / 100)
    icon, colour, title = LOOKS[found.verdict]
    st.badge(title, icon=icon, color=colour)
    st.markdown(
        f"**{plain(found.sentence)}** {metric_name(spread.metric).capitalize()} on "
        f"{spread.examples:,} test examples: teacher {scored(spread.metric, spread.first)}, "
        f"student {scored(spread.metric, spread.second)}; {plain(found.numbers)}."
    )
    command = f"python -m core gate {run.run_id} --may-lose {limit:g}"
    st.caption(
        "Judged by its answers after training, with leftovers in float32. The same for a script, "
        "which ends with 0 (passed), 1 (failed) or 2 (not shown):"
    )
    st.code(command, language=None, wrap_lines=True)
