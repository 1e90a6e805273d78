"""The record of a run: one event a line in events.jsonl, appended as they come.

Where a run goes on from a checkpoint (`Resumed`), what was told of later steps is cut off first:
the record holds each step once, and in order. It is written beside and renamed, so a process that
dies meanwhile leaves the old record or the new one.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, TextIO

from core.errors import InputError
from core.events import Evaluated, Event, Finished, Resumed, StepDone, Taught, from_json, to_json
from core.paths import opened, replacing, write_text
from core.runs.event_reading import EVENTS_FILE, MOST_LINE_BYTES
from core.serialization import canonical_json
from core.training.checkpoint_header import FILE as CHECKPOINT_FILE
from core.training.checkpoint_header import step_kept

TORN = "The record of the run lacks steps that its checkpoint has. So the run begins again."


class Record:
    """The open record of a folder's run; without a checkpoint to go on from it begins empty."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        goes_on = (folder / CHECKPOINT_FILE).exists()
        self._file = self._opened("a" if goes_on else "w")
        if goes_on and lines_until(folder, step_kept(folder)) is None:
            (folder / CHECKPOINT_FILE).unlink()
            self.write(Resumed(step=0, text=TORN))

    def _opened(self, mode: Literal["a", "w"]) -> TextIO:
        return (self._folder / EVENTS_FILE).open(mode, encoding="utf-8")

    def __enter__(self) -> "Record":
        return self

    def __exit__(self, *reason: object) -> None:
        self._file.close()

    def write(self, event: Event) -> None:
        """Append the event; the last one is also the result file."""
        if isinstance(event, Resumed):
            self._cut_back(event.step)
        self._file.write(to_json(event) + "\n")
        self._file.flush()
        if isinstance(event, Finished | Taught):
            outcome = event.result if isinstance(event, Finished) else event.teacher
            write_text(self._folder / "result.json", canonical_json(outcome) + "\n")
            (self._folder / CHECKPOINT_FILE).unlink(missing_ok=True)

    def _cut_back(self, step: int) -> None:
        lines = lines_until(self._folder, step)
        assert lines is not None, "looked at before"
        self._file.close()
        with replacing(self._folder / EVENTS_FILE) as temporary:
            temporary.write_bytes(b"".join(line + b"\n" for line in lines))
        self._file = self._opened("a")


def lines_until(folder: Path, step: int) -> list[bytes] | None:
    """The lines up to the end of `step`, its dev score not included (it will be told again);
    None when they do not hold each step from 1 to `step` once."""
    if step == 0:
        return []
    kept: list[bytes] = []
    done = 0
    for line in _lines(folder / EVENTS_FILE):
        event = _event(line)
        if isinstance(event, StepDone):
            if event.step != done + 1:
                return None
            if done == step:
                break
            done += 1
        if event is not None and not _comes_again(event, done, step):
            kept.append(line)
    return kept if done == step else None


def _lines(path: Path) -> Iterator[bytes]:
    """The lines of a file, without their ends. What is longer than any line of ours comes in
    pieces, so that nothing is read as a whole."""
    with opened(path) as file:
        while line := file.readline(MOST_LINE_BYTES):
            yield line.removesuffix(b"\n")


def _event(line: bytes) -> Event | None:
    try:
        return from_json(line.decode())
    except (InputError, UnicodeDecodeError):
        return None  # torn


def _comes_again(event: Event, done: int, step: int) -> bool:
    """Whether resuming from the last step emits this event again."""
    if done < step or isinstance(event, StepDone):
        return False
    return isinstance(event, Evaluated) or getattr(event, "step", None) != step
