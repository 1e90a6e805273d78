"""A grid as the paper sets out an ablation: a row a case, a mean over seeds, and the difference to
the reference case of the same task with its interval."""

from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

from core import api
from core.results import Result
from core.runs.run_store import Run
from pages.ui import cached, state, url_state
from pages.ui.fast_charts import tips, unchecked
from pages.ui.formatting import code, metric_name, metric_title, plain
from pages.ui.glossary import TERMS
from pages.ui.palette import GREY, Layered, ink, top_legend

SHOWN, NOT_SHOWN = "difference shown", "no difference shown"


def panel(runs: dict[str, Run]) -> None:
    """The chosen grid: its table, and its differences as a picture."""
    grids, wrong = api.grids()
    for sentence in wrong:
        st.error(plain(sentence), icon=":material/error:")
    if not grids:
        st.info("There is no grid. Put one into cached_models/grids: a JSON file says what to try.")
        return
    begun = [grid.name for grid in grids if any(o.experiment.run_id in runs for o in grid.runs)]
    names = sorted((grid.name for grid in grids), key=lambda name: name not in begun)
    name = st.selectbox(
        "Question",
        names,
        format_func={grid.name: f"{grid.question} ({grid.name})" for grid in grids}.__getitem__,
        **url_state.by_id("grid", names),
    )
    grid = next(grid for grid in grids if grid.name == name)
    rows = cached.grid_rows(grid, runs)
    results = [run.result for row in rows for run in row.result.runs if run.result]
    missing = sum(row.result.missing for row in rows)
    if results:
        outcome(rows, results)
    if missing:
        st.caption(
            f"{missing} of {len(grid.runs)} runs are not computed yet. On the command line: "
            f"{code(f'python -m core sweep {grid.name}')}."
        )


def outcome(rows: list[api.GridRow], results: list[Result]) -> None:
    """The table of a grid with finished runs, and its differences as a picture."""
    metrics = list(dict.fromkeys(result.metric for result in results))
    unit = metric_title(metrics[0]) if len(metrics) == 1 else "the task's metric (x 100)"
    table = grid_table(rows, unit)
    st.markdown(_reading(rows))
    interval = st.column_config.TextColumn(help=TERMS["interval"])
    smaller = st.column_config.TextColumn(help=TERMS["times_smaller"])
    st.dataframe(
        table,
        hide_index=True,
        height="content",
        column_config={
            "difference [95 %]": interval,
            "over teacher [95 %]": interval,
            "times smaller": smaller,
        },
    )
    pictured = difference_table(rows)
    if len(pictured):
        st.altair_chart(
            unchecked(differences(pictured, _reference(rows), state.is_dark())),
            alt="Difference of each case to its reference with its interval; as in the table.",
            key="grid-differences",
        )
    names = ", ".join(metric_name(metric) for metric in metrics)
    st.caption(
        f"Mean {names} on test over the seeds ± standard error over the seeds (of one seed: of the "
        "test sample, marked *). Differences pair the same seeds and the same test examples; their "
        "95 % interval holds the luck of training and of the test sample (Student's t), or, marked "
        "*, with one seed only the latter. With many cases one interval in twenty misses by chance."
    )


def _reading(rows: list[api.GridRow]) -> str:
    """What the table shows, in one sentence."""
    compared = [row for row in rows if row.difference]
    if all(row.is_reference for row in rows):
        return "**Each task has one case:** the table holds it against its teacher."
    if not compared:
        return "**Nothing to compare yet.** Below is what has been computed."
    shown = [row for row in compared if row.difference and row.difference.is_shown]
    reference = plain(_reference(rows))
    if not shown:
        return f"**No difference shown:** every interval around {reference} holds zero."
    names = ", ".join(
        f"{plain(row.result.case)} ({'above' if row.difference.difference > 0 else 'below'})"
        for row in shown
        if row.difference
    )
    return f"**Shown to differ from {reference}:** {names}. For the others no difference is shown."


def _reference(rows: list[api.GridRow]) -> str:
    """What the cases that have a difference are compared with, in words."""
    names = list(dict.fromkeys(row.reference for row in rows if row.difference))
    return names[0] if len(names) == 1 else "the reference of the same task"


def grid_table(rows: list[api.GridRow], unit: str) -> pd.DataFrame:
    """A row a case, in the grid's order."""
    return pd.DataFrame([_row(row, unit) for row in rows])


def _row(row: api.GridRow, unit: str) -> dict[str, Any]:
    results = [run.result for run in row.result.runs if run.result]
    found = {"case": row.result.case, "seeds": row.result.seeds}
    if not results:
        return found | {unit: "", "difference [95 %]": row.why}
    first = results[0]
    error, star = row.result.standard_error, ""
    if error is None:
        error, star = first.score_standard_error, " *"
    sizes = sum(result.size_bytes_packed for result in results) / len(results)
    return found | {
        unit: f"{100 * row.result.mean:.1f} ± {100 * error:.1f}{star}",
        "difference [95 %]": "reference"
        if row.is_reference
        else _interval(row.difference, row.why),
        "shown": "" if row.is_reference or not row.difference else _verdict(row.difference),
        "teacher": f"{100 * first.teacher_score:.1f}",
        "over teacher [95 %]": _interval(row.over_teacher, ""),
        "untrained": f"{100 * first.untrained_score:.1f}",
        "bytes": f"{sizes:,.0f}",
        "times smaller": f"{first.size_bytes_float32 / sizes:.1f}x",
    }


def _interval(found: api.SeedDifference | None, why: str) -> str:
    if found is None:
        return why
    low, high = (f"{100 * each:+.1f}" for each in (found.low, found.high))
    star = " *" if found.seeds == 1 else ""
    return f"{100 * found.difference:+.1f} [{low}, {high}]{star}"


def _verdict(found: api.SeedDifference) -> str:
    if not found.is_shown:
        return "no difference shown"
    return "above" if found.difference > 0 else "below"


def difference_table(rows: list[api.GridRow]) -> pd.DataFrame:
    """What the picture shows: cases with a difference."""
    return pd.DataFrame(
        [
            {
                "case": row.result.case,
                "difference": 100 * row.difference.difference,
                "low": 100 * row.difference.low,
                "high": 100 * row.difference.high,
                "shown": SHOWN if row.difference.is_shown else NOT_SHOWN,
            }
            for row in rows
            if row.difference
        ]
    )


def differences(table: pd.DataFrame, reference: str, dark: bool) -> Layered:
    """Each case's difference to the reference with its 95 % interval; zero is a line."""
    axis = alt.Axis(labelLimit=200, labelFontSize=14)
    base = alt.Chart(table).encode(y=alt.Y("case:N", sort=None, title=None, axis=axis))
    zero = alt.Chart(pd.DataFrame([{"zero": 0}])).mark_rule(color=GREY, strokeDash=[4, 3])
    title = f"points above or below {reference}"
    bars = base.mark_rule(strokeWidth=2, color=ink(dark)).encode(
        x=alt.X("low:Q", title=title), x2=alt.X2("high:Q")
    )
    shapes = alt.Scale(domain=[SHOWN, NOT_SHOWN], range=["diamond", "circle"])
    fills = alt.Scale(domain=[SHOWN, NOT_SHOWN], range=[ink(dark), "transparent"])
    numbers = [alt.Tooltip(f"{name}:Q", format="+.2f") for name in ("difference", "low", "high")]
    marks = base.mark_point(size=130, strokeWidth=2, opacity=1, color=ink(dark)).encode(
        x=alt.X("difference:Q"),
        shape=alt.Shape("shown:N", scale=shapes, legend=top_legend()),
        fill=alt.Fill("shown:N", scale=fills, legend=top_legend()),
        tooltip=tips("case:N", *numbers, "shown:N"),
    )
    layers = alt.layer(zero.encode(x=alt.X("zero:Q")), bars, marks)
    return layers.properties(height=alt.Step(38))
