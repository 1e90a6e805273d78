"""The plan in numbers and pictures, and what can be done with it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from core import api
from core.options import changed
from pages.ui import cached, fast_charts, fetch_button, state
from pages.ui.formatting import plain, scored
from pages.ui.glossary import TERMS
from pages.ui.plan import by_hand, cached_plans, plan_charts, plan_sentences
from pages.ui.plan.by_hand import ByHand
from pages.ui.plan.plan_settings import Asked

if TYPE_CHECKING:
    from core.plan.allocation import Plan, Planner
    from core.plan.matrix_losses import MatrixLosses


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """The plan on the page. `compared` is what bits by hand cost; `whole` the loss of all matrices
    at the fewest bits, of which others are told in per cent."""

    asked: Asked
    planner: "Planner"
    hand: ByHand
    compared: api.Kept
    whole: float

    @property
    def plan(self) -> "Plan":
        """The one that is drawn, scored and trained."""
        if self.hand.around and self.compared.within is not None:
            return self.compared.within
        return self.compared.alone


def planner(asked: Asked, found: "MatrixLosses") -> "Planner":
    """What makes the plans of these settings."""
    return cached_plans.planner(asked.start, asked.widths, asked.kind, asked.losses_key, found)


def shown(asked: Asked, made: "Planner", hand: ByHand) -> Shown:
    """The plan of the settings and of what was given by hand. Raises InputError where the budget
    is too small."""
    return Shown(
        asked=asked,
        planner=made,
        hand=hand,
        compared=api.cost_of_keeping(made, asked.budget_bytes, hand.kept),
        whole=made.uniform(min(made.widths)).loss or 1.0,
    )


def numbers(one: Shown) -> None:
    """Size and loss, and the same beside uniform bits."""
    plan, teacher_bytes = one.plan, one.planner.foreseen.teacher_bytes
    left, middle, right = st.columns(3)
    left.metric("Packed file", plan_sentences.mib(plan.size_bytes))
    middle.metric(
        f"Loss, {plain(one.planner.losses.how)}",
        plan_sentences.share(plan.loss, one.whole),
        help=TERMS["plan_loss"],
    )
    right.metric("Times smaller", f"{teacher_bytes / plan.size_bytes:.1f}x")
    said = plan_sentences.exactly(plan, one.asked.budget_bytes)
    if plan.size_bytes > one.asked.budget_bytes:
        st.warning(said, icon=":material/straighten:")
    else:
        st.caption(said)
    st.markdown(plan_sentences.beside_uniform(one.planner, plan, one.whole))
    if one.hand.kept:
        given = by_hand.named(one.hand.kept, one.planner.matrices)
        st.info(plan_sentences.cost(one.compared, given, one.asked.budget_bytes, one.whole))


def pictures(one: Shown) -> None:
    """The map of matrices, and the frontier."""
    asked, dark = one.asked, state.is_dark()
    kept = one.hand.kept
    table = plan_charts.matrix_table(one.planner.matrices, one.plan.bits, kept)
    st.markdown("**Which matrix has how many bits.** A frame says: given by hand.")
    st.altair_chart(
        fast_charts.unchecked(plan_charts.matrix_map(table)),
        alt="Map of the matrices, layers by roles, with the bits of each.",
        key="plan-map",
    )
    key = (asked.start, asked.widths, asked.kind, asked.losses_key)
    points = cached_plans.frontier(*key, one.planner)
    alike = {width: one.planner.uniform(width) for width in one.planner.widths}
    drawn = plan_charts.frontier_table(points, alike, one.plan, one.whole)
    st.markdown("**What each byte buys.** Left and low is better; the dashed line is the budget.")
    st.altair_chart(
        fast_charts.unchecked(
            plan_charts.frontier(drawn, asked.budget_mib, one.planner.losses.how, dark)
        ),
        alt="Loss over size: the frontier of plans, uniform bits, and this plan.",
        key="plan-frontier",
    )
    st.caption(
        "All matrices at the fewest bits are 100 %. The line goes through plans that no choice of "
        "bits by matrix beats in both bytes and loss. Losses are added up as if one error did not "
        "know of another; the score decides."
    )
    with st.expander("As a table"):
        st.dataframe(_table(one, table), hide_index=True)


def _table(one: Shown, table: pd.DataFrame) -> pd.DataFrame:
    """The map as a table, with what each matrix does at every number of bits, in per cent."""
    columns: dict[str, list[float]] = {}
    for width in one.planner.widths:
        columns[f"loss at {width} (%)"] = [
            100 * one.planner.losses.of[each.name][width] / one.whole
            for each in one.planner.matrices
        ]
    return pd.concat([table[["matrix", "bits", "by hand"]], pd.DataFrame(columns)], axis=1)


def next_steps(one: Shown) -> None:
    """Score it without training, and train it."""
    task, quant = one.asked.source.task, one.plan.experiment.quant
    left, right = st.columns(2, vertical_alignment="bottom")
    with left, state.explained():
        if fetch_button.is_here(task, "plan-score", "Scoring needs the task's text."):
            pressed = st.button(
                "Score it on 200 dev sentences, without training", icon=":material/speed:"
            )
            score = cached.on_demand(
                pressed,
                ("score", one.asked.source, quant),
                lambda: api.untrained_score(cached.model(one.asked.source), quant),
            )
            if score is not None:
                said = scored(score.metric, score.value, score.standard_error)
                st.metric("Without training", said)
    settings = changed(one.plan.experiment)
    right.page_link(
        "pages/train.py",
        label="Train this",
        icon=":material/school:",
        query_params={"task": task, "model": one.asked.source.model, **settings},
    )
    right.caption(plain(f"{len(quant.matrix_bits)} matrices have bits of their own in its recipe."))
