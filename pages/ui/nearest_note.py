"""Which run a page shows, in words: that of the form's settings, or another one, named as such."""

from collections.abc import Sequence

import streamlit as st

from core import api
from core.experiment import HARDLY_MATTER, Experiment, Job
from core.runs.run_store import Run
from pages.ui import state
from pages.ui.formatting import plain, shortened

SHOWN_DIFFERENCES = 4
PRECISIONS = {"bf16": "bfloat16", "fp32": "float32"}


def about(shown: api.Shown, job: Job | None) -> None:
    """Say that the run shown is not of these settings; nothing where it is."""
    text = sentence(shown, job)
    if text:
        st.info(text, icon=":material/compare_arrows:")


def about_watched(run: Run, job: Job | None) -> None:
    """Say how a run that somebody chose to watch differs from the form, and offer a way back."""
    if job is None:
        return
    seen = api.related(job, run)
    if seen.relation == "exact":
        return
    st.info(watched_sentence(seen), icon=":material/compare_arrows:")
    st.button("Show the run of the form's settings", on_click=state.watch_none)


def sentence(shown: api.Shown, job: Job | None) -> str:
    """What the shown run is to these settings; "" where it is their own."""
    if shown.relation == "exact":
        return ""
    if job is None:
        return f"As an example, here is another run: {plain(shown.run.title)}."
    if shown.relation == "same":
        return f"No run has exactly these settings yet. This is {same(shown.differences)}."
    if shown.relation == "near":
        return (
            "**No run has these settings yet**; Start makes one. The nearest one is shown here. "
            f"It has {differences(shown.differences)}."
        )
    what = "No teacher was made with these settings yet"
    if isinstance(job, Experiment):
        what = f"There is no run of {plain(job.task)} yet"
    return f"**{what}**; Start makes one. As an example, here is {_example(shown.run, job)}."


def _example(run: Run, job: Job) -> str:
    task = run.result.task if run.result else job.task
    who = "a student" if run.experiment else "a teacher"
    return f"{who} of another task, {plain(task)}" if task != job.task else f"{who} of this task"


def watched_sentence(seen: api.Shown) -> str:
    """How the run in the address differs from the form."""
    if seen.relation == "same":
        return f"You are looking at {same(seen.differences)}, not at a run of the form's settings."
    if seen.relation == "near":
        return (
            "You are looking at a run with other settings than the form. "
            f"It has {differences(seen.differences)}."
        )
    return "You are looking at a run of another task or kind than the form's."


def same(found: Sequence[api.Difference]) -> str:
    """ "the same in bfloat16, scored on dev every 150 steps": of what hardly matters."""
    texts = {one.name: one.found for one in found}
    words = "the same"
    if precision := texts.get("precision"):
        words += f" in {PRECISIONS.get(precision, precision)}"
    if every := texts.get("evaluate_every"):
        words += f", scored on dev every {every} steps"
    return words


def differences(found: Sequence[api.Difference]) -> str:
    """ "method lat (not twn) and seed 1 (not 0)": what the run has (and the form asks for);
    what hardly matters comes last."""
    first = sorted(found, key=lambda one: one.name in HARDLY_MATTER)
    parts = [_difference(one) for one in first[:SHOWN_DIFFERENCES]]
    if rest := len(found) - len(parts):
        parts.append(f"{rest} other differences" if rest > 1 else "one other difference")
    return " and ".join(", ".join(parts).rsplit(", ", 1)) if len(parts) > 1 else parts[0]


def _difference(one: api.Difference) -> str:
    name = one.name.replace("_", " ")
    return f"{name} **{_value(one.found)}** (not {_value(one.asked)})"


def _value(text: str) -> str:
    return plain(shortened(PRECISIONS.get(text, text))) or "none"
