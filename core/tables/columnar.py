"""Parquet: columns with types, packed and compressed each by itself.

A column of text is kept as a dictionary of its different values and a number per row. That is how
a small file can stand for an enormous text, so the size of what a batch unpacks to is computed
from the dictionary before a single row is made. Columns of lists, structures and bytes are left
out: they are neither text nor label.
"""

import io
from typing import Any

from core.errors import InputError
from core.tables.limits import check_cells, check_columns, check_rows, check_size
from core.tables.table import Table
from core.tables.values import Row

BATCH_ROWS = 10_000


def read_parquet(name: str, data: bytes) -> Table:
    """Read the columns of text, numbers, truth values, dates and times (the last two as text)."""
    import pyarrow

    try:
        return _read(name, data)
    except InputError:
        raise
    except (pyarrow.ArrowException, OSError, ValueError, TypeError, MemoryError) as error:
        raise InputError(
            f"{name} cannot be read as Parquet ({error}). Write or copy it again."
        ) from error


def _read(name: str, data: bytes) -> Table:
    from pyarrow.parquet import ParquetFile

    file = ParquetFile(io.BytesIO(data))
    columns = [field.name for field in file.schema_arrow if _is_flat(field.type)]
    if not columns:
        raise InputError(f"{name} has no column of text or numbers.")
    check_columns(name, columns)
    about = file.metadata
    check_rows(name, about.num_rows)
    check_cells(name, about.num_rows * len(columns))
    check_size(name, sum(about.row_group(i).total_byte_size for i in range(about.num_row_groups)))
    texts = [field.name for field in file.schema_arrow if _is_text(field.type)]
    rows = _rows(name, ParquetFile(io.BytesIO(data), read_dictionary=texts), columns)
    lines = list(range(1, len(rows) + 1))
    return Table(name=name, columns=tuple(columns), rows=rows, lines=lines, unit="row")


def _is_text(kind: Any) -> bool:
    from pyarrow import types

    if types.is_dictionary(kind):
        kind = kind.value_type
    return types.is_string(kind) or types.is_large_string(kind)


def _is_flat(kind: Any) -> bool:
    from pyarrow import types

    numbers = (types.is_boolean, types.is_integer, types.is_floating, types.is_decimal)
    times = (types.is_date, types.is_time, types.is_timestamp)
    return _is_text(kind) or any(test(kind) for test in (*numbers, *times))


def _rows(name: str, file: Any, columns: list[str]) -> list[Row]:
    """All rows, batch by batch. Raises InputError when they are more than the file said."""
    rows: list[Row] = []
    size_bytes = 0
    for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=columns, use_threads=False):
        size_bytes += sum(_size_bytes(column) for column in batch.columns)
        check_size(name, size_bytes)
        values = [_values(batch.column(column)) for column in columns]
        rows += [dict(zip(columns, row, strict=True)) for row in zip(*values, strict=True)]
        check_rows(name, len(rows))
    return rows


def _size_bytes(column: Any) -> int:
    """Bytes of the column when every row has its own value."""
    from pyarrow import compute, types

    if not types.is_dictionary(column.type):
        return column.nbytes
    lengths = compute.call_function("binary_length", [column.dictionary])
    return compute.call_function("sum", [lengths.take(column.indices)]).as_py() or 0


def _values(column: Any) -> list[Any]:
    """The values as text, numbers, truth values and None."""
    from pyarrow import float64, string, types

    if types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if types.is_decimal(column.type):
        column = column.cast(float64())
    elif types.is_temporal(column.type):
        column = column.cast(string())
    return column.to_pylist()
