"""The same roles in the same clothes, on every chart.

teacher = ink, full line · quantized without training = orange, hollow · trained student = blue,
filled · codes -1 / 0 / +1 = vermilion / grey / blue · latent weights = grey. Colour never stands
alone: shape, dash or a word says it too.
"""

import altair as alt

BLUE, ORANGE, VERMILION, GREY = "#0072B2", "#E69F00", "#D55E00", "#999999"
LIGHT_BLUE = "#56B4E9"

Layered = alt.LayerChart | alt.FacetChart


def ink(dark: bool) -> str:
    """The colour of text and of the teacher."""
    return "#FAFAFA" if dark else "#262730"


def student_blue(dark: bool) -> str:
    """The student's blue, light enough for a dark page."""
    return LIGHT_BLUE if dark else BLUE


def top_legend(columns: int | None = None) -> alt.Legend:
    """A legend above the chart, wide enough for whole phrases; in one row, or in `columns` for a
    chart that may be narrower than the row."""
    legend = alt.Legend(title=None, orient="top", labelLimit=260)
    if columns is not None:
        legend.columns = columns
    return legend
