"""Two models on the same test examples: a test before the word "better"."""

import pandas as pd
import streamlit as st

from core import api
from core.runs.run_store import Run
from core.sheets import of_runs
from pages.ui import cached, run_choice, state, url_state
from pages.ui.compare import power_panel
from pages.ui.formatting import WHO, metric_name, scored
from pages.ui.glossary import TERMS

# What a run holds beside its student, as the sentence calls it.
OF_FIRST = {"teacher": "its teacher", "untrained": "what it was before training"}


def panel(runs: dict[str, Run]) -> None:
    """Choose two, and see whether they differ."""
    left, right = st.columns(2)
    with left:
        first = st.selectbox(
            "Student",
            list(runs),
            format_func=lambda run_id: run_choice.title(runs[run_id]),
            **url_state.by_id("first", list(runs)),
        )
    with right:
        titles = {who: f"{WHO[who]}, of the same run" for who in OF_FIRST}
        titles |= {other: run_choice.title(runs[other]) for other in runs}
        rivals = [*OF_FIRST, *(run_id for run_id in runs if run_id != first)]
        second = st.selectbox(
            "Compared with",
            rivals,
            format_func=titles.__getitem__,
            **url_state.by_id("second", rivals),
        )
    who, other = (second, runs[first]) if second in OF_FIRST else ("student", runs[second])
    found = state.attempt(cached.comparison, other, who, runs[first])
    if found is not None:
        _outcome(found, OF_FIRST.get(second, "the other"))
        if other.run_id != first:
            _sheet(found, other, runs[first])
        spread = state.attempt(cached.pair_spread, other, who, runs[first])
        if spread is not None:
            power_panel.panel(spread)


def _outcome(found: api.Comparison, other: str) -> None:
    st.header(verdict(found, other), divider="gray")
    columns = st.columns(4)
    columns[0].metric("Student", scored(found.metric, found.second))
    columns[1].metric("Compared with", scored(found.metric, found.first))
    low, high = 100 * found.low, 100 * found.high
    columns[2].metric(
        "Difference",
        f"{100 * found.difference:+.1f}",
        f"95 %: {low:+.1f} to {high:+.1f}",
        delta_color="off",
        delta_arrow="off",
        help=TERMS["interval"],
    )
    columns[3].metric(
        "p",
        "< 0.001" if found.p < 0.001 else f"{found.p:.3f}",
        help=TERMS["mcnemar" if found.only_first is not None else "bootstrap"],
    )
    if found.only_first is not None:
        st.dataframe(_counts(found), hide_index=True)
    st.caption(_how(found))


def _sheet(found: api.Comparison, other: Run, student: Run) -> None:
    """The comparison as a file to take away."""
    low, high = 100 * found.low, 100 * found.high
    how = [
        f"{student.title} is the student, {other.title} the other.",
        f"Student minus the other: {100 * found.difference:+.1f} points (95 %: {low:+.1f} to "
        f"{high:+.1f}), p = {found.p:.3f}.",
        _how(found),
    ]
    address = state.server_address()  # not known any more where the file is made
    st.download_button(
        "Download this comparison as a sheet",
        lambda: of_runs.of_pair(student, other, verdict(found, "the other"), how, address).encode(),
        file_name=f"ternary-lab-{student.run_id}-{other.run_id}.html",
        mime="text/html",
        icon=":material/download:",
    )


def verdict(found: api.Comparison, other: str) -> str:
    """The outcome as a sentence; the student is the second of the two."""
    if not found.better:
        return "No difference shown"
    return f"The student is {'better' if found.better == 'second' else 'worse'} than {other}"


def _counts(found: api.Comparison) -> pd.DataFrame:
    assert found.only_first is not None
    assert found.only_second is not None
    both = round(found.first * found.examples) - found.only_first
    alone = found.only_first + found.only_second
    return pd.DataFrame(
        [
            {
                "both right": both,
                "only the student right": found.only_second,
                "only the other right": found.only_first,
                "both wrong": found.examples - both - alone,
            }
        ]
    )


def _how(found: api.Comparison) -> str:
    metric = metric_name(found.metric)
    text = (
        f"{metric.capitalize()} on the same {found.examples:,} test examples. The interval is that "
        "of a paired bootstrap (2,000 samples of the examples). "
    )
    if found.only_first is not None:
        text += (
            "p is that of McNemar's exact test: if neither were better, each example on which "
            "exactly one is right would be a fair coin. A difference counts as shown below 0.05. "
        )
    else:
        text += "A difference counts as shown when the interval leaves out zero. "
    return text + (
        "It is about these two models: another seed gives another model, and who compares many "
        "pairs finds one in twenty by chance. No difference shown is not the same as equal."
    )
