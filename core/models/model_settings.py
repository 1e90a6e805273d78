"""The settings of a model that decide what it computes, held against a closed list.

A config is JSON that somebody else wrote. It is checked here, before any library sees it, when a
model is loaded, when a packed file is read or written, and by every export: a setting that one of
them would compute in another way is refused, never passed over. Settings that decide nothing
(a name, a version, a cache) stay out. Which settings there are is the family's list, `Known`.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.errors import InputError, shown
from core.models.backbones import BACKBONES

MAX_LABELS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A family's closed list of settings.

    title, model_types   what the family is called, by people and in a config
    sizes         whole numbers and their ranges: what takes time and memory
    numbers       other numbers and their ranges; those of `may_be_none` may be None
    choices       texts that each must be one of a few
    fixed         settings that may say one thing only
    kept          what a config of ours holds; nothing else reaches the library
    """

    title: str
    model_types: tuple[str, ...]
    sizes: Mapping[str, tuple[int, int]]
    numbers: Mapping[str, tuple[float, float]]
    may_be_none: tuple[str, ...]
    choices: Mapping[str, Sequence[str]]
    fixed: Mapping[str, tuple[object, ...]]
    kept: tuple[str, ...]


def plain_settings(text: str, name: str) -> dict[str, Any]:
    """The settings of a config's JSON text, unchecked. Raises InputError; `name` is the
    model's."""
    try:
        plain = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"The config of {name} cannot be read: it is not JSON.") from error
    if not isinstance(plain, dict):
        raise InputError(f"The config of {name} cannot be read: it is not a JSON object.")
    return plain


def kept_settings(plain: Mapping[str, Any], known: Known) -> dict[str, Any]:
    """Only the settings that are kept."""
    return {name: value for name, value in plain.items() if name in known.kept}


def settings_text(plain: Mapping[str, object]) -> str:
    """Settings as JSON, in the one spelling that a packed file has."""
    return json.dumps(plain, separators=(",", ":"), sort_keys=True)


def check_settings(plain: Mapping[str, Any], known: Known, name: str) -> None:
    """Raise InputError unless every setting that decides what is computed has a value we know."""
    said = plain.get("model_type")
    if said not in known.model_types:
        raise other_family(name, said, [known.title], known.model_types)
    for setting, (low, high) in known.sizes.items():
        _check_number(plain, known, setting, low, high, name)
    for setting, (low, high) in known.numbers.items():
        _check_number(plain, known, setting, low, high, name)
    for setting, allowed in known.fixed.items():
        value = plain.get(setting)
        if not any(value == one and type(value) is type(one) for one in allowed):
            raise refused(name, setting, value, "; it can be used only without that setting")
    for setting, words in known.choices.items():
        if setting in plain and plain[setting] not in words:
            raise refused(name, setting, plain[setting], f"; known are {', '.join(words)}")


def other_family(
    name: str, said: object, titles: Sequence[str], model_types: Sequence[str]
) -> InputError:
    """The refusal of a model whose config `said` another model_type."""
    word = said if isinstance(said, str) and len(said) <= 40 else shown(said)
    what = f"is a {word} model" if said else "does not say its model_type"
    return InputError(
        f"{name} {what}, by its config. Ternary Lab works with the {' or '.join(titles)} "
        f"family (model_type {', '.join(model_types)}); the embedded ones are: "
        f"{', '.join(BACKBONES)}."
    )


def refused(name: str, setting: str, value: object, allowed: str) -> InputError:
    """The refusal of a setting's value; `allowed` goes on with what it may be."""
    return InputError(f"The config of {name} says that {setting} is {shown(value)}{allowed}.")


def _check_number(
    plain: Mapping[str, Any], known: Known, setting: str, low: float, high: float, name: str
) -> None:
    if setting not in plain or (plain[setting] is None and setting in known.may_be_none):
        return
    value, whole = plain[setting], setting in known.sizes
    right_type = type(value) is int or (not whole and type(value) is float)
    if not right_type or not math.isfinite(value) or not low <= value <= high:
        raise refused(name, setting, value, f"; it must lie between {low:,} and {high:,}")


def labels_of(plain: Mapping[str, Any], name: str = "the model") -> tuple[str, ...]:
    """The names of the outputs in their order, LABEL_0 ... where they are only counted."""
    count, named = plain.get("num_labels"), plain.get("id2label")
    if named is None:
        count = 2 if count is None else count
        if type(count) is not int or not 1 <= count <= MAX_LABELS:
            raise refused(name, "num_labels", count, f"; at most {MAX_LABELS:,} are possible")
        return tuple(f"LABEL_{number}" for number in range(count))
    if not isinstance(named, dict) or not 1 <= len(named) <= MAX_LABELS:
        raise refused(name, "id2label", named, f", which does not name 1 to {MAX_LABELS:,} labels")
    numbers = [str(number) for number in range(len(named))]
    if {str(number) for number in named} != set(numbers):
        raise refused(name, "id2label", named, ", whose numbers are not 0, 1, 2 and so on")
    labels = {str(number): label for number, label in named.items()}
    if not all(isinstance(label, str | int | float) for label in labels.values()):
        raise refused(name, "id2label", named, ", where a label is no text")
    return tuple(str(labels[number]) for number in numbers)
