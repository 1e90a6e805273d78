"""A lesson as values: what a file of core/lessons/en/ says, once it has been read and checked.

A lesson is a row of steps. Each step asks one thing twice, for the answer and for the reason, and
then shows an instrument (a panel of the app with fixed settings) and a reveal (a quantity that the
program computes now or replays from runs). What is right is never written as a number.
"""

from dataclasses import dataclass, field

from core.errors import InputError, one_of, shown

CHOICE, NUMBER, DRAG = KINDS = ("choice", "number", "drag")
BOTH, REASON, TRAP = OUTCOMES = ("both right", "reason right", "trap")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Named texts, in the order of the file: what an instrument, a reveal or a link is given."""

    pairs: tuple[tuple[str, str], ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """What is set."""
        return tuple(name for name, _ in self.pairs)

    def text(self, name: str, usual: str | None = None) -> str:
        """The text under that name. Raises InputError where it is missing and nothing is usual."""
        found = dict(self.pairs).get(name, usual)
        if found is None:
            raise InputError(f"The setting {shown(name)} is missing.")
        return found

    def whole(self, name: str, usual: int | None = None) -> int:
        """The whole number under that name. Raises InputError where it is none."""
        text = self.text(name, None if usual is None else str(usual))
        try:
            return int(text)
        except ValueError as error:
            raise InputError(f"{name} must be a whole number, not {shown(text)}.") from error

    def several(self, name: str) -> tuple[str, ...]:
        """The texts under that name, which semicolons part."""
        return tuple(part.strip() for part in self.text(name).split(";") if part.strip())


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One choice: `key` is what the reveal calls it (or a range such as 1..5), `text` what is
    read."""

    key: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked. A choice has `options` and the key that is claimed to be `right`; a number or
    a cut to drag lies from `low` to `high` in steps of `by`, and is right within `within` of what
    comes out, in `unit`."""

    kind: str
    text: str
    options: tuple[Option, ...] = ()
    right: str = ""
    unit: str = ""
    low: float = 0.0
    high: float = 0.0
    by: float = 0.0
    within: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why it should be so; `right` is the key of the right one."""

    text: str
    options: tuple[Option, ...]
    right: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """A panel or a reveal by its name, with fixed settings."""

    name: str
    settings: Settings = field(default_factory=Settings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """The same settings on a full page."""

    text: str
    page: str
    settings: Settings = field(default_factory=Settings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanations:
    """The text for both right, for the reason alone, and for the trap."""

    both: str
    reason: str
    trap: str

    def of(self, outcome: str) -> str:
        """The text for one of OUTCOMES."""
        return {BOTH: self.both, REASON: self.reason, TRAP: self.trap}[outcome]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing to predict and to see."""

    name: str
    title: str
    text: str
    question: Question
    reason: Reason
    instrument: Use
    reveal: Use
    explanations: Explanations
    link: Link


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """A file. `name` is the file's, its `number` the digits that it begins with; a lecturer raises
    `version` whenever a question or a choice changes."""

    name: str
    language: str
    title: str
    aim: str
    minutes: int
    prerequisites: str
    version: int
    text: str
    steps: tuple[Step, ...]

    @property
    def number(self) -> str:
        """ "01" of "01-three-numbers"."""
        return self.name.partition("-")[0]

    def step(self, name: str) -> Step:
        """The step of that name. Raises InputError where there is none."""
        known = {step.name: step for step in self.steps}
        one_of(f"Step of lesson {self.number}", name, known)
        return known[name]
