"""The paper's rows beside the runs that ship: what can stand in one row are ratios."""

import pandas as pd
import streamlit as st

from core import api
from pages.ui import cached, url_state
from pages.ui.compare import published_panel
from pages.ui.formatting import plain
from pages.ui.glossary import TERMS

# A model as it is called in print, and the case of a shipped grid that is nearest to it.
BESIDE = {
    "TernaryBERT, TWN": ("ablation-methods", "twn"),
    "TernaryBERT, LAT": ("ablation-methods", "lat"),
    "Q2BERT": ("ablation-methods", "uniform"),
    "8-bit BERT": ("ablation-bits", "8-8-8"),
}

LAST = ["score", "MB"]  # not to be compared with ours, so they stand behind what is


def panel() -> None:
    """A benchmark of the paper; its rows with ours beside them."""
    figures = api.published()
    benchmarks = list(dict.fromkeys(one.benchmark for one in figures))
    benchmark = st.selectbox("Published on", benchmarks, **url_state.bound("benchmark"))
    chosen = [one for one in figures if one.benchmark == benchmark]
    table = beside(published_panel.published_table(chosen))
    one_decimal = st.column_config.NumberColumn(format="%.1f")
    st.dataframe(
        table,
        hide_index=True,
        column_config={
            "figure": st.column_config.TextColumn(help=TERMS["published"]),
            "bits": st.column_config.TextColumn(help=TERMS["2-2-8"]),
            "score": one_decimal,
            "MB": one_decimal,
            "times smaller": st.column_config.NumberColumn(
                format="%.1f", help=TERMS["times_smaller"]
            ),
            "% of its full model": one_decimal,
            "full score": one_decimal,
            "ours: % of its teacher": one_decimal,
            "ours: times smaller": one_decimal,
        },
    )
    st.caption(
        f"Published: {plain(benchmark)} on dev, often the best of many checkpoints. "
        "Ours: MiniLM with 3 layers on movie-sentiment, on test, the last checkpoint, mean of the "
        "seeds that ship; the nearest case, not the same one (Q2BERT keeps its words in 8 bits, "
        "ours has 2). Other models, other text: only the two ratios can be read side by side."
    )


def beside(published: pd.DataFrame) -> pd.DataFrame:
    """The published rows in print's order, with our nearest case where there is one."""
    ours = _ours()
    rows = published.drop(columns=["share", "source"]).rename(columns={"who": "figure"})
    for column in ("ours", "ours: % of its teacher", "ours: times smaller"):
        rows[column] = [ours.get(model, {}).get(column) for model in rows["model"]]
    return rows.reindex(columns=[*(name for name in rows.columns if name not in LAST), *LAST])


def _ours() -> dict[str, dict[str, str | float]]:
    runs = {run.run_id: run for run in api.runs() if run.shipped and run.result}
    grids = {grid.name: grid for grid in api.grids()[0]}
    found = {}
    for model, (name, case) in BESIDE.items():
        rows = cached.grid_rows(grids[name], runs) if name in grids else []
        results = [run.result for row in rows if row.result.case == case for run in row.result.runs]
        scores = [result.score / result.teacher_score for result in results if result]
        sizes = [result.compression for result in results if result]
        if scores:
            found[model] = {
                "ours": f"{case}, {len(scores)} seeds",
                "ours: % of its teacher": 100 * sum(scores) / len(scores),
                "ours: times smaller": sum(sizes) / len(sizes),
            }
    return found
