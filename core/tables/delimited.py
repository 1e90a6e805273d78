"""CSV and TSV: lines cut into fields, where a quoted field may run over several lines.

The dangerous file is the one with a quotation mark that is never closed: a forgiving reader takes
the rest of the file as one field and says nothing. So quotes are read strictly, and after a
record that fails the reading starts again on the very next line. TSV files are written in two
ways, with quotes that mean something and with quotes that are plain characters; where strict
reading fails, the second is meant.
"""

import csv
import io
import re
from collections.abc import Iterator, Sequence

from core.errors import InputError, shown
from core.tables.limits import check_columns, check_rows, decoded
from core.tables.table import BadRow, Table
from core.tables.values import Row

DELIMITERS = (",", ";", "\t", "|")
SEPARATORS = b",;\t|\n\r"
SAMPLE_LINES = 50
SAMPLE_ROWS = 1000
DECIMAL = re.compile(r"[+-]?\d+[.,]\d+")
QUOTES = (
    "a quotation mark is not closed, or text follows a closed one "
    "(inside quoted text, write each mark twice)"
)

# The line where a record starts, and its fields or what is wrong with it.
Record = tuple[int, list[str] | str]


def read_csv(name: str, data: bytes) -> Table:
    """Read a file with a header; its delimiter is the one on which most lines agree."""
    lines = _lines(decoded(name, data, SEPARATORS))
    return _table(name, list(records(lines, delimiter_of(lines))))


def read_tsv(name: str, data: bytes) -> Table:
    """Read a file with a header and tabs."""
    lines = _lines(decoded(name, data, SEPARATORS))
    found = list(records(lines, "\t"))
    if any(fields == QUOTES for _, fields in found):
        found = list(records(lines, "\t", quotes=False))
    return _table(name, found)


def _lines(text: str) -> list[str]:
    return list(io.StringIO(text, newline=""))  # cut at \n, \r\n and \r, which are kept


def delimiter_of(lines: Sequence[str]) -> str:
    """The delimiter that cuts most of the first lines into as many fields as the header."""

    def agreeing(delimiter: str) -> int:
        sample = records(lines[:SAMPLE_LINES], delimiter)
        widths = [len(fields) for _, fields in sample if isinstance(fields, list)]
        return widths.count(widths[0]) if widths and widths[0] > 1 else 0

    return max(DELIMITERS, key=agreeing)


def records(lines: Sequence[str], delimiter: str, quotes: bool = True) -> Iterator[Record]:
    """The records that are not blank, each with the line where it starts; without `quotes`, a
    quotation mark is a character like any other."""
    quoting = csv.QUOTE_MINIMAL if quotes else csv.QUOTE_NONE
    start = 0
    while start < len(lines):
        rest = (lines[i] for i in range(start, len(lines)))
        reader = csv.reader(rest, delimiter=delimiter, quoting=quoting, strict=True)
        whole = 0  # lines of the records read so far
        try:
            for fields in reader:
                if any(field.strip() for field in fields):
                    yield start + whole + 1, fields
                whole = reader.line_num
            return
        except csv.Error as error:
            yield start + whole + 1, _explained(error)
            start += whole + 1


def _explained(error: csv.Error) -> str:
    if "field limit" in str(error):
        return f"a field is longer than {csv.field_size_limit():,} characters"
    return QUOTES


def _table(name: str, found: list[Record]) -> Table:
    if not found:
        raise InputError(f"{name} is empty.")
    header = found[0][1]
    if isinstance(header, str):
        raise InputError(f"The header of {name} cannot be read: {header}.")
    check_rows(name, len(found) - 1)
    columns = column_names(header)
    check_columns(name, columns)
    rows: list[Row] = []
    lines: list[int] = []
    broken: list[BadRow] = []
    for line, fields in found[1:]:
        if isinstance(fields, list) and len(fields) == len(header) and fields != header:
            rows.append(dict(zip(columns, fields, strict=True)))
            lines.append(line)
        else:
            broken.append(BadRow(line=line, reason=_reason(fields, header)))
    _check_header(name, header, rows)
    return Table(name=name, columns=columns, rows=rows, lines=lines, broken=tuple(broken))


def _reason(fields: list[str] | str, header: list[str]) -> str:
    if isinstance(fields, str):
        return fields
    if fields == header:
        return "it repeats the header"
    return (
        f"it has {len(fields)} fields, the header {len(header)} "
        "(put text that contains the delimiter in quotes)"
    )


def column_names(header: Sequence[str]) -> tuple[str, ...]:
    """The header's names, each once: nameless and repeated ones get a number."""
    names: list[str] = []
    for number, cell in enumerate(header, start=1):
        usual = " ".join(cell.split()) or f"column {number}"
        name, copy = usual, 2
        while name in names:
            name, copy = f"{usual} ({copy})", copy + 1
        names.append(name)
    return tuple(names)


def _check_header(name: str, header: list[str], rows: list[Row]) -> None:
    """Raise InputError when the first line is data: a decimal number, or a value that comes again
    further down its column. (Numbers 0, 1, 2 ... are how pandas names nameless columns.)"""
    named = [cell for cell in header if cell.strip()]
    if named == [str(number) for number in range(len(named))]:
        return
    sample = [tuple(row.values()) for row in rows[:SAMPLE_ROWS]]
    for position, cell in enumerate(header):
        again = cell.strip() and sum(values[position] == cell for values in sample) > 1
        if again or DECIMAL.fullmatch(cell.strip()):
            raise InputError(
                f"The first line of {name} must name the columns, but its {shown(cell)} looks like "
                "data. Put a line such as text,label above it."
            )
