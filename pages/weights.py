"""Weights: what does quantizing do to one weight matrix?"""

import streamlit as st

from core import api
from pages.ui import browser, state, url_state
from pages.ui.formatting import plain
from pages.ui.weights import (
    ladder_panel,
    weight_charts,
    weight_panels,
    weight_sentences,
    whole_model,
)

st.title("What does quantizing do to one weight matrix?")

with browser.settings():
    matrix = state.attempt(weight_panels.choose_matrix)
    count = url_state.segments("Side by side", (1, 2, 3), 2, "columns")
if matrix is None:
    st.stop()

st.markdown("**The grey hill is what was learned, the coloured bars are what is left.**")
shown = state.attempt(weight_panels.views, matrix, count)
if shown is None:
    st.stop()
weight_panels.numbers(shown)
drawn = weight_sentences.how_drawn(matrix.title, [(one.quant[1], one.view) for one in shown])
st.caption(plain(drawn))
with st.expander("Histogram of the first column as a table"):
    histogram = shown[0].view.histogram
    st.dataframe(weight_charts.histogram_table(histogram), hide_index=True, height=260)

weight_panels.closer(shown)

st.header("The whole model, without training", divider="gray")
whole_model.panel(matrix.source, matrix.family, weight_panels.recipe(shown[0].quant))
st.header("The ladder", divider="gray")
ladder_panel.panel(api.source_of_teacher(matrix.source.task, matrix.source.model))
weight_panels.explain(matrix, shown[0])
