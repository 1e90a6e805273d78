"""The events of a run, read from its folder: as they are appended, or packed as they ship."""

import functools
import gzip
import zlib
from pathlib import Path

from core.errors import InputError
from core.events import Event, from_json

EVENTS_FILE, PACKED_EVENTS_FILE = "events.jsonl", "events.jsonl.gz"
_event = functools.lru_cache(maxsize=10_000)(from_json)  # pages read a run's events every second


def read_events(folder: Path) -> list[Event]:
    """The events so far. Lines that cannot be read (a torn last one) are left out."""
    found = []
    for line in _events_text(folder).splitlines():
        try:
            found.append(_event(line))
        except InputError:
            continue
    return found


def _events_text(folder: Path) -> str:
    """The record's text; empty where there is none, or a packed one is damaged."""
    packed = folder / PACKED_EVENTS_FILE
    try:
        if packed.exists():
            return gzip.decompress(packed.read_bytes()).decode(errors="replace")
        return (folder / EVENTS_FILE).read_text(encoding="utf-8", errors="replace")
    except (OSError, EOFError, zlib.error):
        return ""
