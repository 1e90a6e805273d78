"""The page's address: which settings it holds, and what is said about those that cannot be had.

Settings live in the URL, under the option names of `core.options`: a page can be shared by its
address, and a refresh loses nothing. `bound` lets Streamlit keep what a widget shows
(`bind="query-params"`); `by_id` keeps a choice by its id where the widget shows a longer title.
Streamlit drops what it cannot use without a word; `checked` says it.
"""

import math
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.runtime.scriptrunner import StopException, get_script_run_ctx
from streamlit.runtime.state.session_state_proxy import get_session_state

from pages.ui.formatting import plain

Value = TypeVar("Value")
WATCHED = "run"
SHOWN_REFUSALS = 5
MAX_CHARACTERS = 5000  # in any alphabet they fit into the 64 KiB that a server reads of an address


def bound(name: str) -> dict[str, Any]:
    """Widget arguments that keep its value in the URL under `name`, on every page."""
    _drawn().add(name)
    return {"key": name, "bind": "query-params"}


def bound_number(name: str) -> dict[str, Any]:
    """As `bound`, for a number. What the URL says without end ("inf", "1e400") is taken out of it:
    a box of whole numbers cannot hold it."""
    try:
        endless = any(not math.isfinite(float(text)) for text in st.query_params.get_all(name))
    except ValueError:
        endless = False
    if endless:
        del st.query_params[name]
        with get_session_state().query_params() as params:  # what widgets begin with, too
            params.set_initial_query_params_from_current()
    return bound(name)


def bound_text(name: str) -> dict[str, Any]:
    """As `bound`, for a text; one that is too long for an address is kept for the session."""
    if len(st.session_state.get(name) or "") <= MAX_CHARACTERS:
        return bound(name)
    return {"key": name, "persist_state": "session"}


def segments(
    label: str,
    options: Sequence[Value],
    usual: Value,
    name: str,
    help: str | None = None,
    **more: Any,
) -> Value:
    """One of a few options side by side, kept in the URL under `name`."""
    if name in st.session_state.get("emptied", ()):
        st.session_state[name] = usual
        st.session_state["emptied"].remove(name)
    chosen = st.segmented_control(
        label, options, default=usual, required=True, help=help, **more, **bound(name)
    )
    if chosen is None:  # only an address (`?name=`) can empty it
        st.session_state.setdefault("emptied", set()).add(name)
        st.rerun()
    return chosen


def follow(name: str, usual: Any) -> None:
    """Let a setting that nobody has chosen go along where what is usual has changed, as the length
    of texts does with the task. For a widget that is about to be drawn."""
    before = st.session_state.setdefault("usual", {})
    if name in before and before[name] != usual and st.session_state.get(name) == before[name]:
        st.session_state[name] = usual
    before[name] = usual


def by_id(name: str, ids: Sequence[Any], usual: Any = None, most: int = 1) -> dict[str, Any]:
    """Widget arguments for a choice among `ids` that the URL keeps by its id, whatever its title.

    `usual` (else the first of them) is what an address means that says nothing. With `most` above
    one it is a choice of several, usually none.
    """
    _drawn().add(name)
    if usual is None:
        usual = [] if most > 1 else next(iter(ids), None)
    known = {str(one): one for one in ids}
    texts = st.query_params.get_all(name)
    asked = [known[text] for text in texts if text in known]
    kept = usual if _went_back() else st.session_state.get(name, usual)
    if most > 1:
        chosen = asked or [one for one in kept if one in known.values()]
        st.session_state[name] = list(dict.fromkeys(chosen))[:most]
    else:
        st.session_state[name] = (asked or [kept if kept in known.values() else usual])[-1]
    if not texts:  # after a way through other pages
        _to_address(name, usual)
    return {
        "key": name,
        "persist_state": "session",
        "on_change": _to_address,
        "args": (name, usual),
    }


def choose(name: str, value: Any, usual: Any = None) -> None:
    """Make a choice by its id from a button's callback, before its widget is drawn."""
    st.session_state[name] = value
    _to_address(name, usual)


def note(name: str) -> str:
    """A text that is in no widget, kept in the URL under `name`, and for the session on the way
    through other pages."""
    _drawn().add(name)
    if name in st.query_params or _went_back():
        st.session_state[name] = st.query_params.get(name, "")
    text = st.session_state.setdefault(name, "")
    if text != st.query_params.get(name, ""):  # after a way through other pages
        _to_address(name, "")
    return text


def write_note(name: str, text: str) -> None:
    """Keep this text from now on."""
    st.session_state[name] = text
    _to_address(name, "")


def _to_address(name: str, usual: Any) -> None:
    """Write a choice by its id into the URL, which need not say what is usual."""
    chosen = st.session_state[name]
    if chosen != usual:
        st.query_params[name] = chosen if isinstance(chosen, list) else str(chosen)
    elif name in st.query_params:
        del st.query_params[name]


def _went_back() -> bool:
    """Whether the browser's back or forward button led here: then the URL alone decides."""
    context = get_script_run_ctx()
    return context is not None and context.is_history_navigation


def _drawn() -> set[str]:
    """The names of the URL's parameters that the page has read in this run."""
    return st.session_state.setdefault("drawn", set())


@contextmanager
def checked(page: str) -> Generator[None]:
    """Draw the page, and say above it what it could not take from the address that it was opened
    with. The word stays until the setting is changed or another page is opened."""
    asked = {name: st.query_params.get_all(name) for name in st.query_params}
    place = st.container()
    _drawn().clear()
    try:
        yield
    except StopException:  # the page had no more to show
        _judge(page, asked, place)
        raise
    _judge(page, asked, place)


def _judge(page: str, asked: Mapping[str, list[str]], place: DeltaGenerator) -> None:
    if st.session_state.get("judged") != page or _went_back():
        read = _drawn() | {WATCHED}
        used = {name: _value(name) for name in asked if name in read - {WATCHED}}
        st.session_state["judged"] = page
        st.session_state["refused"] = [
            (name, asked[name], value)
            for name, value in used.items()
            if not _means(asked[name], value)
        ]
        st.session_state["unread"] = [name for name in asked if name not in read]
    for name, texts, value in st.session_state["refused"][:SHOWN_REFUSALS]:
        if _value(name) == value:
            place.warning(
                f"The address asks for **{_quoted(name)}** = {_quoted(' and '.join(texts))}, which "
                f"cannot be had here; {_quoted(_worded(value))} is used.",
                icon=":material/link_off:",
            )
    if unread := st.session_state["unread"]:
        names = ", ".join(_quoted(name) for name in unread[:SHOWN_REFUSALS])
        place.caption(f"In the address, but not used on this page as it is: {names}.")


def _value(name: str) -> Any:
    """The value of a widget now; a copy, for lists change in place."""
    value = st.session_state.get(name)
    return list(value) if isinstance(value, list | tuple) else value


def _means(texts: Sequence[str], value: Any) -> bool:
    """Whether a parameter of the URL says this value."""
    if isinstance(value, list):
        return {text for text in texts if text} == {str(one) for one in value}
    text = texts[-1]
    if isinstance(value, bool):
        return text.lower() == str(value).lower()
    if isinstance(value, int | float):
        try:
            return float(text) == value
        except ValueError:
            return False
    return text == ("" if value is None else str(value))


def _worded(value: Any) -> str:
    if isinstance(value, list):
        return " and ".join(str(one) for one in value) or "nothing"
    return "nothing" if value in (None, "") else str(value)


def _quoted(text: str) -> str:
    """Somebody's words in a sentence: short, and as they are."""
    return plain(text if len(text) <= 40 else f"{text[:37]}...")
