"""Every byte counted, by the paper's arithmetic (core/packed/audit.py), for BERT-base or ours."""

from core.lessons.architecture_sizes import Sizes, sizes_of
from core.lessons.catalogue import Words
from core.lessons.lesson import Settings
from core.lessons.revealing import COMPUTED, PER_CENT, TIMES, Fact, Item, Models, Revealed, reveal

KEYS = {
    "word embedding": "embedding",
    "encoder matrices": "encoder",
    "pooler": "pooler",
    "kept in float": "kept",
    "scales": "scales",
}


def part_name(group: str, words: Words) -> str:
    """What a part of a file is called in a language; one that is not known by its own name."""
    said = words.sizes
    names = (said.embedding, said.encoder, said.pooler, said.kept, said.scales)
    return dict(zip(KEYS, names, strict=True)).get(group, group)


def _sizes(settings: Settings, layout: str = "2-bit") -> Sizes:
    return sizes_of(settings.text("architecture"), settings.text("layout", layout))


@reveal("ratio", COMPUTED, needs=("architecture",), may=("layout",))
def ratio(settings: Settings, models: Models, words: Words) -> Revealed:
    """How many times smaller the 2-2 file is than the model in float32."""
    sizes = _sizes(settings)
    return Revealed(
        value=sizes.before / sizes.after,
        unit=TIMES,
        items=(
            Item(label=words.sizes.counted, value=sizes.before / sizes.after, main=True),
            Item(label=words.sizes.bits, value=32 / 2),
        ),
        facts=(
            Fact(name="before", text=f"{sizes.before / 2**20:.1f} MiB"),
            Fact(name="after", text=f"{sizes.after / 2**20:.2f} MiB"),
            Fact(name="kept", text=f"{sizes.part('kept in float') / 2**20:.2f} MiB"),
            Fact(name="scales", text=f"{sizes.part('scales') / 2**10:.0f} KiB"),
        ),
        how=words.sizes.how,
    )


@reveal("largest-part", COMPUTED, needs=("architecture",), answers=tuple(KEYS.values()))
def largest_part(settings: Settings, models: Models, words: Words) -> Revealed:
    """Which part of the packed file is the largest; the value is its share."""
    sizes = _sizes(settings)
    shares = {part.group: 100 * part.size_bytes / sizes.after for part in sizes.parts}
    best = max(shares, key=lambda group: shares[group])
    return Revealed(
        value=shares[best],
        unit=PER_CENT,
        items=tuple(
            Item(label=part_name(group, words), value=share, main=group == best)
            for group, share in shares.items()
        ),
        holds=KEYS[best],
        facts=tuple(
            Fact(name=KEYS[group], text=f"{share:.0f} %") for group, share in shares.items()
        ),
        how=words.sizes.how,
    )


@reveal("base-3", COMPUTED, needs=("architecture",))
def base_3(settings: Settings, models: Models, words: Words) -> Revealed:
    """By how many per cent five codes in a byte make the whole file smaller than four."""
    four, five = _sizes(settings), _sizes(settings, "base-3")
    value = 100 * (1 - five.after / four.after)
    return Revealed(
        value=value,
        unit=PER_CENT,
        items=(
            Item(label=words.sizes.file, value=value, main=True),
            Item(label=words.sizes.codes, value=100 * (1 - 4 / 5)),
        ),
        facts=(
            Fact(name="four", text=f"{four.after / 2**20:.2f} MiB"),
            Fact(name="five", text=f"{five.after / 2**20:.2f} MiB"),
            Fact(name="times", text=f"{five.before / five.after:.1f}x"),
            Fact(name="possible", text=words.sizes.possible.format(used=3**5, all=2**8)),
        ),
        how=words.sizes.how,
    )


@reveal("scales", COMPUTED, needs=("architecture",))
def scales(settings: Settings, models: Models, words: Words) -> Revealed:
    """Which share of the packed file its scales take, in per cent."""
    sizes = _sizes(settings)
    value = 100 * sizes.part("scales") / sizes.after
    return Revealed(
        value=value,
        unit=PER_CENT,
        digits=2,
        items=(Item(label=words.sizes.scales, value=value, main=True),),
        facts=(
            Fact(name="scales", text=f"{sizes.part('scales') / 2**10:.0f} KiB"),
            Fact(name="count", text=f"{sizes.part('scales') // 4:,}"),
            Fact(name="after", text=f"{sizes.after / 2**20:.2f} MiB"),
        ),
        how=words.sizes.how,
    )
