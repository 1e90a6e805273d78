"""The whole model quantized like the first column, without training."""

from functools import partial

import pandas as pd
import streamlit as st

from core import api
from core.experiment import QuantRecipe
from pages.ui import cached, fast_charts, fetch_button, state
from pages.ui.formatting import plain, scored
from pages.ui.weights import weight_charts, weight_sentences


def panel(source: api.Source, family: str, quant: QuantRecipe) -> None:
    """The model quantized like this, without training: its score, and which matrix hurts most."""
    st.markdown(plain(weight_sentences.whole_model(quant)))
    with state.explained():
        if not fetch_button.is_here(
            source.task, "score", "Scoring and ranking need the task's text."
        ):
            return
    left, right = st.columns(2)
    with state.explained():
        asked = left.button("Score on 200 dev sentences", icon=":material/speed:")
        score = cached.on_demand(
            asked,
            ("score", source, quant),
            lambda: api.untrained_score(cached.model(source), quant),
        )
        if score is not None:
            said = scored(score.metric, score.value, score.standard_error)
            st.metric("Without training", said)
    with state.explained():
        asked = right.button("Rank all matrices", icon=":material/sort:")
        errors = cached.on_demand(
            asked,
            ("ranking", source, quant),
            lambda: api.rank_matrices(cached.model(source), quant),
        )
        if errors is not None:
            title = partial(api.matrix_title, family=family)
            draw_ranking(weight_charts.ranking_table(errors, title))


def draw_ranking(table: pd.DataFrame) -> None:
    """Isolated and accumulated error side by side, and as a table."""
    left, right = st.columns(2)
    left.markdown("**Alone:** only this matrix is quantized. The longest bar hurts most.")
    left.altair_chart(
        fast_charts.unchecked(weight_charts.isolated(table, state.is_dark())),
        alt="Error when only one matrix is quantized, ranked.",
        key="isolated",
    )
    right.markdown("**Together:** this matrix and everything before it.")
    right.altair_chart(
        fast_charts.unchecked(weight_charts.accumulated(table, state.is_dark())),
        alt="Error when all matrices up to this one are quantized.",
        key="accumulated",
    )
    st.caption(
        "Squared distance of the last hidden states from those of the unquantized model, relative "
        "to their own square, over the real tokens of 64 dev sentences. Activations stay float."
    )
    with st.expander("As a table"):
        st.dataframe(table, hide_index=True)
