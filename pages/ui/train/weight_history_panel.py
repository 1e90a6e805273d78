"""How the weights moved while training: who changes state, where the threshold went, the histogram.

Drawn from the events of a run, so a finished run replays what a running one shows. A run without
such events shows nothing.
"""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from core import api
from core.events import Event, WeightsSeen
from core.runs.run_store import Run
from pages.ui import state, url_state
from pages.ui.fast_charts import drawn_once, unchecked
from pages.ui.formatting import plain
from pages.ui.glossary import TERMS
from pages.ui.train import weight_history_charts

PARTS, MATRICES = "by part", "by matrix"
Seen = Sequence[WeightsSeen]


def panel(run: Run, events: Sequence[Event], total_steps: int) -> None:
    """Everything, where there is something to see."""
    seen = [event for event in events if isinstance(event, WeightsSeen) and event.matrices]
    if not seen or run.experiment is None:
        return
    st.markdown(
        "**Do the weights settle?** A ternary weight changes state when its latent value crosses "
        "the threshold."
    )
    names = list(dict.fromkeys(one.name for event in seen for one in event.matrices))
    left, right = st.columns(2, vertical_alignment="bottom")
    with left:
        by = url_state.segments("Lines", (PARTS, MATRICES), PARTS, "lines")
    titles = {name: api.matrix_title(name, run.experiment.family) for name in names}
    name = right.selectbox(
        "Matrix", names, format_func=titles.__getitem__, help=TERMS["latent"], key="history-matrix"
    )
    so_far = f"{run.run_id} {len(seen)} {hash(seen[-1])} {total_steps}"
    _lines(so_far, name, titles[name], by == MATRICES, state.is_dark(), seen, total_steps)
    _histograms(so_far, name, seen, total_steps)


@drawn_once
def _lines(
    so_far: str,
    name: str,
    title: str,
    single: bool,
    dark: bool,
    _seen: Seen,
    _total_steps: int,
) -> None:
    charts, seen, total_steps = weight_history_charts, _seen, _total_steps
    left, right = st.columns(2)
    with left:
        st.markdown("Share of the weights that change state in one step.")
        changes = charts.changes(seen, name if single else "", title)
        st.altair_chart(
            unchecked(charts.change_lines(changes, total_steps, dark)),
            alt="Share of codes that change in one step, over the steps.",
            key="changes",
        )
    with right:
        st.markdown(f"Where scale and threshold of {plain(title)} stand.")
        levels = charts.levels(seen, name)
        st.altair_chart(
            unchecked(charts.level_lines(levels, total_steps, dark)),
            alt="Scale and threshold of one matrix over the steps.",
            key="levels",
        )
    st.caption(
        "Each point is one step. Of the word embedding only the rows of that step's batch count. "
        "Where there is more than one scale, scale and threshold are means over all."
    )


def _histograms(so_far: str, name: str, seen: Seen, total_steps: int) -> None:
    charts, dark = weight_history_charts, state.is_dark()
    mine = charts.of_matrix(seen, name)
    left, right = st.columns(2)
    with left:
        _over_time(so_far, name, dark, mine, total_steps)
    with right:
        steps = [step for step, _ in mine]
        step: Any = steps[-1]
        if len(steps) > 1:
            step = st.select_slider(
                "The same after step",
                steps,
                steps[-1],
                format_func="{:d}".format,
                key="history-step",
            )
        _at_step(so_far, name, step, dark, mine)
    with st.expander("As a table"):
        _table(so_far, seen)


@drawn_once
def _over_time(
    so_far: str, name: str, dark: bool, _mine: weight_history_charts.History, _total_steps: int
) -> None:
    shade = "brighter" if dark else "darker"
    st.markdown(f"Its latent weights over the steps; {shade} is more weights.")
    st.altair_chart(
        unchecked(weight_history_charts.heat_map(_mine, _total_steps, dark)),
        alt="Histogram of one matrix's latent weights over the steps, with its thresholds.",
        key="histogram-over-time",
    )


@drawn_once
def _at_step(
    so_far: str, name: str, step: int, dark: bool, _mine: weight_history_charts.History
) -> None:
    at = dict(_mine).get(step, _mine[-1][1])
    st.altair_chart(
        unchecked(weight_history_charts.histogram(at, weight_history_charts.limits(_mine), dark)),
        alt="Histogram of one matrix's latent weights after one step, with its thresholds.",
        key="histogram-at-step",
    )
    text = f"After step {step}: {100 * at.zeros:.1f} % zeros, scale {at.scale:.4f}"
    if at.threshold is not None:
        text += f", threshold {at.threshold:.4f}. Dashed lines are the thresholds: between them a "
        text += "weight is 0"
    st.caption(f"{text}. Dotted lines are the levels of the codes -1 and +1.")


@drawn_once
def _table(so_far: str, _seen: Seen) -> None:
    st.dataframe(weight_history_charts.twin(_seen), hide_index=True, height=240)
