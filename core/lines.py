"""Events and results as lines: JSON for programs, words for people."""

from core.events import (
    Evaluated,
    Event,
    Finished,
    Preparing,
    Resumed,
    Started,
    StepDone,
    ThreadsChanged,
    to_json,
)
from core.results import Result


def print_json(event: Event) -> None:
    """One event as a JSON line."""
    print(to_json(event), flush=True)


def print_line(event: Event) -> None:
    """One event as a line for people; progress within a phase is left out."""
    match event:
        case Preparing(done=0):
            print(f"{event.text} ...", flush=True)
        case Started():
            print(
                f"Run {event.run_id}: teacher {percent(event.teacher_dev.value)} on dev, "
                f"quantized without training {percent(event.untrained_dev.value)}",
                flush=True,
            )
        case Resumed(step=0) | ThreadsChanged():
            print(event.text, flush=True)
        case Resumed():
            print(f"Going on after step {event.step}.", event.text, flush=True)
        case StepDone() if event.step % 10 == 0 or event.step == event.total_steps:
            print(f"step {event.step}/{event.total_steps}  loss {event.loss:.4f}", flush=True)
        case Evaluated():
            print(f"step {event.step}  {event.split} {percent(event.score.value)}", flush=True)
        case Finished():
            print(summary(event.result), flush=True)


def summary(result: Result) -> str:
    """The outcome of a run in two lines."""
    return (
        f"Test {result.metric}: teacher {percent(result.teacher_score)}, student "
        f"{percent(result.score)} +- {percent(result.score_standard_error)}, quantized without "
        f"training {percent(result.untrained_score)}\n"
        f"Size: {result.size_bytes_packed / 2**20:.2f} MiB packed, "
        f"{result.size_bytes_float32 / 2**20:.2f} MiB in float32 ({result.compression:.1f}x)"
    )


def percent(value: float) -> str:
    """0.847 as "84.7 %"."""
    return f"{100 * value:.1f} %"
