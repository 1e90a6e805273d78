"""How many bytes is it really? By part of a real file, and by arithmetic for any BERT.

The audit reads a file's header: every byte belongs to a part, so the parts sum to the file's size.
The arithmetic is the paper's (PAPER 1): codes of the embedding, of six matrices a layer and of the
pooler, a float scale for every word and every other matrix, everything else in float. It counts
neither header nor task head, so the two differ by exactly those.
"""

from collections import defaultdict
from dataclasses import dataclass

from transformers import BertConfig

from core.models.anatomy import part_of
from core.models.leftovers import HEAD, leftover_kind
from core.packed.choices import FLOAT32, TWO_BIT
from core.packed.codes import packed_size
from core.packed.container import Container
from core.packed.contents import FLOATS
from core.packed.file import CODES, SCALE

EMBEDDING, ENCODER, POOLER = "word embedding", "encoder matrices", "pooler"
KEPT, SCALES, HEADER = "kept in float", "scales", "header"
_GROUPS = {
    "embedding": EMBEDDING,
    "attention": ENCODER,
    "feed-forward": ENCODER,
    "pooler": POOLER,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Bytes of one part of a file; `group` is the row of the paper's table that it belongs to."""

    group: str
    name: str
    size_bytes: int


def audit(container: Container) -> tuple[Part, ...]:
    """Every byte of a packed file by part; the parts sum to its size."""
    sizes: dict[tuple[str, str], int] = defaultdict(int)
    for entry in container.entries:
        sizes[_part(entry.name)] += entry.end - entry.begin
    sizes[HEADER, "header"] = container.header_bytes
    return tuple(
        Part(group=group, name=name, size_bytes=size) for (group, name), size in sizes.items()
    )


def _part(name: str) -> tuple[str, str]:
    if name.endswith(CODES):
        part = part_of(name.removesuffix(CODES)) or ""
        return _GROUPS.get(part, KEPT), f"{part} codes"
    if name.endswith(SCALE):
        is_embedding = part_of(name.removesuffix(SCALE)) == "embedding"
        return SCALES, "scales of words" if is_embedding else "scales of matrices"
    kind = leftover_kind(name)
    return (HEAD if kind == HEAD else KEPT), kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """The numbers that decide how large a BERT is."""

    vocabulary: int
    hidden: int
    intermediate: int
    layers: int
    positions: int = 512
    types: int = 2


BERT_BASE = Architecture(vocabulary=30_522, hidden=768, intermediate=3072, layers=12)


def architecture_of(config: BertConfig) -> Architecture:
    """The architecture of a model's config."""
    return Architecture(
        vocabulary=config.vocab_size,
        hidden=config.hidden_size,
        intermediate=config.intermediate_size,
        layers=config.num_hidden_layers,
        positions=config.max_position_embeddings,
        types=config.type_vocab_size,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """One row of the arithmetic: numbers, bytes in float32, bytes packed."""

    group: str
    numbers: int
    size_bytes_float32: int
    size_bytes: int


def arithmetic(
    model: Architecture,
    layout: str = TWO_BIT,
    leftovers: str = FLOAT32,
    weight_bits: int = 2,
    embedding_bits: int = 2,
) -> tuple[Expected, ...]:
    """The paper's table for an architecture: embedding row by row, matrices with one scale each.

    Bits of 32 leave a part in float, without a scale.
    """
    wide = FLOATS[leftovers].itemsize
    matrices = 4 * model.hidden**2, 2 * model.hidden * model.intermediate
    counts = (
        (EMBEDDING, model.vocabulary * model.hidden, embedding_bits),
        (ENCODER, model.layers * sum(matrices), weight_bits),
        (POOLER, model.hidden**2, weight_bits),
    )
    rows = [
        _expected(group, n, n * wide if bits == 32 else packed_size(n, bits, layout))
        for group, n, bits in counts
    ]
    kept = _kept(model)
    scales = (model.vocabulary if embedding_bits < 32 else 0) + (
        6 * model.layers + 1 if weight_bits < 32 else 0
    )
    rows.append(_expected(KEPT, kept, kept * wide))
    rows.append(
        Expected(group=SCALES, numbers=scales, size_bytes_float32=0, size_bytes=scales * wide)
    )
    return tuple(rows)


def _expected(group: str, numbers: int, size_bytes: int) -> Expected:
    return Expected(
        group=group, numbers=numbers, size_bytes_float32=4 * numbers, size_bytes=size_bytes
    )


def _kept(model: Architecture) -> int:
    """Numbers that stay in float: position and type embeddings, LayerNorm, biases."""
    width = model.hidden
    norms = 2 * width * (1 + 2 * model.layers)
    biases = model.layers * (5 * width + model.intermediate) + width
    return (model.positions + model.types) * width + norms + biases


def total_bytes(rows: tuple[Expected, ...]) -> int:
    """Bytes of the packed model by arithmetic."""
    return sum(row.size_bytes for row in rows)


def total_bytes_float32(rows: tuple[Expected, ...]) -> int:
    """Bytes of the same model at 4 bytes a weight."""
    return sum(row.size_bytes_float32 for row in rows)
