"""A translation asks the same as its original: other words, and nothing else.

Answers, classes and addresses know a lesson by its name and version, a step by its name and a
choice by its key. So a student who answers in German and one who answers in English answer the
same question. A file that would break this is refused, and the original is shown instead.
"""

from collections.abc import Callable

from core.errors import InputError
from core.lessons.lesson import Lesson, Option, Step

# What must be the same in every step, and where it stands.
PARTS: dict[str, Callable[[Step], object]] = {
    "kind of question": lambda step: step.question.kind,
    "choices": lambda step: _keys(step.question.options),
    "right choice": lambda step: step.question.right,
    "numbers (from, to, by, within)": lambda step: (
        *(step.question.low, step.question.high, step.question.by, step.question.within),
    ),
    "reasons": lambda step: _keys(step.reason.options),
    "right reason": lambda step: step.reason.right,
    "instrument": lambda step: (step.instrument.name, *step.instrument.settings.pairs),
    "reveal": lambda step: (step.reveal.name, *step.reveal.settings.pairs),
    "link": lambda step: (step.link.page, *step.link.settings.pairs),
}


def _keys(options: tuple[Option, ...]) -> tuple[str, ...]:
    return tuple(option.key for option in options)


def check_translation(original: Lesson, lesson: Lesson) -> None:
    """Raise InputError, with file, step and cure, unless `lesson` asks the same as `original`."""
    file = f"{lesson.name}.md"
    _same(file, "version", original.version, lesson.version)
    names = [[step.name for step in one.steps] for one in (original, lesson)]
    _same(file, "names of the steps", *names)
    for step, translated in zip(original.steps, lesson.steps, strict=True):
        for what, of in PARTS.items():
            _same(f"{file}, step {step.name}", what, of(step), of(translated))


def _same(where: str, what: str, original: object, translated: object) -> None:
    if original != translated:
        raise InputError(
            f"{where}: {what}: {_said(translated)}. In the English lesson: {_said(original)}. "
            "Copy it from there; a translation changes words only."
        )


def _said(value: object) -> str:
    """A value as the file has it."""
    if isinstance(value, tuple | list):
        return ", ".join(_said(one) if isinstance(one, tuple) else str(one) for one in value)
    return str(value) or "none"


def check_name(originals: list[Lesson], lesson: Lesson) -> None:
    """Raise InputError where a lesson of another name has the number of an original."""
    for one in originals:
        if one.number == lesson.number and one.name != lesson.name:
            raise InputError(
                f"{lesson.name}.md: the English lesson {one.number} is {one.name}. Give the "
                "translation the same name, or a lesson of its own another number."
            )
