"""Who is looked into, and in which clothes: name, source, and colour, dash and shape by role."""

from collections.abc import Sequence
from dataclasses import dataclass

from core import api
from pages.ui.palette import ORANGE, VERMILION, ink, student_blue

GREEN, PINK = "#009E73", "#CC79A7"


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """A model of the page. `id` is what the address calls it; `filled`: its points are."""

    name: str
    source: api.Source
    id: str
    colour: str
    dash: tuple[int, int]
    shape: str
    filled: bool = True


def roles(models: Sequence[tuple[str, api.Source]], dark: bool) -> list[Role]:
    """The models of the page, the teacher first; further runs come last."""
    others = iter(
        [(VERMILION, (2, 2), "triangle"), (GREEN, (8, 3), "diamond"), (PINK, (4, 2), "cross")]
    )
    own = {
        "teacher": (ink(dark), (1, 0), "square"),
        "untrained": (ORANGE, (6, 4), "circle"),
        "run": (student_blue(dark), (1, 0), "circle"),
    }
    found = []
    for name, source in models:
        colour, dash, shape = own.pop(source.kind) if source.kind in own else next(others)
        found.append(
            Role(
                name=name,
                source=source,
                id=source.run_id or source.kind,
                colour=colour,
                dash=dash,
                shape=shape,
                filled=source.kind != "untrained",
            )
        )
    return found
