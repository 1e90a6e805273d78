"""The only file that names a session_state key or a URL parameter.

Settings live in the URL (`bind="query-params"`), under the option names of `core.options`: a page
can be shared by its address, and a refresh loses nothing. Invalid values are dropped by Streamlit;
what the engine refuses is said by the page.
"""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

import streamlit as st

from core import api
from core.errors import InputError
from core.runs.store import Run

Value = TypeVar("Value")
Arguments = ParamSpec("Arguments")
WATCHED = "run"


def bound(name: str) -> dict[str, Any]:
    """Widget arguments that keep its value in the URL under `name`, on every page."""
    return {"key": name, "bind": "query-params"}


def kept(name: str) -> dict[str, Any]:
    """Widget arguments that keep its value for the session, across pages."""
    return {"key": f"kept-{name}", "persist_state": "session"}


def set_all(values: Mapping[str, Any]) -> None:
    """Set bound widgets to these values (from a button's callback, before they are drawn)."""
    for name, value in values.items():
        st.session_state[name] = list(value) if isinstance(value, tuple) else value


def watch(run: Run) -> None:
    """Show this run on the Train page from now on; its id is in the URL."""
    st.query_params[WATCHED] = run.run_id


def watched_run() -> Run | None:
    """The run that the URL names; None without one. A wrong id is said on the page."""
    run_id = st.query_params.get(WATCHED)
    if not run_id:
        return None
    return attempt(api.find_run, run_id)


def is_dark() -> bool:
    """Whether the viewer's theme is dark."""
    return st.context.theme.type == "dark"


def attempt(
    action: Callable[Arguments, Value], *arguments: Arguments.args, **options: Arguments.kwargs
) -> Value | None:
    """The action's value; when it refuses, its sentence on the page and None."""
    try:
        return action(*arguments, **options)
    except InputError as error:
        st.error(str(error), icon=":material/error:")
        return None


@contextmanager
def explained() -> Generator[None]:
    """Show the sentence of an InputError on the page and go on below the block."""
    try:
        yield
    except InputError as error:
        st.error(str(error), icon=":material/error:")
