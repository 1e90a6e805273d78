"""The parts of the Weights page: choosing, comparing columns, ranking, scoring, explaining."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from core import api
from core.experiment import QuantRecipe
from pages.ui import (
    cached,
    fast_charts,
    fetch_button,
    formula,
    glossary,
    run_choice,
    state,
    url_state,
)
from pages.ui.formatting import plain
from pages.ui.glossary import TERMS
from pages.ui.train import forms, task_and_model
from pages.ui.weights import weight_charts, weight_sentences
from pages.ui.weights.weight_sentences import Quant

if TYPE_CHECKING:
    from core.analysis.matrix_view import WeightView

# First column: the knobs that every page shares. The others: a comparison worth looking at.
RIVALS = (("optimal", 2, "layer"), ("twn", 2, "row"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One column: what was asked for, and what came out."""

    quant: Quant
    view: "WeightView"

    @property
    def name(self) -> str:
        """What the page calls the column."""
        method, bits, granularity = self.quant
        return f"{method}, {weight_sentences.in_bits(bits)}, {granularity}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """Which matrix of which model is looked at."""

    source: api.Source
    family: str
    name: str
    title: str


def choose_matrix() -> Matrix:
    """The sidebar: whose weights, and which matrix."""
    card = task_and_model.taught()
    latent = {r.run_id: r for r in api.runs() if api.has_latent(r, card.task, card.model)}
    whose = ["", *latent]
    chosen = st.selectbox(
        "Weights of",
        whose,
        format_func=lambda run: run_choice.title(latent[run]) if run else f"teacher {card.model}",
        **url_state.by_id("of", whose),
    )
    if latent:
        glossary.explain_bits()
    source = api.source_of_teacher(card.task, card.model)
    if chosen:
        source = api.source_of_run(latent[chosen], kind="latent")
    names = list(api.matrix_shapes(cached.model(source)))
    name = st.selectbox(
        "Matrix",
        names,
        format_func=lambda name: api.matrix_title(name, card.family),
        **url_state.by_id("matrix", names, usual=names[1]),
    )
    title = api.matrix_title(name, card.family)
    if chosen and (experiment := latent[chosen].experiment):
        _bits_of_its_own(experiment.quant, name)
    return Matrix(source=source, family=card.family, name=name, title=title)


def _bits_of_its_own(quant: QuantRecipe, name: str) -> None:
    """Say so where a run has trained this matrix with other bits than the rest."""
    own = quant.own.get(name)
    if own is not None:
        st.caption(f"This run trained this matrix at {int(own.bits)} bits of its own.")


def knobs(column: int, matrix: Matrix) -> Quant:
    """Method, bits and granularity of one column."""
    if column == 0:
        is_embedding = api.is_table(matrix.name, matrix.family)
        part, usual = ("embedding", "row") if is_embedding else ("weight", "layer")
        method = forms.method()
        what = part.capitalize()
        bits = forms.bits(f"{what} bits", f"{part}_bits", api.rules()[method].bits)
        scale = forms.granularity(f"{what} scale per", f"{part}_granularity", usual)
        if is_embedding:
            st.caption(weight_sentences.knobs_of_embedding())
        return method, bits, scale
    usual_method, usual_bits, usual_granularity = RIVALS[column - 1]
    letter = "abc"[column]
    method = forms.method(option=f"method_{letter}", usual=usual_method)
    bits = forms.bits("Bits", f"bits_{letter}", api.rules()[method].bits, usual_bits)
    return method, bits, forms.granularity("Scale per", f"scale_{letter}", usual_granularity)


def views(matrix: Matrix, count: int) -> list[Shown]:
    """Draw `count` columns of knobs and histograms; what they show."""
    places = st.columns(count)
    chosen = []
    for column, place in enumerate(places):
        with place:
            chosen.append(knobs(column, matrix))
    weighted = any(api.rules()[method].uses_importance for method, _, _ in chosen)
    if weighted and not api.is_prepared(matrix.source.task):
        weighted = False
        fetch_button.is_here(
            matrix.source.task,
            "importance",
            "Every weight counts the same here: importance needs the task's text, which is not on "
            "this computer.",
        )
    shown = []
    for place, quant in zip(places, chosen, strict=True):
        view = cached.weight_view(matrix.source, matrix.name, quant, weighted)
        shown.append(Shown(quant=quant, view=view))
        place.altair_chart(
            fast_charts.unchecked(weight_charts.weight_histogram(view.histogram, state.is_dark())),
            alt=f"Latent and quantized weights of {matrix.title}: {shown[-1].name}.",
            key=f"histogram-{len(shown)}",
        )
        place.markdown(weight_sentences.what_happens(quant[1], view))
    return shown


def numbers(shown: list[Shown]) -> None:
    """The columns as a table of figures."""
    rows = []
    for column in shown:
        error = column.view.error
        rows.append(
            {
                "quantized by": column.name,
                "zeros": 100 * error.zeros,
                "scale": float(column.view.scales.mean()),
                "SQNR (dB)": error.sqnr_db,
                "cosine": error.cosine,
                "MSE": error.mse,
                "weighted error": None if error.weighted is None else 100 * error.weighted,
            }
        )
    number = st.column_config.NumberColumn
    st.dataframe(
        pd.DataFrame(rows).dropna(axis=1),
        hide_index=True,
        column_config={
            "zeros": number(format="%.1f %%", help=TERMS["zeros"]),
            "scale": number(format="%.4f", help=TERMS["scale"]),
            "SQNR (dB)": number(format="%.2f", help=TERMS["sqnr"]),
            "cosine": number(format="%.4f", help=TERMS["cosine"]),
            "MSE": number(format="scientific", help=TERMS["mse"]),
            "weighted error": number(format="%.2f %%", help=TERMS["weighted"]),
        },
    )


def closer(shown: list[Shown]) -> None:
    """One column in detail: a corner number by number, and its scales.

    Drawn only while it is open: its 12,288 numbers would double the time of every knob.
    """
    own = weight_sentences.any_own(column.view for column in shown)
    corner = st.expander(
        "A corner, number by number" + ", and the scales" * own,
        on_change="rerun",
        **url_state.bound("corner"),
    )
    if corner.open:
        with corner:
            _corner(shown)


def _corner(shown: list[Shown]) -> None:
    st.markdown("Hover over a number to see what it becomes.")
    numbers = range(len(shown))
    picked = st.segmented_control(
        "Look closer at",
        numbers,
        required=True,
        format_func=lambda number: plain(shown[number].name),
        **url_state.by_id("closer", numbers),
    )
    view = shown[picked].view
    for place, (title, figure) in zip(st.columns(3), weight_charts.blocks(view), strict=True):
        place.caption(plain(title))
        place.plotly_chart(
            figure,
            alt=f"Heat map of the first 64 by 64 numbers: {title}.",
            key=f"block-{title}",
            config={"displayModeBar": False},
        )
    if len(view.scales) > 1:
        owner = weight_sentences.owner(view)
        st.markdown(
            f"**Every {owner} has its own scale.** The wider the hill, the less one scale would "
            "suit all of them."
        )
        st.altair_chart(
            fast_charts.unchecked(weight_charts.scales(view, state.is_dark())),
            alt=f"Histogram of the scales of all {owner}s.",
            key="weight-scales",
        )


def recipe(quant: Quant) -> QuantRecipe:
    """The first column's method and bits for the whole model; the granularity is the encoder's,
    and the embedding keeps the paper's scale per row."""
    method, bits, granularity = quant
    recipe = QuantRecipe(method=method, weight_bits=bits, embedding_bits=bits)
    return replace(recipe, weight_granularity=granularity)


def explain(matrix: Matrix, shown: Shown) -> None:
    """The formula, the formula with this matrix's numbers, and the source of the rule."""
    with st.expander("How this is computed"):
        rule, view = api.rules()[shown.quant[0]], shown.view
        formula.draw(rule.latex)
        first = f" (its first {weight_sentences.owner(view)})" if len(view.scales) > 1 else ""
        st.markdown(f"With the numbers of **{plain(matrix.title)}**{first}:")
        formula.draw(rule.with_numbers(view.numbers))
        st.caption(rule.source)
        st.code(rule.code, language="python")
        st.text(rule.doc)
