"""The sheet of a run, and that of a comparison of two.

Scores with their standard errors, the paired interval, sizes in bytes, the curves, every setting
and the link to the same settings. What is said of the interval is said by the caller, in the words
of the pages.
"""

from collections.abc import Sequence
from html import escape
from urllib.parse import urlencode

from core.events import Evaluated, Event, Started, StepDone
from core.options import as_text, options
from core.results import WHO, Measured, Result
from core.runs.run_store import Run
from core.sheets.curves import BLUE, INK, ORANGE, Line, draw, dressed
from core.sheets.frame import link, note, page, table, verdict
from core.version import PROGRAM

MIB = 2**20


def of_run(run: Run, events: Sequence[Event], said: str, address: str, missing: str = "") -> str:
    """The sheet of a finished run. `said` is the sentence about the student and its teacher, plain
    text; `address` is where the app was, "" where it is not known; `missing` what is not among the
    events, "" where nothing is."""
    assert run.result is not None
    body = (
        f"<h1>{escape(run.title)}</h1>\n"
        + note(f"Run {run.run_id}, {PROGRAM}.")
        + verdict(said)
        + "<h2>What came out</h2>\n"
        + _scores(run.result)
        + _size(run.result)
        + "<h2>How it went</h2>\n"
        + _curves(run.title, events)
        + (note(missing) if missing else "")
        + _where(run.result)
        + "<h2>Settings</h2>\n"
        + _settings(run)
        + link("This run in the app", address, f"train?{urlencode({'run': run.run_id})}")
    )
    return page(run.title, body)


def of_pair(first: Run, second: Run, heading: str, how: Sequence[str], address: str) -> str:
    """The sheet of two runs, held against each other on the same test examples: `heading` is the
    outcome, `how` the sentences below it, plain text."""
    runs = (first, second)
    title = f"{first.title} against {second.title}"
    body = f"<h1>{escape(heading)}</h1>\n" + "".join(
        f"<p>{escape(sentence)}</p>\n" for sentence in how
    )
    for run in runs:
        assert run.result is not None
        body += f"<h2>{escape(run.title)}</h2>\n" + note(f"Run {run.run_id}.")
        body += _scores(run.result) + _size(run.result)
    body += "<h2>Settings that differ</h2>\n" + _differences(first, second)
    asked = {"view": "Two models", "first": first.run_id, "second": second.run_id}
    body += link("This comparison in the app", address, f"compare?{urlencode(asked)}")
    return page(title, body + note(f"{PROGRAM}."))


def _scores(result: Result) -> str:
    rows = [
        [WHO[each.who], each.split, each.score.metric, _score(each), f"{each.score.examples:,}"]
        for each in result.scores
    ] or [
        [WHO[who], "test", result.metric, f"{100 * value:.1f} ± {100 * error:.1f}",
         f"{result.test_examples:,}"]
        for who, value, error in (
            ("teacher", result.teacher_score, result.teacher_standard_error),
            ("untrained", result.untrained_score, result.untrained_standard_error),
            ("student", result.score, result.score_standard_error),
        )
    ]  # fmt: skip
    heads = ("model", "split", "metric", "score x 100, ± standard error", "examples")
    return table(heads, rows)


def _score(measured: Measured) -> str:
    score = measured.score
    return f"{100 * score.value:.1f} ± {100 * score.standard_error:.1f}"


def _size(result: Result) -> str:
    packed, before = result.size_bytes_packed, result.size_bytes_float32
    return note(
        f"Packed file: {packed:,} bytes ({packed / MIB:.2f} MiB), {result.compression:.1f} times "
        f"smaller than the {before:,} bytes of its weights in float32."
    )


def _curves(title: str, events: Sequence[Event]) -> str:
    steps = [event for event in events if isinstance(event, StepDone)]
    names = ("hidden", "attention", "logits", "labels", "margins")
    losses = [(name, [(e.step, getattr(e, name)) for e in steps]) for name in names]
    shown = dressed([(name, points) for name, points in losses if any(y > 0 for _, y in points)])
    scores = [e for e in events if isinstance(e, Evaluated) and e.split == "dev"]
    lines = [
        Line(
            name=WHO["student"],
            points=tuple((e.step, 100 * e.score.value) for e in scores),
            clothes=(BLUE, ""),
        )
    ]
    started = next((e for e in events if isinstance(e, Started)), None)
    if started is not None and scores:
        last = scores[-1].step
        for who, score, clothes in (
            ("teacher", started.teacher_dev, (INK, "12 4")),
            ("untrained", started.untrained_dev, (ORANGE, "7 4")),
        ):
            flat = ((0.0, 100 * score.value), (float(last), 100 * score.value))
            lines.append(Line(name=WHO[who], points=flat, clothes=clothes))
    return draw(shown, f"Losses of {title}", "loss, logarithmic", log=True) + draw(
        lines, f"Dev scores of {title}", "dev score x 100"
    )


def _where(result: Result) -> str:
    machine = result.machine
    return note(
        f"{result.steps:,} steps in {result.train_seconds:.0f} s on {machine.threads} thread(s) of "
        f"{machine.processor}; torch {machine.torch}, transformers {machine.transformers}."
    )


def _settings(run: Run) -> str:
    assert run.experiment is not None
    experiment = run.experiment
    rows = [
        [option.name, as_text(option.value_of(experiment)), option.help] for option in options()
    ]
    return table(("setting", "value", "what it is"), rows)


def _differences(first: Run, second: Run) -> str:
    assert first.experiment is not None
    assert second.experiment is not None
    rows = []
    for option in options():
        values = [as_text(option.value_of(each)) for each in (first.experiment, second.experiment)]
        if values[0] != values[1]:
            rows.append([option.name, *values])
    return table(("setting", first.title, second.title), rows) if rows else note("None.")
