"""The shapes of BERTs that nobody has loaded: sizes are worked out without a single weight."""

from collections.abc import Mapping

from core.errors import one_of

# Layers, width, width of the feed-forward part, attention heads. BERT-base is Devlin et al. 2019;
# the others are our backbones; all have 30,522 word pieces and 512 positions.
ARCHITECTURES = {
    "bert-base": (12, 768, 3072, 12),
    "minilm-l6": (6, 384, 1536, 12),
    "minilm-l3": (3, 384, 1536, 12),
}


def shapes(architecture: str) -> Mapping[str, tuple[int, ...]]:
    """The shape of every parameter of the encoder, by address. Raises InputError for an
    architecture that is not known."""
    import torch
    from transformers import BertConfig, BertModel

    one_of("Architecture", architecture, ARCHITECTURES)
    layers, width, inner, heads = ARCHITECTURES[architecture]
    config = BertConfig(
        num_hidden_layers=layers,
        hidden_size=width,
        intermediate_size=inner,
        num_attention_heads=heads,
    )
    with torch.device("meta"):  # nothing is allocated
        model = BertModel(config)
    return {f"bert.{name}": tuple(p.shape) for name, p in model.named_parameters()}
