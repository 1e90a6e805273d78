"""The parts of the Compare page: what to show, the score against the size, all lines, the table."""

import pandas as pd
import streamlit as st

from core.runs.run_store import Run
from pages.ui import run_choice, state, url_state
from pages.ui.compare import compare_charts, compare_table
from pages.ui.compare.compare_table import FILTERS, STUDENT, TEACHER, TRAINING, UNTRAINED
from pages.ui.fast_charts import unchecked
from pages.ui.formatting import plain
from pages.ui.glossary import TERMS
from pages.ui.train import live_run

VIEWS = ("Score against size", "All settings", "Ablations", "Two models", "Published")
AXES = ("every point", "the best, close up")
PER_CENT = ("score", "standard error", "of teacher", "agrees with teacher")
# A column, and the term that explains it ("": it needs none).
ONE_DECIMAL = {
    **dict.fromkeys(PER_CENT, ""),
    "standard error": "standard_error",
    "agrees with teacher": "agreement",
    "times smaller": "times_smaller",
    "seconds": "",
}


def filtered(table: pd.DataFrame) -> pd.DataFrame:
    """The rows that the sidebar leaves: a choice for every column in which students differ."""
    students = table.loc[table["who"] == STUDENT]
    kept = pd.Series(data=True, index=table.index)
    for name in FILTERS:
        values = sorted(set(students[name].tolist()))
        if len(values) < 2:
            continue
        chosen = st.multiselect(
            name.capitalize(),
            values,
            format_func=lambda value: str(value) or "none",
            placeholder="all",
            **url_state.bound(f"only_{name.replace(' ', '_')}"),
        )
        if chosen:
            # A teacher has none of the settings, an untrained model none of the training's.
            free = [TEACHER, UNTRAINED] if name in TRAINING else [TEACHER]
            if name == "model":
                free = []
            kept &= table[name].isin(chosen) | table["who"].isin(free)
    return table.loc[kept]


def score_against_size(points: pd.DataFrame, metric: str, runs: dict[str, Run]) -> None:
    """The chart, and the run that is clicked."""
    st.markdown(
        "**Up is better, left is smaller.** The dotted line joins what nothing smaller beats. "
        "Click a point to see its run."
    )
    axes = url_state.segments("Show", AXES, AXES[0], "zoom")
    drawn = compare_table.close_up(points) if axes == AXES[1] else points
    event = st.altair_chart(
        unchecked(compare_charts.score_against_size(drawn, metric, state.is_dark())),
        on_select="rerun",
        alt="Test score against size of teachers, untrained and trained students.",
        key="score-against-size",
    )
    if left_out := len(points) - len(drawn):
        st.caption(f"{left_out} of {len(points)} points lie outside; the table has them all.")
    st.caption(_bars(drawn))
    picked = event["selection"].get("picked", [])
    chosen = runs.get(picked[0].get("run", "")) if picked else None
    if chosen is not None:
        live_run.panel(_one_seed(chosen, runs))


def _bars(points: pd.DataFrame) -> str:
    """What the error bars are, said for what is shown."""
    several = [count for count in points["seeds"].tolist() if count > 1]
    text = "Score on test examples that nothing was selected on. "
    if several:
        counts = "-".join(f"{n:d}" for n in sorted({min(several), max(several)}))
        text += f"Points of several seeds ({counts}) are means, their bars one standard error over "
        text += "the seeds"
        text += "; the other bars are one standard error of the test sample. "
    else:
        text += "Bars are one standard error of the test sample. "
    return text + (
        "Overlapping bars show no difference; the paired test under “Two models” sees more. Size "
        "is that of the packed file (logarithmic axis); for a teacher, 4 bytes a weight."
    )


def _one_seed(run: Run, runs: dict[str, Run]) -> Run:
    """The run itself, or another seed of the same recipe."""
    recipe = compare_table.recipe_of(run)
    seeds = [other for other in runs.values() if compare_table.recipe_of(other) == recipe]
    if len(seeds) < 2:
        return run
    by_id = {one.run_id: one for one in seeds}
    picked = st.segmented_control(
        "Seed",
        list(by_id),
        default=run.run_id,
        required=True,
        format_func=lambda run_id: _seed(by_id[run_id]),
        key=f"seed-of-{run.run_id}",
    )
    return by_id[picked]


def _seed(run: Run) -> str:
    return str(run.experiment.seed) if run.experiment else plain(run_choice.title(run))


def all_settings(points: pd.DataFrame, metric: str) -> None:
    """Parallel coordinates of the trained recipes."""
    students = points[points["who"] == STUDENT]
    if len(students) < 2:
        st.info("There is one recipe here. With a second one the lines begin to tell something.")
        return
    st.markdown(
        "**Each line is a recipe, from its settings to what came of them.** Drag along an axis to "
        "keep only the lines that pass there; click the axis to let go."
    )
    st.plotly_chart(
        compare_charts.parallel_coordinates(points, metric, state.is_dark()),
        alt="Parallel coordinates of the trained recipes; the same numbers are in the table below.",
        key="all-settings",
        config={"displayModeBar": False},
    )
    st.caption(
        "Means over the seeds of each recipe; “scales” is their granularity, “agreement” the share "
        "of the teacher's answers in per cent. Settings that all share have no axis. "
        f"{'Brighter' if state.is_dark() else 'Darker'} lines rank higher."
        f"{plain(_without_axis(pd.DataFrame(students)))}"
    )


def _without_axis(students: pd.DataFrame) -> str:
    """The settings in which recipes differ and that are left to the table and the filters."""
    names = compare_charts.other_settings(students)[compare_charts.MOST_OTHERS :]
    if not names:
        return ""
    return f" Without an axis, for want of room: {', '.join(names)} (see the filters)."


def table_and_download(table: pd.DataFrame, name: str) -> None:
    """Every row, and the same as CSV."""
    st.dataframe(
        table.drop(columns="point"),
        hide_index=True,
        column_config={
            **{
                name: st.column_config.NumberColumn(format="%.1f", help=TERMS.get(key))
                for name, key in ONE_DECIMAL.items()
            },
            "MiB": st.column_config.NumberColumn(format="%.2f", help=TERMS["mib"]),
            "bits": st.column_config.TextColumn(help=TERMS["2-2-8"]),
        },
    )
    st.download_button(
        "Download as CSV",
        lambda: table.drop(columns="point").to_csv(index=False),
        file_name=f"{name}.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
    )
