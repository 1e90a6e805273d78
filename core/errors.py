"""The one exception that is written for a person.

Everything that a person can get wrong (an unknown method, a broken file, no network) ends in an
`InputError` whose message is a sentence: what was wrong, and what to do. Pages and the command
line show that sentence; any other exception is a fault of ours and is reported as one.
"""

from collections.abc import Iterable


class InputError(ValueError):
    """What was asked for cannot be done; the message says why and what to do instead."""


class NotHere(InputError):
    """A model that is not on this computer yet was asked about; a training would fetch it."""


def one_of(what: str, value: object, allowed: Iterable[object]) -> None:
    """Raise InputError unless `value` is among `allowed`, naming the choices."""
    choices = list(allowed)
    if value not in choices:
        listed = ", ".join(str(choice) for choice in choices)
        raise InputError(f"{what} {shown(value)} is not known. Choose one of: {listed}.")


def within(what: str, value: float, low: float, high: float) -> None:
    """Raise InputError unless low <= value <= high (which NaN never is)."""
    if not low <= value <= high:
        raise InputError(f"{what} is {shown(value)}; it must lie between {low:g} and {high:g}.")


def shown(value: object) -> str:
    """The value as a message quotes it: at most 40 characters."""
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


def how_to_fetch(task: str) -> str:
    """What to do when the text of the task of that name is not on this computer."""
    return f"Fetch it on the Data page, or with: python -m core prefetch {task}"
