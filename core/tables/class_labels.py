"""ClassLabel: the datasets library keeps a label as a number, and the names of its classes in the
schema of the file.

    {"info": {"features": {"label": {"names": ["neg", "pos"], "_type": "ClassLabel"}}}}

stands there under "huggingface". -1 is the library's number for a label that is hidden.
"""

import json
from collections.abc import Mapping
from typing import Any

from core.tables.cells import Row, is_whole_text

KEY, KIND = b"huggingface", "ClassLabel"
HIDDEN = -1

Names = Mapping[str, list[str]]  # of a column's classes


def names_of_classes(schema: Any) -> tuple[Names, tuple[str, ...]]:
    """The names of the classes of each column of whole numbers, and a sentence if they are there
    but cannot be read."""
    from pyarrow import types

    described = (schema.metadata or {}).get(KEY)
    if described is None:
        return {}, ()
    whole = {field.name for field in schema if types.is_integer(field.type)}
    try:
        features = json.loads(described)["info"]["features"]
        labels = {name: features[name] for name in whole & features.keys()}
        return {n: _names(label) for n, label in labels.items() if label["_type"] == KIND}, ()
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return {}, ("The names of classes in this file cannot be read. Numbers stand for them.",)


def _names(label: dict[str, Any]) -> list[str]:
    names = label["names"]
    texts = isinstance(names, list) and all(isinstance(name, str) for name in names)
    if not texts or not all(map(is_whole_text, names)):
        raise TypeError("the names are no list of texts")
    return names


def with_names(rows: list[Row], classes: Names) -> list[Row]:
    """The rows with the name of a class in place of its number. A hidden label becomes None; a
    number without a name stays."""
    for row in rows:
        for column, names in classes.items():
            number = row[column]
            if number == HIDDEN:
                row[column] = None
            elif number is not None and 0 <= number < len(names):
                row[column] = names[number]
    return rows
