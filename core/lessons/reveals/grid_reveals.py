"""What the runs of a grid found, replayed: scores, differences with their paired intervals.

The runs ship, most of them with three seeds; a difference pairs seeds and test examples and has a
95 % interval that holds the luck of both (see core/analysis/seeds.py). "Better" is only said where
that interval leaves out zero.
"""

import math

from core import api
from core.errors import InputError
from core.lessons.catalogue import Words
from core.lessons.lesson import Settings
from core.lessons.material import row_of, run_ids
from core.lessons.revealing import PER_CENT, REPLAYED, Fact, Item, Models, Revealed, reveal
from core.targets.registry import metric_of

VERDICTS = BETTER, WORSE, NOT_SHOWN = ("better", "worse", "not-shown")


@reveal("difference", REPLAYED, needs=("grid", "case"), answers=VERDICTS)
def difference(settings: Settings, models: Models, words: Words) -> Revealed:
    """A case of a grid less its reference, in points."""
    row = row_of(settings.text("grid"), settings.text("case"))
    reference = row_of(settings.text("grid"), row.reference)
    if row.difference is None:
        raise InputError(f"{row.result.case} has nothing to be compared with: {row.why}")
    return _revealed(row, row.difference, (reference, row.reference), words)


@reveal("against-teacher", REPLAYED, needs=("grid", "case"), answers=VERDICTS)
def against_teacher(settings: Settings, models: Models, words: Words) -> Revealed:
    """A case of a grid less its own teacher, in points."""
    row = row_of(settings.text("grid"), settings.text("case"))
    if row.over_teacher is None:
        raise InputError(f"{row.result.case} has kept no answers to compare with its teacher's.")
    return _revealed(row, row.over_teacher, (None, words.grids.its_teacher), words)


def _revealed(
    row: api.GridRow,
    found: api.SeedDifference,
    than: tuple[api.GridRow | None, str],
    words: Words,
) -> Revealed:
    """A difference from a reference (or the teacher) and what that is called."""
    reference, its_name = than
    value, low, high = (100 * each for each in (found.difference, found.low, found.high))
    first = row.result.runs[0].result
    assert first is not None
    other = reference.result.mean if reference else first.teacher_score
    rows = (row, reference) if reference else (row,)
    return Revealed(
        value=value,
        low=low,
        high=high,
        unit=words.grids.points,
        signed=True,
        items=(
            Item(
                label=words.grids.less.format(case=row.result.case, other=its_name),
                value=value,
                low=low,
                high=high,
                main=True,
            ),
            Item(label=words.grids.no_difference, value=0.0),
        ),
        holds=verdict(found, first.metric),
        runs=run_ids(*rows),
        facts=(
            Fact(name="case_score", text=f"{100 * row.result.mean:.1f}"),
            Fact(name="other_score", text=f"{100 * other:.1f}"),
            Fact(name="reach", text=f"{(high - low) / 2:.1f} {words.grids.points}"),
            Fact(name="seeds", text=str(found.seeds)),
            Fact(name="examples", text=f"{found.examples:,}"),
        ),
        how=words.grids.difference_how.format(seeds=found.seeds, examples=f"{found.examples:,}"),
    )


def verdict(found: api.SeedDifference, metric: str) -> str:
    """Better, worse, or no difference shown."""
    if not found.is_shown:
        return NOT_SHOWN
    return BETTER if metric_of(metric).is_better(0.0, found.difference) else WORSE


@reveal("reach", REPLAYED, needs=("grid", "case"))
def reach(settings: Settings, models: Models, words: Words) -> Revealed:
    """The smallest difference that these seeds and test examples could have shown, in points."""
    row = row_of(settings.text("grid"), settings.text("case"))
    if row.difference is None:
        raise InputError(f"{row.result.case} has nothing to be compared with: {row.why}")
    found = row.difference
    value = 50 * (found.high - found.low)
    return Revealed(
        value=value,
        unit=words.grids.points,
        signed=True,
        items=(
            Item(label=words.grids.could, value=value, main=True),
            Item(label=words.grids.found, value=abs(100 * found.difference)),
        ),
        runs=run_ids(row, row_of(settings.text("grid"), row.reference)),
        facts=(
            Fact(name="found", text=f"{100 * found.difference:+.1f} {words.grids.points}"),
            Fact(name="seeds", text=str(found.seeds)),
            Fact(name="examples", text=f"{found.examples:,}"),
        ),
        how=words.grids.reach_how.format(seeds=found.seeds),
    )


@reveal("score", REPLAYED, needs=("grid", "case", "who"))
def score(settings: Settings, models: Models, words: Words) -> Revealed:
    """The mean test score over the seeds of "student", "untrained" or "teacher", in per cent."""
    row = row_of(settings.text("grid"), settings.text("case"))
    results = [run.result for run in row.result.runs if run.result]
    who = settings.text("who")
    columns = {
        "teacher": [(one.teacher_score, one.teacher_standard_error) for one in results],
        "untrained": [(one.untrained_score, one.untrained_standard_error) for one in results],
        "student": [(one.score, one.score_standard_error) for one in results],
    }
    if who not in columns:
        raise InputError(f"who is one of: {', '.join(columns)}.")
    labels = (words.grids.teacher, words.grids.untrained, words.grids.student)
    items = {
        name: _mean(label, scores, name == who)
        for label, (name, scores) in zip(labels, columns.items(), strict=True)
    }
    main = items[who]
    facts = [Fact(name=name, text=f"{item.value:.1f} %") for name, item in items.items()]
    return Revealed(
        value=main.value,
        low=main.low,
        high=main.high,
        unit=PER_CENT,
        items=tuple(items.values()),
        runs=run_ids(row),
        facts=(
            *facts,
            Fact(name="chance", text=f"{100 / classes_of(results[0].task):.0f} %"),
            Fact(name="bytes", text=f"{results[0].size_bytes_packed / 2**20:.1f} MiB"),
            Fact(name="times", text=f"{results[0].compression:.1f}x"),
        ),
        how=words.grids.score_how.format(
            seeds=len(results), examples=f"{results[0].test_examples:,}"
        ),
    )


def classes_of(task: str) -> int:
    """How many answers a task of classes has; 1 of another."""
    return max(1, len(api.tasks()[task].labels))


def _mean(label: str, scores: list[tuple[float, float]], main: bool) -> Item:
    """The mean over seeds; all were tested on the same examples, so their errors do not cancel."""
    value = 100 * math.fsum(score for score, _ in scores) / len(scores)
    error = 196 * math.fsum(error for _, error in scores) / len(scores)
    return Item(label=label, value=value, low=value - error, high=value + error, main=main)


@reveal("first-loss", REPLAYED, needs=("grid", "cases"), answers=("8", "4", "3", "2", "none"))
def first_loss(settings: Settings, models: Models, words: Words) -> Revealed:
    """Going down through cases that begin with their bits ("8 bits, layer"): the first one that is
    shown to be worse than its teacher."""
    rows = [row_of(settings.text("grid"), case) for case in settings.several("cases")]
    found, items, facts = "none", [], []
    for row in rows:
        lost, first = row.over_teacher, row.result.runs[0].result
        if lost is None or first is None:
            raise InputError(f"{row.result.case} has kept no answers to compare.")
        bits = row.result.case.split()[0]
        if found == "none" and verdict(lost, first.metric) == WORSE:
            found = bits
        values = [100 * each for each in (lost.difference, lost.low, lost.high)]
        items.append((row.result.case, bits, values))
        facts.append(Fact(name=f"loss_{bits}", text=f"{values[0]:+.1f} {words.grids.points}"))
    chosen = next((values for _, bits, values in items if bits == found), items[-1][2])
    return Revealed(
        value=chosen[0],
        low=chosen[1],
        high=chosen[2],
        unit=words.grids.points,
        signed=True,
        items=tuple(
            Item(label=case, value=values[0], low=values[1], high=values[2], main=bits == found)
            for case, bits, values in items
        ),
        holds=found,
        runs=run_ids(*rows),
        facts=tuple(facts),
        how=words.grids.loss_how,
    )
