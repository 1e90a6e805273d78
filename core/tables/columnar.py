"""Parquet: columns with types, packed and compressed each by itself.

A column of text is kept as a dictionary of its different values and a number per row. That is how
a small file can stand for an enormous text, so the size of what a batch unpacks to is computed
from the dictionary before a single row is made.

Read are text, numbers, truth values, dates and times, and the answers of questions. Columns of any
other type are neither text nor label: they are left out, and the table says so. Where the datasets
library wrote the file, its schema names the classes of a label; the numbers become those names.
"""

import io
from typing import Any

from core.errors import InputError, shown
from core.tables.cells import Row
from core.tables.class_labels import names_of_classes, with_names
from core.tables.pace import Tick, keep_going
from core.tables.squad_format import ANSWERS, START, TEXT
from core.tables.table import Table
from core.tables.table_limits import (
    MAX_NAME,
    check_cells,
    check_columns,
    check_rows,
    check_size,
    check_width,
    listed,
)

BATCH_ROWS = 10_000
INSIDE_ANSWERS = f"{ANSWERS}."
MAX_LEAVES = 5_000  # columns with those inside structures, most of which are left out
MAX_FOOTER = 1_000_000  # entries of a list, bytes of a text in the file's description


def read_parquet(name: str, data: bytes, tick: Tick = keep_going) -> Table:
    """Read the columns of text, numbers, truth values, dates and times (the last two as text), and
    answers to questions."""
    import pyarrow

    try:
        return _read(name, data, tick)
    except InputError:
        raise
    except (pyarrow.ArrowException, OSError, ValueError, TypeError, MemoryError) as error:
        raise InputError(
            f"{name} cannot be read as Parquet ({error}). Write or copy it again."
        ) from error


def _open(data: bytes, texts: tuple[str, ...] = ()) -> Any:
    """The file; the values of the `texts` (paths of leaves) come as dictionaries."""
    from pyarrow.parquet import ParquetFile

    return ParquetFile(
        io.BytesIO(data),
        read_dictionary=texts,
        thrift_string_size_limit=10 * MAX_FOOTER,
        thrift_container_size_limit=MAX_FOOTER,
        arrow_extensions_enabled=False,
    )


def _read(name: str, data: bytes, tick: Tick) -> Table:
    file = _open(data)
    if file.metadata.num_columns > MAX_LEAVES:
        check_width(name, file.metadata.num_columns)
    schema = file.schema_arrow
    columns = [field.name for field in schema if _is_read(field)]
    others = [field for field in schema if not _is_read(field)]
    left_out = [f"{shown(field.name)} ({str(field.type)[:MAX_NAME]})" for field in others]
    if not columns:
        raise InputError(f"{name} has no column of text or numbers. It has: {listed(left_out)}.")
    check_columns(name, columns)
    leaves = _leaves(file, columns)
    _check_content(name, file.metadata, len(columns), list(leaves))
    flat = {field.name for field in schema if _is_text(field.type)}
    texts = tuple(leaf.path for leaf in leaves.values() if _holds_text(leaf, flat))
    classes, unclear = names_of_classes(schema)
    rows = _rows(name, _open(data, texts), columns, tick)
    return Table(
        name=name,
        columns=tuple(columns),
        rows=with_names(rows, classes),
        lines=list(range(1, len(rows) + 1)),
        unit="row",
        notes=(*_about(left_out), *unclear),
    )


def _about(left_out: list[str]) -> tuple[str, ...]:
    if not left_out:
        return ()
    them = "a column that is" if len(left_out) == 1 else f"{len(left_out)} columns that are"
    return (f"Left out: {them} neither text nor number: {listed(left_out)}.",)


# Types


def _is_read(field: Any) -> bool:
    return _is_flat(field.type) or (field.name == ANSWERS and _are_answers(field.type))


def _is_text(kind: Any) -> bool:
    from pyarrow import types

    if types.is_dictionary(kind):
        kind = kind.value_type
    return types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)


def _is_flat(kind: Any) -> bool:
    from pyarrow import types

    if types.is_dictionary(kind):
        kind = kind.value_type
    numbers = (types.is_boolean, types.is_integer, types.is_floating, types.is_decimal)
    others = (types.is_date, types.is_time, types.is_timestamp, types.is_null)
    return _is_text(kind) or any(test(kind) for test in (*numbers, *others))


def _are_answers(kind: Any) -> bool:
    """Lists of texts and starts in a structure, or a list of structures of a text and a start."""
    from pyarrow import types

    outside = _is_list(kind)
    kind = kind.value_type if outside else kind
    if not types.is_struct(kind) or {field.name for field in kind} != {TEXT, START}:
        return False
    parts = [kind.field(TEXT).type, kind.field(START).type]
    if not outside:
        if not all(_is_list(part) for part in parts):
            return False
        parts = [part.value_type for part in parts]
    return _is_text(parts[0]) and types.is_integer(parts[1])


def _is_list(kind: Any) -> bool:
    from pyarrow import types

    return types.is_list(kind) or types.is_large_list(kind)


# Content


def _leaves(file: Any, columns: list[str]) -> dict[int, Any]:
    """The stored columns of those that are read, by number; each has a path, for example
    "answers.text.list.element"."""
    stored = ((number, file.schema.column(number)) for number in range(file.metadata.num_columns))
    return {
        number: leaf
        for number, leaf in stored
        if leaf.path in columns or leaf.path.startswith(INSIDE_ANSWERS)
    }


def _holds_text(leaf: Any, flat: set[str]) -> bool:
    """`flat` are the columns of text."""
    of_answers = leaf.path.startswith(INSIDE_ANSWERS) and leaf.physical_type == "BYTE_ARRAY"
    return leaf.path in flat or of_answers


def _check_content(name: str, about: Any, columns: int, leaves: list[int]) -> None:
    """Raise InputError when the file says itself that it holds too much."""
    check_rows(name, about.num_rows)
    check_cells(name, about.num_rows * columns)
    groups = [about.row_group(number) for number in range(about.num_row_groups)]
    check_size(name, sum(group.total_byte_size for group in groups))
    check_cells(name, sum(group.column(leaf).num_values for group in groups for leaf in leaves))


def _rows(name: str, file: Any, columns: list[str], tick: Tick) -> list[Row]:
    """All rows, batch by batch. Raises InputError when they are more than the file said."""
    rows: list[Row] = []
    size_bytes = 0
    for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=columns, use_threads=False):
        tick()
        size_bytes += sum(_size_bytes(column) for column in batch.columns)
        check_size(name, size_bytes)
        values = [_values(batch.column(column)) for column in columns]
        rows += [dict(zip(columns, row, strict=True)) for row in zip(*values, strict=True)]
        check_rows(name, len(rows))
    return rows


def _size_bytes(column: Any) -> int:
    """Bytes of the column when every row has its own value."""
    from pyarrow import compute, types

    if types.is_struct(column.type):
        return sum(_size_bytes(field) for field in column.flatten())
    if _is_list(column.type):
        return _size_bytes(column.flatten())
    if not types.is_dictionary(column.type) or not _is_text(column.type):
        return column.nbytes
    lengths = compute.call_function("binary_length", [column.dictionary])
    return compute.call_function("sum", [lengths.take(column.indices)]).as_py() or 0


def _values(column: Any) -> list[Any]:
    """The values as text, numbers, truth values, answers and None."""
    from pyarrow import float64, string, types

    if types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if types.is_decimal(column.type):
        column = column.cast(float64())
    elif types.is_temporal(column.type):
        column = column.cast(string())
    return column.to_pylist()
