"""A person's own file: read, guessed, corrected, checked, kept."""

from dataclasses import replace
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from core import api
from core.errors import InputError
from pages.ui import cached, state
from pages.ui.formatting import KINDS, plain

if TYPE_CHECKING:
    from core.tables.table import Table
    from core.tasks.checking import Checked
    from core.tasks.plans import Plan

ENDINGS = ["csv", "tsv", "jsonl", "json", "parquet", "gz"]
SHOWN_ROWS = 5
OWN = "your file"


# What is read stays in memory while it is looked at: a few files at a time, keyed by their content.
# Whatever takes long ends when the person who asked for it is gone; nothing is kept then.
@st.cache_resource(max_entries=2, show_spinner="Reading ...")
def _table(name: str, data: bytes) -> "Table":
    return api.read_table(name, data, state.check_wanted)


@st.cache_resource(max_entries=2, show_spinner="Looking at the columns ...")
def _guessed(_table: "Table", digest: str, title: str) -> "Plan":
    return api.guess_plan(_table, title, state.check_wanted)


@st.cache_resource(max_entries=8, show_spinner=False)
def _kind_of(_table: "Table", digest: str, label: str) -> str:
    return api.label_kind(_table, label, state.check_wanted)


@st.cache_resource(max_entries=8, show_spinner=False)
def _classes_of(_table: "Table", digest: str, label: str) -> tuple[str, ...]:
    return api.class_names(_table, label, state.check_wanted)


@st.cache_resource(max_entries=8, show_spinner=False)
def _length_of(_table: "Table", digest: str, texts: tuple[str, ...]) -> int:
    return api.length_of(_table, texts)


@st.cache_resource(max_entries=3, show_spinner="Checking every row ...")
def _checked(_table: "Table", digest: str, plan: "Plan") -> "Checked":
    """`plan` without its title, so that another title checks nothing again."""
    return api.check_rows(_table, plan, state.check_wanted)


def upload() -> None:
    """Choose a file, correct what was guessed, agree to what is left out, keep the rest."""
    left, right = st.columns(2)
    file = left.file_uploader("Text to learn from", ENDINGS)
    other = right.file_uploader(
        "Text to test on (optional)", ENDINGS, help="Without it a tenth of the rows is set aside."
    )
    if file is None:
        return
    with state.explained():
        table = _table(file.name, file.getvalue())
        st.dataframe(pd.DataFrame(api.first_rows(table, SHOWN_ROWS)), hide_index=True)
        _notes(table)
        plan = _corrected(table, file.name.split(".")[0])
        untitled = replace(plan, title="text")
        train = _checked(table, table.digest, untitled)
        test = tested = None
        if other is not None:
            tested = _table(other.name, other.getvalue())
            _notes(tested)
            test = _checked(tested, tested.digest, untitled)
        # Other files or other columns need another agreement.
        key = hash((untitled, table.digest, tested and tested.digest))
        if _agreed(train, "to learn from", key) and (
            test is None or _agreed(test, "to test on", key)
        ):
            _keep(plan, train, test)


def _notes(table: "Table") -> None:
    for note in table.notes:
        st.caption(plain(note))


def _corrected(table: "Table", title: str) -> "Plan":
    """The guessed plan as a form. Raises InputError where nothing could be guessed."""
    guessed = _guessed(table, table.digest, title)
    key = f"own-{table.digest[:12]}"
    columns = list(table.columns)
    title = st.text_input("Title", guessed.title, key=f"{key}-title")
    if guessed.kind == "span":  # the file says by itself what can be learned
        st.caption("Questions, passages and answers, in the form of SQuAD.")
        if _kind(f"{key}-kind", ("span", "ranking"), "span") == "span":
            return replace(guessed, title=title)
        length = _length_of(table, table.digest, guessed.texts)
        return replace(guessed, title=title, kind="ranking", max_tokens=length)
    left, middle, right = st.columns(3)
    texts = left.multiselect(
        "Text columns (one, or two for pairs)",
        columns,
        list(guessed.texts),
        max_selections=2,
        key=f"{key}-texts",
    )
    label = middle.selectbox(
        "Label column",
        columns,
        columns.index(guessed.label) if guessed.label else len(columns) - 1,
        key=f"{key}-label",
    )
    with right:
        kind, labels = _what_is_learned(table, label, key, guessed.kind)
    return replace(
        guessed,
        title=title,
        texts=tuple(texts),
        label=label,
        kind=kind,
        labels=labels,
        max_tokens=_length_of(table, table.digest, tuple(texts)),
    )


def _what_is_learned(
    table: "Table", label: str, key: str, guessed: str
) -> tuple[str, tuple[str, ...]]:
    """Classes (and their names), a value, or which passage answers."""
    likely = _kind_of(table, table.digest, label) if guessed != "ranking" else guessed
    kind = _kind(f"{key}-kind-{label}", ("classes", "value", "ranking"), likely)
    if kind == "ranking":
        st.caption(
            "The first text asks, the second answers; the label column is not used. Candidates are "
            "searched among all second texts."
        )
    labels = _classes_of(table, table.digest, label) if api.has_classes(kind) else ()
    if labels:
        names = plain(", ".join(labels[:12]))
        st.caption(f"{len(labels)} classes: {names}{' ...' * (len(labels) > 12)}")
    return kind, labels


def _kind(key: str, kinds: tuple[str, ...], likely: str) -> str:
    return st.segmented_control(
        "What is learned",
        kinds,
        default=likely,
        format_func=KINDS.__getitem__,
        required=True,
        key=key,
    )


def _agreed(checked: "Checked", purpose: str, key: int) -> bool:
    """Say what fits and what does not; true when there is nothing to leave out, or it is agreed."""
    st.markdown(f"**{len(checked.rows):,} rows** {purpose}.")
    if checked.repeated:
        st.caption(
            f"{checked.repeated:,} repeated texts are left out, {checked.contradictory:,} of them "
            "with another label than the first."
        )
    if not checked.bad:
        return True
    st.warning(f"{len(checked.bad):,} rows cannot be used:")
    st.dataframe(pd.DataFrame({"row": api.bad_rows(checked)}), hide_index=True)
    return st.checkbox(f"Leave these {len(checked.bad):,} rows out", key=f"agree-{purpose}-{key}")


def _keep(plan: "Plan", train: "Checked", test: "Checked | None") -> None:
    if not st.button("Use this text", type=state.main_button(), icon=":material/check:"):
        return
    try:
        task = state.keep(plan, train, test)
        cached.shown(api.prefetch(task.name))
    except InputError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return
    st.success(f"{plain(task.title)} is now a task. Train a teacher for it, then a student.")
    state.set_all({"task": task.name})  # on every page; its widget is drawn after this
    st.page_link("pages/train.py", label="To training")


def kept() -> None:
    """The person's own data that is kept here, each with a button that deletes it."""
    for task in api.tasks().values():
        if task.source.place != OWN:
            continue
        left, right = st.columns([4, 1])
        left.markdown(f"**{plain(task.title)}** ({plain(task.name)})")
        if not state.may("delete", task.name):
            left.caption(f"{state.REFUSED['delete']} {state.WHERE_PIN}")
            continue
        with right.popover("Delete", icon=":material/delete:"):
            st.markdown(
                "Its text goes for everybody who uses this server. Teachers and runs that learned "
                "from it stay."
            )
            sure = st.button("Delete for good", key=f"delete-{task.name}", type=state.main_button())
        if sure:
            with state.explained():
                state.delete(task.name)
                st.rerun()
