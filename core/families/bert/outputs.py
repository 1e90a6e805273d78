"""What BERT answers, and what of its inside teacher and student are compared by (PAPER 3).

hidden             the L+1 hidden states, (batch, tokens, hidden)
attention          the scores Q K^T / sqrt(d) of the L layers before the softmax,
                   (batch, heads, tokens, tokens)
attention_maps     the same scores, compared as probabilities after the softmax
attention_outputs  what the attention of each layer hands on, (batch, tokens, hidden)
"""

from collections.abc import Callable, Mapping, Set
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from core.families.bert.encoding import MASK
from core.families.bert.self_attention import recorded_attention
from core.family import Batch, Distance, Outputs, Trace
from core.models.distances import divergence, squared

DISTANCES: Mapping[str, Distance] = {
    "hidden": squared,
    "attention": squared,
    "attention_maps": divergence,
    "attention_outputs": squared,
}
ALWAYS: Set[str] = frozenset({"hidden", "attention"})
NOT_A_TOKEN = -1e4  # the logit of padding: its probability is 0 in float32 and bfloat16
NOTHING: Set[str] = frozenset()


def forward(model: Callable[..., Any], batch: Batch, traces: Set[str] = NOTHING) -> Outputs:
    """The logits, (batch, outputs) or (batch, 2, tokens), and the traces of these names."""
    units = batch.units
    inside = bool(traces)
    watched = model if isinstance(model, nn.Module) and "attention_outputs" in traces else None
    with recorded_attention(watched) as attended:
        out = model(**batch.inputs, output_hidden_states=inside, output_attentions=inside)
    found: dict[str, tuple[Trace, ...]] = {}
    if "hidden" in traces:
        found["hidden"] = _traces(out.hidden_states, units, (1,))
    scores = _traces(out.attentions, units, (2, 3)) if inside else ()
    found |= {name: scores for name in ("attention", "attention_maps") if name in traces}
    if "attention_outputs" in traces:
        found["attention_outputs"] = _traces(attended, units, (1,))
    return Outputs(answers={"logits": logits_of(out, batch.inputs[MASK], units)}, traces=found)


def _traces(values: Any, units: Tensor, axes: tuple[int, ...]) -> tuple[Trace, ...]:
    lengths = (units,) * len(axes)
    return tuple(Trace(value=value.float(), axes=axes, lengths=lengths) for value in values)


def logits_of(output: Any, mask: Tensor, units: Tensor) -> Trace:
    """The logits of a model's output; mask (batch, tokens) is 1 on real tokens."""
    if "start_logits" not in output:
        return Trace(value=output.logits.float())
    logits = torch.stack([output.start_logits, output.end_logits], dim=1)
    logits = logits.masked_fill(mask[:, None] == 0, NOT_A_TOKEN).float()
    return Trace(value=logits, axes=(2,), lengths=(units,), padding=NOT_A_TOKEN)


def trace_bytes(config: Any, units: np.ndarray, traces: Set[str]) -> int:
    """What keeping these traces of rows with so many tokens takes, in bytes of float32."""
    layers, width = config.num_hidden_layers, config.hidden_size
    states = layers + 1 + (layers if "attention_outputs" in traces else 0)
    tokens = units.astype(float)
    scores = layers * config.num_attention_heads * tokens**2
    return int(4 * (states * width * tokens + scores).sum())


def longest(config: Any) -> int:
    """How many tokens the model can read."""
    return config.max_position_embeddings
