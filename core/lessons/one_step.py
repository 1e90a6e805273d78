"""One training step, kept so that it can be walked through: what one weight was, computed with,
felt, and became.

It is the step of core/training/student_step.py on eight sentences of our own: the teacher's matrix
as the latent one, rounded; student and teacher compared; the gradient sent straight through; AdamW.
Only one matrix learns here, so that its step takes a moment and nothing of it is made up.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.api.models import OpenModel
from core.errors import InputError, one_of
from core.experiment import DistillRecipe, QuantRecipe, TrainRecipe

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from core.quantizers.quantizer import Quantized

SENTENCES = (
    ("a warm and quietly funny film with a cast that never puts a foot wrong", 1),
    ("two hours of dull talk and not one scene that is worth the ticket", 0),
    ("the plot is thin but the actors carry it with real charm", 1),
    ("it wants to be clever and ends up being merely loud", 0),
    ("I have rarely been so moved by so small a story", 1),
    ("a lazy copy of better films", 0),
    ("the last half hour makes up for everything that came before", 1),
    ("nobody in it behaves like a person", 0),
)
RATE = TrainRecipe().learning_rate
NEAR, STUCK, FAR = WEIGHTS = ("near", "stuck", "far")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OneStep:
    """A matrix through one step: latent weights (rows, cols) before and after, what was computed
    with, the gradient of that and of the latent weights, Adam's second moment, the rate."""

    name: str
    before: "Tensor"
    after: "Tensor"
    quantized: "Quantized"
    quantized_after: "Quantized"
    gradient_of_value: "Tensor"
    gradient: "Tensor"
    second_moment: "Tensor"
    rate: float

    @property
    def flipped(self) -> float:
        """The share of the codes that the step changed."""
        changed = self.quantized.codes != self.quantized_after.codes
        return float(changed.float().mean())


@dataclass(frozen=True, slots=True, kw_only=True)
class OneWeight:
    """The numbers of one weight of it, in the order in which they come about."""

    row: int
    column: int
    latent: float
    threshold: float
    code: int
    scale: float
    value: float
    gradient_of_value: float
    gradient: float
    rate: float
    latent_after: float
    threshold_after: float
    code_after: int

    @property
    def flips(self) -> bool:
        """Whether its code is another one after the step."""
        return self.code != self.code_after


def usual_matrix(opened: OpenModel) -> str:
    """The first matrix of the middle layer."""
    layer = opened.family.depth(opened.config) // 2
    matrices = opened.family.matrices(opened.model)
    return next(matrix.name for matrix in matrices if matrix.layer == layer)


def one_step(opened: OpenModel, name: str = "") -> OneStep:
    """Take the step on the matrix of that name, else the usual one. `opened` is a full-precision
    model of a task with classes, left as it is."""

    from core.models.student import build_student, weight_quantizers
    from core.training.optimizer import Optimizer, descend

    if opened.target.name != "classes" or len(opened.task.texts) != 1:
        raise InputError("One step is shown for tasks with classes of single texts. Choose one.")
    student = build_student(opened.model, QuantRecipe(), opened.family)
    name = name or usual_matrix(opened)
    found = {matrix: (w, q) for matrix, w, q in weight_quantizers(student)}
    one_of("Matrix", name, found)
    weight, quantizer = found[name]
    student.requires_grad_(False)
    weight.requires_grad_(True)
    student.train()
    before = weight.detach().clone()
    quantized = quantizer.peek(weight)
    recipe = TrainRecipe(steps=1, warmup=0.0, learning_rate=RATE)
    optimizer = Optimizer(student, recipe)
    values: list[Tensor] = []
    watching = quantizer.register_forward_hook(lambda _module, _inputs, out: _keep(values, out))
    loss = _loss(opened, student)
    watching.remove()
    felt: list[Tensor] = []
    weight.register_hook(lambda gradient: felt.append(gradient.detach().clone()))
    rate = descend(optimizer, loss, 1, recipe)
    at_value = values[0].grad
    assert at_value is not None
    return OneStep(
        name=name,
        before=before,
        after=weight.detach().clone(),
        quantized=quantized,
        quantized_after=quantizer.peek(weight),
        gradient_of_value=at_value.detach().clone(),
        gradient=felt[0],
        second_moment=optimizer.second_moments()[weight].clone(),
        rate=rate,
    )


def _keep(values: "list[Tensor]", value: Any) -> None:
    value.retain_grad()
    values.append(value)


def _loss(opened: OpenModel, student: "torch.nn.Module") -> "Tensor":
    """The distillation loss on the sentences, as in core/training/student_step.py."""
    import numpy as np
    import torch

    from core.training.distillation_losses import losses, total, traces_of

    family, recipe = opened.family, DistillRecipe()
    rows = {opened.task.texts[0]: [text for text, _ in SENTENCES]}
    rows["label"] = [label for _, label in SENTENCES]  # type: ignore[assignment]
    limit = family.longest(opened.config)
    encoded = opened.target.encode(family, opened.tokenizer, rows, opened.task, limit)
    batch = family.collate(encoded, np.arange(len(SENTENCES)))
    wanted = traces_of(family, recipe)
    with torch.no_grad():
        teacher = family.forward(opened.model, batch, wanted)
    outputs = family.forward(student, batch, wanted)
    return total(losses(outputs, teacher, batch.labels, recipe, family, opened.target), recipe)


def pick(step: OneStep, which: str) -> OneWeight:
    """One weight that is 0 and is pushed outwards: "near" the threshold, by less than a step;
    "stuck", twenty steps away; or one "far" beyond the threshold."""
    one_of("Weight", which, WEIGHTS)
    latent, threshold = step.before, float(step.quantized.threshold)  # type: ignore[arg-type]
    distance = threshold - latent.abs()
    outwards = (step.gradient * latent) < 0
    if which == FAR:
        wanted, allowed = (latent.abs() - 2 * threshold).abs(), distance < 0
    else:
        gap = step.rate * (0.5 if which == NEAR else 20.0)
        wanted, allowed = (distance - gap).abs(), (distance > 0) & outwards
    place = int(wanted.masked_fill(~allowed, float("inf")).argmin())
    return weight_at(step, place // latent.shape[1], place % latent.shape[1])


def weight_at(step: OneStep, row: int, column: int) -> OneWeight:
    """The numbers of the weight in that row and column."""
    at, old, new = (row, column), step.quantized, step.quantized_after
    return OneWeight(
        row=row,
        column=column,
        latent=float(step.before[at]),
        threshold=float(old.threshold),  # type: ignore[arg-type]
        code=int(old.codes[at]),
        scale=float(old.scale),
        value=float(old.dequantize()[at]),
        gradient_of_value=float(step.gradient_of_value[at]),
        gradient=float(step.gradient[at]),
        rate=step.rate,
        latent_after=float(step.after[at]),
        threshold_after=float(new.threshold),  # type: ignore[arg-type]
        code_after=int(new.codes[at]),
    )
