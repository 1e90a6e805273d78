"""The order of a classifier's outputs: theirs is brought into that of the task's labels.

Exact names come first. Where they differ, they are compared with ever less of them, and only a way
that tells all labels of each side apart and pairs every one of them counts: two labels that look
alike are never taken for each other.
"""

import re
from collections.abc import Callable

from core.errors import InputError
from core.family import Family, Loaded

NUMBERED = re.compile(r"label[\s_-]*([0-9]+)", re.IGNORECASE)
# Between two letters these join the parts of a name; beside a digit a dash may be a minus.
JOINTS = re.compile(r"(?<=[^\W\d_])[\s_-]+(?=[^\W\d_])")


def _folded(label: str) -> str:
    return label.strip().casefold()


def _joined(label: str) -> str:
    return JOINTS.sub("", _folded(label))


WAYS: tuple[Callable[[str], str], ...] = (str, _folded, _joined)


def label_order(theirs: tuple[str, ...], ours: tuple[str, ...]) -> list[int] | None:
    """The number of their output for each of our labels; None when the names differ.

    Names are compared as they are, then without case and outer blanks, then without blanks,
    dashes and underscores between letters. Outputs that are only numbered (LABEL_0) keep their
    order.
    """
    for way in WAYS:
        mine, other = [way(label) for label in ours], [way(label) for label in theirs]
        if sorted(mine) == sorted(other) and len(set(mine)) == len(mine):
            return [other.index(label) for label in mine]
    numbers = [NUMBERED.fullmatch(label) for label in theirs]
    if len(theirs) == len(ours) and all(
        found and int(found[1]) == place for place, found in enumerate(numbers)
    ):
        return list(range(len(ours)))
    return None


def use_label_order(family: Family, loaded: Loaded, labels: tuple[str, ...]) -> None:
    """Bring the outputs of a fine-tuned classifier into the order of the task's labels (see
    `label_order`). Raises InputError when the names differ."""
    order = label_order(loaded.labels, labels)
    if order is None:
        raise InputError(
            f"The checkpoint's labels are {', '.join(loaded.labels)}; the task's are "
            f"{', '.join(labels)}. Rename them, or fine-tune the checkpoint on this task."
        )
    family.reorder_outputs(loaded.model, order)
