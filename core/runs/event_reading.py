"""The events of a run, read from its folder: as they are appended, or packed as they ship.

Pages read the events of a run every second, so only what was appended since is read. A file that
is larger than anybody can wait for is read at its beginning and its end, and the log says so.
"""

import functools
import os
import threading
import zlib
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from core.errors import InputError
from core.events import Event, Finished, Started, StepDone, from_json
from core.paths import MIB, opened
from core.runs.run_store import Run

EVENTS_FILE, PACKED_EVENTS_FILE = "events.jsonl", "events.jsonl.gz"
MOST_BYTES, HEAD_BYTES = 8 * MIB, 2 * MIB  # read at once; of these at the beginning of the file
MOST_LINE_BYTES = 1 * MIB
MOST_EVENTS = 40_000  # kept; beyond, every other step is left out
MOST_UNREADABLE = 1_000  # lines, until the rest of the file is left alone
KEPT_READERS = 64
_GZIP = 31  # zlib's number for the format of gzip
_MARK_BYTES = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class EventLog:
    """The events so far; `note` is a sentence where they are not all of the file, else ""."""

    events: list[Event]
    note: str = ""


def read_events(folder: Path) -> list[Event]:
    """The events so far. Lines that cannot be read (a torn last one) are left out."""
    return read_log(folder).events


def log_of(run: Run) -> EventLog:
    """The events of a run; none, and a sentence, where the file in its folder is another run's."""
    log = read_log(run.folder)
    for event in log.events:
        named = event.run_id if isinstance(event, Started) else None
        named = event.result.run_id if isinstance(event, Finished) else named
        if named is not None and named not in run.names:
            return EventLog(
                events=[], note=f"The events in the folder are those of run {named[:40]}."
            )
    return log


def read_log(folder: Path) -> EventLog:
    """What the folder tells of its run; nothing where there is no file, or a packed one is
    damaged."""
    packed = folder / PACKED_EVENTS_FILE
    try:
        about = packed.lstat()
        return _unpacked(packed, about.st_mtime_ns, about.st_size)
    except (OSError, InputError):
        pass
    try:
        return _reader(folder / EVENTS_FILE).read()
    except (OSError, InputError):
        return EventLog(events=[])


@functools.lru_cache(maxsize=KEPT_READERS)
def _unpacked(path: Path, changed_ns: int, size_bytes: int) -> EventLog:
    with opened(path) as file:
        data = file.read(MOST_BYTES)
    stream = zlib.decompressobj(_GZIP)
    try:
        text = stream.decompress(data, MOST_BYTES)
    except zlib.error:
        return EventLog(events=[])
    if not stream.eof and len(text) < MOST_BYTES:
        return EventLog(events=[])  # cut off
    reader = _Reader(path=path)
    reader.take(text)
    note = "" if stream.eof else f"Only the first {MOST_BYTES // MIB} MiB of the events are read."
    return EventLog(events=reader.events, note=note)


@dataclass(slots=True, kw_only=True)
class _Reader:
    """What has been read of a file that grows: whole lines up to `offset`. `mark` is what stood
    just before. Where that has changed, or the file has changed without growing, another attempt
    has begun and all is read again."""

    path: Path
    events: list[Event] = field(default_factory=list)
    file_id: tuple[int, int] = (0, 0)
    seen: tuple[int, int] = (0, 0)  # its size, and when it changed (ns)
    offset: int = 0
    mark: bytes = b""
    unreadable: int = 0
    skipped: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def read(self) -> EventLog:
        """Read what is new. Raises OSError and InputError as `opened` does."""
        with self.lock, opened(self.path) as file:
            about = os.fstat(file.fileno())
            if not self._is_continued(file, about):
                self.events, self.mark = [], b""
                self.offset = self.unreadable = self.skipped = 0
            self.file_id = (about.st_dev, about.st_ino)
            self.seen = (about.st_size, about.st_mtime_ns)
            last = self._catch_up(file, about.st_size)
            events = [*self.events, *([last] if last else [])]
        note = ""
        if self.skipped:
            note = (
                f"The events of this run take {about.st_size / MIB:,.0f} MiB; "
                f"{self.skipped / MIB:,.0f} MiB in their middle are not read."
            )
        return EventLog(events=events, note=note)

    def _is_continued(self, file: BinaryIO, about: os.stat_result) -> bool:
        size, changed = self.seen
        if (about.st_dev, about.st_ino) != self.file_id:
            return False
        if about.st_size <= size and about.st_mtime_ns != changed:
            return False
        file.seek(self.offset - len(self.mark))
        return file.read(len(self.mark)) == self.mark

    def _catch_up(self, file: BinaryIO, size: int) -> Event | None:
        """Read up to `size`; returns the event of a last line that lacks its end of line."""
        if size - self.offset > MOST_BYTES:
            if not self.offset:
                file.seek(0)
                self.take(file.read(HEAD_BYTES))
            resumed_at = size - (MOST_BYTES - HEAD_BYTES)
            self.skipped += resumed_at - self.offset
            self.offset = resumed_at
        file.seek(self.offset)
        rest = self.take(file.read(MOST_BYTES))
        file.seek(max(0, self.offset - _MARK_BYTES))
        self.mark = file.read(self.offset - file.tell())
        return _event(rest)

    def take(self, data: bytes) -> bytes:
        """Keep the events of the whole lines; returns what follows the last of them."""
        whole = data.rfind(b"\n") + 1
        for line in data[:whole].split(b"\n"):
            if self.unreadable > MOST_UNREADABLE:
                break
            event = _event(line)
            if event is not None:
                self.events.append(event)
            elif line:
                self.unreadable += 1
        if len(data) - whole > MOST_LINE_BYTES:  # no line of ours
            whole = len(data)
        self.offset += whole
        self._thin_out()
        return data[whole:]

    def _thin_out(self) -> None:
        if len(self.events) > MOST_EVENTS:
            recent = len(self.events) - MOST_EVENTS // 2
            self.events = [
                event
                for number, event in enumerate(self.events)
                if number % 2 or number >= recent or not isinstance(event, StepDone)
            ]
        if len(self.events) > MOST_EVENTS:  # hardly any are steps
            del self.events[MOST_EVENTS // 4 : -MOST_EVENTS // 2]


def _event(line: bytes) -> Event | None:
    """The event of a line; None where it is none."""
    if not line or len(line) > MOST_LINE_BYTES:
        return None
    try:
        return from_json(line.decode(errors="replace"))
    except InputError:
        return None


_readers: OrderedDict[Path, _Reader] = OrderedDict()
_readers_lock = threading.Lock()


def _reader(path: Path) -> _Reader:
    """The one reader of this file in this process; the longest unused one is forgotten."""
    with _readers_lock:
        reader = _readers.setdefault(path, _Reader(path=path))
        _readers.move_to_end(path)
        if len(_readers) > KEPT_READERS:
            _readers.popitem(last=False)
        return reader
