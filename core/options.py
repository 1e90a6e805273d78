"""An experiment as flat, named options: one list for the command line, the URL and the form.

`Experiment` is nested; people type `--weight-bits 2` or `?weight_bits=2`, or turn a knob of the
form. Here every leaf gets its name, its type and what it says of itself (see `option_fields`), and
a mapping of texts becomes a checked `Experiment`.
"""

import functools
import typing
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

from core.errors import InputError, one_of, shown
from core.experiment import Experiment
from core.option_fields import ABOUT, About, Widget, widget_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One leaf of an experiment: `group` is "quant", "distill", "train" or "" for the top."""

    name: str
    group: str
    kind: Any
    default: Any
    about: About

    @property
    def help(self) -> str:
        """What it is, in a sentence."""
        return self.about.help

    @property
    def widget(self) -> Widget:
        """What draws it on the form."""
        return widget_of(self.kind, self.about)

    def value_of(self, experiment: Experiment) -> Any:
        """What it is in this experiment."""
        return getattr(getattr(experiment, self.group) if self.group else experiment, self.name)


def options() -> list[Option]:
    """All leaves of an experiment, in order."""
    return list(_all())


def find_option(name: str) -> Option:
    """The option of that name."""
    return next(option for option in _all() if option.name == name)


@functools.cache
def _all() -> tuple[Option, ...]:
    return tuple(_leaves(Experiment(), ""))


def _leaves(record: Any, group: str) -> typing.Iterator[Option]:
    hints = typing.get_type_hints(type(record))
    for field in fields(record):
        value = getattr(record, field.name)
        if is_dataclass(value):
            yield from _leaves(value, field.name)
        else:
            yield Option(
                name=field.name,
                group=group,
                kind=hints[field.name],
                default=value,
                about=field.metadata[ABOUT],
            )


def flatten(experiment: Experiment) -> dict[str, str]:
    """Option name to text, for every option."""
    return {option.name: as_text(option.value_of(experiment)) for option in _all()}


def changed(experiment: Experiment) -> dict[str, str]:
    """Only the options that differ from the default: what a URL needs to carry."""
    usual = flatten(Experiment())
    return {name: text for name, text in flatten(experiment).items() if text != usual[name]}


def build(texts: Mapping[str, Any], base: Experiment | None = None) -> Experiment:
    """The experiment of these options on top of `base` (default: the default experiment).

    Values may be texts or already typed. Raises InputError for an unknown name, a value of the
    wrong kind, or a value that a recipe refuses.
    """
    known = {option.name: option for option in options()}
    values: dict[str, dict[str, Any]] = {"": {}, "quant": {}, "distill": {}, "train": {}}
    for name, text in texts.items():
        one_of("Option", name, known)
        values[known[name].group][name] = _value(known[name], text)
    base = base or Experiment()
    return replace(
        base,
        quant=replace(base.quant, **values["quant"]),
        distill=replace(base.distill, **values["distill"]),
        train=replace(base.train, **values["train"]),
        **values[""],
    )


def as_text(value: Any) -> str:
    """A value as it is typed: lists with commas."""
    if isinstance(value, tuple):
        return ",".join(str(item) for item in value)
    return str(value)


def _value(option: Option, text: Any) -> Any:
    if not isinstance(text, str):
        return text
    try:
        if typing.get_origin(option.kind) is tuple:
            inner = typing.get_args(option.kind)[0]
            return tuple(inner(item.strip()) for item in text.split(",") if item.strip())
        if option.kind is bool:
            return {"true": True, "false": False}[text.lower()]
        return option.kind(text)
    except (KeyError, ValueError) as error:
        kinds = {int: "a whole number", float: "a number", bool: "true or false"}
        wanted = kinds.get(option.kind, "a comma separated list")
        raise InputError(f"{option.name} must be {wanted}, not {shown(text)}.") from error
