"""The settings of a BERT that decide what it computes, and the values of them that we know.

A config is JSON that somebody else wrote. It is checked here, before any library sees it, when a
model is loaded, when a packed file is read or written, and by every export: a setting that one of
them would compute in another way is refused, never passed over. Settings that decide nothing
(a name, a version, a cache) stay out.

    SIZES     whole numbers and their ranges: what takes time and memory
    NUMBERS   other numbers and their ranges
    FIXED     settings that may say one thing only
    KEPT      what a config of ours holds; nothing else reaches the library
"""

import json
import math
from collections.abc import Mapping
from typing import Any

from transformers import BertConfig

from core.errors import InputError, shown
from core.models.backbones import BACKBONES

FAMILIES = ("bert",)
MAX_CONFIG_BYTES = 4 << 20
MAX_LABELS = 10_000
SIZES = {
    "vocab_size": (1, 2_000_000),
    "hidden_size": (1, 8192),
    "num_hidden_layers": (1, 100),
    "num_attention_heads": (1, 256),
    "intermediate_size": (1, 65_536),
    "max_position_embeddings": (1, 65_536),
    "type_vocab_size": (1, 1000),
}
NUMBERS = {
    "hidden_dropout_prob": (0.0, 0.99),
    "attention_probs_dropout_prob": (0.0, 0.99),
    "classifier_dropout": (0.0, 0.99),
    "initializer_range": (0.0, 10.0),
    "layer_norm_eps": (1e-30, 1.0),
}
# Every name is a function that torch, the ONNX graph and the exported predict.py compute alike.
GELU, TANH_GELU, RELU, SILU, TANH = "gelu", "tanh gelu", "relu", "silu", "tanh"
ACTIVATIONS = {
    "gelu": GELU,
    "gelu_python": GELU,
    "gelu_new": TANH_GELU,
    "gelu_fast": TANH_GELU,
    "gelu_pytorch_tanh": TANH_GELU,
    "relu": RELU,
    "silu": SILU,
    "swish": SILU,
    "tanh": TANH,
}
FIXED: dict[str, tuple[object, ...]] = {
    "is_decoder": (False, None),
    "is_encoder_decoder": (False, None),
    "add_cross_attention": (False, None),
    "position_embedding_type": ("absolute", None),
    "pruned_heads": ({}, None),
    "auto_map": (None,),
    "quantization_config": (None,),
    "dtype": ("float32", "float16", "bfloat16", None),
    "problem_type": (
        *("single_label_classification", "multi_label_classification", "regression", None),
    ),
}
KEPT = (
    *("architectures", "model_type", "dtype", "problem_type"),
    *("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads"),
    *("intermediate_size", "hidden_act", "max_position_embeddings", "type_vocab_size"),
    *("hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout"),
    *("initializer_range", "layer_norm_eps", "pad_token_id", "id2label", "label2id"),
)
MAY_BE_NONE = ("classifier_dropout",)


def settings_from_text(text: str, name: str = "the model") -> dict[str, Any]:
    """The settings of a config's JSON text, checked. Raises InputError; `name` is the model's."""
    try:
        plain = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"The config of {name} cannot be read: it is not JSON.") from error
    if not isinstance(plain, dict):
        raise InputError(f"The config of {name} cannot be read: it is not a JSON object.")
    check_settings(plain, name)
    return plain


def config_of(plain: Mapping[str, Any], name: str = "the model") -> BertConfig:
    """The config of checked settings, of which only those of KEPT are taken."""
    try:
        return BertConfig.from_dict(known_settings(plain))
    except Exception as error:  # the library's own validation raises many kinds
        reason = (str(error).strip() or type(error).__name__).splitlines()[-1].strip()
        raise InputError(f"The config of {name} cannot be read: {shown(reason)}") from error


def check_config(config: BertConfig, name: str = "the model") -> None:
    """`check_settings` of a config that was made in some other way."""
    check_settings(json.loads(config.to_json_string(use_diff=False)), name)


def known_settings(plain: Mapping[str, Any]) -> dict[str, Any]:
    """Only the settings of KEPT."""
    return {name: value for name, value in plain.items() if name in KEPT}


def check_settings(plain: Mapping[str, Any], name: str = "the model") -> None:
    """Raise InputError unless every setting that decides what is computed has a value we know."""
    family = plain.get("model_type")
    if family not in FAMILIES:
        raise InputError(_other_family(name, family))
    for setting, (low, high) in SIZES.items():
        _check_number(plain, setting, low, high, name, whole=True)
    for setting, (low, high) in NUMBERS.items():
        _check_number(plain, setting, low, high, name, whole=False)
    for setting, allowed in FIXED.items():
        value = plain.get(setting)
        if not any(value == one and type(value) is type(one) for one in allowed):
            raise _refused(name, setting, value, "; it can be used only without that setting")
    activation = plain.get("hidden_act", "gelu")
    if not isinstance(activation, str) or activation not in ACTIVATIONS:
        raise _refused(name, "hidden_act", activation, f"; known are {', '.join(ACTIVATIONS)}")
    _check_heads_and_padding(plain, name)
    labels_of(plain, name)


def _other_family(name: str, family: object) -> str:
    said = family if isinstance(family, str) and len(family) <= 40 else shown(family)
    what = f"is a {said} model" if family else "does not say its model_type"
    return (
        f"{name} {what}, by its config. Ternary Lab works with the BERT "
        f"family (model_type {', '.join(FAMILIES)}); the embedded ones are: {', '.join(BACKBONES)}."
    )


def _refused(name: str, setting: str, value: object, allowed: str) -> InputError:
    return InputError(f"The config of {name} says that {setting} is {shown(value)}{allowed}.")


def _check_number(
    plain: Mapping[str, Any], setting: str, low: float, high: float, name: str, whole: bool
) -> None:
    if setting not in plain or (plain[setting] is None and setting in MAY_BE_NONE):
        return
    value = plain[setting]
    right_type = type(value) is int or (not whole and type(value) is float)
    if not right_type or not math.isfinite(value) or not low <= value <= high:
        raise _refused(name, setting, value, f"; it must lie between {low:,} and {high:,}")


def _check_heads_and_padding(plain: Mapping[str, Any], name: str) -> None:
    width = plain.get("hidden_size", BertConfig.hidden_size)
    heads = plain.get("num_attention_heads", BertConfig.num_attention_heads)
    if width % heads:
        raise _refused(name, "num_attention_heads", heads, f", which does not divide {width}")
    padding = plain.get("pad_token_id", 0)
    words = plain.get("vocab_size", BertConfig.vocab_size)
    if padding is not None and not (type(padding) is int and 0 <= padding < words):
        raise _refused(name, "pad_token_id", padding, f"; the model has {words:,} words")
    architectures = plain.get("architectures")
    texts = architectures if isinstance(architectures, list) else [architectures or ""]
    if not all(isinstance(text, str) for text in texts):
        raise _refused(name, "architectures", architectures, ", which is no list of names")


def labels_of(plain: Mapping[str, Any], name: str = "the model") -> tuple[str, ...]:
    """The names of the outputs in their order, LABEL_0 ... where they are only counted."""
    count, named = plain.get("num_labels"), plain.get("id2label")
    if named is None:
        count = 2 if count is None else count
        if type(count) is not int or not 1 <= count <= MAX_LABELS:
            raise _refused(name, "num_labels", count, f"; at most {MAX_LABELS:,} are possible")
        return tuple(f"LABEL_{number}" for number in range(count))
    if not isinstance(named, dict) or not 1 <= len(named) <= MAX_LABELS:
        raise _refused(name, "id2label", named, f", which does not name 1 to {MAX_LABELS:,} labels")
    numbers = [str(number) for number in range(len(named))]
    if {str(number) for number in named} != set(numbers):
        raise _refused(name, "id2label", named, ", whose numbers are not 0, 1, 2 and so on")
    labels = {str(number): label for number, label in named.items()}
    if not all(isinstance(label, str | int | float) for label in labels.values()):
        raise _refused(name, "id2label", named, ", where a label is no text")
    return tuple(str(labels[number]) for number in numbers)
