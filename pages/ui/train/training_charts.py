"""The curves of one training: events in, charts out."""

from collections.abc import Sequence

import altair as alt
import pandas as pd

from core.events import Evaluated, Event, Started, StepDone
from pages.ui.fast_charts import tips
from pages.ui.formatting import WHO, metric_title
from pages.ui.palette import ORANGE, Layered, ink, student_blue, top_legend

MAX_POINTS = 300
LOSSES = (
    *("hidden", "attention", "logits", "labels", "attention_maps", "attention_outputs"),
    "margins",
)

# A tick and a line at each power of ten, none between: a log axis has too many otherwise.
_POWERS = alt.Axis(values=[10.0**power for power in range(-8, 7)], format="~g")


def loss_table(events: Sequence[Event]) -> pd.DataFrame:
    """Step and the losses that were used, thinned to a few hundred rows."""
    steps = [event for event in events if isinstance(event, StepDone)]
    every = max(1, len(steps) // MAX_POINTS)
    rows = [{"step": e.step, **{name: getattr(e, name) for name in LOSSES}} for e in steps[::every]]
    table = pd.DataFrame(rows, columns=["step", *LOSSES])
    unused = [name for name in LOSSES if not table[name].to_numpy().any()]
    return table.drop(columns=unused)


def losses(events: Sequence[Event], total_steps: int) -> alt.Chart:
    """Each loss by itself over the steps, on a logarithmic axis."""
    table = loss_table(events).melt("step", var_name="loss", value_name="value")
    table = table[table["value"] > 0]
    legend = top_legend(2)
    legend.values = list(dict.fromkeys(table["loss"]))
    return (
        alt.Chart(table)
        .mark_line()
        .encode(
            x=alt.X("step:Q", scale=alt.Scale(domain=[0, total_steps]), title="step"),
            y=alt.Y("value:Q", scale=alt.Scale(type="log"), title="loss", axis=_POWERS),
            color=alt.Color("loss:N", scale=alt.Scale(domain=list(LOSSES)), legend=legend),
            strokeDash=alt.StrokeDash("loss:N", scale=alt.Scale(domain=list(LOSSES)), legend=None),
            tooltip=tips("step:Q", "loss:N", alt.Tooltip("value:Q", format=".4g")),
        )
        .properties(height=280)
    )


def score_table(events: Sequence[Event]) -> pd.DataFrame:
    """Step, dev score in per cent, and one standard error to both sides."""
    rows = [
        {
            "step": event.step,
            "score": 100 * event.score.value,
            "low": 100 * (event.score.value - event.score.standard_error),
            "high": 100 * (event.score.value + event.score.standard_error),
        }
        for event in events
        if isinstance(event, Evaluated)
    ]
    return pd.DataFrame(rows, columns=["step", "score", "low", "high"])


def dev_scores(events: Sequence[Event], total_steps: int, dark: bool) -> Layered:
    """The dev score over the steps; of a student, against the teacher's line and the untrained
    line. In ink when a teacher is made, in blue for a student."""
    started = next((event for event in events if isinstance(event, Started)), None)
    scores = [event.score for event in events if isinstance(event, Evaluated)]
    scores += [started.teacher_dev] if started else []
    x = alt.X("step:Q", scale=alt.Scale(domain=[0, total_steps]), title="step")
    title = f"dev {metric_title(scores[0].metric)}" if scores else "dev score"
    y = alt.Y("score:Q", title=title, scale=alt.Scale(zero=False))
    colour = student_blue(dark) if started else ink(dark)
    learning = alt.Chart(score_table(events)).encode(x=x)
    errors = learning.mark_rule(color=colour).encode(
        y=alt.Y("low:Q", title=""), y2=alt.Y2("high:Q")
    )
    tooltip = tips("step:Q", alt.Tooltip("score:Q", format=".1f"))
    points = learning.mark_line(color=colour, point={"color": colour, "size": 60}).encode(
        y=y, tooltip=tooltip
    )
    lines = [_reference_lines(started, y, dark)] if started else []
    return alt.layer(*lines, errors, points).properties(height=280)


def _reference_lines(started: Started, y: alt.Y, dark: bool) -> alt.Chart:
    lines = pd.DataFrame(
        [
            {"score": 100 * started.teacher_dev.value, "who": WHO["teacher"]},
            {"score": 100 * started.untrained_dev.value, "who": WHO["untrained"]},
        ]
    )
    names = [WHO["teacher"], WHO["untrained"]]
    return (
        alt.Chart(lines)
        .mark_rule(strokeWidth=2)
        .encode(
            y=y,
            color=alt.Color(
                "who:N",
                scale=alt.Scale(domain=names, range=[ink(dark), ORANGE]),
                legend=top_legend(1),
            ),
            strokeDash=alt.StrokeDash(
                "who:N", scale=alt.Scale(domain=names, range=[[1, 0], [6, 4]]), legend=None
            ),
            tooltip=tips("who:N", alt.Tooltip("score:Q", format=".1f")),
        )
    )
