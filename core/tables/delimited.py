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
from itertools import accumulate

from core.errors import InputError, shown
from core.tables.cells import Row, tidied
from core.tables.pace import Tick, keep_going, paced
from core.tables.table import BadRow, Table
from core.tables.table_limits import (
    MAX_COLUMNS,
    MAX_NAME,
    check_cells,
    check_columns,
    check_rows,
    check_width,
    decoded,
)

DELIMITERS = (",", ";", "\t", "|")
SEPARATORS = b",;\t|\n\r"
NAMED_DELIMITER = re.compile(r'"?sep=([^\w"\r\n])"?', re.IGNORECASE)
MAX_HEADER = 2 * MAX_COLUMNS * (MAX_NAME + 2)  # characters of the first line, quoted
MAX_AGAIN, FAILURE = 20 * 2**20, 100  # characters read again; a failure costs as much as so many
SAMPLE_LINES, SAMPLE_CHARACTERS = 50, 200_000
SAMPLE_ROWS = 1000
DECIMAL = re.compile(r"[+-]?\d+[.,]\d+")
QUOTES = (
    "a quotation mark is not closed, or text follows a closed one "
    "(inside quoted text, write each mark twice)"
)

# The line where a record starts, and its fields or what is wrong with it.
Record = tuple[int, list[str] | str]


def read_csv(name: str, data: bytes, tick: Tick = keep_going) -> Table:
    """Read a file with a header; its delimiter is the one that its first line names ("sep=;"), else
    the one on which most lines agree."""
    lines = _lines(name, data, tick)
    delimiter = _taken_delimiter(lines) or delimiter_of(name, lines)
    _check_fields(name, lines, delimiter, tick)
    return _table(name, records(name, lines, delimiter), tick)


def read_tsv(name: str, data: bytes, tick: Tick = keep_going) -> Table:
    """Read a file with a header and tabs, or the delimiter that its first line names."""
    lines = _lines(name, data, tick)
    delimiter = _taken_delimiter(lines) or "\t"
    _check_fields(name, lines, delimiter, tick)
    strict = (fields for _, fields in paced(records(name, lines, delimiter), tick))
    quotes = all(fields != QUOTES for fields in strict)
    return _table(name, records(name, lines, delimiter, quotes), tick)


def _lines(name: str, data: bytes, tick: Tick) -> list[str]:
    """The lines, cut at \\n, \\r\\n and \\r, which are kept. Raises InputError for a first line too
    long to name columns."""
    text = decoded(name, data, SEPARATORS)
    tick()
    lines = list(io.StringIO(text, newline=""))
    first = next((line for line in lines if line.strip()), "")
    if len(first) > MAX_HEADER:
        raise InputError(
            f"The first line of {name} is {len(first):,} characters long, too long to name at most "
            f"{MAX_COLUMNS} columns. Give each column its own short name there."
        )
    return lines


def _taken_delimiter(lines: list[str]) -> str:
    """The delimiter that the first line names as Excel writes it; that line is blanked, so that
    those below keep their numbers. "" when it names none."""
    named = NAMED_DELIMITER.fullmatch("".join(lines[:1]).strip("\r\n"))
    if not named:
        return ""
    lines[0] = "\n"
    return named[1]


def _check_fields(name: str, lines: list[str], delimiter: str, tick: Tick) -> None:
    """Raise InputError when a delimiter that is not among SEPARATORS makes too many values."""
    if delimiter not in DELIMITERS:
        check_cells(name, sum(line.count(delimiter) for line in paced(lines, tick)))


def delimiter_of(name: str, lines: Sequence[str]) -> str:
    """The delimiter that cuts most of the first lines into as many fields as the header."""
    sizes = accumulate(len(line) for line in lines[:SAMPLE_LINES])
    few = [line for line, size in zip(lines, sizes, strict=False) if size <= SAMPLE_CHARACTERS]

    def agreeing(delimiter: str) -> int:
        sample = records(name, few, delimiter)
        widths = [len(fields) for _, fields in sample if isinstance(fields, list)]
        return widths.count(widths[0]) if widths and widths[0] > 1 else 0

    return max(DELIMITERS, key=agreeing)


def records(
    name: str, lines: Sequence[str], delimiter: str, quotes: bool = True
) -> Iterator[Record]:
    """The records that are not blank, each with the line where it starts; without `quotes`, a
    quotation mark is a character like any other.

    After a record that fails, its lines but the first are read again. Raises InputError when that
    would be more than MAX_AGAIN characters, as every record of a file can fail at the file's end.
    """
    quoting = csv.QUOTE_MINIMAL if quotes else csv.QUOTE_NONE
    start = again = 0
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
            again += FAILURE + sum(map(len, lines[start + whole + 1 : start + reader.line_num]))
            start += whole + 1
        if again > MAX_AGAIN:
            raise InputError(
                f"{name} has too many quotation marks that are not closed, up to line {start}. "
                "Inside quoted text, write each mark twice; or save the file as JSON Lines."
            )


def _explained(error: csv.Error) -> str:
    if "field limit" in str(error):
        return f"a field is longer than {csv.field_size_limit():,} characters"
    return QUOTES


def _table(name: str, found: Iterator[Record], tick: Tick) -> Table:
    _, header = next(found, (0, []))
    if not header:
        raise InputError(f"{name} is empty.")
    if isinstance(header, str):
        raise InputError(f"The header of {name} cannot be read: {header}.")
    check_width(name, len(header))
    columns = column_names(header)
    check_columns(name, columns)
    rows: list[Row] = []
    lines: list[int] = []
    broken: list[BadRow] = []
    for number, (line, fields) in enumerate(paced(found, tick), start=1):
        check_rows(name, number)
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
    names: dict[str, int] = {}  # to the number that the next column of that name gets
    for number, cell in enumerate(header, start=1):
        name = usual = tidied(cell) or f"column {number}"
        while name in names:
            name = f"{usual} ({names[usual]})"
            names[usual] += 1
        names[name] = 2
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
