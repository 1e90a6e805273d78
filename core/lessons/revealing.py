"""The list of reveals: what a lesson can show as the answer, and where it comes from.

A reveal is a function in a file of core/lessons/reveals/:

    @reveal("zeros", COMPUTED, needs=("matrix",), may=("method",))
    def zeros(settings, models, words):
        return Revealed(value=..., unit="%", items=(...), how=words.matrices.zeros_how)

It gets the settings of the lesson's file, a way to open models and the words of the lesson's
language, and answers with a value, its interval where there is one, what of the choices holds, and
facts that explanations may quote as {name}. COMPUTED ones compute it when they are asked, within
seconds; REPLAYED ones read what runs of several seeds have found. No lesson holds a result: what is
said to be right is held against these by tests/core/test_lessons.py.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from core.api.models import OpenModel, Source
from core.errors import InputError, one_of
from core.lessons.catalogue import Words
from core.lessons.language_words import words_in
from core.lessons.lesson import Settings
from core.modules import modules_in

COMPUTED, REPLAYED = KINDS = ("computed", "replayed")
RANGE = ".."
PER_CENT, TIMES = "%", "x"

Models = Callable[[Source], OpenModel]


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One line of the picture: a value in the reveal's unit and its 95 % interval, if it has one.
    The `main` one is what was asked for."""

    label: str
    value: float
    low: float | None = None
    high: float | None = None
    main: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """Something that an explanation may quote as {name}."""

    name: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Revealed:
    """What came out. `value` in `unit`, from `low` to `high` with 95 % where it has an interval,
    `signed` where it is a difference; `holds`: which choice is right, where the value alone does
    not tell; `curve`: (x, error in %) of a cut that can be dragged; `runs` that it was replayed
    from; `how`: a sentence."""

    value: float
    unit: str
    items: tuple[Item, ...]
    how: str
    low: float | None = None
    high: float | None = None
    holds: str = ""
    digits: int = 1
    signed: bool = False
    facts: tuple[Fact, ...] = ()
    curve: tuple[tuple[float, float], ...] = ()
    runs: tuple[str, ...] = ()

    def bare(self, value: float) -> str:
        """A value without its unit; a difference with its sign."""
        sign = "+" if self.signed else ""
        return f"{value:{sign}.{self.digits}f}"

    def said(self, value: float) -> str:
        """A value as it is read: "44.1 %", "-0.8 points"."""
        return f"{self.bare(value)} {self.unit}".strip()


Compute = Callable[[Settings, Models, Words], Revealed]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reveal:
    """A registered reveal: the settings that it needs and may have, and the choices that it can
    find to hold (none: only its value counts)."""

    name: str
    kind: str
    needs: tuple[str, ...]
    may: tuple[str, ...]
    answers: tuple[str, ...]
    function: Compute

    def compute(self, settings: Settings, models: Models, words: Words | None = None) -> Revealed:
        """What comes out, its labels and sentences in these words, else in English. Raises
        InputError."""
        return self.function(settings, models, words or words_in())


_registry: dict[str, Reveal] = {}


def reveal(
    name: str,
    kind: str,
    *,
    needs: tuple[str, ...] = (),
    may: tuple[str, ...] = (),
    answers: tuple[str, ...] = (),
) -> Callable[[Compute], Compute]:
    """Register the decorated function under `name`."""

    def register(function: Compute) -> Compute:
        one_of("Kind of reveal", kind, KINDS)
        _registry[name] = Reveal(
            name=name, kind=kind, needs=needs, may=may, answers=answers, function=function
        )
        return function

    return register


@cache
def reveals() -> dict[str, Reveal]:
    """All reveals by name: every file of the folder is imported once."""
    modules_in("core.lessons.reveals")
    return dict(sorted(_registry.items()))


def find_reveal(name: str) -> Reveal:
    """The reveal of that name; raises InputError naming the known ones."""
    known = reveals()
    one_of("Reveal", name, known)
    return known[name]


def holds(key: str, revealed: Revealed) -> bool:
    """Whether a choice is right: its key is what holds, or a range that the value lies in."""
    ends = range_of(key)
    if ends is None:
        return key == revealed.holds
    return ends[0] <= revealed.value < ends[1]


def range_of(key: str) -> tuple[float, float] | None:
    """The ends of a range such as "1..5", "..1" or "5.."; None for another key. Raises InputError
    for ends that are no numbers or in the wrong order."""
    low, dots, high = key.partition(RANGE)
    if not dots:
        return None
    try:
        ends = float(low or "-inf"), float(high or "inf")
    except ValueError as error:
        raise InputError(f"The range {key} has an end that is not a number.") from error
    if not ends[0] < ends[1]:
        raise InputError(f"The range {key} is empty. Write the smaller end first.")
    return ends
