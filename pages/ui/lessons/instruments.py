"""The instruments of lessons: panels of the app with fixed settings, without knobs.

Which there are, and what each must be told, is in core/lessons/instruments.py.
"""

from collections.abc import Callable

import pandas as pd
import streamlit as st

from core import api
from core.errors import InputError
from core.events import Started, StepDone, WeightsSeen
from core.lessons import material
from core.lessons.lesson import Settings, Use
from core.lessons.one_step import pick as pick_weight
from core.lessons.sizes import sizes_of
from core.runs.store import Run
from pages.ui import (
    browser,
    grid_panel,
    loaded,
    state,
    training_charts,
    weight_charts,
    weight_panels,
)
from pages.ui import weight_history_charts as history
from pages.ui.lessons import computed, small_charts
from pages.ui.quick import unchecked
from pages.ui.words import plain


def draw(use: Use) -> None:
    """Draw an instrument. Raises InputError where its settings cannot be had here."""
    DRAWN[use.name](use.settings)


def source_of(settings: Settings) -> api.Source:
    """The teacher that the settings name."""
    task, model = settings.text("task", material.TASK), settings.text("model", material.MODEL)
    return api.source_of_teacher(task, model)


def title_of(source: api.Source, name: str) -> str:
    """What people call a matrix of a model."""
    return material.title_of(loaded.model(source), name)


def _weights(settings: Settings) -> None:
    source, name = source_of(settings), settings.text("matrix")
    quants = [material.quant_of(text) for text in settings.several("columns")]
    shown = [
        weight_panels.Shown(quant=quant, view=loaded.weight_view(source, name, quant, False))
        for quant in quants
    ]
    for place, column in zip(st.columns(len(shown)), shown, strict=True):
        place.markdown(f"**{plain(column.name)}**")
        place.altair_chart(
            unchecked(weight_charts.weight_histogram(column.view.histogram, state.is_dark())),
            alt=f"Latent and quantized weights of {title_of(source, name)}: {column.name}.",
            key=f"lesson-weights-{column.name}",
        )
    weight_panels.numbers(shown)


def _scales(settings: Settings) -> None:
    source, name = source_of(settings), settings.text("matrix")
    quant = settings.text("method", "twn"), settings.whole("bits", 2), "row"
    view = loaded.weight_view(source, name, quant, False)
    st.markdown("Every row has its own scale. The wider the hill, the less one scale suits all.")
    st.altair_chart(
        unchecked(weight_charts.scales(view, state.is_dark())),
        alt=f"Histogram of the scales of all rows of {title_of(source, name)}.",
        key="lesson-scales",
    )


def _cuts(settings: Settings) -> None:
    found = computed.revealed(Use(name="cut", settings=settings))
    st.altair_chart(
        unchecked(small_charts.cuts(found.curve, found.items, state.is_dark())),
        alt="Squared error of every cut, with the exact optimum and TWN's rule of thumb.",
        key="lesson-cuts",
    )


def _grid(settings: Settings) -> None:
    grid = material.grid_of(settings.text("grid"))
    rows = loaded.grid_rows(grid, material.finished())
    results = [run.result for row in rows for run in row.result.runs if run.result]
    if not results:
        raise InputError(f"No run of the grid {grid.name} has finished on this computer.")
    st.markdown(f"**{plain(grid.question)}**")
    grid_panel.outcome(rows, results)


def run_of(settings: Settings) -> Run:
    """The run of the grid's case with the seed of the settings, else its first."""
    runs = material.runs_of(settings)
    seed = settings.whole("seed", 0)
    return next((run for run in runs if run.experiment and run.experiment.seed == seed), runs[0])


def _training(settings: Settings) -> None:
    run = run_of(settings)
    events = api.events(run)
    steps = next((e.total_steps for e in events if isinstance(e, Started | StepDone)), 0)
    left, right = st.columns(2)
    left.markdown("Score on dev while training.")
    left.altair_chart(
        unchecked(training_charts.dev_scores(events, steps, state.is_dark())),
        alt="Dev score over the steps, with the teacher's and the untrained line.",
        key="lesson-dev",
    )
    right.markdown("Each loss by itself.")
    right.altair_chart(
        unchecked(training_charts.losses(events, steps)),
        alt="The losses over the steps, logarithmic.",
        key="lesson-losses",
    )
    st.caption(f"A replay of run {plain(run.run_id)}, {plain(run.title)}.")


def _settling(settings: Settings) -> None:
    run = run_of(settings)
    events = api.events(run)
    seen = [event for event in events if isinstance(event, WeightsSeen) and event.matrices]
    steps = next((e.total_steps for e in events if isinstance(e, Started | StepDone)), 0)
    if not seen:
        raise InputError(f"Run {run.run_id} was not watched inside, so there is nothing to replay.")
    st.altair_chart(
        unchecked(history.change_lines(history.changes(seen, ""), steps, state.is_dark())),
        alt="Share of the codes that one step changes, over the steps, by part.",
        key="lesson-settling",
    )
    st.caption(f"A replay of run {plain(run.run_id)}, {plain(run.title)}.")


def _stepper(settings: Settings) -> None:
    source = source_of(settings)
    step = computed.step(source)
    weight = pick_weight(step, settings.text("weight", "near"))
    rows = [
        ("1. latent weight", weight.latent, "what training keeps"),
        ("2. threshold", weight.threshold, "0.7 times the mean size, of the whole matrix"),
        ("3. code", float(weight.code), "0 inside the threshold, else the sign"),
        ("4. scale", weight.scale, "the mean size of the weights that are not 0"),
        ("5. forward: scale times code", weight.value, "what the network computes with"),
        ("6. gradient of that value", weight.gradient_of_value, "from the distillation loss"),
        ("7. gradient of the latent weight", weight.gradient, "handed straight through"),
        ("8. learning rate", weight.rate, "AdamW's first step is about this long"),
        ("9. latent weight after the step", weight.latent_after, "moved against the gradient"),
        ("10. threshold after the step", weight.threshold_after, "all weights moved a little"),
        ("11. code after the step", float(weight.code_after), "flipped or not"),
    ]
    if browser.is_narrow():  # a table would be cut
        lines = (f"{plain(name)}: **{number:+.6f}**, {plain(told)}" for name, number, told in rows)
        st.markdown("  \n".join(lines))
    else:
        number = st.column_config.NumberColumn(format="%.6f")
        st.dataframe(
            pd.DataFrame(rows, columns=["in this order", "number", "which is"]),
            hide_index=True,
            height="content",
            column_config={"number": number},
        )
    st.caption(
        f"Row {weight.row:d}, column {weight.column:d} of {plain(title_of(source, step.name))}."
    )


def _activations(settings: Settings) -> None:
    values = computed.inputs(
        source_of(settings), settings.text("matrix"), settings.text("sentence")
    )
    st.altair_chart(
        unchecked(small_charts.inputs(values, state.is_dark())),
        alt="Histogram of the numbers that come into the matrix, with the ends of both ranges.",
        key="lesson-inputs",
    )
    st.caption(f"For the sentence: {plain(settings.text('sentence'))}")


def _bytes(settings: Settings) -> None:
    sizes = sizes_of(settings.text("architecture"), settings.text("layout", "2-bit"))
    rows = [
        {
            "part": part.group,
            "numbers": part.numbers,
            "float32 (MiB)": part.size_bytes_float32 / 2**20,
            "packed (MiB)": part.size_bytes / 2**20,
        }
        for part in sizes.parts
    ]
    number = st.column_config.NumberColumn(format="%.3f")
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        height="content",
        column_config={"float32 (MiB)": number, "packed (MiB)": number},
    )


DRAWN: dict[str, Callable[[Settings], None]] = {
    "weights": _weights,
    "scales": _scales,
    "cuts": _cuts,
    "grid": _grid,
    "training": _training,
    "settling": _settling,
    "stepper": _stepper,
    "activations": _activations,
    "bytes": _bytes,
}
