"""From the blocks of one step to a `Step`: eight blocks, the same in every step, in one order.

Names of reveals, instruments and pages are looked up here, and each choice must be something that
the reveal can find at all.
"""

import math
import re
from collections.abc import Sequence

from core.errors import InputError, shown
from core.lessons.instruments import INSTRUMENTS, PAGES
from core.lessons.lesson import (
    CHOICE,
    KINDS,
    Explanations,
    Link,
    Option,
    Question,
    Reason,
    Settings,
    Step,
    Use,
)
from core.lessons.revealing import Reveal, range_of, reveals
from core.lessons.text_blocks import Block, Field, parts

ORDER = (
    *("question", "reason", "instrument", "reveal"),
    *("both right", "reason right", "trap", "link"),
)
NUMBERS = ("from", "to", "by", "within")
NAME = re.compile(r"[a-z][a-z0-9-]*")
MOST_OPTIONS = 6


def read_step(head: Block, blocks: Sequence[Block]) -> Step:
    """The step of a heading and the blocks below it. Raises InputError with line and cure."""
    if not NAME.fullmatch(head.head) or not head.argument:
        raise head.place.wrong("A step begins with ## name: Title, its name in small letters.")
    for number, wanted in enumerate(ORDER):
        found = blocks[number] if number < len(blocks) else None
        if found is None or found.head != wanted:
            place = found.place if found else head.place
            raise place.wrong(
                f"In step {head.head} the block ### {wanted} is expected here. The order is: "
                f"{', '.join(ORDER)}."
            )
    if len(blocks) > len(ORDER):
        raise blocks[len(ORDER)].place.wrong("The step ends with ### link. Leave this block out.")
    asked, reason, instrument, revealed, both, half, trap, link = blocks
    reveal = _reveal(revealed)
    return Step(
        name=head.head,
        title=head.argument,
        text=head.text,
        question=_question(asked, reveals()[reveal.name]),
        reason=_reason(reason),
        instrument=_instrument(instrument),
        reveal=reveal,
        explanations=Explanations(both=_said(both), reason=_said(half), trap=_said(trap)),
        link=_link(link),
    )


def _said(block: Block) -> str:
    if not block.text:
        raise block.place.wrong(f"### {block.head} is empty. Write what such a person should read.")
    return block.text


def _question(block: Block, reveal: Reveal) -> Question:
    kind = block.argument
    if kind not in KINDS:
        raise block.place.wrong(f"A question is one of: {', '.join(KINDS)}. Not {shown(kind)}.")
    found = parts(block)
    if not found.text:
        raise block.place.wrong("The question has no sentence. Write it below the heading.")
    fields = {field.name: field for field in found.fields}
    if kind == CHOICE:
        right = _right(block, found.options, fields)
        for option in found.options:
            _check_key(option, reveal)
        return Question(kind=kind, text=found.text, options=_options(found.options), right=right)
    _only(fields, (*NUMBERS, "unit"))
    if found.options:
        raise found.options[0].place.wrong("Only a question: choice has options.")
    low, high, by, within = (_number(block, fields, name) for name in NUMBERS)
    if not low < high or by <= 0 or within <= 0:
        raise block.place.wrong("from must be below to, and by and within above 0.")
    unit = fields["unit"].value if "unit" in fields else ""
    return Question(kind=kind, text=found.text, unit=unit, low=low, high=high, by=by, within=within)


def _check_key(option: Field, reveal: Reveal) -> None:
    """A choice must be something that the reveal can find."""
    try:
        is_range = range_of(option.name) is not None
    except InputError as error:
        raise option.place.wrong(str(error)) from error
    if not is_range and option.name not in reveal.answers:
        known = ", ".join(reveal.answers) or "none; use ranges such as (1..5)"
        raise option.place.wrong(
            f"The reveal {reveal.name} never answers {shown(option.name)}. Its answers: {known}."
        )


def _number(block: Block, fields: dict[str, Field], name: str) -> float:
    if name not in fields:
        raise block.place.wrong(f"The question lacks - {name}: a number. Add it.")
    try:
        number = float(fields[name].value)
    except ValueError as error:
        raise fields[name].place.wrong(f"{name} must be a number.") from error
    if not math.isfinite(number):
        raise fields[name].place.wrong(f"{name} must be a number.")
    return number


def _reason(block: Block) -> Reason:
    found = parts(block)
    if not found.text:
        raise block.place.wrong("The reason has no question. Write one, such as: Why?")
    right = _right(block, found.options, {field.name: field for field in found.fields})
    return Reason(text=found.text, options=_options(found.options), right=right)


def _right(block: Block, options: Sequence[Field], fields: dict[str, Field]) -> str:
    if not 2 <= len(options) <= MOST_OPTIONS:
        raise block.place.wrong(
            f"There are {len(options)} options here; write 2 to {MOST_OPTIONS} as - (key) text."
        )
    _only(fields, ("right",))
    if "right" not in fields:
        raise block.place.wrong("Which option is right is missing. Add - right: its key.")
    keys, right = [option.name for option in options], fields["right"]
    if right.value not in keys:
        raise right.place.wrong(f"{shown(right.value)} is no option. Use: {', '.join(keys)}.")
    return right.value


def _options(found: Sequence[Field]) -> tuple[Option, ...]:
    return tuple(Option(key=field.name, text=field.value) for field in found)


def _only(fields: dict[str, Field], known: Sequence[str]) -> None:
    for name, field in fields.items():
        if name not in known:
            raise field.place.wrong(f"{shown(name)} is no setting here. Use: {', '.join(known)}.")


def _use(block: Block, what: str, known: Sequence[str]) -> tuple[Use, dict[str, Field]]:
    if block.argument not in known:
        raise block.place.wrong(
            f"There is no {what} {shown(block.argument)}. Use one of: {', '.join(known)}."
        )
    found = parts(block)
    if found.text or found.options:
        raise block.place.wrong(f"### {block.head} holds only settings, - name: value.")
    pairs = tuple((field.name, field.value) for field in found.fields)
    fields = {field.name: field for field in found.fields}
    return Use(name=block.argument, settings=Settings(pairs=pairs)), fields


def _told(block: Block, fields: dict[str, Field], needs: Sequence[str], may: Sequence[str]) -> None:
    _only(fields, (*needs, *may))
    for name in needs:
        if name not in fields:
            raise block.place.wrong(f"{block.argument} needs the setting - {name}: ... Add it.")


def _instrument(block: Block) -> Use:
    use, fields = _use(block, "instrument", tuple(INSTRUMENTS))
    known = INSTRUMENTS[use.name]
    _told(block, fields, known.needs, known.may)
    return use


def _reveal(block: Block) -> Use:
    use, fields = _use(block, "reveal", tuple(reveals()))
    known = reveals()[use.name]
    _told(block, fields, known.needs, known.may)
    return use


def _link(block: Block) -> Link:
    found = parts(block)
    fields = {field.name: field for field in found.fields}
    if not found.text or "page" not in fields or found.options:
        raise block.place.wrong("### link has a sentence, - page: its name, and settings.")
    if fields["page"].value not in PAGES:
        raise fields["page"].place.wrong(f"There is no such page. Use: {', '.join(PAGES)}.")
    pairs = tuple((name, field.value) for name, field in fields.items() if name != "page")
    return Link(text=found.text, page=fields["page"].value, settings=Settings(pairs=pairs))
