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
from core.lessons.architecture_sizes import sizes_of
from core.lessons.catalogue import Words
from core.lessons.lesson import Settings, Use
from core.lessons.one_step import OneWeight
from core.lessons.one_step import pick as pick_weight
from core.lessons.reveals.size_reveals import part_name
from core.runs.run_store import Run
from pages.ui import browser, cached, state
from pages.ui.compare import grid_panel
from pages.ui.fast_charts import unchecked
from pages.ui.formatting import plain
from pages.ui.lessons import computed, small_charts
from pages.ui.train import training_charts
from pages.ui.train import weight_history_charts as history
from pages.ui.weights import weight_charts, weight_panels


def draw(use: Use, words: Words) -> None:
    """Draw an instrument. Raises InputError where its settings cannot be had here."""
    DRAWN[use.name](use.settings, words)


def source_of(settings: Settings) -> api.Source:
    """The teacher that the settings name."""
    task, model = settings.text("task", material.TASK), settings.text("model", material.MODEL)
    return api.source_of_teacher(task, model)


def title_of(source: api.Source, name: str) -> str:
    """What people call a matrix of a model."""
    return material.title_of(cached.model(source), name)


def _weights(settings: Settings, words: Words) -> None:
    source, name = source_of(settings), settings.text("matrix")
    quants = [material.quant_of(text) for text in settings.several("columns")]
    shown = [
        weight_panels.Shown(quant=quant, view=cached.weight_view(source, name, quant, False))
        for quant in quants
    ]
    for place, column in zip(st.columns(len(shown)), shown, strict=True):
        place.markdown(f"**{plain(column.name)}**")
        place.altair_chart(
            unchecked(weight_charts.weight_histogram(column.view.histogram, state.is_dark())),
            alt=words.instruments.latent.format(matrix=title_of(source, name), column=column.name),
            key=f"lesson-weights-{column.name}",
        )
    weight_panels.numbers(shown)


def _scales(settings: Settings, words: Words) -> None:
    source, name = source_of(settings), settings.text("matrix")
    quant = settings.text("method", "twn"), settings.whole("bits", 2), "row"
    view = cached.weight_view(source, name, quant, False)
    st.markdown(words.instruments.own_scale)
    st.altair_chart(
        unchecked(weight_charts.scales(view, state.is_dark())),
        alt=words.instruments.scales.format(matrix=title_of(source, name)),
        key="lesson-scales",
    )


def _cuts(settings: Settings, words: Words) -> None:
    found = computed.revealed(Use(name="cut", settings=settings), words)
    st.altair_chart(
        unchecked(small_charts.cuts(found.curve, found.items, state.is_dark(), words)),
        alt=words.instruments.cuts,
        key="lesson-cuts",
    )


def _grid(settings: Settings, words: Words) -> None:
    grid = material.grid_of(settings.text("grid"))
    rows = cached.grid_rows(grid, material.finished())
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


def _training(settings: Settings, words: Words) -> None:
    run = run_of(settings)
    events = api.events(run)
    steps = next((e.total_steps for e in events if isinstance(e, Started | StepDone)), 0)
    left, right = st.columns(2)
    left.markdown(words.instruments.while_training)
    left.altair_chart(
        unchecked(training_charts.dev_scores(events, steps, state.is_dark())),
        alt=words.instruments.dev,
        key="lesson-dev",
    )
    right.markdown(words.instruments.each_loss)
    right.altair_chart(
        unchecked(training_charts.losses(events, steps)),
        alt=words.instruments.losses,
        key="lesson-losses",
    )
    st.caption(words.instruments.replay.format(run=plain(run.run_id), title=plain(run.title)))


def _settling(settings: Settings, words: Words) -> None:
    run = run_of(settings)
    events = api.events(run)
    seen = [event for event in events if isinstance(event, WeightsSeen) and event.matrices]
    steps = next((e.total_steps for e in events if isinstance(e, Started | StepDone)), 0)
    if not seen:
        raise InputError(f"Run {run.run_id} was not watched inside, so there is nothing to replay.")
    st.altair_chart(
        unchecked(history.change_lines(history.changes(seen, ""), steps, state.is_dark())),
        alt=words.instruments.settling,
        key="lesson-settling",
    )
    st.caption(words.instruments.replay.format(run=plain(run.run_id), title=plain(run.title)))


def _stepper(settings: Settings, words: Words) -> None:
    source = source_of(settings)
    step = computed.step(source, words)
    weight = pick_weight(step, settings.text("weight", "near"))
    rows = _numbers_of(weight, words)
    if browser.is_narrow():  # a table would be cut
        lines = (f"{plain(name)}: **{number:+.6f}**, {plain(told)}" for name, number, told in rows)
        st.markdown("  \n".join(lines))
    else:
        st.dataframe(
            pd.DataFrame(rows, columns=["order", "number", "which"]),
            hide_index=True,
            height="content",
            column_config={
                "order": words.stepper.order,
                "number": st.column_config.NumberColumn(words.stepper.number, format="%.6f"),
                "which": words.stepper.which,
            },
        )
    st.caption(
        words.stepper.place.format(
            row=f"{weight.row:d}",
            column=f"{weight.column:d}",
            matrix=plain(title_of(source, step.name)),
        )
    )


def _numbers_of(weight: OneWeight, words: Words) -> list[tuple[str, float, str]]:
    """The numbers of a weight, in the order in which they come about."""
    said = words.stepper
    return [
        (said.latent, weight.latent, said.latent_is),
        (said.threshold, weight.threshold, said.threshold_is),
        (said.code, float(weight.code), said.code_is),
        (said.scale, weight.scale, said.scale_is),
        (said.forward, weight.value, said.forward_is),
        (said.felt, weight.gradient_of_value, said.felt_is),
        (said.gradient, weight.gradient, said.gradient_is),
        (said.rate, weight.rate, said.rate_is),
        (said.latent_after, weight.latent_after, said.latent_after_is),
        (said.threshold_after, weight.threshold_after, said.threshold_after_is),
        (said.code_after, float(weight.code_after), said.code_after_is),
    ]


def _activations(settings: Settings, words: Words) -> None:
    values = computed.inputs(
        source_of(settings), settings.text("matrix"), settings.text("sentence"), words
    )
    st.altair_chart(
        unchecked(small_charts.inputs(values, state.is_dark(), words)),
        alt=words.instruments.inputs,
        key="lesson-inputs",
    )
    st.caption(words.instruments.sentence.format(sentence=plain(settings.text("sentence"))))


def _bytes(settings: Settings, words: Words) -> None:
    sizes = sizes_of(settings.text("architecture"), settings.text("layout", "2-bit"))
    rows = [
        {
            "part": part_name(part.group, words),
            "numbers": part.numbers,
            "before": part.size_bytes_float32 / 2**20,
            "after": part.size_bytes / 2**20,
        }
        for part in sizes.parts
    ]
    number = st.column_config.NumberColumn
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        height="content",
        column_config={
            "part": words.instruments.part,
            "numbers": words.instruments.numbers,
            "before": number(words.instruments.before, format="%.3f"),
            "after": number(words.instruments.after, format="%.3f"),
        },
    )


DRAWN: dict[str, Callable[[Settings, Words], None]] = {
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
