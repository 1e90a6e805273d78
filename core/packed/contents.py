"""What a packed file holds, as values: quantized matrices, leftovers, and what they are made by.

    student  --contents_of-->  Contents  --to_bytes-->  file
    student  <---assemble----  Contents  <-read_contents-  file

Numbers that are not codes (scales, biases, LayerNorm, position embedding, head) are *leftovers*,
stored in float32 or float16. `round_number` is the only place where they are rounded, and
`round_student` gives the student that a file of that kind holds: what is scored is what is stored.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from core.errors import InputError, one_of
from core.experiment import Experiment, QuantRecipe
from core.families import find_family
from core.family import Family, address_of
from core.models.layers import CodeEmbedding, QuantEmbedding
from core.models.student import become_student, quantized_weights
from core.packed.choices import FLOAT16, FLOAT32, TWO_BIT
from core.packed.origin import Origin
from core.quantizers.quantizer import Quantized

FLOATS = {FLOAT32: torch.float32, FLOAT16: torch.float16}
WEIGHT_STEP, STEP = "_quantizer.step", ".step"  # of a matrix: its name, then the first
RANGE = ".range"  # of an activation quantizer whose range is static
OF_QUANTIZERS = (STEP, RANGE)  # numbers that are no weights


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Contents:
    """A packed student as values.

    weights     by name of the matrix: codes and scales
    rest        by name of the parameter, float32: the leftovers, `<layer>.step` of learned
                activation steps and `<layer>.range` of static ranges
    layout      how the codes are written ("2-bit" or "base-3")
    leftovers   how scales and leftovers are written ("float32" or "float16")
    """

    experiment: Experiment
    config: Any
    weights: Mapping[str, Quantized]
    rest: Mapping[str, Tensor]
    layout: str = TWO_BIT
    leftovers: str = FLOAT32
    origin: Origin = field(default_factory=Origin)

    @property
    def family(self) -> Family:
        """The architecture."""
        return find_family(self.experiment.family)

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the answers, in the order of the logits."""
        return self.family.outputs_of(self.config)

    @property
    def numbers(self) -> int:
        """How many weights the model has: codes and leftovers, without scales, steps, ranges."""
        kept = sum(t.numel() for name, t in self.rest.items() if not name.endswith(OF_QUANTIZERS))
        return kept + sum(matrix.codes.numel() for matrix in self.weights.values())


def round_number(value: Tensor, leftovers: str, name: str = "A number") -> Tensor:
    """float32 `value` as a file with such leftovers gives it back, float32.

    Raises InputError when float16 cannot hold it: too large, or a scale that would become 0.
    """
    stored = value.detach().to(FLOATS[leftovers]).to(torch.float32)
    if bool((torch.isinf(stored) & torch.isfinite(value)).any()):
        raise InputError(f"{name} is too large for float16. Use leftovers in float32.")
    if name.endswith(".scale") and bool(((stored == 0) & (value != 0)).any()):
        raise InputError(f"{name} is too small for float16. Use leftovers in float32.")
    return stored


def contents_of(student: Any, experiment: Experiment, origin: Origin | None = None) -> Contents:
    """The contents of a student in eval mode, unrounded."""
    weights = quantized_weights(student)
    rest = {
        name: value.detach().to(torch.float32).clone()
        for name, value in student.state_dict().items()
        if name.removesuffix(WEIGHT_STEP).removesuffix(".weight") not in weights
    }
    return Contents(
        experiment=experiment,
        config=student.config,
        weights=weights,
        rest=rest,
        origin=origin or Origin(),
    )


def round_contents(contents: Contents, leftovers: str) -> Contents:
    """The contents with scales and leftovers as a file of that kind would hold them."""
    one_of("Leftovers", leftovers, tuple(FLOATS))
    rounded = {
        name: replace(matrix, scale=round_number(matrix.scale, leftovers, f"{name}.scale"))
        for name, matrix in contents.weights.items()
    }
    rest = {name: round_number(value, leftovers, name) for name, value in contents.rest.items()}
    return replace(contents, weights=rounded, rest=rest, leftovers=leftovers)


def round_student(student: Any, experiment: Experiment, leftovers: str) -> Any:
    """The student that a packed file with such leftovers holds."""
    return assemble(round_contents(contents_of(student, experiment), leftovers))


def assemble(contents: Contents) -> Any:
    """The model that computes with these contents, eval mode, gradients off. Its leftovers are the
    very tensors of `contents`: copy them before changing any.

    Raises InputError when names or shapes do not fit the config.
    """
    family, weights = contents.family, contents.weights
    state = {address_of(family, name): matrix.dequantize() for name, matrix in weights.items()}
    numbers = {n: value for n, value in contents.rest.items() if n.endswith(OF_QUANTIZERS)}
    leftovers = {name: value for name, value in contents.rest.items() if name not in numbers}
    model = family.from_state(contents.config, {**leftovers, **state})
    # The weights are already on their levels: only the activations are quantized while computing.
    quant = unquantized(contents.experiment.quant)
    student = become_student(model, quant, family).requires_grad_(False)
    missing, unknown = student.load_state_dict(numbers, strict=False)
    if unknown or any(name.endswith(OF_QUANTIZERS) for name in missing):
        raise InputError("its learned steps or static ranges do not fit its model.")
    _check_ranges(numbers)
    return student


def _check_ranges(numbers: Mapping[str, Tensor]) -> None:
    """Raise InputError for a static range that is none: its ends in order, 0 between them."""
    for name, value in numbers.items():
        if name.endswith(RANGE) and not bool(value[0] <= 0.0 <= value[1]):
            raise InputError(f"{name} is no range of activations: two ends, 0 between them.")


def unquantized(quant: QuantRecipe) -> QuantRecipe:
    """The recipe with every weight left alone; activations as they are."""
    return replace(quant, weight_bits=32, embedding_bits=32, matrix_bits=())


def keep_codes(model: nn.Module, contents: Contents) -> None:
    """Have the assembled `model` look words up in the codes: most of its memory is that table."""
    for name, module in list(model.named_modules()):
        if isinstance(module, QuantEmbedding) and name in contents.weights:
            parent, _, child = name.rpartition(".")
            setattr(model.get_submodule(parent), child, CodeEmbedding(contents.weights[name]))
