"""AdamW as the paper uses it: decay on weights only, linear warm-up, linear decay to zero."""

import math

import torch
from torch import Tensor, nn

from core.errors import InputError
from core.experiment import TrainRecipe


def build_optimizer(model: nn.Module, recipe: TrainRecipe) -> torch.optim.AdamW:
    """AdamW over all parameters that learn.

    Biases and LayerNorm (vectors) do not decay, nor do learned quantization steps, which have
    their own learning rate.
    """
    learning = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    steps = [p for name, p in learning if name.endswith(".step")]
    others = [p for name, p in learning if not name.endswith(".step")]
    groups = [
        {"params": [p for p in others if p.dim() > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in others if p.dim() <= 1], "weight_decay": 0.0},
    ]
    for group in groups:
        group["share"] = 1.0
    if steps:
        share = recipe.step_learning_rate / recipe.learning_rate
        groups.append({"params": steps, "weight_decay": 0.0, "share": share})
    return torch.optim.AdamW(groups, lr=recipe.learning_rate, fused=True)


def learning_rate_at(step: int, recipe: TrainRecipe) -> float:
    """Learning rate of `step` (from 1): up over `warmup` of the steps, then down to 0."""
    warmup_steps = math.ceil(recipe.warmup * recipe.steps)
    if step <= warmup_steps:
        share = step / warmup_steps
    else:
        share = (recipe.steps - step + 1) / max(1, recipe.steps - warmup_steps)
    return recipe.learning_rate * share


def descend(
    optimizer: torch.optim.Optimizer, loss: Tensor, step: int, recipe: TrainRecipe
) -> float:
    """Backward and one optimizer step; returns the learning rate used.

    Raises InputError when the loss is NaN or infinite: going on would only write nonsense.
    """
    if not torch.isfinite(loss):
        raise InputError(
            f"The loss is no longer a number at step {step}. Lower the learning rate "
            f"(it is {recipe.learning_rate:g}) or train in fp32."
        )
    rate = learning_rate_at(step, recipe)
    for group in optimizer.param_groups:
        group["lr"] = rate * group["share"]
    loss.backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return rate


def second_moments(optimizer: torch.optim.Optimizer) -> dict[Tensor, Tensor]:
    """Adam's v of every weight that has one, by weight; updated in place by later steps."""
    return {p: state["exp_avg_sq"] for p, state in optimizer.state.items()}
