"""The settings of a BERT that decide what it computes, and the values of them that we know."""

import json
from collections.abc import Mapping
from typing import Any

from transformers import BertConfig

from core.errors import InputError, shown
from core.models.model_settings import (
    Known,
    check_settings,
    kept_settings,
    labels_of,
    plain_settings,
    refused,
    settings_text,
)
from core.serialization import list_in

TITLE, MODEL_TYPES = "BERT", ("bert",)
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
MANY_LABELS = "multi_label_classification"
KNOWN = Known(
    title=TITLE,
    model_types=MODEL_TYPES,
    sizes={
        "vocab_size": (1, 2_000_000),
        "hidden_size": (1, 8192),
        "num_hidden_layers": (1, 100),
        "num_attention_heads": (1, 256),
        "intermediate_size": (1, 65_536),
        "max_position_embeddings": (1, 65_536),
        "type_vocab_size": (1, 1000),
    },
    numbers={
        "hidden_dropout_prob": (0.0, 0.99),
        "attention_probs_dropout_prob": (0.0, 0.99),
        "classifier_dropout": (0.0, 0.99),
        "initializer_range": (0.0, 10.0),
        "layer_norm_eps": (1e-30, 1.0),
    },
    may_be_none=("classifier_dropout",),
    choices={"hidden_act": tuple(ACTIVATIONS)},
    fixed={
        "is_decoder": (False, None),
        "is_encoder_decoder": (False, None),
        "add_cross_attention": (False, None),
        "position_embedding_type": ("absolute", None),
        "pruned_heads": ({}, None),
        "auto_map": (None,),
        "quantization_config": (None,),
        "dtype": ("float32", "float16", "bfloat16", None),
        "problem_type": ("single_label_classification", MANY_LABELS, "regression", None),
    },
    kept=(
        *("architectures", "model_type", "dtype", "problem_type"),
        *("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads"),
        *("intermediate_size", "hidden_act", "max_position_embeddings", "type_vocab_size"),
        *("hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout"),
        *("initializer_range", "layer_norm_eps", "pad_token_id", "id2label", "label2id"),
    ),
)


def settings_from_text(text: str, name: str = "the model") -> dict[str, Any]:
    """The settings of a config's JSON text, checked. Raises InputError; `name` is the model's."""
    plain = plain_settings(text, name)
    _check(plain, name)
    return plain


def config_of(plain: Mapping[str, Any], name: str = "the model") -> BertConfig:
    """The config of checked settings, of which only those that are kept are taken."""
    try:
        kept = kept_settings(plain, KNOWN)
        return BertConfig.from_dict(kept)  # pyright: ignore[reportUnknownMemberType]
    except Exception as error:  # the library's own validation raises many kinds
        reason = (str(error).strip() or type(error).__name__).splitlines()[-1].strip()
        raise InputError(f"The config of {name} cannot be read: {shown(reason)}") from error


def read_config(text: str, name: str = "the model") -> BertConfig:
    """The config of this JSON text; settings that decide nothing are passed over. Raises
    InputError when it is not one that we compute."""
    return config_of(settings_from_text(text, name), name)


def check_config(config: BertConfig) -> None:
    """Raise InputError for a config that was made in some other way and that we do not compute."""
    _check(json.loads(config.to_json_string(use_diff=False)), "the model")


def config_text(config: BertConfig) -> str:
    """The settings that are kept, as JSON. Raises InputError when the network has one that decides
    what it computes and that no reader of the file would know."""
    check_config(config)
    return settings_text(kept_settings(config.to_diff_dict(), KNOWN))


def config_text_as(config: BertConfig, text: str) -> str:
    """`config_text` with the settings that `text` names, from which the config was read: which of
    them have a default, and so go without saying, differs between versions of the library."""
    settings = config.to_dict()
    named = kept_settings(json.loads(text), KNOWN)
    return settings_text({name: settings[name] for name in named})


def outputs_of(config: BertConfig) -> tuple[str, ...]:
    """What the outputs are called, in the order of the logits."""
    return tuple(str(label) for _, label in sorted((config.id2label or {}).items()))


def _check(plain: Mapping[str, Any], name: str) -> None:
    check_settings(plain, KNOWN, name)
    width = plain.get("hidden_size", BertConfig.hidden_size)
    heads = plain.get("num_attention_heads", BertConfig.num_attention_heads)
    if width % heads:
        raise refused(name, "num_attention_heads", heads, f", which does not divide {width}")
    padding = plain.get("pad_token_id", 0)
    words = plain.get("vocab_size", BertConfig.vocab_size)
    if padding is not None and not (type(padding) is int and 0 <= padding < words):
        raise refused(name, "pad_token_id", padding, f"; the model has {words:,} words")
    architectures = plain.get("architectures")
    texts = list_in(architectures)
    if texts is None:
        texts = [architectures or ""]
    if not all(isinstance(text, str) for text in texts):
        raise refused(name, "architectures", architectures, ", which is no list of names")
    labels_of(plain, name)
