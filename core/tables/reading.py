"""Tables: what a person's file says, row by row, before anybody asks what it means.

A file is read by its extension: .csv, .tsv, .jsonl, .json (a list of objects, or SQuAD's nested
passages, questions and answers) or .parquet, each also compressed as .gz. What can be read becomes
rows that remember the line they came from; a line that cannot is set aside as a `BadRow` and the
reading goes on, so that a person sees everything that is wrong at once. Only what makes the whole
file useless (not text, no header, too large) raises InputError.
"""

import hashlib
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from stat import S_ISREG

from core.errors import InputError, shown
from core.tables.limits import COMPRESSED, check_rows, check_size, listed, unpacked
from core.tables.values import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class BadRow:
    """A row that cannot be used: where it is, in the words of its file, and why."""

    line: int
    reason: str
    unit: str = "line"
    file: str = ""

    def __str__(self) -> str:
        place = f"{self.unit} {self.line}: {self.reason}"
        return f"{self.file}, {place}" if self.file else place


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Table:
    """The rows of a file, or of several with the same columns.

    rows     a value for each column: text from CSV and TSV; text, number, truth value, list,
             object or None from JSON; text, number, truth value or None from Parquet
    lines    for each row the line of its file where it starts (`unit` says what is counted)
    broken   the rows that could not be read
    digest   SHA-256 of the file, unpacked
    files    (name, number of rows) of each file when there are several
    """

    name: str
    columns: tuple[str, ...]
    rows: list[Row]
    lines: list[int]
    broken: tuple[BadRow, ...] = ()
    unit: str = "line"
    digest: str = ""
    files: tuple[tuple[str, int], ...] = ()

    def bad_row(self, index: int, reason: str) -> BadRow:
        """Why row number `index` cannot be used, as a BadRow that names its place."""
        file = ""
        if self.files:
            ends = list(accumulate(count for _, count in self.files))
            file = self.files[bisect_right(ends, index)][0]
        return BadRow(line=self.lines[index], reason=reason, unit=self.unit, file=file)


def _readers() -> dict[str, Callable[[str, bytes], Table]]:
    from core.tables import columnar, delimited, nested  # they import this file

    return {
        ".csv": delimited.read_csv,
        ".tsv": delimited.read_tsv,
        ".jsonl": nested.read_json_lines,
        ".json": nested.read_json,
        ".parquet": columnar.read_parquet,
    }


def file_kind(filename: str) -> str:
    """The extension that says how to read the file, ".csv" for "A.CSV.gz"; InputError otherwise."""
    extension = Path(filename.lower().removesuffix(COMPRESSED)).suffix
    known = _readers()
    if extension not in known:
        raise InputError(
            f"{shown(filename)} has a format that cannot be read here. Save the data as one of: "
            f"{', '.join(known)}; each may be compressed as {COMPRESSED}."
        )
    return extension


def read_table(filename: str, data: bytes) -> Table:
    """Read the content of a file. Raises InputError when the file as a whole is of no use."""
    file_kind(filename)
    return _parsed(filename, unpacked(Path(filename).name, data))


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
        tables.append(_parsed(path.name, data))
        check_rows(path.name, sum(len(table.rows) for table in tables))
    return tables[0] if len(tables) == 1 else _joined(paths, tables)


def _parsed(filename: str, data: bytes) -> Table:
    name = Path(filename).name
    reader = _readers()[file_kind(filename)]
    if not data.strip():
        raise InputError(f"{name} is empty.")
    table = reader(name, data)
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
