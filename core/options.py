"""An experiment as flat, named options: one list for the command line, the URL and the form.

`Experiment` is nested; people type `--weight-bits 2` or `?weight_bits=2`. Here every leaf gets its
name, its type and one line of help, and a mapping of texts becomes a checked `Experiment`.
"""

import functools
import typing
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

from core.errors import InputError, one_of, shown
from core.experiment import Experiment

HELP = {
    "task": "what is learned; `python -m core tasks` lists them",
    "model": "backbone of teacher and student: an embedded name, a folder or a hub id",
    "method": "quantization rule for weights, e.g. twn or lat",
    "weight_bits": "bits of the encoder's weights: 2, 3, 4, 8, or 32 to leave them alone",
    "embedding_bits": "bits of the word embedding: 2, 3, 4, 8 or 32",
    "activation_bits": "bits of the activations: 8, 4, or 32 for none",
    "weight_granularity": "one scale per matrix (layer) or per row (row)",
    "embedding_granularity": "one scale for the embedding (layer) or per word (row)",
    "activation": "range of an activation: minmax (with zero point), symmetric, or lsq (learned)",
    "stages": "weight bits that training passes through first, comma separated, e.g. 8,4",
    "parts": "what is quantized, comma separated: embedding,attention,feed-forward,pooler",
    "layers": "numbers of the encoder layers that are quantized, comma separated; empty for all",
    "hidden": "weight of the hidden-state loss",
    "attention": "weight of the attention-score loss",
    "logits": "weight of the loss on the teacher's logits",
    "labels": "weight of the loss on the true labels",
    "attention_maps": "weight of the loss on attention probabilities (KL divergence)",
    "attention_outputs": "weight of the loss on what attention hands on",
    "margins": "weight of the loss on the teacher's margins between candidates (rankings only)",
    "language_steps": "first steps in which the student learns from the language model before it "
    "was fine-tuned",
    "student_model": "backbone that the student starts from, with fewer layers perhaps; without it "
    "a copy of the teacher",
    "family": "architecture of teacher and student, that of the teacher, e.g. bert",
    "temperature": "softens both logits before they are compared",
    "steps": "optimizer steps",
    "batch_size": "examples per step",
    "learning_rate": "peak learning rate of AdamW",
    "step_learning_rate": "peak learning rate of learned quantization steps (lsq)",
    "warmup": "share of the steps in which the learning rate rises",
    "weight_decay": "AdamW's decay of weights",
    "evaluate_every": "steps between scores on dev",
    "max_tokens": "longer texts are cut",
    "precision": "fp32 or bf16; without it the one that is faster on this machine",
    "augment": "train on changed copies of the examples too: true or false",
    "augment_model": "masked language model that proposes words: a folder or a hub id; without "
    "it the nearest words of the embedding",
    "augment_probability": "share of the words that a copy replaces",
    "augment_candidates": "words to choose from",
    "augment_copies": "copies of each example",
    "schedule": "learning rate after warm-up: linear (to zero), cosine or constant",
    "clip": "largest norm of all gradients together; 0 for no limit",
    "dropout": "dropout of the student; the paper's students have none",
    "averaging": "average the latent weights over this last share of the steps; 0 for none",
    "examples": "learn from no more than this many training examples; 0 for all",
    "seed": "seed of the order of the batches",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One leaf of an experiment: `group` is "quant", "distill", "train" or "" for the top."""

    name: str
    group: str
    kind: Any
    default: Any
    help: str


def options() -> list[Option]:
    """All leaves of an experiment, in order."""
    return list(_all())


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
            kind = hints[field.name]
            yield Option(
                name=field.name, group=group, kind=kind, default=value, help=HELP[field.name]
            )


def flatten(experiment: Experiment) -> dict[str, str]:
    """Option name to text, for every option."""
    texts = {}
    for option in _all():
        owner = getattr(experiment, option.group) if option.group else experiment
        texts[option.name] = _text(getattr(owner, option.name))
    return texts


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


def _text(value: Any) -> str:
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
