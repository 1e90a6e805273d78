"""What a weight that is not quantized is: biases, LayerNorm, embeddings of position and type, head.

Names are those of the transformers library's BERT; whatever lies outside the backbone is the head.
"""

from core.models.anatomy import part_of

BACKBONE = "bert."
HEAD = "task head"
_KINDS = (
    ("LayerNorm.", "LayerNorm"),
    ("position_embeddings.", "position embedding"),
    ("token_type_embeddings.", "type embedding"),
)


def leftover_kind(name: str) -> str:
    """What people call this parameter of full precision."""
    if name.endswith(".step"):
        return "learned steps"
    if not name.startswith(BACKBONE):
        return HEAD
    for inside, kind in _KINDS:
        if inside in name:
            return kind
    if name.endswith(".bias"):
        return "biases"
    return "matrices left alone" if part_of(name.removesuffix(".weight")) else "other"
