"""Bits that a matrix has for itself, as text: "encoder.0.key=4", "encoder.0.key=4/row/lat".

A recipe gives all matrices the same bits, scale and method; an item of this kind makes an exception
for one of them, which is named as packed files name it. What follows the bits may be left out:
then the recipe's own granularity and method hold. Every item has one spelling, so that equal
recipes have equal names: what says nothing new is left out.
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.errors import InputError, one_of, shown

EXAMPLE = "encoder.0.key=8 or encoder.0.key=4/row/lat"
LEFT_ALONE = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixBits:
    """The exception for one matrix; "" for what the recipe says of all of them."""

    name: str
    bits: int
    granularity: str = ""
    method: str = ""

    @property
    def text(self) -> str:
        """How a recipe spells it."""
        return f"{self.name}={self.bits}/{self.granularity}/{self.method}".rstrip("/")


def exceptions(texts: Sequence[str]) -> Mapping[str, MatrixBits]:
    """The exceptions of these items by the name of their matrix."""
    return _exceptions(tuple(texts))


@functools.lru_cache(maxsize=4000)
def _exceptions(texts: tuple[str, ...]) -> dict[str, MatrixBits]:
    return {each.name: each for each in map(_read, texts)}


def spelled(
    texts: Sequence[str],
    widths: Sequence[int],
    granularities: Sequence[str],
    method: str,
    usual: Sequence[str],
) -> tuple[str, ...]:
    """The items in their one spelling and order; `method` and `usual` are the recipe's method and
    granularities. Raises InputError for an item that cannot be read, or a matrix named twice."""
    found = [_read(text) for text in texts]
    for each in found:
        one_of(f"Bits of the matrix {each.name}:", each.bits, widths)
        if each.granularity:
            one_of(f"Granularity of the matrix {each.name}:", each.granularity, granularities)
    kept = {each.name: _shortest(each, method, usual).text for each in found}
    if len(kept) < len(found):
        names = [each.name for each in found]
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"The matrix {shown(twice)} has bits of its own twice. Name it once.")
    return tuple(text for _, text in sorted(kept.items()))


def _shortest(each: MatrixBits, method: str, usual: Sequence[str]) -> MatrixBits:
    """The same without what the recipe says anyway."""
    if each.bits == LEFT_ALONE:
        return MatrixBits(name=each.name, bits=each.bits)
    granularity = "" if set(usual) == {each.granularity} else each.granularity
    own = "" if each.method == method else each.method
    return MatrixBits(name=each.name, bits=each.bits, granularity=granularity, method=own)


def _read(text: str) -> MatrixBits:
    name, sign, rest = text.strip().rpartition("=")
    bits, *more = (part.strip() for part in rest.split("/"))
    name = name.strip().removesuffix(".weight")
    readable = sign and name and not set(name) & set("=/, ") and len(more) <= 2
    if not readable or not (bits.isascii() and bits.isdigit() and len(bits) <= 2):
        raise InputError(
            f"The bits of a matrix are written as {EXAMPLE}; {shown(text)} cannot be read."
        )
    granularity, method = [*more, "", ""][:2]
    return MatrixBits(name=name, bits=int(bits), granularity=granularity, method=method)
