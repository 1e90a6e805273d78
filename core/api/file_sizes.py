"""How many bytes a packed file will have, before anything is trained."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.experiment import Experiment
from core.packed.choices import FLOAT32, TWO_BIT

if TYPE_CHECKING:
    from core.packed.foreseen import Foreseen


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSize:
    """The packed file of an experiment's student, in bytes, and its teacher in float32."""

    size_bytes: int
    teacher_bytes: int

    @property
    def times_smaller(self) -> float:
        """How many times the teacher is larger."""
        return self.teacher_bytes / self.size_bytes


def foreseen_size(
    experiment: Experiment, layout: str = TWO_BIT, leftovers: str = FLOAT32
) -> FileSize:
    """The size of the file that the experiment's run would keep (or of another kind of packed
    file), exactly. Nothing is loaded.

    Raises InputError when it cannot be trained as it is, or when the model that it starts from is
    not on this computer.
    """
    return size_of(_foresee(experiment), experiment, layout, leftovers)


def size_of(
    foreseen: "Foreseen", experiment: Experiment, layout: str = TWO_BIT, leftovers: str = FLOAT32
) -> FileSize:
    """The same for a student that is foreseen, with other weight bits perhaps."""
    return FileSize(
        size_bytes=foreseen.size_bytes(experiment, layout, leftovers),
        teacher_bytes=foreseen.teacher_bytes,
    )


def _foresee(experiment: Experiment) -> "Foreseen":
    from core.packed.foreseen import foresee

    return foresee(experiment)
