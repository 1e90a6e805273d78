"""Where in a BERT a factor can move from activations into weights without changing an answer.

    value -> attention output      what attention hands on is a mean of values, channel by channel
    last LayerNorm -> pooler       nothing else reads the last hidden state
    feed-forward in -> out         only with ReLU, which commutes with positive factors

The other LayerNorms are also added to what their layer computes (BERT normalizes after the sum), so
their scale cannot move: SmoothQuant's pairs are those of a network that normalizes before.
"""

from typing import Any

from core.families.bert.config import ACTIVATIONS, RELU
from core.families.bert.layout import depth
from core.family import Smoothing

LAYER, POOLER = "bert.encoder.layer", "bert.pooler.dense.weight"


def smoothings(model: Any) -> tuple[Smoothing, ...]:
    """Every such place of this model, in the order of the network."""
    found: list[Smoothing] = []
    layers = depth(model.config)
    for layer in (f"{LAYER}.{number}" for number in range(layers)):
        found.append(_between(f"{layer}.attention.self.value", f"{layer}.attention.output.dense"))
        if ACTIVATIONS[model.config.hidden_act] == RELU:
            found.append(_between(f"{layer}.intermediate.dense", f"{layer}.output.dense"))
    if any(name == POOLER for name, _ in model.named_parameters()):
        last = f"{LAYER}.{layers - 1}.output.LayerNorm"
        found.append(_between(last, POOLER.removesuffix(".weight")))
    return tuple(found)


def _between(source: str, reader: str) -> Smoothing:
    return Smoothing(sources=(f"{source}.weight", f"{source}.bias"), readers=(f"{reader}.weight",))
