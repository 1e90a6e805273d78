"""The settings that come from the environment: all of them, each checked in this one place.

A setting is a frozen record: its name, what it may be, what holds without it, and what it is for in
one sentence. Whoever needs one asks for its value (`SLOTS.value()`) at the moment of use, so that a
changed environment counts at once. A malformed value is refused, not ignored: one that cannot be
meant, and a name beginning with TERNARY_LAB that is none of these, are refused with a sentence
before a command or a page begins (`check`). `python -m core doctor` prints the list, README.md too.

An empty variable counts as none. Only this file reads and writes the environment for a setting of
ours; what libraries read when a process starts (OMP_WAIT_POLICY, GLIBC_TUNABLES) is in
`core.machine`.
"""

import difflib
import os
import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from core.errors import InputError, shown, within

PREFIX = "TERNARY_LAB"
PROJECT = Path(__file__).resolve().parent.parent
SECRETS = Path(".streamlit") / "secrets.toml"  # in the project, and in the person's home
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting(Generic[Value]):
    """`read` makes a value of a name and a text, and raises InputError where it cannot; `may_be`
    says in words what it takes. `default` is what holds without the variable, as text."""

    name: str
    read: Callable[[str, str], Value]
    may_be: str
    default: str
    purpose: str
    is_secret: bool = False

    def value(self) -> Value | None:
        """What the environment says, None where it says nothing. Raises InputError for a slip of
        the pen."""
        text = os.environ.get(self.name, "")
        return self.read(self.name, text) if text else None

    def set(self, value: object) -> None:
        """Let it have this value in this process and those that it starts; None: no value."""
        os.environ[self.name] = "" if value is None else str(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A setting as it is now: its value in words, and where that comes from ("environment",
    "default" or "Streamlit's secrets"). `problem` is the sentence of one that is refused."""

    setting: Setting[Any]
    value: str
    source: str
    problem: str = ""


def _folder(name: str, default: str, purpose: str) -> Setting[Path]:
    def read(name: str, text: str) -> Path:
        try:
            return Path(text).expanduser()
        except RuntimeError as error:  # "~somebody" who is not known here
            raise InputError(f"{name} is {shown(text)}; there is no such home folder.") from error

    return Setting(name=name, read=read, may_be="a path", default=default, purpose=purpose)


def _whole(name: str, most: int, default: str, purpose: str) -> Setting[int]:
    def read(name: str, text: str) -> int:
        if not re.fullmatch(r"[+-]?[0-9]{1,18}", text.strip()):
            raise InputError(f"{name} is {shown(text)}; it must be a whole number.")
        within(name, int(text), 1, most)
        return int(text)

    words = f"a whole number from 1 to {most:,}"
    return Setting(name=name, read=read, may_be=words, default=default, purpose=purpose)


def _limit(name: str, low: float, high: float, purpose: str) -> Setting[float]:
    def read(name: str, text: str) -> float:
        try:
            value = float(text)
        except ValueError as error:
            raise InputError(f"{name} is {shown(text)}; it must be a number.") from error
        within(name, value, low, high)
        return value

    words = f"a number from {low:g} to {high:,.0f}"
    return Setting(name=name, read=read, may_be=words, default="no limit", purpose=purpose)


def _cluster(name: str, text: str) -> str:
    """An address of Ray that events can come through."""
    if "://" in text:
        raise InputError(
            f"{name} is {text}, but events cannot come through Ray's client. Let this computer "
            f"join the cluster (ray start --address=HEAD:6379 --num-cpus=0) and set {name}=auto."
        )
    if text.strip() != "auto" and not re.fullmatch(r"\S+:[0-9]+", text.strip()):
        raise InputError(f"{name} is {shown(text)}; it must be auto, or host:port of the head.")
    return text.strip()


HOME = _folder(
    "TERNARY_LAB_HOME",
    "cached_models/local",
    "Where runs, teachers and texts that are made here are kept.",
)
CACHE = _folder(
    "TERNARY_LAB_CACHE",
    "your system's cache folder",
    "Where downloads and parsed texts are kept, which can be fetched again.",
)
SHIPPED = _folder(
    "TERNARY_LAB_SHIPPED",
    "cached_models/shipped",
    "Where the teachers and runs that come with the source are read.",
)
GRIDS = _folder(
    "TERNARY_LAB_GRIDS",
    "cached_models/grids",
    "Where the grids that come with the source are read.",
)
HUB = _folder(
    "TERNARY_LAB_HUB",
    "the hub itself",
    "A folder with the hub's layout (owner/name/...) that is read in its place.",
)
LESSONS = _folder(
    "TERNARY_LAB_LESSONS", "core/lessons", "A folder of lessons by language, in place of ours."
)
SLOTS = _whole(
    "TERNARY_LAB_SLOTS", 256, "one per two cores", "How many runs compute at the same time."
)
THREADS = _whole(
    "TERNARY_LAB_THREADS",
    1024,
    "as many as others leave free",
    "The number of threads that every run keeps, whatever else the machine does.",
)
RUN_MINUTES = _limit(
    "TERNARY_LAB_RUN_MINUTES",
    0.001,
    1e7,
    "How long one attempt of a run may compute, from when its turn comes.",
)
RUN_MEMORY_MIB = _limit(
    "TERNARY_LAB_RUN_MEMORY_MIB",
    64,
    1e8,
    "How much memory one run may take (what is resident, where Linux tells it).",
)
RUNS_GIB = _limit(
    "TERNARY_LAB_RUNS_GIB",
    0.001,
    1e6,
    "What all runs may take on the disk; then the oldest that are over are removed.",
)
RAY = Setting(
    name="TERNARY_LAB_RAY",
    read=_cluster,
    may_be="auto, or host:port",
    default="this computer",
    purpose="The Ray cluster whose machines compute the runs.",
)
RAY_CPUS = _whole(
    "TERNARY_LAB_RAY_CPUS", 1024, "2", "Processors, and threads, of one run on the Ray cluster."
)
PIN = Setting(
    name="TERNARY_LAB_PIN",
    read=lambda _, text: text,
    may_be="a text",
    default="none, so nobody is asked",
    purpose="The teacher's PIN, for what others could lose something by.",
    is_secret=True,
)
CHROMIUM = _folder("TERNARY_LAB_CHROMIUM", "/usr/bin/chromium", "The browser of the browser tests.")
ARTIFACTS = _folder(
    "TERNARY_LAB_ARTIFACTS", "artifacts", "Where the browser tests leave their pictures."
)
SETTINGS: tuple[Setting[Any], ...] = (
    *(HOME, CACHE, SHIPPED, GRIDS, HUB, LESSONS),
    *(SLOTS, THREADS, RUN_MINUTES, RUN_MEMORY_MIB, RUNS_GIB),
    *(RAY, RAY_CPUS, PIN, CHROMIUM, ARTIFACTS),
)


def check() -> None:
    """Raise InputError with a sentence for each variable that cannot be meant."""
    now = [_now(setting, {}) for setting in SETTINGS]
    problems = [one.problem for one in now if one.problem] + unknown()
    if problems:
        raise InputError(" ".join(problems))


def unknown() -> list[str]:
    """A sentence for each variable that has our prefix and is no setting."""
    names = [setting.name for setting in SETTINGS]
    sentences: list[str] = []
    for name in sorted(os.environ):
        if name.upper().startswith(PREFIX) and name not in names:
            near = difflib.get_close_matches(name.upper(), names, n=1, cutoff=0.0)
            sentences.append(
                f"{name} is not a setting of this program. Did you mean {near[0]}? "
                "To see all: python -m core doctor"
            )
    return sentences


def found() -> list[Found]:
    """All settings as they are now, in the order of the list. What is in Streamlit's secrets is
    read by the app alone. Raises InputError where secrets cannot be read."""
    secrets = _secrets()
    return [_now(setting, secrets) for setting in SETTINGS]


def _now(setting: Setting[Any], secrets: dict[str, Any]) -> Found:
    text, source, problem = os.environ.get(setting.name, ""), "environment", ""
    if not text:
        text, source = str(secrets.get(setting.name, "")), "Streamlit's secrets"
    if not text:
        return Found(setting=setting, value=setting.default, source="default")
    try:
        setting.read(setting.name, text)
    except InputError as error:
        problem = str(error)
    value = "set, not shown" if setting.is_secret else text
    return Found(setting=setting, value=value, source=source, problem=problem)


def _secrets() -> dict[str, Any]:
    """What Streamlit's secrets say, those of the project last."""
    known: dict[str, Any] = {}
    for path in (Path.home() / SECRETS, PROJECT / SECRETS):
        try:
            known |= tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            raise InputError(f"{path} cannot be read: {error}.") from error
    return known
