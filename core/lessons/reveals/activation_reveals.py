"""Activations: how they lean, and what two ranges make of them, for one sentence in the teacher."""

from core.errors import one_of
from core.experiment import ACTIVATION_BITS
from core.lessons.catalogue import Words
from core.lessons.inputs import input_of
from core.lessons.lesson import Settings
from core.lessons.material import teacher
from core.lessons.revealing import COMPUTED, TIMES, Fact, Item, Models, Revealed, reveal

MAY = ("task", "model")
FAR = 6.0  # standard deviations; a bell curve of this many numbers has none beyond
EVEN = 1.1  # both sides reach equally far where neither is more than a tenth longer


@reveal(
    "lean",
    COMPUTED,
    needs=("matrix", "sentence"),
    may=MAY,
    answers=("negative", "positive", "even"),
)
def lean(settings: Settings, models: Models, words: Words) -> Revealed:
    """To which side of zero the input of a matrix reaches farther; how many times as far."""
    x = input_of(teacher(settings, models), settings.text("matrix"), settings.text("sentence"))
    low, high = -float(x.min()), float(x.max())
    value = max(low, high) / min(low, high)
    found = "even" if value < EVEN else "negative" if low > high else "positive"
    spread = float(x.std())
    return Revealed(
        value=value,
        unit=TIMES,
        items=(
            Item(label=words.activations.below, value=low, main=found == "negative"),
            Item(label=words.activations.above, value=high, main=found == "positive"),
            Item(label=words.activations.spread, value=spread),
        ),
        holds=found,
        facts=(
            Fact(name="lowest", text=f"{-low:.2f}"),
            Fact(name="highest", text=f"{high:.2f}"),
            Fact(name="spread", text=f"{spread:.2f}"),
            Fact(name="numbers", text=f"{x.numel():,}"),
        ),
        how=words.activations.lean_how.format(count=f"{x.numel():,}"),
    )


@reveal("outlier", COMPUTED, needs=("matrix", "sentence"), may=MAY)
def outlier(settings: Settings, models: Models, words: Words) -> Revealed:
    """How many standard deviations the farthest input of a matrix lies from zero."""
    x = input_of(teacher(settings, models), settings.text("matrix"), settings.text("sentence"))
    value = float(x.abs().max() / x.std())
    far = x.abs() > FAR * x.std()  # (tokens, features)
    inside = float((x.abs() < 3 * x.std()).float().mean())
    return Revealed(
        value=value,
        unit=words.activations.deviations,
        items=(Item(label=words.activations.farthest, value=value, main=True),),
        facts=(
            Fact(name="farthest", text=f"{float(x.abs().max()):.2f}"),
            Fact(name="spread", text=f"{float(x.std()):.2f}"),
            Fact(name="inside", text=f"{100 * inside:.1f} %"),
            Fact(name="far", text=str(int(far.sum()))),
            Fact(name="far_first", text=str(int(far[0].sum()))),
            Fact(name="numbers", text=f"{x.numel():,}"),
        ),
        how=words.activations.outlier_how.format(count=f"{x.numel():,}"),
    )


@reveal("ranges", COMPUTED, needs=("matrix", "sentence", "bits"), may=MAY)
def ranges(settings: Settings, models: Models, words: Words) -> Revealed:
    """How many times as large the squared error of the symmetric range is as that of min-max."""
    from core.quantizers.activations import fake_quantize_activation

    bits = settings.whole("bits")
    one_of("Activation bits", bits, [each for each in ACTIVATION_BITS if 1 < each < 32])
    x = input_of(teacher(settings, models), settings.text("matrix"), settings.text("sentence"))
    errors = {
        kind: float((fake_quantize_activation(x, bits, kind) - x).square().mean())
        for kind in ("symmetric", "minmax")
    }
    value = errors["symmetric"] / errors["minmax"]
    return Revealed(
        value=value,
        unit=TIMES,
        digits=2,
        items=(
            Item(label=words.activations.symmetric, value=value, main=True),
            Item(label=words.activations.same, value=1.0),
        ),
        facts=tuple(Fact(name=kind, text=f"{error:.2e}") for kind, error in errors.items()),
        how=words.activations.ranges_how.format(count=f"{x.numel():,}", bits=bits),
    )
