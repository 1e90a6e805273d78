"""How many bytes will it be? The packed file of a recipe, exactly, before anything is trained.

Nothing in the size of a packed file depends on a number that is learned: codes take their bits,
scales and leftovers their floats, and the header only names them. So the file of a student is
worked out from its outline, through the very code that writes it.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from core.errors import one_of
from core.experiment import Experiment
from core.models.matrix_choices import Choice, choice_of
from core.packed.choices import FLOAT32, TWO_BIT
from core.packed.codes import packed_size
from core.packed.container import container_size
from core.packed.contents import FLOATS, Contents
from core.packed.file import metadata_of
from core.packed.matrices import CODES, SCALE
from core.packed.origin import Origin, origin_of
from core.quantizers.groups import group_size, scale_shape
from core.quantizers.quantizer import Quantized
from core.teacher_folders import card_for
from core.teachers.outlines import Outline, outline_of


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Foreseen:
    """A student that is not there yet: what its file is worked out from. `teacher_bytes` is its
    teacher in float32."""

    experiment: Experiment
    outline: Outline
    origin: Origin
    teacher_bytes: int

    def size_bytes(
        self,
        experiment: Experiment | None = None,
        layout: str = TWO_BIT,
        leftovers: str = FLOAT32,
        filled: bool = True,
    ) -> int:
        """The size of its packed file; with `experiment`, that of one which differs in weight bits
        (and the like) only. Without more it is the file that a run keeps; not `filled` it is
        without the blanks at the end of its header."""
        contents = self.contents(experiment or self.experiment)
        return size_of_contents(contents, layout, leftovers, filled)

    def contents(self, experiment: Experiment) -> Contents:
        """The contents as shapes without numbers."""
        rest = {name: _empty(shape) for name, shape in self.outline.shapes.items()}
        weights = {}
        for matrix in self.outline.matrices:
            choice = choice_of(matrix, experiment.quant)
            if choice is not None:
                rows, cols = rest.pop(matrix.address).shape
                weights[matrix.name] = _quantized(rows, cols, choice)
        return Contents(
            experiment=experiment,
            config=self.outline.config,
            weights=weights,
            rest=rest,
            origin=self.origin,
        )


def foresee(experiment: Experiment) -> Foreseen:
    """The student of this experiment. Raises InputError as `outline_of` does."""
    return Foreseen(
        experiment=experiment,
        outline=outline_of(experiment),
        origin=origin_of(experiment),
        teacher_bytes=4 * card_for(experiment).parameters,
    )


def size_of_contents(contents: Contents, layout: str, leftovers: str, filled: bool = True) -> int:
    """How many bytes `contents_to_bytes` would give. Only shapes are looked at, so the contents
    need no numbers (device "meta"). Raises InputError for an unknown layout or leftovers."""
    one_of("Leftovers", leftovers, tuple(FLOATS))
    kind = FLOATS[leftovers]
    metadata = metadata_of(contents, layout, leftovers, {})
    tensors = {name: value.to(kind) for name, value in contents.rest.items()}
    for name, matrix in contents.weights.items():
        length = packed_size(matrix.codes.numel(), matrix.bits, layout)
        tensors[name + CODES] = _empty((length,), torch.uint8)
        tensors[name + SCALE] = matrix.scale.to(kind)
    return container_size(tensors, metadata, filled)


def _quantized(rows: int, cols: int, choice: Choice) -> Quantized:
    return Quantized(
        codes=_empty((rows, cols), torch.int8),
        scale=_empty(scale_shape(rows, cols, choice.granularity)),
        bits=choice.bits,
        group=group_size(choice.granularity),
    )


def _empty(shape: tuple[int, ...], dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.empty(shape, dtype=dtype, device="meta")
