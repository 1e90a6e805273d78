"""What rounding does to one matrix: zeros, direction, noise; rows against bits, rule against rule.

The matrix is the shipped teacher's; the rounding and its measures are those of the Weights page.
"""

from core.lessons.catalogue import Words
from core.lessons.lesson import Settings
from core.lessons.material import quant_of, teacher, title_of, view
from core.lessons.revealing import COMPUTED, PER_CENT, Fact, Item, Models, Revealed, reveal

ONE = ("task", "model")


@reveal("zeros", COMPUTED, needs=("matrix", "column"), may=ONE)
def zeros(settings: Settings, models: Models, words: Words) -> Revealed:
    """How many per cent of the weights become 0."""
    opened, name = teacher(settings, models), settings.text("matrix")
    seen = view(opened, name, quant_of(settings.text("column")))
    value = 100 * seen.error.zeros
    threshold = seen.numbers.get("threshold", float(seen.scales[0]) / 2)
    return Revealed(
        value=value,
        unit=PER_CENT,
        items=(
            Item(label=words.matrices.zero, value=value, main=True),
            Item(label=words.matrices.sign, value=100 - value),
        ),
        facts=(
            Fact(name="threshold", text=f"{threshold:.4f}"),
            Fact(name="scale", text=f"{float(seen.scales.mean()):.4f}"),
            Fact(name="mean", text=f"{seen.numbers['mean']:.4f}"),
            Fact(name="largest", text=f"{seen.numbers['max']:.3f}"),
            Fact(name="weights", text=f"{seen.rows * seen.cols:,}"),
        ),
        how=words.matrices.zeros_how.format(
            count=f"{seen.rows * seen.cols:,}", matrix=title_of(opened, name)
        ),
    )


@reveal("cosine", COMPUTED, needs=("matrix", "column"), may=ONE)
def cosine(settings: Settings, models: Models, words: Words) -> Revealed:
    """The cosine of the angle between a matrix and its rounded self."""
    opened, name = teacher(settings, models), settings.text("matrix")
    seen = view(opened, name, quant_of(settings.text("column")))
    value = seen.error.cosine
    return Revealed(
        value=value,
        unit="",
        digits=2,
        items=(
            Item(label=words.matrices.rounded, value=value, main=True),
            Item(label=words.matrices.same, value=1.0),
        ),
        facts=(
            Fact(name="kept", text=f"{100 * value**2:.0f} %"),
            Fact(name="zeros", text=f"{100 * seen.error.zeros:.0f} %"),
        ),
        how=words.matrices.cosine_how.format(matrix=title_of(opened, name)),
    )


@reveal(
    "noise",
    COMPUTED,
    needs=("matrix", "column", "against"),
    may=ONE,
    answers=("column", "against"),
)
def noise(settings: Settings, models: Models, words: Words) -> Revealed:
    """How many decibels one way of rounding lies above another; the better one holds."""
    opened, name = teacher(settings, models), settings.text("matrix")
    column, against = settings.text("column"), settings.text("against")
    first = view(opened, name, quant_of(column)).error
    second = view(opened, name, quant_of(against)).error
    gain = first.sqnr_db - second.sqnr_db
    return Revealed(
        value=gain,
        unit="dB",
        items=(
            Item(label=_named(column, words), value=first.sqnr_db, main=True),
            Item(label=_named(against, words), value=second.sqnr_db),
        ),
        holds="column" if gain > 0 else "against",
        facts=(
            Fact(name="column", text=f"{first.sqnr_db:.1f} dB"),
            Fact(name="against", text=f"{second.sqnr_db:.1f} dB"),
            Fact(name="gain", text=f"{abs(gain):.1f} dB"),
        ),
        how=words.matrices.noise_how.format(matrix=title_of(opened, name)),
    )


def _named(column: str, words: Words) -> str:
    """ "twn 2 row" as a label: "twn, 2 bits, row"."""
    method, bits, granularity = quant_of(column)
    said = {"layer": words.matrices.layer, "row": words.matrices.row}
    return words.matrices.column.format(
        method=method, bits=bits, granularity=said.get(granularity, granularity)
    )
