"""The sizes of an architecture: its shapes, without a single weight, and the paper's arithmetic."""

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from core.errors import InputError, one_of

if TYPE_CHECKING:
    from core.packed.audit import Expected

# Layers, width, width of the feed-forward part, attention heads. BERT-base is Devlin et al. 2019;
# ours are as their backbones (core/models/backbones.py); all have BERT's 30,522 word pieces.
ARCHITECTURES = {
    "bert-base": (12, 768, 3072, 12),
    "minilm-l6": (6, 384, 1536, 12),
    "minilm-l3": (3, 384, 1536, 12),
}


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
    """The arithmetic for one architecture, ternary, its codes in that layout."""
    from core.families import find_family
    from core.families.bert.shapes import shapes
    from core.packed.audit import arithmetic
    from core.packed.choices import LAYOUTS

    one_of("Architecture", architecture, ARCHITECTURES)
    one_of("Layout", layout, LAYOUTS)
    return Sizes(parts=arithmetic(find_family(), shapes(*ARCHITECTURES[architecture]), layout))
