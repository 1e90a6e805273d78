"""Values: what stands in one cell of a file, as text or as number.

The same label comes as "1" from CSV, as 1 from JSON and as 1.0 from a pandas column that has gaps.
Here they are one text, so that the format of a file does not change its classes. So are labels
that look the same and differ only in how they are written down.
"""

import math
import re
import unicodedata
from typing import Any

from core.errors import InputError, shown

Row = dict[str, Any]  # column to value

MAX_VALUE = 1e18  # its square still is a float32
MAX_NUMBER = 1000  # characters that spell one
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
WHOLE = re.compile(r"([+-]?\d+)\.0*", re.ASCII)
MAX_TIDIED = 400  # characters; ordering the accents of a long text can take hours
# Soft hyphen, zero-width space, left-to-right and right-to-left mark, word joiner, byte-order mark.
UNSEEN = dict.fromkeys(map(ord, "\u00ad\u200b\u200e\u200f\u2060\ufeff"))
JOINERS = "\u200c\u200d"  # change how the letters beside them look


def number(value: Any) -> float:
    """The finite number that a value is or spells; raises InputError for anything else."""
    text = tidied(as_text(value))
    if len(text) > MAX_NUMBER or not NUMBER.fullmatch(text):
        raise InputError(f"{shown(text[:MAX_NUMBER])} is not a number")
    found = float(text)
    if abs(found) > MAX_VALUE:
        raise InputError(f"{shown(text)} is larger than {MAX_VALUE:g}")
    return found


def as_text(value: Any) -> str:
    """A value as text: 3.0 and 3 are "3", true is "true", nothing is ""."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if not isinstance(value, str | int):
        raise InputError(f"{described(value)} is not a text")
    text = str(value)
    if not is_whole_text(text):
        raise InputError("it has half a character (a lone surrogate)")
    return text


def tidied(text: str) -> str:
    """A short text as it looks: letters with their accents in one spelling (NFC), no marks that
    nobody sees, single blanks. Above MAX_TIDIED characters it stays as it is, but for the ends."""
    if len(text) > MAX_TIDIED:
        return text.strip()
    seen = unicodedata.normalize("NFC", text).translate(UNSEEN)
    return " ".join(seen.split()).strip(f"{JOINERS} ")


def as_label(value: Any) -> str:
    """The name of a class: tidied, 1.0 is "1", True and TRUE are "true"."""
    text = tidied(as_text(value))
    if whole := WHOLE.fullmatch(text):
        text = whole[1]
    if text == "-0":
        return "0"
    return text.lower() if text.lower() in ("true", "false") else text


def is_whole_text(text: str) -> bool:
    """False for text with half a character in it, which JSON's \\ud800 can spell."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def described(value: Any) -> str:
    """A value of a row as a reason quotes it; lists and objects only by their kind."""
    kinds = {list: "a list", dict: "an object", type(None): "null"}
    return kinds.get(type(value)) or shown(value)
