"""The words of a language, read from its words.toml; strict, as lessons are.

Whatever is missing, misspelt or lacks a {placeholder} is refused with line, key and cure, and then
the English words are there. What a placeholder is called and which there are, English says: a text
of another language gets the same values put in, at a place of its own.
"""

import functools
import re
import tomllib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

from core.errors import InputError, shown
from core.lessons.catalogue import Words
from core.lessons.folders import ENGLISH, OURS, folder
from core.lessons.text_blocks import Place, has_foreign
from core.paths import read_text_up_to

FILE = "words.toml"
NAME = "name"
MOST_BYTES = 2**16
_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
_HEAD = re.compile(r"\s*\[([^\[\]]+)\]")
_KEY = re.compile(r"\s*([A-Za-z0-9_-]+)\s*=")
_LINE = re.compile(r"at line (\d+)")

Tables = Mapping[str, Mapping[str, str]]


def words_in(language: str = ENGLISH) -> Words:
    """The words of a language, English ones where it has none that can be used."""
    return found_words(language)[0]


def found_words(language: str) -> tuple[Words, str]:
    """The words of a language, and a sentence where they are English ones in their place."""
    for path in (folder() / language / FILE, OURS / language / FILE):
        try:
            return _words(path, language, path.stat().st_mtime_ns), ""
        except FileNotFoundError:
            continue
        except OSError as error:
            return _english(), f"{language}/{FILE} cannot be read ({error.strerror})."
        except InputError as error:
            return _english(), str(error)
    return _english(), (
        f"There is no {language}/{FILE}, so what stands around the lessons is in English. Copy "
        f"{ENGLISH}/{FILE} into that folder and translate it."
    )


def _english() -> Words:
    path = OURS / ENGLISH / FILE
    return _words(path, ENGLISH, path.stat().st_mtime_ns)


@functools.lru_cache(maxsize=50)
def _words(path: Path, language: str, changed_ns: int) -> Words:
    text = read_text_up_to(path.resolve(), MOST_BYTES)
    if path == OURS / ENGLISH / FILE:
        return read_words(language, text)
    return read_words(language, text, _english())


def read_words(language: str, text: str, like: Words | None = None) -> Words:
    """The words of a file's text. `like` has the placeholders that they must have, else its own are
    right. Raises InputError that names file, line, key and cure."""
    file = f"{language}/{FILE}"
    try:
        told = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = _LINE.search(str(error))
        place = Place(file=file, line=int(line[1]) if line else len(text.splitlines()))
        raise place.wrong(
            f'This cannot be read ({error}). Write a line as key = "text", with \\" for a '
            "quotation mark inside."
        ) from error
    lines = _lines(text)
    name = told.pop(NAME, None)
    _check_names(file, lines, "", told, {one.name for one in fields(Words)} - {NAME})
    _check_text(file, lines, ("", NAME), name, None)
    tables = {
        one.name: _table(file, lines, one.name, told[one.name], one.type, like)
        for one in fields(Words)
        if one.name != NAME
    }
    return Words(name=str(name), **tables)


def _table(file: str, lines: dict, table: str, told: object, kind, like: Words | None):
    """One table of the file as its class has it."""
    if not isinstance(told, dict):
        raise _at(file, lines, ("", table)).wrong(f"{table} is a table: write [{table}].")
    _check_names(file, lines, table, told, {one.name for one in fields(kind)})
    for key, text in told.items():
        original = getattr(getattr(like, table), key) if like else None
        _check_text(file, lines, (table, key), text, original)
    return kind(**told)


def _check_names(file: str, lines: dict, table: str, told: Mapping, known: set[str]) -> None:
    """No key too many and none too few."""
    for key in told:
        if key not in known:
            place = _at(file, lines, (table, key) if table else ("", key))
            raise place.wrong(f"{shown(key)} is no text of the catalogue. Take it out.")
    for key in sorted(known - set(told)):
        missing = f"The key {key} of [{table}]" if table else f"The table [{key}]"
        raise _at(file, lines, ("", table)).wrong(
            f"{missing} is missing. Copy it from {ENGLISH}/{FILE} and translate it."
        )


def _check_text(
    file: str, lines: dict, at: tuple[str, str], text: object, original: str | None
) -> None:
    """A text is one line without a picture, an address or HTML, with the placeholders that the
    original has."""
    place, key = _at(file, lines, at), at[1]
    if not isinstance(text, str) or not text.strip() or "\n" in text:
        raise place.wrong(f"{key} must be one line of text in quotation marks.")
    if has_foreign(text):
        raise place.wrong(f"{key}: pictures, addresses and HTML have no place here.")
    names = _PLACEHOLDER.findall(text)
    if re.search(r"[{}]", _PLACEHOLDER.sub("", text)):
        raise place.wrong(f"{key}: braces stand only around a placeholder, such as {{value}}.")
    wanted = _PLACEHOLDER.findall(original) if original is not None else names
    if set(names) != set(wanted):
        told = ", ".join(f"{{{name}}}" for name in dict.fromkeys(wanted)) or "no placeholder"
        raise place.wrong(f"{key} must hold {told}, as in English. Put it where it belongs.")


def _lines(text: str) -> dict[tuple[str, str], int]:
    """The line of every table ("", table) and key (table, key)."""
    found: dict[tuple[str, str], int] = {}
    table = ""
    for number, line in enumerate(text.splitlines(), 1):
        if head := _HEAD.match(line):
            table = head[1].strip()
            found.setdefault(("", table), number)
        elif key := _KEY.match(line):
            found.setdefault((table, key[1]), number)
    return found


def _at(file: str, lines: dict[tuple[str, str], int], at: tuple[str, str]) -> Place:
    return Place(file=file, line=lines.get(at, 1))
