"""The text of a lesson, cut into blocks; every block remembers the line that it begins in.

    ---                          front matter: name: value
    title: Three numbers
    ---
    ## step-name: Title          a block of level 2, and its text
    ### question: number         a block of level 3: head "question", argument "number"
    How many?
    - unit: %                    a field
    - (row) One scale a row      an option; a line that begins with two spaces goes on

A file that is not so is refused with its name, the line and what to do: `Place.wrong` says it.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from core.errors import InputError, shown

FENCE = "---"
_HEAD = re.compile(r"(#{2,3}) ([^:]+?)(?:: (.+))?")
_FIELD = re.compile(r"- ([A-Za-z_][A-Za-z_ ]*): (.+)")
_OPTION = re.compile(r"- \(([^()]+)\) (.+)")
_PAIR = re.compile(r"([a-z]+): (.+)")
# What would fetch something or run something in a browser: lessons go into standalone sheets.
_FOREIGN = re.compile(r"!\[|<[A-Za-z/!]|://|\bwww\.|\]\(|\S@\S", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A line of a file."""

    file: str
    line: int

    def wrong(self, sentence: str) -> InputError:
        """The error that says what is wrong there and what to do."""
        return InputError(f"{self.file}, line {self.line}: {sentence}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A named value (or, of an option, its key and text) and where it stands."""

    name: str
    value: str
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A heading and what stands below it up to the next one."""

    level: int
    head: str
    argument: str
    place: Place
    lines: tuple[Field, ...]  # without names: a line of text and its place

    @property
    def text(self) -> str:
        """All of it as it stands."""
        return "\n".join(line.value for line in self.lines).strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """A block taken apart: its sentences, options and fields."""

    text: str
    options: tuple[Field, ...]
    fields: tuple[Field, ...]


def cut(file: str, text: str) -> tuple[list[Field], str, list[Block]]:
    """Front matter, the text before the first heading, and the blocks. Raises InputError."""
    lines = [
        Field(name="", value=line.rstrip(), place=Place(file=file, line=number))
        for number, line in enumerate(text.splitlines(), 1)
    ]
    if not lines or lines[0].value != FENCE:
        first = Place(file=file, line=1)
        raise first.wrong(f"A lesson begins with a line {FENCE}, then title: ..., aim: ...")
    front, end = [], next((i for i, line in enumerate(lines[1:], 1) if line.value == FENCE), 0)
    if not end:
        raise lines[0].place.wrong(f"The front matter has no end. Close it with a line {FENCE}.")
    for line in lines[1:end]:
        found = _PAIR.fullmatch(line.value)
        if not found:
            raise line.place.wrong(f"{shown(line.value)} is not of the form name: value.")
        front.append(Field(name=found[1], value=found[2].strip(), place=line.place))
    before, blocks = _blocks(lines[end + 1 :])
    return front, before, blocks


def has_foreign(text: str) -> bool:
    """Whether a text holds a picture, an address or HTML, which are refused."""
    return _FOREIGN.search(text) is not None


def _blocks(lines: Sequence[Field]) -> tuple[str, list[Block]]:
    heads: list[tuple[re.Match[str], Place]] = []
    inside: list[list[Field]] = [[]]
    for line in lines:
        if line.value.startswith("#"):
            heads.append((_head(line), line.place))
            inside.append([])
            continue
        if has_foreign(line.value):
            raise line.place.wrong(
                "Pictures, addresses and HTML have no place in a lesson. Name a page in a block "
                "### link instead."
            )
        inside[-1].append(line)
    blocks = [
        Block(
            level=len(found[1]),
            head=found[2].strip(),
            argument=(found[3] or "").strip(),
            place=place,
            lines=tuple(below),
        )
        for (found, place), below in zip(heads, inside[1:], strict=True)
    ]
    return "\n".join(line.value for line in inside[0]).strip(), blocks


def _head(line: Field) -> re.Match[str]:
    found = _HEAD.fullmatch(line.value)
    if not found:
        raise line.place.wrong(
            f"{shown(line.value)} is no heading of a lesson. Write ## name: Title for a step, "
            "### question: choice (and so on) inside it."
        )
    return found


def parts(block: Block) -> Parts:
    """The block's sentences, options and fields. Raises InputError for a line that is none."""
    text: list[str] = []
    items: list[tuple[bool, Field]] = []
    for line in block.lines:
        item = _item(line)
        if item is not None:
            items.append(item)
        elif items and line.value.startswith("  "):
            is_option, last = items[-1]
            more = f"{last.value} {line.value.strip()}"
            items[-1] = is_option, Field(name=last.name, value=more, place=last.place)
        elif items and line.value:
            raise line.place.wrong(
                "After the first option or setting only options, settings and their continuations "
                "(two spaces first) can follow. Move the sentence up."
            )
        else:
            text.append(line.value)
    return Parts(
        text="\n".join(text).strip(),
        options=tuple(_unlike(field for is_option, field in items if is_option)),
        fields=tuple(_unlike(field for is_option, field in items if not is_option)),
    )


def _item(line: Field) -> tuple[bool, Field] | None:
    """Whether the line begins an option, and what it says; None for another line."""
    if not line.value.startswith("- "):
        return None
    for is_option, form in ((True, _OPTION), (False, _FIELD)):
        found = form.fullmatch(line.value)
        if found:
            name, value = found[1].strip(), found[2].strip()
            return is_option, Field(name=name, value=value, place=line.place)
    raise line.place.wrong(
        f"{shown(line.value)} is neither an option, - (key) text, nor a setting, - name: value."
    )


def _unlike(found: Iterator[Field]) -> Iterator[Field]:
    """The same, once no two have one name."""
    seen: dict[str, int] = {}
    for field in found:
        if field.name in seen:
            raise field.place.wrong(
                f"{shown(field.name)} stands in line {seen[field.name]} already. Leave one out."
            )
        seen[field.name] = field.place.line
        yield field
