"""AdamW as the paper uses it: decay on weights only, linear warm-up, then a schedule."""

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from core.errors import InputError
from core.experiment import TrainRecipe
from core.models.layers import QuantEmbedding
from core.training.rows import Decay, RowAdamW
from core.training.step_groups import follow_bits, step_groups


class Optimizer:
    """AdamW over all parameters of a model that learn.

    Biases and LayerNorm (vectors) do not decay, nor do learned quantization steps, which have
    their own learning rate. A quantized embedding that is read row by row is updated row by row
    (see `rows`), with the same outcome.
    """

    def __init__(self, model: nn.Module, recipe: TrainRecipe) -> None:
        decay = Decay(weight_decay=recipe.weight_decay)
        self.tables: dict[Tensor, RowAdamW] = {}
        for module in model.modules():
            if isinstance(module, QuantEmbedding) and _is_read_by_rows(module):
                module.weight.requires_grad_(False)
                self.tables[module.weight] = RowAdamW(module.weight.data, decay)
                module.reader = self.tables[module.weight].read
        self.clip = recipe.clip
        self.dense = torch.optim.AdamW(_groups(model, recipe), lr=recipe.learning_rate, fused=True)

    def step(self, rate: float) -> None:
        """One step at this learning rate with the gradients there are, which are then gone."""
        if self.clip:
            torch.nn.utils.clip_grad_norm_(self._learning(), self.clip)
        for group in self.dense.param_groups:
            group["lr"] = rate * follow_bits(group)["share"]
        self.dense.step()
        self.dense.zero_grad(set_to_none=True)
        for table in self.tables.values():
            table.advance(rate)

    def _learning(self) -> list[Tensor]:
        """Everything that has a gradient now: parameters, and the rows that were read."""
        dense = [p for group in self.dense.param_groups for p in group["params"]]
        return dense + [leaf for table in self.tables.values() for leaf in table.reading]

    def finish(self) -> None:
        """Bring every row of every table up to date: before the model is scored or saved."""
        for table in self.tables.values():
            table.finish()

    def second_moments(self) -> dict[Tensor, Tensor]:
        """Adam's v of every weight that has one, by weight; updated in place by later steps."""
        found = {p: state["exp_avg_sq"] for p, state in self.dense.state.items()}
        return found | {weight: rows.second_moment for weight, rows in self.tables.items()}

    def learning(self) -> list[Tensor]:
        """Every parameter that the steps change."""
        return [p for group in self.dense.param_groups for p in group["params"]] + [*self.tables]

    def state(self) -> Iterator[tuple[str, Tensor, str, Tensor]]:
        """What the next step depends on: ("adam" or "table", parameter, key, tensor in use)."""
        for parameter, values in self.dense.state.items():
            for key, value in values.items():
                yield "adam", parameter, key, value
        for parameter, rows in self.tables.items():
            for key, value in rows.state().items():
                yield "table", parameter, key, value

    def restore(self, parameter: Tensor, key: str, value: Tensor) -> None:
        """Take over one tensor of `state`; raises ValueError when it does not fit."""
        if parameter in self.tables:
            self.tables[parameter].restore(key, value)
        elif key == "step" or value.shape == parameter.shape:
            self.dense.state[parameter][key] = value
        else:
            raise ValueError(f"{key} has another shape")


def _is_read_by_rows(module: QuantEmbedding) -> bool:
    quantizer = module.weight_quantizer
    return quantizer is not None and quantizer.works_by_rows and module.weight.requires_grad


def _groups(model: nn.Module, recipe: TrainRecipe) -> list[dict[str, Any]]:
    learning = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    others = [p for name, p in learning if not name.endswith(".step")]
    groups: list[dict[str, Any]] = [
        {"params": [p for p in others if p.dim() > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in others if p.dim() <= 1], "weight_decay": 0.0},
    ]
    for group in groups:
        group["share"] = 1.0
    return groups + step_groups(model, recipe)


def learning_rate_at(step: int, recipe: TrainRecipe) -> float:
    """Learning rate of `step` (from 1): up over `warmup` of the steps, then by the schedule: in a
    line or in half a wave of the cosine down to 0, or not at all."""
    warmup_steps = math.ceil(recipe.warmup * recipe.steps)
    if step <= warmup_steps:
        return recipe.learning_rate * (step / warmup_steps)
    left = (recipe.steps - step + 1) / max(1, recipe.steps - warmup_steps)
    if recipe.schedule == "constant":
        return recipe.learning_rate
    if recipe.schedule == "cosine":
        left = (1 - math.cos(math.pi * left)) / 2
    return recipe.learning_rate * left


def descend(optimizer: Optimizer, loss: Tensor, step: int, recipe: TrainRecipe) -> float:
    """Backward and one optimizer step; returns the learning rate used.

    Raises InputError when the loss is NaN or infinite: going on would only write nonsense.
    """
    if not torch.isfinite(loss):
        raise InputError(
            f"The loss is no longer a number at step {step}. Lower the learning rate "
            f"(it is {recipe.learning_rate:g}) or train in fp32."
        )
    rate = learning_rate_at(step, recipe)
    loss.backward()
    optimizer.step(rate)
    return rate
