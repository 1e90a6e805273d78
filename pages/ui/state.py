"""What a session remembers, and what it may do. Only this file and `url_state` name a session_state
key or a URL parameter; what the engine refuses is said here.

Everything that others could lose something by goes through this file: `may` decides, and `start`,
`stop`, `remove`, `keep` and `delete` ask it again before they act.
"""

import secrets
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeVar

import streamlit as st

from core import api, settings
from core.errors import InputError
from core.experiment import Job
from core.runs.run_store import Run
from pages.ui.formatting import plain
from pages.ui.url_state import WATCHED

if TYPE_CHECKING:
    from core.tasks.checking import Checked
    from core.tasks.plans import Plan
    from core.tasks.task import Task

Value = TypeVar("Value")
Arguments = ParamSpec("Arguments")
Deed = Literal["stop", "begin again", "delete", "replace", "remove", "lead"]
STARTED, MADE, TEACHER = "started-runs", "made-here", "is-teacher"
# What a session without the PIN must have started or made; nothing gives it "remove" or "lead".
OWN = {"stop": STARTED, "begin again": MADE, "delete": MADE, "replace": MADE}
REFUSED = {
    "stop": "Only the person who started this run, or the teacher, can stop it.",
    "begin again": "Only the person who started this run first, or the teacher, can begin it "
    "again: its checkpoint would be lost.",
    "delete": "Only the person who brought this text, or the teacher, can delete it.",
    "replace": "There is a teacher for this task and model already, and other runs learn from it. "
    "Only the person who made it first, or the teacher of the class, can replace it.",
    "remove": "Only the teacher can remove runs.",
    "lead": "Only the lecturer opens, sees and deletes classes.",
}
WHERE_PIN = "The teacher's PIN is asked for at the foot of the Train page."


def set_all(values: Mapping[str, Any]) -> None:
    """Set bound widgets to these values (from a button's callback, before they are drawn)."""
    for name, value in values.items():
        st.session_state[name] = list(value) if isinstance(value, tuple) else value


def watch(run: Run) -> None:
    """Show this run on the Train page from now on; its id is in the URL."""
    st.query_params[WATCHED] = run.run_id


def watch_none() -> None:
    """Show the run of the form's settings again."""
    st.query_params.pop(WATCHED, None)


def start(job: Job, again: bool = False) -> None:
    """Start a run (see `api.submit`) and watch it. Raises InputError as that does, and where this
    session may not begin it again, replace a teacher, or name the folder that it would read."""
    check_local_paths(job)
    joined, known = api.is_under_way(job), api.is_known(job)
    replaces, pair = api.replaces_teacher(job, again), f"teacher {job.task} {job.model}"
    if again:
        check("begin again", job.run_id)
    if replaces:
        check("replace", pair)
    run = api.submit(job, again)
    if not joined:
        _own(STARTED, run.run_id)
    if not known:
        _own(MADE, run.run_id)
        if not replaces:
            _own(MADE, pair)
    watch(run)


def stop(run: Run) -> None:
    """Stop a run. Raises InputError where this session may not."""
    check("stop", run.run_id)
    api.stop(run.run_id)


def remove(run_ids: list[str]) -> None:
    """Delete runs that are over. Raises InputError where this session may not, or one is not."""
    check("remove")
    api.remove_runs(run_ids)


def keep(plan: "Plan", train: "Checked", test: "Checked | None") -> "Task":
    """Keep a person's text as a task. Raises InputError as `api.keep_data` does."""
    known = api.tasks()
    task = api.keep_data(plan, train, test)
    if task.name not in known:
        _own(MADE, task.name)
    return task


def delete(task: str) -> None:
    """Delete a person's text. Raises InputError where this session may not, or there is none."""
    check("delete", task)
    api.delete_data(task)


def pin() -> str:
    """The teacher's PIN, from the environment or `.streamlit/secrets.toml`; "" if there is none.
    Where the secrets cannot be read, the PIN is random, which locks the function."""
    try:
        return settings.PIN.value() or str(st.secrets.get(settings.PIN.name, ""))
    except FileNotFoundError:  # also Streamlit's own for a file that is not TOML
        kept = any(Path(path).exists() for path in st.get_option("secrets.files"))
        return secrets.token_hex() if kept else ""


def is_teacher() -> bool:
    """Whether this session gave the PIN, or none is wanted."""
    return not pin() or st.session_state.get(TEACHER, False)


def become_teacher(given: str) -> None:
    """Raises InputError unless it is the PIN. After wrong ones from this visitor's address it
    waits, some seconds each time."""
    api.check_pin(given, pin(), st.context.ip_address or "")
    st.session_state[TEACHER] = True


def may(deed: Deed, thing: str = "") -> bool:
    """Whether this session may do what others could lose something by, to a run (its id) or a
    task (its name).

    Without a PIN everybody may do everything, and whoever gave it too. Others stop runs that they
    started or resumed; begin again those that nobody had started before them; delete the text
    that they brought; replace the teachers that they made. A session is a tab until it is closed
    or loaded again.
    """
    if is_teacher():
        return True
    return deed in OWN and thing in st.session_state.get(OWN[deed], ())


def check(deed: Deed, thing: str = "") -> None:
    """Raise InputError where this session may not (see `may`)."""
    if not may(deed, thing):
        raise InputError(f"{REFUSED[deed]} {WHERE_PIN}")


def _own(kind: str, thing: str) -> None:
    st.session_state.setdefault(kind, set()).add(thing)


def check_wanted() -> None:
    """End this redraw here when its tab is closed or asks for something else: Streamlit looks for
    that whenever the state of a session is read. Long work calls it on the way."""
    _ = TEACHER in st.session_state


def may_use_local_paths() -> bool:
    """Whether this session may name folders of this computer as models: with a PIN set, only the
    teacher may, for a name tells what is there and its files are read."""
    return is_teacher()


def check_local_paths(job: Job) -> None:
    """Raise InputError when computing the job reads a model's folder that this session may not
    name."""
    for name in () if may_use_local_paths() else api.local_paths(job):
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


def since(thing: str) -> float:
    """Seconds since this session first asked for that thing."""
    first = st.session_state.setdefault(f"first-{thing}", time.monotonic())
    return time.monotonic() - first


def server_address() -> str:
    """Where the app is for this visitor's browser, without the page; "" where that is unknown."""
    return (st.context.url or "").partition("?")[0].rpartition("/")[0]


def typed(widget: str) -> str:
    """What stands in the text field or selectbox of that key (for a form's callback)."""
    return st.session_state.get(widget) or ""


def told_by(component: str) -> Mapping[str, Any]:
    """What a component of that key said of the browser so far."""
    return st.session_state.get(component) or {}


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
    with explained():
        return action(*arguments, **options)
    return None


@contextmanager
def explained() -> Generator[None]:
    """Show the sentence of an InputError on the page and go on below the block."""
    try:
        yield
    except InputError as error:
        st.error(plain(str(error)), icon=":material/error:")


def settings_hold() -> bool:
    """Whether the settings of the environment can be meant. If not, the page says what is wrong;
    the person who runs the server must mend it."""
    with explained():
        settings.check()
        return True
    return False
