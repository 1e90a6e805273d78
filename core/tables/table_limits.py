"""Limits of a person's file, checked before the memory is spent.

A few kilobytes can be written so that they unpack to gigabytes, and a hundred megabytes of commas
are a hundred million values. One server is shared by a class: a file like that gets a
sentence, and the others notice nothing.
"""

import zlib
from collections.abc import Sequence

from core.errors import InputError, shown
from core.tables.cells import is_whole_text
from core.tables.pace import Tick, keep_going

MAX_BYTES = 100 * 2**20  # of a file, and of what it unpacks to
MAX_ROWS = 500_000
MAX_COLUMNS = 200
MAX_NAME = 100  # characters of a column's name
MAX_CELLS = 10_000_000  # values in all; a value costs up to 100 bytes of memory
MAX_CHARACTERS = 300_000_000  # of all texts; a passage counts with each of its questions
COMPRESSED = ".gz"
MAX_MEMBERS = 10_000  # of a .gz file; each unpacks by itself, even to nothing
GZIP, PIECE_BYTES = 31, 2**16  # zlib's code for gzip with its checksum; what is unpacked at once
BYTE_ORDER_MARK = "\ufeff"


def check_size(name: str, size_bytes: int) -> None:
    """Raise InputError above MAX_BYTES."""
    if size_bytes > MAX_BYTES:
        raise InputError(
            f"{name} holds more than {MAX_BYTES / 2**20:,.0f} MiB, the most that is read. "
            "Leave out rows, or columns that are not needed."
        )


def check_rows(name: str, rows: int) -> None:
    """Raise InputError above MAX_ROWS."""
    _check_count(name, rows, MAX_ROWS, "rows")


def check_characters(name: str, characters: int) -> None:
    """Raise InputError above MAX_CHARACTERS."""
    _check_count(name, characters, MAX_CHARACTERS, "characters of text")


def check_cells(name: str, cells: int) -> None:
    """Raise InputError above MAX_CELLS."""
    _check_count(name, cells, MAX_CELLS, "values")


def _check_count(name: str, count: int, most: int, what: str) -> None:
    if count > most:
        raise InputError(
            f"{name} has more than {most:,} {what}, the most that is read. "
            "Leave out rows, or columns that are not needed."
        )


def check_width(name: str, columns: int) -> None:
    """Raise InputError above MAX_COLUMNS."""
    _check_count(name, columns, MAX_COLUMNS, "columns")


def check_columns(name: str, columns: Sequence[str]) -> None:
    """Raise InputError unless there are at most MAX_COLUMNS, each with a name of its own that is
    neither blank nor longer than MAX_NAME characters."""
    check_width(name, len(columns))
    for column in columns:
        named = column.strip() and len(column) <= MAX_NAME and is_whole_text(column)
        if not named or columns.count(column) > 1:
            raise InputError(
                f"{name} has a column called {shown(column)}. Give each column its own short name, "
                "in the first line of a CSV or TSV file."
            )


def unpacked(name: str, data: bytes, tick: Tick = keep_going) -> bytes:
    """The content of a .gz file, or `data` itself. Raises InputError when it is damaged or too
    large; never unpacks more than MAX_BYTES."""
    check_size(name, len(data))
    if not name.lower().endswith(COMPRESSED):
        return data
    try:
        return _gunzipped(name, data, tick)
    except (EOFError, zlib.error) as error:
        raise InputError(
            f"{name} is not a whole gzip file ({error}). Compress or copy it again."
        ) from error


def _gunzipped(name: str, data: bytes, tick: Tick) -> bytes:
    """The members of a gzip file, one after the other; zero bytes between them are padding."""
    found, members = bytearray(), 1
    member = zlib.decompressobj(GZIP)
    for start in range(0, len(data), PIECE_BYTES):
        tick()
        piece = data[start : start + PIECE_BYTES]
        while piece:
            if member.eof and (piece := piece.lstrip(b"\0")):
                members += 1
                _check_count(name, members, MAX_MEMBERS, "compressed parts")
                member = zlib.decompressobj(GZIP)
            found += member.decompress(piece, MAX_BYTES + 1 - len(found)) if piece else b""
            check_size(name, len(found))
            piece = member.unused_data if member.eof and piece else b""
    if not member.eof:
        raise EOFError("it ends too early")
    return bytes(found)


def decoded(name: str, data: bytes, separators: bytes) -> str:
    """The text of a file in UTF-8, without the byte-order marks at its start and at the start of
    lines (of files that were joined on). Raises InputError naming the line that is something else,
    and when there are so many `separators` that the values would not fit in memory."""
    check_cells(name, sum(data.count(each) for each in separators))
    at, reason = data.find(b"\0"), "a zero byte, so this is no plain text"
    if at < 0:
        try:
            text = data.decode("utf-8").lstrip(BYTE_ORDER_MARK)
            for end in "\n\r":
                text = text.replace(end + BYTE_ORDER_MARK, end)
            return text
        except UnicodeDecodeError as error:
            at, reason = error.start, f"a byte that is not UTF-8 (0x{data[error.start]:02x})"
    line = data.count(b"\n", 0, at) + 1
    raise InputError(
        f"Line {line} of {name} has {reason}. Save the file as UTF-8 text; Excel calls it "
        '"CSV UTF-8".'
    )


def listed(names: Sequence[str]) -> str:
    """The first ten names, for a message."""
    return ", ".join(names[:10]) + (" ..." if len(names) > 10 else "")
