"""Widgets in, frozen values out: the sidebar's forms.

The form of an experiment is the list of options (`core.options`): each is drawn as it says of
itself, in the box that it names. Only task, model and method have a place of their own, because
what they may be is known to the engine alone.
"""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from core import api
from core.experiment import Experiment, Job
from core.options import Option, as_text, build, find_option, options
from pages.ui import state, url_state
from pages.ui.formatting import plain
from pages.ui.glossary import TERMS
from pages.ui.train import option_widgets, task_and_model

# The values of the widgets for the paper's recipe: the defaults, numbers of layers and bits of
# stages as the text that is typed.
PAPER = {
    option.name: as_text(option.default) if option.widget == "text" else option.default
    for option in options()
    if option.group == "quant"
}


def papers(usual: Experiment) -> dict[str, Any]:
    """Back to the usual recipe: all of quantization, and whatever a preset may have set."""
    set_by_presets = {name for preset in api.PRESETS.values() for name in preset.options}
    others = {
        option.name: option.value_of(usual)
        for option in options()
        if option.name in set_by_presets - PAPER.keys()
    }
    return PAPER | others


def of_preset(preset: api.Preset) -> dict[str, Any]:
    """The values of the widgets for a paper's recipe; what it does not name stays as it is."""
    made = build(preset.options)
    values = {option.name: option.value_of(made) for option in options()}
    return {name: values[name] for name in preset.options}


# Of task and model, and what is drawn with the method.
ELSEWHERE = ("task", "model")
AUGMENT = "Data augmentation"


def method(option: str = "method", usual: str = "twn") -> str:
    """Choose a quantization rule; `option` names it in the URL."""
    rules = api.rules()
    names = sorted(rules, key=lambda name: (name != "twn", name != "lat", name))
    about = find_option("method").about
    chosen = st.selectbox(
        about.label,
        names,
        index=names.index(usual),
        help=about.help,
        **url_state.bound(option),
    )
    st.caption(rules[chosen].title)
    return chosen


def bits(label: str, option: str, allowed: tuple[int, ...], usual: int = 2) -> int:
    """Choose a bit-width; only those that the method has. `option` names it in the URL."""
    what = find_option("weight_bits")
    return option_widgets.draw(what, usual, allowed, label=label, name=option)


def granularity(label: str, option: str, usual: str) -> str:
    """Choose layer or row; `option` names it in the URL."""
    return option_widgets.draw(find_option("weight_granularity"), usual, label=label, name=option)


def job() -> Job | None:
    """What is to be trained: a student, or its teacher first. None (and a sentence on the page)
    when the engine refuses it."""
    subject = task_and_model.choose()
    if subject.role == "teacher":
        return task_and_model.teaching(subject)
    if subject.card is None:
        st.warning("There is no teacher for this task and model yet: train a teacher first.")
        return None
    return experiment(subject)


def experiment(subject: task_and_model.Subject) -> Experiment | None:
    """The student's whole experiment; None (and a sentence) when the engine refuses it."""
    usual = api.default_experiment(subject.task)
    assert subject.card is not None
    values = {"model": subject.model, "family": subject.card.family} | _recipe(usual)
    with st.expander("What is quantized"):
        values |= _box("What is quantized", usual)
    st.button(
        "Back to the paper's recipe",
        on_click=state.set_all,
        args=(papers(usual),),
        help="TWN, two bits for weights and words, eight for activations, weights per layer, "
        "words per row, min-max, everything.",
    )
    for preset in api.PRESETS.values():
        about = plain(preset.about)
        chosen = (of_preset(preset),)
        st.button(plain(preset.title), on_click=state.set_all, args=chosen, help=about)
    with st.expander("Distillation"):
        st.caption(TERMS["distillation"])
        values |= _box("Distillation", usual)
    with st.expander("Training", expanded=True):
        values |= _box("Training", usual)
    values |= _augmentation(usual)
    with st.expander("More"):
        values |= _box("More", usual)
    return state.attempt(lambda: _built(values, usual))


def _recipe(usual: Experiment) -> dict[str, Any]:
    """What stands above all boxes: the method, and bits that it has."""
    chosen = method()
    values: dict[str, Any] = {"method": chosen}
    allowed = (*api.rules()[chosen].bits, 32)
    for option in _in_box(""):
        if option.name not in ("method", *ELSEWHERE):
            narrower = allowed if option.name in ("weight_bits", "embedding_bits") else ()
            values[option.name] = option_widgets.draw(option, option.value_of(usual), narrower)
    return values


def _in_box(box: str) -> list[Option]:
    return [one for one in options() if one.about.box == box and one.widget != "given"]


def _box(box: str, usual: Experiment) -> dict[str, Any]:
    """The values of a box's options, in the order of the list."""
    return {option.name: _drawn(option, usual) for option in _in_box(box)}


def _drawn(option: Option, usual: Experiment) -> Any:
    choices = api.embedded_models() if option.name == "student_model" else ()
    return option_widgets.draw(option, option.value_of(usual), choices)


def _augmentation(usual: Experiment) -> dict[str, Any]:
    """Data augmentation, as options; nothing where it is off or the task's answers forbid it."""
    if not api.tasks()[usual.task].target.can_replace_words:
        return {}
    switch, *others = _in_box(AUGMENT)
    with st.expander(AUGMENT):
        st.caption(switch.help)
        if not _drawn(switch, usual):
            return {}
        return {switch.name: True} | {each.name: _drawn(each, usual) for each in others}


def _built(values: Mapping[str, Any], base: Experiment) -> Experiment:
    """The experiment of these options. Raises InputError, also where it reads a folder that this
    session may not name."""
    made = build(values, base=base)
    state.check_local_paths(made)
    return made
