"""Pictures of plans: the frontier of size and loss, and the map of matrices by bits."""

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

import altair as alt
import pandas as pd

from core import api
from pages.ui.fast_charts import tips
from pages.ui.palette import GREY, ORANGE, VERMILION, Layered, student_blue, top_legend

if TYPE_CHECKING:
    from core.family import Matrix
    from core.plan.allocation import Plan

MIB = 2**20
PLANNED, ALIKE, CHOSEN = "planned by matrix", "all matrices alike", "this plan"
# From few bits to many, each with the colour of the number on it.
SHADES = {1: "#FFFFFF", 2: "#E8F1F8", 3: "#B5D8EE", 4: "#56B4E9", 8: "#0072B2", 32: "#3A3A44"}
WHITE_ON = (8, 32)
NO_LAYER = "outside"


def frontier_table(
    points: Sequence[api.SizeAndLoss],
    alike: Mapping[int, "Plan"],
    plan: "Plan",
    whole: float,
) -> pd.DataFrame:
    """Size and loss, in per cent of `whole`, of all that the chart shows; what loses nothing is
    left out, for its axis is a logarithm."""
    rows = [(PLANNED, each.size_bytes, each.loss, "") for each in points]
    rows += [(ALIKE, each.size_bytes, each.loss, f"{bits} bits") for bits, each in alike.items()]
    rows.append((CHOSEN, plan.size_bytes, plan.loss, ""))
    table = [
        {"what": what, "MiB": size / MIB, "loss": 100 * loss / whole, "bits": bits}
        for what, size, loss, bits in rows
        if loss > 0
    ]
    return pd.DataFrame(table, columns=["what", "MiB", "loss", "bits"])


def frontier(table: pd.DataFrame, budget_mib: float, how: str, dark: bool) -> Layered:
    """The frontier as a line, uniform bits as hollow squares, the plan as a full point, the budget
    as a dashed rule."""
    blue = student_blue(dark)
    kinds, colours = [PLANNED, ALIKE, CHOSEN], [blue, ORANGE, VERMILION]
    x = alt.X("MiB:Q", scale=alt.Scale(type="log", nice=False, padding=20), title="file (MiB)")
    y = alt.Y(
        "loss:Q",
        scale=alt.Scale(type="log", nice=False, padding=14),
        title=f"{how} loss (%)",
        axis=alt.Axis(tickCount=4, format="~g"),
    )
    colour = alt.Color("what:N", scale=alt.Scale(domain=kinds, range=colours), legend=top_legend(1))
    shape = alt.Shape(
        "what:N", scale=alt.Scale(domain=kinds, range=["stroke", "square", "circle"]), legend=None
    )
    told = tips(
        "what:N",
        "bits:N",
        alt.Tooltip("MiB:Q", format=".3f"),
        alt.Tooltip("loss:Q", format=".3g"),
    )
    line = alt.Chart(table[table["what"] == PLANNED]).mark_line(
        strokeWidth=2.5, interpolate="step-after"
    )
    marks = alt.Chart(table[table["what"] != PLANNED]).mark_point(
        size=130, strokeWidth=2.5, opacity=1
    )
    fill = alt.Fill(
        "what:N",
        scale=alt.Scale(domain=kinds, range=["transparent", "transparent", VERMILION]),
        legend=None,
    )
    names = alt.Chart(table[table["what"] == ALIKE]).mark_text(
        align="left", dx=10, dy=-6, fontSize=13, color=ORANGE
    )
    return alt.layer(
        _budget_rule(budget_mib).encode(x=x),
        line.encode(x=x, y=y, color=colour, tooltip=told),
        marks.encode(x=x, y=y, color=colour, shape=shape, fill=fill, tooltip=told),
        names.encode(x=x, y=y, text=alt.Text("bits:N")),
    ).properties(height=340)


def _budget_rule(budget_mib: float) -> alt.Chart:
    told = tips(alt.Tooltip("MiB:Q", title="budget (MiB)", format="g"))
    rule = alt.Chart(pd.DataFrame({"MiB": [budget_mib]})).encode(tooltip=told)
    return rule.mark_rule(color=GREY, strokeDash=[6, 4], strokeWidth=2)


def matrix_table(
    matrices: Sequence["Matrix"], bits: Mapping[str, int], by_hand: Collection[str]
) -> pd.DataFrame:
    """Every matrix by its layer and its role there, with its bits."""
    rows = []
    for matrix in matrices:
        outside = matrix.layer is None
        rows.append(
            {
                "matrix": matrix.title,
                "layer": NO_LAYER if outside else str(matrix.layer),
                "role": matrix.title if outside else matrix.title.partition(", ")[2],
                "bits": bits[matrix.name],
                "by hand": matrix.name in by_hand,
            }
        )
    return pd.DataFrame(rows, columns=["matrix", "layer", "role", "bits", "by hand"])


def matrix_map(table: pd.DataFrame) -> Layered:
    """Layers by roles: the colour and the number of a cell are its bits; a frame says that they
    were given by hand."""
    x = alt.X(
        "role:N",
        sort=None,
        title=None,
        axis=alt.Axis(orient="top", labelAngle=-40, labelLimit=140, labelOverlap=False),
    )
    y = alt.Y("layer:N", sort=None, title="layer")
    widths = sorted({int(bits) for bits in table["bits"].tolist()})
    fill = alt.Color(
        "bits:O",
        scale=alt.Scale(domain=widths, range=[SHADES[bits] for bits in widths]),
        legend=None,
    )
    told = tips("matrix:N", "bits:O", "by hand:N")
    cells = alt.Chart(table).mark_rect(stroke=GREY, strokeWidth=1)
    frames = alt.Chart(table[table["by hand"]]).mark_rect(
        fillOpacity=0, stroke=VERMILION, strokeWidth=3
    )
    names = alt.Chart(table).mark_text(fontSize=14, fontWeight="bold")
    dark_cells = alt.FieldOneOfPredicate(field="bits", oneOf=list(WHITE_ON))
    ink = alt.condition(dark_cells, alt.value("#FFFFFF"), alt.value("#262730"))
    layers = [
        cells.encode(x=x, y=y, color=fill, tooltip=told),
        frames.encode(x=x, y=y, tooltip=told),
        names.encode(x=x, y=y, text=alt.Text("bits:O"), color=ink, tooltip=told),
    ]
    return alt.layer(*layers).resolve_scale(color="independent").properties(height={"step": 34})
