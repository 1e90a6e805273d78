"""What a session remembers. Only this file and `address` name a session_state key or a URL
parameter; what the engine refuses is said here.
"""

import os
import secrets
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, ParamSpec, TypeVar

import streamlit as st

from core import api
from core.errors import InputError
from core.experiment import Experiment, Teaching
from core.runs.store import Run
from pages.ui.address import WATCHED

Value = TypeVar("Value")
Arguments = ParamSpec("Arguments")
STARTED, TEACHER = "started-runs", "is-teacher"
PIN = "TERNARY_LAB_PIN"


def set_all(values: Mapping[str, Any]) -> None:
    """Set bound widgets to these values (from a button's callback, before they are drawn)."""
    for name, value in values.items():
        st.session_state[name] = list(value) if isinstance(value, tuple) else value


def watch(run: Run) -> None:
    """Show this run on the Train page from now on; its id is in the URL."""
    st.query_params[WATCHED] = run.run_id


def start(order: Experiment | Teaching, again: bool = False) -> None:
    """Start a run (see `api.submit`) and watch it; whoever started it may stop it. Raises
    InputError too when it would read a folder that this session may not name."""
    check_local_paths(order)
    joined = api.is_under_way(order)
    run = api.submit(order, again)
    if not joined:
        st.session_state.setdefault(STARTED, set()).add(run.run_id)
    watch(run)


def pin() -> str:
    """The teacher's PIN, from the environment or `.streamlit/secrets.toml`; "" if there is none.
    Secrets that cannot be read hold one that nobody knows."""
    try:
        return os.environ.get(PIN) or str(st.secrets.get(PIN, ""))
    except FileNotFoundError:  # also Streamlit's own for a file that is not TOML
        kept = any(Path(path).exists() for path in st.get_option("secrets.files"))
        return secrets.token_hex() if kept else ""


def is_teacher() -> bool:
    """Whether this session gave the PIN, or none is wanted."""
    return not pin() or st.session_state.get(TEACHER, False)


def become_teacher(given: str) -> None:
    """Raises InputError unless it is the PIN."""
    api.check_pin(given, pin())
    st.session_state[TEACHER] = True


def may_stop(run: Run) -> bool:
    """Who started a run may stop it, and the teacher."""
    return is_teacher() or run.run_id in st.session_state.get(STARTED, ())


def may_use_local_paths() -> bool:
    """Whether this session may name folders of this computer as models: with a PIN set, only the
    teacher may, for a name tells what is there and its files are read."""
    return is_teacher()


def check_local_paths(order: Experiment | Teaching) -> None:
    """Raise InputError when computing the order reads a model's folder that this session may not
    name."""
    for name in () if may_use_local_paths() else api.local_paths(order):
        check_local_path(name)


def check_local_path(model: str) -> None:
    """Raise InputError when the model is a folder of this computer that may not be named."""
    if not may_use_local_paths() and api.is_local_path(model):
        raise InputError(
            "A folder of this computer can be used as a model only with the teacher's PIN (at the "
            f"foot of the Train page). Use a hub id, or one of: {', '.join(api.embedded_models())}."
        )


def watched_run() -> Run | None:
    """The run that the URL names; None without one. A wrong id is said on the page."""
    run_id = st.query_params.get(WATCHED)
    if not run_id:
        return None
    return attempt(api.find_run, run_id)


def is_dark() -> bool:
    """Whether the viewer's theme is dark."""
    return st.context.theme.type == "dark"


def main_button() -> Literal["primary", "secondary"]:
    """The type of the button that a page is about. Streamlit writes white on it, which cannot be
    read on the light blue of the dark theme (contrast 2.3, where 4.5 is asked for)."""
    return "secondary" if is_dark() else "primary"


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
