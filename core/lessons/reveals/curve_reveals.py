"""What happened while students learned, replayed from what their runs said: losses, dev scores and
the codes that changed. Every value is a mean over the seeds."""

import math
from collections.abc import Sequence

from core import api
from core.errors import InputError, one_of
from core.events import Evaluated, Event, Started, StepDone, WeightsSeen
from core.lessons.catalogue import Words
from core.lessons.lesson import Settings
from core.lessons.material import runs_of
from core.lessons.revealing import PER_CENT, REPLAYED, Fact, Item, Models, Revealed, reveal
from core.runs.run_store import Run

WINDOW = 20
LOSSES = ("hidden", "attention", "logits")


def _told(settings: Settings) -> tuple[tuple[Run, ...], list[Sequence[Event]]]:
    runs = runs_of(settings)
    return runs, [api.events(run) for run in runs]


def _ids(runs: Sequence[Run]) -> tuple[str, ...]:
    return tuple(run.run_id for run in runs)


@reveal("loss-left", REPLAYED, needs=("grid", "case", "which"), answers=LOSSES)
def loss_left(settings: Settings, models: Models, words: Words) -> Revealed:
    """How many per cent of each loss are left at the end; of which the "least" or the "most" is
    left holds."""
    which = settings.text("which")
    one_of("which", which, ("least", "most"))
    runs, told = _told(settings)
    left = {name: _mean([_left(events, name) for events in told]) for name in LOSSES}
    best = (min if which == "least" else max)(left, key=lambda name: left[name])
    said = words.curves
    labels: dict[str, str] = dict(
        zip(LOSSES, (said.hidden, said.attention, said.logits), strict=True)
    )
    return Revealed(
        value=left[best],
        unit=PER_CENT,
        items=tuple(
            Item(label=labels[name], value=value, main=name == best) for name, value in left.items()
        ),
        holds=best,
        runs=_ids(runs),
        facts=tuple(Fact(name=name, text=f"{value:.0f} %") for name, value in left.items()),
        how=words.curves.left_how.format(window=WINDOW, seeds=len(runs)),
    )


def _left(events: Sequence[Event], name: str) -> float:
    """The loss of the last steps in per cent of that of the first."""
    values = [getattr(event, name) for event in events if isinstance(event, StepDone)]
    if len(values) < 2 * WINDOW or not any(values):
        raise InputError(f"The run has too few steps with the loss {name} to compare.")
    return 100 * _mean(values[-WINDOW:]) / _mean(values[:WINDOW])


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


@reveal("way", REPLAYED, needs=("grid", "case", "step"))
def way(settings: Settings, models: Models, words: Words) -> Revealed:
    """How many per cent of the way from rounded to trained are gone after a step, on dev."""
    at = settings.whole("step")
    runs, told = _told(settings)
    starts, middles, ends = zip(*(_scores(events, at) for events in told), strict=True)
    start, middle, end = _mean(starts), _mean(middles), _mean(ends)
    if not end > start:
        raise InputError("These runs end no better than they began; there is no way to measure.")
    return Revealed(
        value=100 * (middle - start) / (end - start),
        unit=PER_CENT,
        digits=0,
        items=(
            Item(
                label=words.curves.gone.format(step=at),
                value=100 * (middle - start) / (end - start),
                main=True,
            ),
            Item(label=words.curves.whole, value=100.0),
        ),
        runs=_ids(runs),
        facts=(
            Fact(name="start", text=f"{100 * start:.1f} %"),
            Fact(name="middle", text=f"{100 * middle:.1f} %"),
            Fact(name="end", text=f"{100 * end:.1f} %"),
        ),
        how=words.curves.way_how.format(step=at, seeds=len(runs)),
    )


def _scores(events: Sequence[Event], step: int) -> tuple[float, float, float]:
    started = next((event for event in events if isinstance(event, Started)), None)
    scores = {event.step: event.score.value for event in events if isinstance(event, Evaluated)}
    if started is None or step not in scores:
        known = ", ".join(map(str, scores)) or "none"
        raise InputError(f"There is no dev score after step {step}. There are: {known}.")
    return started.untrained_dev.value, scores[step], scores[max(scores)]


@reveal("settling", REPLAYED, needs=("grid", "case"), answers=("fewer", "more"))
def settling(settings: Settings, models: Models, words: Words) -> Revealed:
    """How many per cent of the encoder's codes one step changes at the first look and at the last;
    whether there are "fewer" at the end. The value is that of the last look."""
    runs, told = _told(settings)
    looks = [[e for e in events if isinstance(e, WeightsSeen) and e.matrices] for events in told]
    if not all(looks):
        raise InputError("These runs were not watched inside, so there is nothing to replay.")
    first, last = (_mean([_changed(each[place]) for each in looks]) for place in (0, -1))
    most = max(_mean([_changed(each[i]) for each in looks]) for i in range(len(looks[0])))
    steps = looks[0][0].step, looks[0][-1].step
    return Revealed(
        value=last,
        unit=PER_CENT,
        digits=2,
        items=(
            Item(label=words.curves.step.format(step=steps[0]), value=first),
            Item(label=words.curves.step.format(step=steps[1]), value=last, main=True),
        ),
        holds="fewer" if last < first else "more",
        runs=_ids(runs),
        facts=(
            Fact(name="first", text=f"{first:.2f} %"),
            Fact(name="last", text=f"{last:.2f} %"),
            Fact(name="most", text=f"{most:.2f} %"),
            Fact(name="first_step", text=str(steps[0])),
            Fact(name="last_step", text=str(steps[1])),
        ),
        how=words.curves.settling_how.format(seeds=len(runs)),
    )


def _changed(look: WeightsSeen) -> float:
    """In per cent, over the matrices that are not looked up by rows."""
    shares = [one.changed for one in look.matrices if one.part != "embedding"]
    return 100 * _mean(shares)
