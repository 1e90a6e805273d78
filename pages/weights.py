"""Weights: what does quantizing do to one weight matrix?"""

import streamlit as st

from core import api
from pages.ui import forms, loaded, state, weight_charts
from pages.ui.words import TERMS

st.title("What does quantizing do to one weight matrix?")

with st.sidebar:
    card = forms.teacher()
    source = loaded.teacher(card.task, card.model)
    shapes = api.matrix_shapes(loaded.model(source))
    name = st.selectbox("Matrix", list(shapes), **state.bound("matrix"))
    is_embedding = name.endswith("word_embeddings")
    method = forms.method()
    part, usual = ("embedding", "row") if is_embedding else ("weight", "layer")
    bits = forms.bits("Bits", f"{part}_bits", api.rules()[method].bits)
    granularity = forms.granularity("Scale per", f"{part}_granularity", usual)

view = state.attempt(lambda: loaded.weight_view(source, name, method, bits, granularity))
if view is None:
    st.stop()

columns = st.columns(4)
columns[0].metric("Zeros", f"{100 * view.error.zeros:.1f} %", help=TERMS["zeros"])
columns[1].metric("SQNR", f"{view.error.sqnr_db:.1f} dB", help=TERMS["sqnr"])
columns[2].metric("Cosine", f"{view.error.cosine:.4f}", help=TERMS["cosine"])
columns[3].metric("Mean squared error", f"{view.error.mse:.2e}", help=TERMS["mse"])

st.markdown(
    "**The grey hill is what was learned, the coloured bars are what is left.** Between the dashed "
    "thresholds weights become zero; beyond them they all move to the same level."
)
st.altair_chart(
    weight_charts.weight_histogram(view.histogram, state.is_dark()),
    alt=f"Histogram of latent and quantized weights of {name}.",
    key="weight-histogram",
)
st.caption(
    f"{view.rows:,} x {view.cols:,} weights of {card.model}. Both histograms share their bins; the "
    "tails are in the outermost ones; the vertical axis is a square root. Lines of row-wise "
    "quantization are those of the mean scale."
)
with st.expander("As a table"):
    st.dataframe(weight_charts.histogram_table(view.histogram), hide_index=True, height=260)

st.markdown("**A corner of the matrix, number by number.** Hover to see what one weight becomes.")
st.plotly_chart(
    weight_charts.block(view),
    alt="Heat maps of 64 by 64 latent weights, their codes and the error.",
    key="weight-block",
)
if len(view.scales) > 1:
    st.markdown("**Every row has its own scale.** The wider this hill, the more rows gain from it.")
    st.altair_chart(
        weight_charts.scales(view, state.is_dark()),
        alt="Histogram of the scales of all rows.",
        key="weight-scales",
    )
with st.expander("How this is computed"):
    rule = api.rules()[method]
    st.latex(rule.latex)
    st.caption(rule.source)
