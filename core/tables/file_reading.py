"""Tables: what a person's file says, row by row, before anybody asks what it means.

A file is read by its extension: .csv, .tsv, .jsonl, .json (a list of objects, or SQuAD's nested
passages, questions and answers) or .parquet, each also compressed as .gz. What can be read becomes
rows that remember the line they came from; a line that cannot is set aside as a `BadRow` and the
reading goes on, so that a person sees everything that is wrong at once. Only what makes the whole
file useless (not text, no header, too large) raises InputError.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from stat import S_ISREG

from core.errors import InputError, shown
from core.tables import columnar, delimited, nested
from core.tables.pace import Tick, keep_going
from core.tables.squad_format import with_starts
from core.tables.table import Table
from core.tables.table_limits import COMPRESSED, check_rows, check_size, listed, unpacked

READERS: dict[str, Callable[[str, bytes, Tick], Table]] = {
    ".csv": delimited.read_csv,
    ".tsv": delimited.read_tsv,
    ".jsonl": nested.read_json_lines,
    ".json": nested.read_json,
    ".parquet": columnar.read_parquet,
}


def file_kind(filename: str) -> str:
    """The extension that says how to read the file, ".csv" for "A.CSV.gz"; InputError otherwise."""
    extension = Path(filename.lower().removesuffix(COMPRESSED)).suffix
    if extension not in READERS:
        raise InputError(
            f"{shown(filename)} has a format that cannot be read here. Save the data as one of: "
            f"{', '.join(READERS)}; each may be compressed as {COMPRESSED}."
        )
    return extension


def read_table(filename: str, data: bytes, tick: Tick = keep_going) -> Table:
    """Read the content of a file; `tick` is called on the way and ends the reading by raising.
    Raises InputError when the file as a whole is of no use."""
    file_kind(filename)
    return _parsed(filename, unpacked(Path(filename).name, data, tick), tick)


def read_files(paths: Sequence[Path]) -> Table:
    """Read several files of one kind and with the same columns as one table."""
    if not paths:
        raise InputError("No file was given.")
    tables: list[Table] = []
    size = 0
    for path in paths:
        file_kind(path.name)
        data = unpacked(path.name, _content(path))
        size += len(data)
        check_size(path.name, size)
        tables.append(_parsed(path.name, data, keep_going))
        check_rows(path.name, sum(len(table.rows) for table in tables))
    return tables[0] if len(tables) == 1 else _joined(paths, tables)


def _parsed(filename: str, data: bytes, tick: Tick) -> Table:
    name = Path(filename).name
    reader = READERS[file_kind(filename)]
    if not data.strip():
        raise InputError(f"{name} is empty.")
    table = with_starts(reader(name, data, tick), tick)
    if not table.rows and not table.broken:
        raise InputError(f"{name} names its columns but has no rows.")
    if table.rows and not table.columns:
        raise InputError(f"{name} has rows but no columns.")
    return replace(table, digest=hashlib.sha256(data).hexdigest())


def _joined(paths: Sequence[Path], tables: list[Table]) -> Table:
    first = tables[0]
    for path, table in zip(paths, tables, strict=True):
        if file_kind(path.name) != file_kind(paths[0].name):
            raise InputError(f"{path.name} and {first.name} differ in format. Read them apart.")
        if set(table.columns) != set(first.columns):
            raise InputError(
                f"{path.name} has the columns {listed(table.columns)}, "
                f"but {first.name} has {listed(first.columns)}. Give files with the same columns."
            )
    return Table(
        name=f"{first.name} and {len(tables) - 1} more",
        columns=first.columns,
        rows=[row for table in tables for row in table.rows],
        lines=[line for table in tables for line in table.lines],
        broken=tuple(replace(bad, file=table.name) for table in tables for bad in table.broken),
        unit=first.unit,
        digest=hashlib.sha256("".join(table.digest for table in tables).encode()).hexdigest(),
        files=tuple((table.name, len(table.rows)) for table in tables),
        notes=tuple(dict.fromkeys(note for table in tables for note in table.notes)),
    )


def _content(path: Path) -> bytes:
    try:
        about = path.stat()
        if not S_ISREG(about.st_mode):
            raise InputError(f"{path} is not a file.")
        check_size(path.name, about.st_size)
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}.") from error
