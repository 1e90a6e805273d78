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
import textwrap
import types
import typing
from collections.abc import Callable
from dataclasses import MISSING, asdict, dataclass, fields, is_dataclass
from typing import Annotated, Any, TypeVar

from core.errors import InputError, one_of, shown, within

MOST_LISTED = 180  # characters of the names of fields in a sentence
LATER_FIELD = "later"  # in a field's metadata: added after records were first named
Record = TypeVar("Record")
Convert = Callable[[Any, str, str], Any]  # a value, the record that it is in, the field


@dataclass(frozen=True, slots=True)
class Range:
    """The values that a number may have, both ends included."""

    low: float
    high: float

    def holds(self, value: float) -> bool:
        """Whether it is one of them."""
        return self.low <= value <= self.high

    def check(self, where: str, value: float) -> None:
        """Raise InputError for another one."""
        within(where, value, self.low, self.high)


@dataclass(frozen=True, slots=True)
class Among:
    """The words, or the numbers, that a value may be."""

    words: tuple[object, ...]

    def holds(self, value: object) -> bool:
        """Whether it is one of them."""
        return value in self.words

    def check(self, where: str, value: object) -> None:
        """Raise InputError for another one."""
        one_of(where, value, self.words)


def to_plain(record: Any) -> dict[str, Any]:
    """The record as nested dictionaries, lists and plain values."""
    return json.loads(canonical_json(record))


def object_in(plain: object) -> dict[str, Any] | None:
    """An object of somebody's JSON; None for anything else. Its names are texts, as JSON has it."""
    return typing.cast("dict[str, Any]", plain) if isinstance(plain, dict) else None


def list_in(plain: object) -> list[Any] | None:
    """A list of somebody's JSON; None for anything else."""
    return typing.cast("list[Any]", plain) if isinstance(plain, list) else None


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
    known = _known(kind)
    if not plain.keys() <= known.keys():
        unknown = sorted(set(plain) - set(known))
        listed = textwrap.shorten(", ".join(known), MOST_LISTED, placeholder=" and more")
        raise InputError(f"{where} has no field {shown(unknown[0])}. It has: {listed}.")
    values = {}
    for name, (convert, needed) in known.items():
        if name in plain:
            values[name] = convert(plain[name], where, name)
        elif needed:
            raise InputError(f"{where} lacks the field {name!r}.")
    return kind(**values)


def from_json(kind: type[Record], text: str) -> Record:
    """`from_plain` on a JSON text; raises InputError when the text is not JSON."""
    try:
        plain = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"This is not the JSON of a {kind.__name__}: {error}.") from error
    return from_plain(kind, plain)


def coerce_fields(record: Any) -> None:
    """Give every field of a record under construction exactly its declared type: 1 becomes 1.0
    where a float is declared. Raises InputError for a value of another kind."""
    kind = type(record)
    for name, (convert, _) in _known(kind).items():
        value = convert(getattr(record, name), kind.__name__, name)
        object.__setattr__(record, name, value)


@functools.cache
def _known(kind: Any) -> dict[str, tuple[Convert, bool]]:
    """Of each field of a record what converts its values, and whether it has no default."""
    hints = typing.get_type_hints(kind, include_extras=True)
    return {
        field.name: (
            _converter(hints[field.name]),
            field.default is MISSING and field.default_factory is MISSING,
        )
        for field in fields(kind)
    }


def _converter(hint: Any) -> Convert:
    """What converts values of a type. Looked up once for each field of a record: pages read events
    by the ten thousand."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return _checked(_converter(inner[0]), inner[1])
    if origin in (types.UnionType, typing.Union):
        (other,) = [choice for choice in inner if choice is not type(None)]
        convert = _converter(other)
        return lambda value, where, name: None if value is None else convert(value, where, name)
    if origin is tuple:
        return _listed(_converter(inner[0]))
    if is_dataclass(hint):
        kind = typing.cast(type, hint)
        return lambda value, where, name: (
            value if isinstance(value, kind) else from_plain(kind, value, f"{where}.{name}")
        )
    return functools.partial(_plain_value, hint)


def _checked(convert: Convert, limit: Range | Among) -> Convert:
    def checked(value: Any, where: str, name: str) -> Any:
        plain = convert(value, where, name)
        if not limit.holds(plain):
            limit.check(f"{where}.{name}", plain)
        return plain

    return checked


def _listed(convert: Convert) -> Convert:
    def listed(value: Any, where: str, name: str) -> tuple[Any, ...]:
        if not isinstance(value, list | tuple):
            raise InputError(f"{where}.{name} must be a list, not {shown(value)}.")
        return tuple([convert(item, where, name) for item in value])

    return listed


def _plain_value(hint: type, value: Any, where: str, name: str) -> Any:
    if type(value) is hint:
        return value + 0.0 if hint is float else value  # -0.0 becomes 0.0: one spelling
    whole = isinstance(value, int) and not isinstance(value, bool)
    if hint is float and (whole or isinstance(value, float)):
        try:
            return float(value) + 0.0
        except OverflowError as error:
            raise InputError(f"{where}.{name} is far too large: {shown(value)}.") from error
    if (hint is int and whole) or (hint in (str, bool) and isinstance(value, hint)):
        return value
    raise InputError(f"{where}.{name} must be {hint.__name__}, not {shown(value)}.")
