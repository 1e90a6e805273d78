"""One example through several models, drawn as a table; and where two models disagree."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from core import api
from core.runs.run_store import Run
from pages.ui import browser, cached, fetch_button, state, url_state
from pages.ui.formatting import WHO, plain, size
from pages.ui.glossary import TERMS
from pages.ui.predict import search_panel

if TYPE_CHECKING:
    from core.tasks.task import Task

MAX_LABELS = 20
CARD_LABELS = 5
MOST_SHOWN = 100  # characters of an example in a list


def ask(task: "Task") -> tuple[str, ...]:
    """One box for each text of the task, filled with its example."""
    example = task.examples[0] if task.examples else ("",) * len(task.texts)
    texts = []
    for number, (column, usual) in enumerate(zip(task.texts, example, strict=True)):
        label = task.description if len(task.texts) == 1 else column.capitalize()
        texts.append(
            st.text_area(
                plain(label),
                usual,
                height=140 if len(usual) > 150 else 80,
                **url_state.bound_text(_box(task.name, number)),
            )
        )
    return tuple(text or "" for text in texts)


def _box(task: str, number: int) -> str:
    """What the address calls a box."""
    return f"text_{task}" + f"_{number + 1}" * (number > 0)


def put_into_boxes(task: str, texts: Sequence[str]) -> None:
    """Have these texts stand in the boxes (from a button's callback)."""
    state.set_all({_box(task, number): text for number, text in enumerate(texts)})


def table(texts: Sequence[str], models: Sequence[tuple[str, api.Source]]) -> None:
    """Answers of the models (name, source) to one example. Raises InputError for a bad text."""
    texts = [api.check_text(text) for text in texts]
    answers = [(name, source, cached.prediction(source, *texts)) for name, source in models]
    rows = [
        {
            "model": name,
            "answer": answer.answer,
            **dict(zip(answer.labels, answer.probabilities, strict=True)),
            **({} if answer.value is not None else {"margin": answer.margin}),
            "ms": answer.milliseconds,
            "size": size(cached.model(source).size_bytes),
            "computed by": answer.computed_by,
        }
        for name, source, answer in answers
    ]
    if answers[0][2].spans:
        for name, _, answer in answers:
            passage(name, texts[-1], answer)
    if browser.is_narrow():
        cards(rows, answers[0][2].labels)
    else:
        _side_by_side(rows, answers[0][2].labels)
    missing = (answer.reading.missing for _, _, answer in answers)
    for text in dict.fromkeys(filter(None, missing)):
        st.info(plain(text), icon=":material/visibility_off:")
    if answers[0][2].value is None and len({row["answer"] for row in rows}) > 1:
        st.info("The models disagree on this example.", icon=":material/call_split:")


def cards(rows: Sequence[Mapping[str, Any]], labels: Sequence[str]) -> None:
    """The answers below each other, for a narrow window."""
    for row in rows:
        with st.container(border=True):
            st.markdown(f"**{plain(row['model'])}**: {plain(row['answer'])}")
            for label in sorted(labels, key=lambda label: -row[label])[:CARD_LABELS]:
                st.progress(float(row[label]), text=f"{plain(label)} {row[label]:.3f}")
            margin = f"margin {row['margin']:.3f} · " if "margin" in row else ""
            st.caption(
                f"{margin}{row['ms']:.1f} ms · {plain(row['size'])} · {plain(row['computed by'])}"
            )


def _side_by_side(rows: Sequence[Mapping[str, Any]], labels: Sequence[str]) -> None:
    share = st.column_config.ProgressColumn(format="%.3f", min_value=0.0, max_value=1.0)
    number = st.column_config.NumberColumn
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        column_config={
            **dict.fromkeys(labels, share),
            "margin": number(format="%.3f", help=TERMS["margin"]),
            "ms": number(format="%.1f", help=TERMS["latency"]),
        },
    )


def passage(name: str, text: str, answer: api.Prediction) -> None:
    """The passage with a model's answer marked in it, and its other candidates.

    HTML, because Markdown makes other characters of some (-- and -> and &amp;) however written.
    """
    best = answer.spans[0]
    refused = answer.answer != best.text
    parts = [f"<p><strong>{escape(name)}</strong>: {escape(answer.answer)}</p>"]
    if not refused:
        before, inside, after = text[: best.start], text[best.start : best.end], text[best.end :]
        parts.append(f"<p>{escape(before)}<mark>{escape(inside)}</mark>{escape(after)}</p>")
    rest = [f"{escape(span.text)} ({span.share:.2f})" for span in answer.spans[not refused :]]
    if rest:
        parts.append(f"<p><small>Next: {' · '.join(rest)}</small></p>")
    st.html("".join(parts))


def models_of(run: Run) -> list[tuple[str, api.Source]]:
    """Teacher, quantized without training, and trained student of a finished run."""
    experiment = run.experiment
    assert experiment is not None
    return [
        (WHO["teacher"], api.source_of_teacher(experiment.task, experiment.model)),
        (
            WHO["untrained"],
            api.source_of_teacher(experiment.task, experiment.model, experiment.quant),
        ),
        (WHO["student"], api.source_of_run(run)),
    ]


def same_task(one: Run, other: Run) -> bool:
    """Whether both runs answer the same question."""
    return bool(one.result and other.result and one.result.task == other.result.task)


def disagreements(run: Run) -> None:
    """Dev examples that teacher and student answer differently. Raises InputError."""
    assert run.result is not None
    if not fetch_button.is_here(
        run.result.task, "dev", "The dev examples are not on this computer."
    ):
        return
    found = cached.disagreements(run)
    only = url_state.segments("Show", ("all", "teacher better", "student better"), "all", "show")
    truths = sorted({row.truth for row in found})
    label = "all"
    if len(truths) <= MAX_LABELS:
        label = st.selectbox("True label", ["all", *truths], **url_state.bound("truth"))
    shown = [
        row
        for row in found
        if (only == "all" or row.better == only.split()[0]) and label in ("all", row.truth)
    ]
    told = "are answered differently by teacher and student"
    if found and found[0].graded:
        told = "are those on which teacher and student differ most"
    st.markdown(f"**{len(found)} dev examples** {told}; {len(shown)} shown.")
    columns = ("text", "truth", "teacher", "untrained", "student")
    rows = [{name: getattr(row, name) for name in columns} for row in shown]
    st.dataframe(
        pd.DataFrame(rows, columns=list(columns)),
        hide_index=True,
        column_config={"text": st.column_config.TextColumn(width="large")},
    )
    if shown:
        _edit(run.result.task, shown)


def _edit(task: str, shown: Sequence[api.Disagreement]) -> None:
    """Take one of the examples into the boxes, where both answers change with it."""
    number = st.selectbox(
        "One of them",
        range(len(shown)),
        format_func=lambda number: short(shown[number].text),
        key="disagreement",
    )
    texts = shown[number].texts
    label = "Edit this sentence" if len(texts) == 1 else "Edit these texts"
    known = api.tasks().get(task)
    if known is None:  # its data was deleted
        return
    if search_panel.is_ranking(known):
        pressed = st.button("Edit this query", on_click=search_panel.ask_for, args=(texts[0],))
    else:
        pressed = st.button(label, on_click=put_into_boxes, args=(task, texts))
    if pressed:
        st.success(
            "It stands in the box at the top now: change a word, and every answer changes with it. "
            "[Go there](#where-do-they-disagree)"
        )


def short(text: str) -> str:
    """The first words of a text, for a list."""
    words = " ".join(text.split())
    return words if len(words) <= MOST_SHOWN else f"{words[: MOST_SHOWN - 4]} ..."
