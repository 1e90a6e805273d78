"""Ladders: what a bit-width gives without training, and beside it the runs that were trained."""

from collections.abc import Generator
from dataclasses import dataclass, replace

from core.api.runs import finished_runs
from core.calibrate.calibration import TEXTS
from core.calibrate.ladder_records import WAYS, Ladder, LadderQuestion, known_ladder
from core.calibrate.ladder_records import ladder_question as question_for
from core.events import Preparing
from core.experiment import WEIGHT_BITS, QuantRecipe
from core.results import Score
from core.runs.run_store import Run

__all__ = [
    "LADDER_BITS",
    "SCALES",
    "Ladder",
    "LadderQuestion",
    "LadderRow",
    "compute_ladder",
    "known_ladder",
    "ladder_question",
    "ladder_rows",
]
SCALES = "optimal"  # the rule of all rungs but the first
SIGN_SCALES = "binary"  # the same at one bit, where its answer is exact
LADDER_BITS = tuple(bits for bits in (8, 4, 3, 2, 1) if bits in WEIGHT_BITS)
TRAINED, DISTILLED = "trained", "distilled"


@dataclass(frozen=True, slots=True, kw_only=True)
class LadderRow:
    """A rung as it is shown. `run_id` is that of a trained one, else ""."""

    way: str
    title: str
    bits: int
    score: Score
    size_bytes: int
    seconds: float
    run_id: str = ""


def ladder_question(
    task: str, model: str, bits: int, quant: QuantRecipe | None = None, texts: int | None = None
) -> LadderQuestion:
    """The ladder of a teacher at one bit-width; scales by the exact optimum unless `quant` says
    otherwise. Raises InputError for what cannot be asked."""
    usual = quant or QuantRecipe(method=SCALES)
    if bits == 1 and usual.method == SCALES:
        usual = replace(usual, method=SIGN_SCALES)
    return question_for(task, model, bits, usual, TEXTS if texts is None else texts)


def compute_ladder(question: LadderQuestion) -> Generator[Preparing, None, Ladder]:
    """Compute all rungs that need no training, and keep them. Raises InputError."""
    from core.calibrate.ladder import climb

    return (yield from climb(question))


def ladder_rows(ladder: Ladder) -> list[LadderRow]:
    """Its rungs in their order, then what was trained from the same teacher with the same bits."""
    bits = ladder.question.quant.weight_bits
    rows = [
        LadderRow(
            way=rung.way,
            title=WAYS[rung.way].title,
            bits=bits,
            score=rung.score,
            size_bytes=rung.size_bytes,
            seconds=rung.seconds,
        )
        for rung in ladder.rungs
    ]
    return [*rows, *_trained_rows(ladder.question)]


def _trained_rows(question: LadderQuestion) -> list[LadderRow]:
    """Of the runs that learned from labels alone, and of those that learned from the teacher, the
    one that is best on dev."""
    found: dict[str, list[Run]] = {TRAINED: [], DISTILLED: []}
    for run in finished_runs():
        if _is_rung(run, question):
            found[_kind(run)].append(run)
    return [_row(kind, max(runs, key=_on_dev), question) for kind, runs in found.items() if runs]


def _is_rung(run: Run, question: LadderQuestion) -> bool:
    if run.experiment is None or run.experiment.student_model:
        return False
    if (run.experiment.task, run.experiment.model) != (question.task, question.model):
        return False
    mine, quant = run.experiment.quant, question.quant
    free = {
        "method": quant.method,
        "stages": quant.stages,
        "weight_granularity": quant.weight_granularity,
        "embedding_granularity": quant.embedding_granularity,
        "activation": quant.activation,
    }
    return replace(mine, **free) == quant


def _kind(run: Run) -> str:
    assert run.experiment is not None
    weights = run.experiment.distill
    from_teacher = (weights.hidden, weights.attention, weights.logits, weights.attention_maps)
    from_teacher += (weights.attention_outputs, weights.margins)
    return DISTILLED if any(from_teacher) else TRAINED


def _on_dev(run: Run) -> float:
    from core.targets import metric_of

    assert run.result is not None
    sign = 1 if metric_of(run.result.metric).higher_is_better else -1
    return sign * run.result.dev_score


def _row(kind: str, run: Run, question: LadderQuestion) -> LadderRow:
    result = run.result
    assert result is not None
    score = Score(
        metric=result.metric,
        value=result.score,
        standard_error=result.score_standard_error,
        examples=result.test_examples,
    )
    return LadderRow(
        way=kind,
        title=kind,
        bits=question.quant.weight_bits,
        score=score,
        size_bytes=result.size_bytes_packed,
        seconds=result.train_seconds,
        run_id=run.run_id,
    )
