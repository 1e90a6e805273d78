"""The groups of the optimizer that learned quantization steps form: rates and decay of their own.

Steps of weights and of activations may have different rates. A step that is learned as a clip
(Q times as large) moves Q times as slowly, see `core.quantizers.learned_steps`; Q follows the bits
of its quantizer, which stages of bits change, so such a step is a group by itself.
"""

from typing import Any

from torch import nn

from core.experiment import TrainRecipe
from core.models.activation import ActivationQuantizer
from core.models.weight_quantizer import WeightQuantizer
from core.quantizers.quantizer import levels

AS_CLIP = "learns_clip_of"  # in a group: the quantizer whose step it holds


def step_groups(model: nn.Module, recipe: TrainRecipe) -> list[dict[str, Any]]:
    """The groups of all learned steps that learn; none where there are none."""
    share = recipe.step_learning_rate / recipe.learning_rate
    other = recipe.activation_step_learning_rate / recipe.learning_rate or share
    usual = {"weight_decay": 0.0, "share": share}
    plain: dict[tuple[float, float], list[nn.Parameter]] = {}
    clips: list[dict[str, Any]] = []
    for quantizer in model.modules():
        if not isinstance(quantizer, WeightQuantizer | ActivationQuantizer):
            continue
        step = getattr(quantizer, "step", None)
        if step is None or not step.requires_grad:
            continue
        of_weight = isinstance(quantizer, WeightQuantizer)
        decay = recipe.step_decay if of_weight else recipe.activation_step_decay
        own = share if of_weight else other
        if quantizer.learning.as_clip:
            clips.append(usual | {"params": [step], AS_CLIP: quantizer, "of": (own, decay)})
        else:
            plain.setdefault((own, decay), []).append(step)
    groups = [
        {"params": steps, "weight_decay": decay, "share": own}
        for (own, decay), steps in plain.items()
    ]
    return groups + [follow_bits(group) for group in clips]


def follow_bits(group: dict[str, Any]) -> dict[str, Any]:
    """The group as the bits of its quantizer are now: of a step that is learned as a clip the rate
    is divided by Q, and so its decay, which is a share of the clip, is multiplied by it."""
    quantizer = group.get(AS_CLIP)
    if quantizer is not None:
        own, decay = group["of"]
        top = levels(quantizer.bits)
        group["share"], group["weight_decay"] = own / top, decay * top
    return group
