"""All lessons of a language: the files of core/lessons/<language>/, in the order of their numbers.

A file that cannot be read takes nothing from the others: it is named in a sentence, with the line.
Where a language lacks a lesson, or has one that asks something else, the English one is there.
TERNARY_LAB_LESSONS names another folder of languages, so a lecturer keeps lessons of their own.
"""

import functools
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from core.errors import InputError, one_of
from core.lessons.folders import ENGLISH, OURS, folder
from core.lessons.lesson import Lesson
from core.lessons.lesson_parser import read_lesson
from core.lessons.translating import check_name, check_translation
from core.paths import read_text_up_to

__all__ = ["ENGLISH", "OURS", "find_lesson", "languages", "lessons"]
MOST_BYTES = 2**18


def languages() -> tuple[str, ...]:
    """The languages that there are lessons in."""
    found = (path.parent.name for path in folder().glob("??/*.md"))
    return tuple(sorted(set(found)))


def lessons(language: str = ENGLISH) -> tuple[list[Lesson], list[str]]:
    """The lessons of a language, English ones (which say so) where it has none, and a sentence for
    each file that is none or asks something else than the English lesson of its name."""
    found, wrong = _read(language)
    if language == ENGLISH:
        return found, wrong
    originals = _read(ENGLISH)[0]
    fitting: dict[str, Lesson] = {}
    for lesson in found:
        with _told(wrong, language):
            check_name(originals, lesson)
            for original in originals:
                if original.name == lesson.name:
                    check_translation(original, lesson)
            fitting[lesson.name] = lesson
    every = {one.name: one for one in originals} | fitting
    return sorted(every.values(), key=lambda one: one.name), wrong


def _read(language: str) -> tuple[list[Lesson], list[str]]:
    """The files of a language as they are, and a sentence for each that is no lesson."""
    found: list[Lesson] = []
    wrong: list[str] = []
    for path in sorted(folder().glob(f"{language}/*.md")):
        with _told(wrong, language):
            lesson = _lesson(path, language, path.stat().st_mtime_ns)
            if lesson.number in {one.number for one in found}:
                raise InputError(
                    f"{path.name}: there is a lesson {lesson.number} already. Give it a number of "
                    "its own."
                )
            found.append(lesson)
    return found, wrong


@contextmanager
def _told(wrong: list[str], language: str) -> Generator[None]:
    """Keep what is refused as a sentence that names the file with its language."""
    try:
        yield
    except OSError as error:
        name = Path(str(error.filename)).name
        wrong.append(f"{language}/{name} cannot be read ({error.strerror}).")
    except InputError as error:
        wrong.append(f"{language}/{error}")


@functools.lru_cache(maxsize=200)
def _lesson(path: Path, language: str, changed_ns: int) -> Lesson:
    return read_lesson(path.stem, language, read_text_up_to(path.resolve(), MOST_BYTES))


def find_lesson(name: str, language: str = ENGLISH) -> Lesson:
    """The lesson of that name, in English where the language lacks it. Raises InputError where
    there is none, or it cannot be read."""
    known = {lesson.name: lesson for lesson in lessons(language)[0]}
    one_of("Lesson", name, known)
    return known[name]
