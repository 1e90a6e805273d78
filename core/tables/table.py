"""A table: the rows of a file, each with its place, and the rows that could not be read."""

from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate

from core.tables.cells import Row


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
    notes    sentences about what was left out as a whole
    """

    name: str
    columns: tuple[str, ...]
    rows: list[Row]
    lines: list[int]
    broken: tuple[BadRow, ...] = ()
    unit: str = "line"
    digest: str = ""
    files: tuple[tuple[str, int], ...] = ()
    notes: tuple[str, ...] = ()

    def bad_row(self, index: int, reason: str) -> BadRow:
        """Why row number `index` cannot be used, as a BadRow that names its place."""
        file = ""
        if self.files:
            ends = list(accumulate(count for _, count in self.files))
            file = self.files[bisect_right(ends, index)][0]
        return BadRow(line=self.lines[index], reason=reason, unit=self.unit, file=file)
