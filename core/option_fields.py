"""What a field of a recipe says of itself, beside its name, its type and its default.

Such a field is an option: on the command line, in an address and on the form. `option` keeps what
all three need with the field: a label, a sentence of help, the values that it may have, and, where
these do not decide it, the widget. `check` holds a record under construction to those values, so
that the form's bounds are the very ones that refuse. A new field is one line of this kind.
"""

import typing
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from core.serialization import LATER_FIELD, Among, Range

ABOUT = "about"  # the key in a field's metadata
Box = Literal[
    "", "What is quantized", "Distillation", "Training", "Data augmentation", "More"
]  # of the form; "": above all boxes
Widget = Literal[
    "name",  # one of a list that the engine has
    "segments",  # one of a few
    "several",  # some of a few
    "number",
    "slider",
    "marks",  # one of a few numbers along a line
    "switch",
    "text",
    "given",  # none: it follows from another choice
]


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """`check` is for the value, or for each item of a list; `what` begins the sentence of a
    refusal, where that is not the label. `step` is what one press of "+" adds, `empty` what stands
    in an empty box."""

    label: str
    help: str
    check: Range | Among | None = None
    what: str = ""
    box: Box = ""
    widget: Widget | None = None
    step: float | None = None
    marks: tuple[float, ...] = ()
    empty: str = ""

    @property
    def choices(self) -> tuple[Any, ...]:
        """What there is to choose from; empty where that is not a list."""
        return self.check.words if isinstance(self.check, Among) else ()

    @property
    def bounds(self) -> Range:
        """The bounds of a number."""
        assert isinstance(self.check, Range)
        return self.check


def option(
    default: Any,
    label: str,
    help: str,
    check: Range | Among | None = None,
    *,
    later: bool = False,
    **more: Any,
) -> Any:
    """A field of a recipe with this default; `later` if it was added after records were named."""
    about = About(label=label, help=help, check=check, **more)
    return field(default=default, metadata={ABOUT: about} | ({LATER_FIELD: True} if later else {}))


def check(record: Any) -> None:
    """Raise InputError where a field's value is none that it may have."""
    for each in fields(record):
        about: About | None = each.metadata.get(ABOUT)
        if about is None or about.check is None:
            continue
        value = getattr(record, each.name)
        items = typing.cast("tuple[Any, ...]", value if isinstance(value, tuple) else (value,))
        for item in items:
            about.check.check(about.what or about.label, item)


def widget_of(kind: Any, about: About) -> Widget:
    """What draws a field of this type."""
    if about.widget is not None:
        return about.widget
    if typing.get_origin(kind) is tuple:
        return "several" if isinstance(about.check, Among) and kind == tuple[str, ...] else "text"
    if kind is bool:
        return "switch"
    if isinstance(about.check, Among):
        return "segments"
    return "number" if isinstance(about.check, Range) else "text"
