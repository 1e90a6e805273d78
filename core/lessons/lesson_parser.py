"""From the text of a file to a lesson; strict, so that what a class sees is what was meant.

Whatever is missing, misspelt or out of order is refused with file, line and cure when the file is
saved, and not in front of a class.
"""

import re
from collections.abc import Sequence

from core.errors import InputError, shown
from core.lessons.lesson import Lesson, Step
from core.lessons.step_reading import read_step
from core.lessons.text_blocks import Block, Field, Place, cut

FRONT = ("title", "aim", "minutes", "prerequisites", "version")
FILE = re.compile(r"[0-9]{2}-[a-z0-9-]+")
MOST_STEPS = 9


def read_lesson(name: str, language: str, text: str) -> Lesson:
    """The lesson of a file's text. Raises InputError that names file, line and cure."""
    file = f"{name}.md"
    if not FILE.fullmatch(name):
        raise InputError(f"{file}: name a lesson by two digits and words, such as 04-bits.md.")
    front, before, blocks = cut(file, text)
    told = _front(file, front)
    steps = tuple(_steps(file, blocks))
    return Lesson(
        name=name,
        language=language,
        title=told["title"].value,
        aim=told["aim"].value,
        minutes=_whole(told["minutes"], 1, 90),
        prerequisites=told["prerequisites"].value,
        version=_whole(told["version"], 1, 9999),
        text=before,
        steps=steps,
    )


def _front(file: str, front: Sequence[Field]) -> dict[str, Field]:
    told: dict[str, Field] = {}
    for field in front:
        if field.name not in FRONT:
            raise field.place.wrong(f"{shown(field.name)} is not known. Use: {', '.join(FRONT)}.")
        if field.name in told:
            raise field.place.wrong(f"{field.name} is said twice. Leave one out.")
        told[field.name] = field
    for name in FRONT:
        if name not in told:
            raise Place(file=file, line=1).wrong(f"The front matter lacks {name}: ... Add it.")
    return told


def _whole(field: Field, low: int, high: int) -> int:
    if not field.value.isdigit() or not low <= int(field.value) <= high:
        raise field.place.wrong(f"{field.name} must be a whole number from {low} to {high}.")
    return int(field.value)


def _steps(file: str, blocks: Sequence[Block]) -> list[Step]:
    if not blocks or blocks[0].level != 2:
        place = blocks[0].place if blocks else Place(file=file, line=1)
        raise place.wrong("A lesson has steps. Begin the first one with ## name: Title.")
    starts = [number for number, block in enumerate(blocks) if block.level == 2]
    if len(starts) > MOST_STEPS:
        raise blocks[starts[MOST_STEPS]].place.wrong(
            f"A lesson has at most {MOST_STEPS} steps. Begin another file."
        )
    ends = [*starts[1:], len(blocks)]
    steps: list[Step] = []
    for start, end in zip(starts, ends, strict=True):
        step = read_step(blocks[start], blocks[start + 1 : end])
        if step.name in {one.name for one in steps}:
            raise blocks[start].place.wrong(f"There is a step {step.name} already. Rename one.")
        steps.append(step)
    return steps
