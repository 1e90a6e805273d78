"""Widgets in, frozen values out: the sidebar's forms.

Every widget is bound to the URL under its option name, so the same knob is the same on each page.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import streamlit as st

from core import api
from core.experiment import (
    ACTIVATION_BITS,
    ACTIVATIONS,
    GRANULARITIES,
    PARTS,
    Experiment,
    QuantRecipe,
    Teaching,
)
from core.options import build, options
from pages.ui import address, state, subjects
from pages.ui.glossary import TERMS

# The values of the widgets for the paper's recipe: the defaults, layers as the text that is typed.
PAPER = {o.name: o.default for o in options() if o.group == "quant"} | {"layers": ""}


def method(option: str = "method", usual: str = "twn") -> str:
    """Choose a quantization rule; `option` names it in the URL."""
    rules = api.rules()
    names = sorted(rules, key=lambda name: (name != "twn", name != "lat", name))
    chosen = st.selectbox(
        "Method",
        names,
        index=names.index(usual),
        help=TERMS["method"],
        **address.bound(option),
    )
    st.caption(rules[chosen].title)
    return chosen


def bits(label: str, option: str, allowed: tuple[int, ...], usual: int = 2) -> int:
    """Choose a bit-width; only those that the method has."""
    return address.segments(label, allowed, usual, option, TERMS["bits"])


def granularity(label: str, option: str, usual: str) -> str:
    """Choose layer or row."""
    return address.segments(label, GRANULARITIES, usual, option, TERMS["granularity"])


def quant() -> QuantRecipe:
    """The whole quantization recipe."""
    chosen = method()
    allowed = (*api.rules()[chosen].bits, 32)
    weight_bits = bits("Weight bits", "weight_bits", allowed)
    weight_granularity = granularity("Weight scale per", "weight_granularity", "layer")
    embedding_bits = bits("Embedding bits", "embedding_bits", allowed)
    embedding_granularity = granularity("Embedding scale per", "embedding_granularity", "row")
    activation_bits = address.segments(
        "Activation bits", ACTIVATION_BITS, 8, "activation_bits", TERMS["activation_bits"]
    )
    activation = address.segments(
        "Activation range", ACTIVATIONS, "minmax", "activation", TERMS["activation"]
    )
    return QuantRecipe(
        method=chosen,
        weight_bits=weight_bits,
        embedding_bits=embedding_bits,
        activation_bits=activation_bits,
        weight_granularity=weight_granularity,
        embedding_granularity=embedding_granularity,
        activation=activation,
    )


def _parts() -> dict[str, str]:
    """Which parts and layers are quantized, as options; and the way back to the paper's recipe."""
    with st.expander("What is quantized"):
        parts = st.multiselect("Parts", PARTS, default=PARTS, **address.bound("parts"))
        layers = st.text_input(
            "Encoder layers",
            help="Numbers from 0, with commas; empty for all.",
            **address.bound("layers"),
        )
    st.button(
        "Back to the paper's recipe",
        on_click=state.set_all,
        args=(PAPER,),
        help="TWN, two bits for weights and words, eight for activations, weights per layer, "
        "words per row, min-max, everything.",
    )
    return {"parts": ",".join(parts), "layers": layers or ""}


def order() -> Experiment | Teaching | None:
    """What is to be trained: a student, or its teacher first. None (and a sentence on the page)
    when the engine refuses it."""
    subject = subjects.choose()
    if subject.role == "teacher":
        return subjects.teaching(subject)
    if subject.card is None:
        st.warning("There is no teacher for this task and model yet: train a teacher first.")
        return None
    return experiment(subject)


def experiment(subject: subjects.Subject) -> Experiment | None:
    """The student's whole experiment; None (and a sentence) when the engine refuses it."""
    assert subject.card is not None
    recipe, family = quant(), subject.card.family
    chosen_parts = _parts()
    with st.expander("Distillation"):
        st.caption(TERMS["distillation"])
        losses = {name: _weight(name, label, usual) for name, label, usual in _LOSSES}
    with st.expander("Training", expanded=True):
        steps = subjects.steps("Steps", 300, "steps")
        rate = st.select_slider(
            "Learning rate",
            _RATES,
            value=api.default_experiment(subject.task).train.learning_rate,
            format_func="{:g}".format,
            **address.bound("learning_rate"),
        )
        seed = st.number_input("Seed", 0, 999, 0, help=TERMS["seed"], **address.bound("seed"))
    more_text = _augmentation(subject.task)
    return state.attempt(
        lambda: _built(
            {
                "task": subject.task,
                "model": subject.model,
                "family": family,
                "steps": steps,
                "learning_rate": rate,
                "seed": int(seed),
                **chosen_parts,
                **losses,
                **more_text,
            },
            replace(api.default_experiment(subject.task), quant=recipe),
        )
    )


def _built(values: Mapping[str, Any], base: Experiment) -> Experiment:
    """The experiment of these options. Raises InputError, also where it reads a folder that this
    session may not name."""
    made = build(values, base=base)
    state.check_local_paths(made)
    return made


def _augmentation(task: str) -> dict[str, Any]:
    """Data augmentation, as options; nothing where it is off or the task's answers forbid it."""
    if not api.tasks()[task].target.can_replace_words:
        return {}
    with st.expander("Data augmentation"):
        st.caption(TERMS["augment"])
        if not st.toggle("Train on changed copies too", **address.bound("augment")):
            return {}
        usual = api.default_experiment(task).train
        model = st.text_input(
            "Masked language model",
            placeholder="none: nearest words of the embedding",
            help="A folder with a BERT, or a hub id such as google-bert/bert-base-uncased.",
            **address.bound("augment_model"),
        )
        share = st.slider(
            "Words replaced", 0.1, 0.9, 0.4, 0.1, **address.bound("augment_probability")
        )
        count = st.slider("Candidates", 1, 30, 15, **address.bound("augment_candidates"))
        copies = st.slider(
            "Copies of each", 1, 40, usual.augment_copies, **address.bound("augment_copies")
        )
    return {
        "augment": True,
        "augment_model": model or "",
        "augment_probability": round(share, 1),
        "augment_candidates": count,
        "augment_copies": copies,
    }


_RATES = (2e-5, 5e-5, 1e-4, 2e-4, 3e-4, 5e-4, 1e-3, 2e-3)
_LOSSES = (
    ("hidden", "Hidden states", 1.0),
    ("attention", "Attention scores", 1.0),
    ("logits", "Teacher's logits", 1.0),
    ("labels", "True labels", 0.0),
)


def _weight(name: str, label: str, usual: float) -> float:
    return st.number_input(label, 0.0, 10.0, usual, 0.5, **address.bound(name))
