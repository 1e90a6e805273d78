"""A widget for every option: what the option says of itself decides which one.

Each is kept in the address under the option's name, shows the option's label and help, and takes
the values that the option may have (see `core.option_fields`). So a new field of a recipe is on the
form without a line here. What it gives is what `core.options.build` takes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from core.options import Option, as_text
from pages.ui import url_state


@dataclass(frozen=True, slots=True, kw_only=True)
class _Knob:
    """A widget to draw: `usual` is what it shows where nobody has chosen, `name` its key."""

    option: Option
    usual: Any
    choices: Sequence[Any]
    label: str
    name: str

    @property
    def always(self) -> dict[str, Any]:
        """The arguments that all widgets have."""
        is_number = isinstance(self.usual, int | float) and not isinstance(self.usual, bool)
        bound = url_state.bound_number if is_number else url_state.bound
        return {"help": self.option.help, **bound(self.name)}

    def of_kind(self, value: float) -> Any:
        """A bound or a step, whole where the option is."""
        return type(self.usual)(value)


def draw(
    option: Option, usual: Any, choices: Sequence[Any] = (), *, label: str = "", name: str = ""
) -> Any:
    """The option's widget; its value. `choices` are what it may be here, where that is less than
    what the option says, or where only the engine knows."""
    choices = choices or option.about.choices
    if option.widget == "segments" and usual not in choices:  # a method of one bit has no two
        usual = choices[0]
    knob = _Knob(
        option=option,
        usual=usual,
        choices=choices,
        label=label or option.about.label,
        name=name or option.name,
    )
    url_state.follow(knob.name, usual)
    return _DRAWN[option.widget](knob)


def _name(knob: _Knob) -> str:
    """One of a list, or typed."""
    choices = list(knob.choices)
    chosen = st.selectbox(
        knob.label,
        choices,
        index=choices.index(knob.usual) if knob.usual in choices else None,
        accept_new_options=True,
        placeholder=knob.option.about.empty or None,
        **knob.always,
    )
    return chosen or ""


def _segments(knob: _Knob) -> Any:
    return url_state.segments(knob.label, knob.choices, knob.usual, knob.name, knob.option.help)


def _several(knob: _Knob) -> str:
    chosen = st.multiselect(knob.label, knob.choices, default=list(knob.usual), **knob.always)
    return as_text(tuple(chosen))


def _number(knob: _Knob) -> int | float:
    bounds, step = knob.option.about.bounds, knob.option.about.step or 1
    return st.number_input(
        knob.label,
        min_value=knob.of_kind(bounds.low),
        max_value=knob.of_kind(bounds.high),
        value=knob.usual,
        step=knob.of_kind(step),
        format="%d" if isinstance(knob.usual, int) else "%g",
        **knob.always,
    )


def _slider(knob: _Knob) -> int | float:
    bounds, step = knob.option.about.bounds, knob.option.about.step or 1
    found = st.slider(
        knob.label,
        min_value=knob.of_kind(bounds.low),
        max_value=knob.of_kind(bounds.high),
        value=knob.usual,
        step=knob.of_kind(step),
        **knob.always,
    )
    return round(found, 6)  # tenths that were counted up are not quite tenths


def _marks(knob: _Knob) -> float:
    return st.select_slider(
        knob.label,
        sorted({*knob.option.about.marks, knob.usual}),
        value=knob.usual,
        format_func="{:g}".format,
        **knob.always,
    )


def _switch(knob: _Knob) -> bool:
    return st.toggle(knob.label, knob.usual, **knob.always)


def _text(knob: _Knob) -> str:
    """A list is typed with commas."""
    empty = knob.option.about.empty or None
    return st.text_input(knob.label, as_text(knob.usual), placeholder=empty, **knob.always) or ""


_DRAWN: dict[str, Callable[[_Knob], Any]] = {
    "name": _name,
    "segments": _segments,
    "several": _several,
    "number": _number,
    "slider": _slider,
    "marks": _marks,
    "switch": _switch,
    "text": _text,
}
