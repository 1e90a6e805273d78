"""All lessons of a language: the files of core/lessons/<language>/, in the order of their numbers.

A file that cannot be read takes nothing from the others: it is named in a sentence, with the line.
TERNARY_LAB_LESSONS names another folder of languages, so a lecturer keeps lessons of their own.
"""

import functools
from pathlib import Path

from core import settings
from core.errors import InputError, one_of
from core.lessons.lesson import Lesson
from core.lessons.reading import read_lesson
from core.places import read_text_up_to

ENGLISH = "en"
MOST_BYTES = 2**18
OURS = settings.PROJECT / settings.LESSONS.default


def languages() -> tuple[str, ...]:
    """The languages that there are lessons in."""
    found = (path.parent.name for path in _folder().glob("??/*.md"))
    return tuple(sorted(set(found)))


def _folder() -> Path:
    return settings.LESSONS.value() or OURS


def lessons(language: str = ENGLISH) -> tuple[list[Lesson], list[str]]:
    """The lessons of a language, and a sentence for each file that is none."""
    found: list[Lesson] = []
    wrong: list[str] = []
    for path in sorted(_folder().glob(f"{language}/*.md")):
        try:
            lesson = _lesson(path, language, path.stat().st_mtime_ns)
            if lesson.number in {one.number for one in found}:
                raise InputError(
                    f"{path.name}: there is a lesson {lesson.number} already. Give it a number of "
                    "its own."
                )
            found.append(lesson)
        except OSError as error:
            wrong.append(f"{path.name} cannot be read ({error}).")
        except InputError as error:
            wrong.append(str(error))
    return found, wrong


@functools.lru_cache(maxsize=200)
def _lesson(path: Path, language: str, changed_ns: int) -> Lesson:
    return read_lesson(path.stem, language, read_text_up_to(path.resolve(), MOST_BYTES))


def find_lesson(name: str, language: str = ENGLISH) -> Lesson:
    """The lesson of that name. Raises InputError where there is none, or it cannot be read."""
    known = {lesson.name: lesson for lesson in lessons(language)[0]}
    one_of("Lesson", name, known)
    return known[name]
