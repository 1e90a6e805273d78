"""The words around the lessons, as values: every text that a language has, by its table and name.

They are read from core/lessons/<language>/words.toml (core/lessons/language_words.py). A text with
{names} in braces gets these put in where it is used. Those of pictures and panels are in
panel_words.py, of reveals in reveal_words.py.
"""

from dataclasses import dataclass

from core.lessons.panel_words import InstrumentsWords, PictureWords, StepperWords
from core.lessons.reveal_words import (
    ActivationsWords,
    CurvesWords,
    CutsWords,
    GridsWords,
    MatricesWords,
    SizesWords,
    StepsWords,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PageWords:
    """The list of lessons, and the way through one."""

    title: str
    intro: str
    bits: str
    language: str
    none: str
    lesson: str
    all: str
    about: str
    begin: str
    go_on: str
    look_again: str
    not_translated: str
    aim: str
    step: str
    step_of: str
    next_step: str
    challenge: str
    sheet: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AskingWords:
    """The question, before it is locked."""

    lock: str
    both: str
    between: str
    hill: str
    grey: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownWords:
    """An answered step."""

    guess: str
    because: str
    see: str
    came_out: str
    computing: str
    picture: str
    table: str
    both_right: str
    reason_right: str
    guess_right: str
    none_right: str
    replayed: str
    computed: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EndingWords:
    """The end of a lesson."""

    score: str
    download: str
    one_file: str
    next_lesson: str
    again: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetWords:
    """The file to take away."""

    about: str
    answered: str
    guess: str
    reason: str
    came_out: str
    interval: str
    replayed: str
    computed: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JoiningWords:
    """The way into a class, and what it guessed."""

    member: str
    deleted: str
    invited: str
    nickname: str
    kept: str
    join: str
    guesses: str
    nobody: str
    guesses_chart: str
    reasons_chart: str
    answer: str
    people: str
    verdict: str
    right: str
    wrong: str
    open: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChallengeWords:
    """The challenge."""

    rule: str
    budget: str
    not_here: str
    none_fits: str
    train: str
    entry: str
    run: str
    error: str
    level: str
    mine: str
    lock: str
    dev: str
    test: str
    teacher: str
    luck: str
    another: str
    enter: str
    on_board: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """A language: `name` is its own name, the rest are the tables of its file."""

    name: str
    page: PageWords
    asking: AskingWords
    shown: ShownWords
    picture: PictureWords
    ending: EndingWords
    sheet: SheetWords
    joining: JoiningWords
    challenge: ChallengeWords
    instruments: InstrumentsWords
    stepper: StepperWords
    activations: ActivationsWords
    curves: CurvesWords
    cuts: CutsWords
    grids: GridsWords
    matrices: MatricesWords
    sizes: SizesWords
    steps: StepsWords
