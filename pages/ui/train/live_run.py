"""The panel that follows a run: one fragment that reads the run's folder once a second.

It never computes; the run lives in its own process, and nothing here waits for it. When the run
ends or begins again, the whole page is drawn once more. Only a finished run is not asked about any
more: whatever else a run is, somebody may go on with it.
"""

from collections.abc import Sequence

import streamlit as st

from core import api
from core.events import (
    Evaluated,
    Event,
    Preparing,
    Resumed,
    Started,
    StepDone,
    ThreadsChanged,
)
from core.runs.run_store import Run
from pages.ui import redraw_limiter, result_panels, state
from pages.ui.fast_charts import drawn_once, unchecked
from pages.ui.formatting import duration, plain
from pages.ui.train import training_charts, weight_history_panel

REFRESH_SECONDS, SLOW_REFRESH_SECONDS = 1.0, 5.0
RECENT_STEPS = 20
MOMENTS = 100  # redraws of the curves in one run
WORDS = {
    "queued": ":material/hourglass_empty: waiting",
    "running": ":material/play_arrow: training",
    "finished": ":material/check: finished",
    "stopped": ":material/stop: stopped",
    "failed": ":material/error: failed",
    "interrupted": ":material/power_off: interrupted",
    "damaged": ":material/error: unreadable",
}


def panel(run: Run) -> None:
    """Draw the run, and keep drawing it while it can change."""
    every = refresh_seconds(run)
    st.fragment(run_every=every)(_draw)(run.run_id, every)


def refresh_seconds(run: Run) -> float | None:
    """How long until a run is looked at again; None: never."""
    if run.state == "finished":
        return None
    return SLOW_REFRESH_SECONDS if run.is_over else REFRESH_SECONDS


@redraw_limiter.turn()
def _draw(run_id: str, every: float | None) -> None:
    run = state.attempt(api.find_run, run_id)
    if run is None:
        return
    if refresh_seconds(run) != every:
        st.rerun()
    st.header(plain(run.title), divider="gray")
    st.caption(f"{WORDS[run.state]} · run {plain(run.run_id)}")
    if run.message:
        st.error(plain(run.message), icon=":material/error:")
    events = api.events(run)
    if not run.is_over:
        _progress(run, events)
        _stop(run)
    elif run.state in ("stopped", "interrupted", "failed"):
        _again(run)
    _resumed(events)
    _threads(events)
    if note := api.note_on_events(run):
        st.caption(plain(note))
    steps = next((e.total_steps for e in events if isinstance(e, Started | StepDone)), 0)
    if steps:
        told = told_so_far(events, steps)
        _curves(run.run_id, len(told), hash(told[-1]), steps, state.is_dark(), told)
        weight_history_panel.panel(run, events, steps)
    result_panels.of_run(run)


def _resumed(events: Sequence[Event]) -> None:
    """Say where a run could not go on as it was left, or not quite."""
    for event in events:
        if isinstance(event, Resumed) and event.text:
            st.warning(plain(event.text))


def _threads(events: Sequence[Event]) -> None:
    """Say with how many threads the run computes, where it had to change that."""
    changes = [event for event in events if isinstance(event, ThreadsChanged)]
    if changes:
        when = f"After step {changes[-1].step}" if changes[-1].step else "Before the first step"
        st.caption(f"{plain(when)}: {plain(changes[-1].text)}")


def _stop(run: Run) -> None:
    if not state.may("stop", run.run_id):
        st.caption(state.REFUSED["stop"])
    elif st.button("Stop", icon=":material/stop:", key=f"stop-{run.run_id}"):
        with state.explained():
            with st.spinner("Stopping ..."):
                state.stop(run)
            st.rerun()


def _again(run: Run) -> None:
    """Offer to resume a run that did not finish."""
    job, step = run.experiment or run.teaching, api.step_kept(run)
    if not step or job is None:
        st.caption("Start it again with the same settings, or change them first.")
        return
    st.caption(f"It was saved after step {step} and goes on from there as if it had never stopped.")
    for label, again in (("Resume", False), ("Begin again", True)):
        if again and not state.may("begin again", run.run_id):
            st.caption(state.REFUSED["begin again"])
        elif st.button(label, key=f"{label}-{run.run_id}"):
            with state.explained():
                state.start(job, again)
                st.rerun()


def _progress(run: Run, events: Sequence[Event]) -> None:
    steps = [event for event in events if isinstance(event, StepDone)]
    last = next((e for e in reversed(events) if not isinstance(e, ThreadsChanged)), None)
    if run.state == "queued":
        st.progress(0.0, text=_queue(run))
    elif isinstance(last, Preparing):
        share = last.done / last.total if last.total else 0.0
        st.progress(share, text=plain(last.text))
    elif steps:
        st.progress(steps[-1].step / steps[-1].total_steps, text=_pace(steps))
    else:
        st.progress(0.0, text="Starting")


def _queue(run: Run) -> str:
    forecast = api.forecast_of(run)
    if not forecast.before:
        return "Starting"
    text = f"Waiting: {forecast.before:d} run(s) before this one"
    if forecast.wait_seconds:
        text += f" · begins in about {duration(forecast.wait_seconds)}"
    return text


def _pace(steps: Sequence[StepDone]) -> str:
    recent = steps[-RECENT_STEPS:]
    seconds = sum(event.seconds for event in recent) / len(recent)
    left = (steps[-1].total_steps - steps[-1].step) * seconds
    return (
        f"Step {steps[-1].step:d} of {steps[-1].total_steps} · {seconds:.2f} s a step · "
        f"about {duration(left)} left"
    )


def told_so_far(events: Sequence[Event], steps: int) -> Sequence[Event]:
    """The events up to the last that is worth a drawing: everybody who looks a second before or
    after sees the same curves, made once."""
    every = max(1, steps // MOMENTS)
    worth = (
        number
        for number in range(len(events), 0, -1)
        if not isinstance(event := events[number - 1], StepDone) or event.step % every == 0
    )
    return events[: next(worth, len(events))]


@drawn_once
def _curves(
    run_id: str, count: int, last: int, steps: int, dark: bool, _events: Sequence[Event]
) -> None:
    """Training curves, cached by number of events and hash of the last one."""
    events = _events
    is_student = any(isinstance(event, Started) for event in events)
    left, right = st.columns(2)
    with left:
        question = "Does the student reach its teacher?" if is_student else "Does it learn?"
        st.markdown(f"**{question}** Score on dev while training.")
        st.altair_chart(
            unchecked(training_charts.dev_scores(events, steps, dark)),
            alt="Dev score over steps; of a student with the teacher's and the untrained line.",
            key="dev-scores",
        )
    with right:
        st.markdown("**What is it still getting wrong?** Each loss by itself.")
        st.altair_chart(
            unchecked(training_charts.losses(events, steps)),
            alt="The losses over steps, logarithmic.",
            key="losses",
        )
    st.caption(
        "Scores are on the dev sentences, bars are one standard error. Losses are those of each "
        "batch, before they are weighted."
    )
    with st.expander("As a table"):
        st.dataframe(training_charts.score_table(events), hide_index=True)
        st.dataframe(training_charts.loss_table(events), hide_index=True, height=220)
    if not any(isinstance(event, Evaluated) for event in events):
        st.caption("The first dev score comes with the first evaluation.")
