"""What a BERT looks like inside: its matrices, and what its other parameters are.

Names are those of the transformers library's BERT. Quantized can be the word embedding, query, key,
value and output of attention, both feed-forward matrices and the pooler (PAPER 1); everything else
stays full precision.
"""

import re
from typing import Any

from torch import nn

from core.family import HEAD, Matrix

TABLE = "bert.embeddings.word_embeddings.weight"
BACKBONE = "bert."
_LAYER = re.compile(r"encoder\.layer\.(\d+)\.(.+)$")
_IN_LAYER = {  # module inside a layer -> (part, title)
    "attention.self.query": ("attention", "query"),
    "attention.self.key": ("attention", "key"),
    "attention.self.value": ("attention", "value"),
    "attention.output.dense": ("attention", "attention output"),
    "intermediate.dense": ("feed-forward", "feed-forward in"),
    "output.dense": ("feed-forward", "feed-forward out"),
}
_KINDS = (
    ("LayerNorm.", "LayerNorm"),
    ("position_embeddings.", "position embedding"),
    ("token_type_embeddings.", "type embedding"),
)


def matrix_of(address: str) -> Matrix | None:
    """The matrix of this address; None for a parameter that is never quantized."""
    name = address.removesuffix(".weight")
    if name == address:
        return None
    if name.endswith("embeddings.word_embeddings"):
        return Matrix(address=address, title="word embedding", part="embedding", is_table=True)
    if name.endswith("pooler.dense"):
        return Matrix(address=address, title="pooler", part="pooler")
    inside = _LAYER.search(name)
    if inside is None or inside[2] not in _IN_LAYER:
        return None
    part, title = _IN_LAYER[inside[2]]
    layer = int(inside[1])
    return Matrix(address=address, title=f"layer {layer}, {title}", part=part, layer=layer)


def matrices(model: nn.Module) -> tuple[Matrix, ...]:
    """Every matrix of the model, in the order of the network."""
    found = (matrix_of(address) for address, _ in model.named_parameters(remove_duplicate=False))
    return tuple(matrix for matrix in found if matrix is not None)


def kind_of(address: str) -> str:
    """What people call a parameter that is not quantized; HEAD for the task's head."""
    if address.endswith(".step"):
        return "learned steps"
    if address.endswith(".range"):
        return "static ranges"
    if not address.startswith(BACKBONE):
        return HEAD
    for inside, kind in _KINDS:
        if inside in address:
            return kind
    if address.endswith(".bias"):
        return "biases"
    return "matrices left alone" if matrix_of(address) else "other"


def depth(config: Any) -> int:
    """How many encoder layers a model of this config has."""
    return config.num_hidden_layers


def keep_layers(model: Any, layers: tuple[int, ...]) -> None:
    """Keep only these encoder layers, renumbered from zero."""
    encoder = model.get_submodule("bert.encoder")
    encoder.layer = nn.ModuleList([encoder.get_submodule(f"layer.{index}") for index in layers])
    model.config.num_hidden_layers = len(layers)
