"""Weights: what does quantizing do to one weight matrix?"""

import streamlit as st

from pages.ui import address, state, weight_charts, weight_panels
from pages.ui.words import plain

st.title("What does quantizing do to one weight matrix?")

with st.sidebar:
    matrix = state.attempt(weight_panels.choose_matrix)
    count = address.segments("Side by side", (1, 2, 3), 2, "columns")
if matrix is None:
    st.stop()

st.markdown(
    "**The grey hill is what was learned, the coloured bars are what is left.** Between the "
    "thresholds weights become zero; beyond them they all move to the same level."
)
shown = state.attempt(weight_panels.views, matrix, count)
if shown is None:
    st.stop()
weight_panels.numbers(shown)
view = shown[0].view
st.caption(
    f"{plain(matrix.title)}: {view.rows:,} x {view.cols:,} weights. All histograms share their "
    "bins, the tails are in the outermost ones, the vertical axis is a square root. Where every "
    "row has its own scale, lines and scale are those of the mean scale."
)
with st.expander("Histogram as a table"):
    st.dataframe(weight_charts.histogram_table(view.histogram), hide_index=True, height=260)

weight_panels.closer(shown)

st.header("The whole model, quantized like the first column", divider="gray")
weight_panels.whole_model(matrix, weight_panels.recipe(shown[0].quant))
weight_panels.explain(matrix, shown[0])
