"""What a BERT looks like inside: which module is attention, which matrix belongs to which part.

The only file that knows the names of BERT's modules. Another architecture brings another file.
"""

import re

from torch import nn
from transformers import PreTrainedModel
from transformers.models.bert.modeling_bert import BertSelfAttention

WORD_EMBEDDING = "bert.embeddings.word_embeddings.weight"
_LAYER = re.compile(r"encoder\.layer\.(\d+)\.(.+)$")


def keep_layers(model: PreTrainedModel, layers: tuple[int, ...]) -> None:
    """Keep only these encoder layers, renumbered from zero."""
    encoder = model.get_submodule("bert.encoder")
    kept = [encoder.get_submodule(f"layer.{index}") for index in layers]
    encoder.layer = nn.ModuleList(kept)
    model.config.num_hidden_layers = len(layers)


def leave_attention_whole(model: nn.Module) -> None:
    """Turn dropout of attention probabilities off."""
    for module in model.modules():
        if isinstance(module, BertSelfAttention):
            module.dropout.p = 0.0


def part_of(name: str) -> str | None:
    """The part of PARTS that a module's weight belongs to; None for what stays full precision."""
    if name.endswith("embeddings.word_embeddings"):
        return "embedding"
    if name.endswith("pooler.dense"):
        return "pooler"
    inside = _LAYER.search(name)
    if inside is None:
        return None
    if re.fullmatch(r"attention\.(self\.(query|key|value)|output\.dense)", inside[2]):
        return "attention"
    return "feed-forward" if inside[2] in ("intermediate.dense", "output.dense") else None


_TITLES = {
    "attention.self.query": "query",
    "attention.self.key": "key",
    "attention.self.value": "value",
    "attention.output.dense": "attention output",
    "intermediate.dense": "feed-forward in",
    "output.dense": "feed-forward out",
}


def title_of(name: str) -> str:
    """What people call a matrix: "layer 2, query"; layers count from 0, as in the recipe."""
    inside = _LAYER.search(name)
    if inside:
        return f"layer {inside[1]}, {_TITLES.get(inside[2], inside[2])}"
    return {"embedding": "word embedding", "pooler": "pooler"}.get(part_of(name) or "", name)


def layer_of(name: str) -> int | None:
    """The encoder layer's number, from 0, or None outside the encoder's layers."""
    inside = _LAYER.search(name)
    return int(inside[1]) if inside else None


def is_attention(module: nn.Module) -> bool:
    """Whether the module computes attention (and calls `attention_with_scores`)."""
    return isinstance(module, BertSelfAttention)
