"""The shapes of a BERT that nobody has loaded: sizes are worked out without a single weight."""


def shapes(layers: int, width: int, inner: int, heads: int) -> dict[str, tuple[int, ...]]:
    """The shape of every parameter of the encoder, by address; the rest is as BERT-base has it
    (30,522 word pieces, 512 positions). `inner` is the width inside the feed-forward part."""
    import torch
    from transformers import BertConfig, BertModel

    config = BertConfig(
        num_hidden_layers=layers,
        hidden_size=width,
        intermediate_size=inner,
        num_attention_heads=heads,
    )
    with torch.device("meta"):  # nothing is allocated
        model = BertModel(config)
    return {f"bert.{name}": tuple(p.shape) for name, p in model.named_parameters()}
