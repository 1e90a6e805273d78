"""Frozen dataclasses to JSON and back, with a sentence for every way a file can be wrong.

Experiments, results and events are all plain frozen dataclasses. Here they become dictionaries
of plain values (`to_plain`) and come back checked field by field (`from_plain`): unknown names,
missing values, wrong types and numbers out of range raise `InputError`. Fields that a file does not
name take their defaults, so a file written before a field existed still reads. `settle` makes the
same check where a record is built in Python, so that equal records have equal JSON.

A number's range stands in its type: `Share = Annotated[float, Range(0.0, 1.0)]`. NaN is in none.
"""

import functools
import json
import types
import typing
from dataclasses import MISSING, asdict, dataclass, fields, is_dataclass
from typing import Annotated, Any, TypeVar

from core.errors import InputError, one_of, shown, within

LATER_FIELD = "later"  # in a field's metadata: added after records were first named
Record = TypeVar("Record")
_type_hints = functools.cache(functools.partial(typing.get_type_hints, include_extras=True))


@dataclass(frozen=True, slots=True)
class Range:
    """The values that a number may have, both ends included."""

    low: float
    high: float

    def check(self, where: str, value: float) -> None:
        """Raise InputError for another one."""
        within(where, value, self.low, self.high)


@dataclass(frozen=True, slots=True)
class Among:
    """The words, or the numbers, that a value may be."""

    words: tuple[object, ...]

    def check(self, where: str, value: object) -> None:
        """Raise InputError for another one."""
        one_of(where, value, self.words)


def to_plain(record: Any) -> dict[str, Any]:
    """The record as nested dictionaries, lists and plain values."""
    return json.loads(canonical_json(record))


def canonical_json(record: Any) -> str:
    """The one JSON text of a record: sorted keys, no spaces. Equal records give equal text."""
    return json.dumps(asdict(record), sort_keys=True, separators=(",", ":"), allow_nan=False)


def identity_json(record: Any) -> str:
    """`canonical_json` without fields that are marked as added later and have their default.

    What a record said before a field existed, it says still; so a name made from this text
    outlives new fields.
    """
    return json.dumps(_identity(record), sort_keys=True, separators=(",", ":"), allow_nan=False)


def canonical_json_as(record: Any, text: str) -> str:
    """`canonical_json` with only those fields that `text` names, from which `record` was read.

    A file that was written before a field existed does not name it; written again, it is compared
    in the spelling of its own time. Raises InputError when `text` is not JSON of an object.
    """
    try:
        named = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"This is not JSON: {error}.") from error
    return json.dumps(
        _only_named(asdict(record), named), sort_keys=True, separators=(",", ":"), allow_nan=False
    )


def _only_named(plain: Any, named: Any) -> Any:
    """The fields of a nested dictionary that another nested dictionary has too."""
    if not isinstance(plain, dict) or not isinstance(named, dict):
        return plain
    return {name: _only_named(plain[name], named[name]) for name in plain if name in named}


def _identity(record: Any) -> dict[str, Any]:
    plain = {}
    for field in fields(record):
        value = getattr(record, field.name)
        if field.metadata.get(LATER_FIELD) and value == field.default:
            continue
        plain[field.name] = _identity(value) if is_dataclass(value) else value
    return plain


def from_plain(kind: type[Record], plain: object, where: str = "") -> Record:
    """Build a `kind` from what JSON gave; raises InputError naming the field that is wrong."""
    where = where or kind.__name__
    if not isinstance(plain, dict):
        raise InputError(f"{where} must be a JSON object, not {shown(plain)}.")
    hints = _type_hints(kind)
    known = {field.name: field for field in fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(set(plain) - set(known))
    if unknown:
        raise InputError(f"{where} has no field {shown(unknown[0])}. It has: {', '.join(known)}.")
    values = {}
    for name, field in known.items():
        if name in plain:
            values[name] = _convert(hints[name], plain[name], f"{where}.{name}")
        elif field.default is MISSING and field.default_factory is MISSING:
            raise InputError(f"{where} lacks the field {name!r}.")
    return kind(**values)


def from_json(kind: type[Record], text: str) -> Record:
    """`from_plain` on a JSON text; raises InputError when the text is not JSON."""
    try:
        plain = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"This is not the JSON of a {kind.__name__}: {error}.") from error
    return from_plain(kind, plain)


def settle(record: Any) -> None:
    """Give every field of a record under construction exactly its declared type: 1 becomes 1.0
    where a float is declared. Raises InputError for a value of another kind."""
    for name, hint in _type_hints(type(record)).items():
        value = _convert(hint, getattr(record, name), f"{type(record).__name__}.{name}")
        object.__setattr__(record, name, value)


def _convert(hint: Any, value: Any, where: str) -> Any:
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        plain = _convert(inner[0], value, where)
        inner[1].check(where, plain)
        return plain
    if origin in (types.UnionType, typing.Union):
        (hint,) = [choice for choice in inner if choice is not type(None)]
        return None if value is None else _convert(hint, value, where)
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise InputError(f"{where} must be a list, not {shown(value)}.")
        return tuple(_convert(inner[0], item, where) for item in value)
    if is_dataclass(hint):
        if isinstance(value, typing.cast(type, hint)):
            return value
        return from_plain(typing.cast(type, hint), value, where)
    return _plain_value(hint, value, where)


def _plain_value(hint: Any, value: Any, where: str) -> Any:
    whole = isinstance(value, int) and not isinstance(value, bool)
    if hint is float and (whole or isinstance(value, float)):
        try:
            return float(value) + 0.0  # -0.0 becomes 0.0: one spelling
        except OverflowError as error:
            raise InputError(f"{where} is far too large: {shown(value)}.") from error
    if (hint is int and whole) or (hint in (str, bool) and isinstance(value, hint)):
        return value
    raise InputError(f"{where} must be {hint.__name__}, not {shown(value)}.")
