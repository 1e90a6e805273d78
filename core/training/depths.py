"""A student with fewer layers than its teacher: which of the teacher's layers it looks at.

Evenly, as in TinyBERT (Jiao et al. 2020): with Ls layers of Lt, the student's hidden state i is
compared with the teacher's i * Lt / Ls (0 is the embedding), and what its layer i gives with that
of the teacher's layer (i + 1) * Lt / Ls - 1, the last of those that it stands for.
"""

from collections.abc import Sequence
from dataclasses import replace

from core.errors import InputError
from core.family import Family, Outputs, Trace


def for_student(teacher: Outputs, ours: int, theirs: int) -> Outputs:
    """The teacher's outputs with as many traces of each name as a student of `ours` layers has;
    the very same where both have `theirs`."""
    if ours == theirs:
        return teacher
    traces = {name: _chosen(each, ours, theirs) for name, each in teacher.traces.items()}
    return replace(teacher, traces=traces)


def _chosen(traces: Sequence[Trace], ours: int, theirs: int) -> tuple[Trace, ...]:
    step = theirs // ours
    if len(traces) == theirs + 1:  # with what goes into the first layer
        return tuple(traces[::step])
    return tuple(traces[step - 1 :: step])


def matched_layers(ours: int, theirs: int) -> tuple[int, ...]:
    """For each layer of the student, from 0, the teacher's that it is compared with."""
    step = theirs // ours
    return tuple(range(step - 1, theirs, step))


def check_depths(name: str, ours: int, theirs: int) -> None:
    """Raise InputError where the student's layers do not map evenly onto the teacher's."""
    if not 0 < ours <= theirs or theirs % ours:
        raise InputError(
            f"{name} has {ours} layers, its teacher {theirs}: they do not map evenly onto each "
            "other. Choose a student whose layers divide the teacher's."
        )


def check_alike(name: str, student: Outputs, teacher: Outputs) -> None:
    """Raise InputError where what is compared has another shape; both read the same batch."""
    for trace, ours in student.traces.items():
        for one, other in zip(ours, teacher.traces[trace], strict=True):
            if one.value.shape != other.value.shape:
                raise InputError(
                    f"{name} cannot learn from this teacher: their {trace.replace('_', ' ')} have "
                    "other sizes. Choose a student that is as wide as its teacher."
                )


def check_student(family: Family, name: str, student, teacher) -> None:
    """Raise InputError where `student` cannot be compared with `teacher`."""
    depths = family.depth(student.config), family.depth(teacher.config)
    check_depths(name, *depths)
    batch = family.made_up_batch(student.config, 1, 4)
    found = [family.forward(model.eval(), batch, family.always) for model in (student, teacher)]
    check_alike(name, found[0], for_student(found[1], *depths))
