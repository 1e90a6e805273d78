"""Ladders as values: what is asked, what came out, and where it is kept.

What was computed lies in the lab's folder (`ladders/`), under a digest of what was asked, so it is
there at once the next time; a ladder may also ship.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from core.calibrate.calibration import ADAROUND, GPTQ, TEXTS, Calibration
from core.errors import InputError, one_of
from core.experiment import QuantRecipe
from core.paths import find, local, read_text_up_to, write_text
from core.results import Count, Machine, Score, Seconds
from core.serialization import canonical_json, coerce_fields, from_json, identity_json

FOLDER, MOST_BYTES = "ladders", 2**20
MOST_TEXTS = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A rung: what it is called, the rule that gives its scales ("": the recipe's own), and what
    is done beyond that."""

    title: str
    method: str = ""
    calibration: Calibration = field(default_factory=Calibration)


ROUNDED = "rounded"
WAYS: Mapping[str, Way] = {
    ROUNDED: Way(title="rounded (max-abs)", method="uniform"),
    "best": Way(title="best rounding"),
    "bias": Way(title="bias correction", calibration=Calibration(bias=True)),
    "smoothing": Way(title="smoothing", calibration=Calibration(smoothing=0.5)),
    "gptq": Way(title="GPTQ", calibration=Calibration(rounding=GPTQ)),
    "gptq-bias": Way(title="GPTQ, bias", calibration=Calibration(rounding=GPTQ, bias=True)),
    "adaround": Way(title="AdaRound", calibration=Calibration(rounding=ADAROUND)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LadderQuestion:
    """What is asked: a teacher, how it is quantized (`quant.method` gives the scales of all rungs
    but the first), how many training texts calibrate."""

    task: str
    model: str
    quant: QuantRecipe
    texts: int = TEXTS

    def __post_init__(self) -> None:
        coerce_fields(self)
        if not 1 <= self.texts <= MOST_TEXTS:
            raise InputError(f"Calibration reads 1 to {MOST_TEXTS:,} texts, not {self.texts:,}.")

    @property
    def name(self) -> str:
        """The name of its file."""
        digest = hashlib.sha256(identity_json(self).encode()).hexdigest()
        return f"{digest[:12]}.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One way: its score on test, the bytes of its packed file, the seconds of making it."""

    way: str
    score: Score
    size_bytes: Count
    seconds: Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """What came out; `units` are the tokens that were read to calibrate."""

    question: LadderQuestion
    teacher: Score
    rungs: tuple[Rung, ...]
    units: Count
    machine: Machine


def ladder_question(
    task: str, model: str, bits: int, quant: QuantRecipe, texts: int = TEXTS
) -> LadderQuestion:
    """The question for one bit-width of weights and words. Raises InputError."""
    return LadderQuestion(
        task=task,
        model=model,
        quant=replace(quant, weight_bits=bits, embedding_bits=bits, stages=()),
        texts=texts,
    )


def known_ladder(question: LadderQuestion) -> Ladder | None:
    """What was computed before on this computer, or ships; None where nothing was."""
    path = find(FOLDER, question.name)
    if path is None:
        return None
    found = from_json(Ladder, read_text_up_to(path, MOST_BYTES))
    if found.question != question:
        raise InputError(f"{path.name} holds another ladder than its name says. Delete it.")
    for rung in found.rungs:
        one_of("Rung", rung.way, WAYS)
    return found


def keep(ladder: Ladder) -> None:
    """Keep a ladder in the lab's folder."""
    write_text(local() / FOLDER / ladder.question.name, canonical_json(ladder))
