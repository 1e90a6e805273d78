"""The sizes of an architecture: the shapes of its family, and the paper's arithmetic."""

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from core.errors import InputError, one_of
from core.experiment import USUAL_FAMILY

if TYPE_CHECKING:
    from core.packed.audit import Expected


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Bytes of a model in float32 and packed, in all and by part."""

    parts: "tuple[Expected, ...]"

    @property
    def before(self) -> int:
        """In float32."""
        return sum(part.size_bytes_float32 for part in self.parts)

    @property
    def after(self) -> int:
        """Packed."""
        return sum(part.size_bytes for part in self.parts)

    def part(self, group: str) -> int:
        """The packed bytes of one part. Raises InputError for an unknown one."""
        found = {part.group: part.size_bytes for part in self.parts}
        if group not in found:
            raise InputError(f"There is no part {group}. There are: {', '.join(found)}.")
        return found[group]


@cache
def sizes_of(architecture: str, layout: str) -> Sizes:
    """The arithmetic for one architecture, ternary, its codes in that layout. Raises InputError
    for one that the family does not know."""
    from core.families import find_family
    from core.packed.audit import arithmetic
    from core.packed.choices import LAYOUTS

    one_of("Layout", layout, LAYOUTS)
    family = find_family(USUAL_FAMILY)
    return Sizes(parts=arithmetic(family, family.shapes(architecture), layout))
