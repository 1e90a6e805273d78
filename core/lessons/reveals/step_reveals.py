"""One weight, one step: with what the network computes, what the gradient does, whether the code
flips; all from one real training step (core/lessons/one_step.py)."""

from core.lessons.catalogue import Words
from core.lessons.lesson import Settings
from core.lessons.material import teacher
from core.lessons.one_step import NEAR, OneStep, OneWeight, one_step, pick
from core.lessons.revealing import COMPUTED, PER_CENT, TIMES, Fact, Item, Models, Revealed, reveal

MAY = ("task", "model", "matrix", "weight")


def _step(settings: Settings, models: Models) -> OneStep:
    return one_step(teacher(settings, models), settings.text("matrix", ""))


def _facts(weight: OneWeight) -> tuple[Fact, ...]:
    numbers = {
        "latent": weight.latent,
        "threshold": weight.threshold,
        "scale": weight.scale,
        "forward": weight.value,
        "gradient": weight.gradient,
        "latent_after": weight.latent_after,
        "threshold_after": weight.threshold_after,
        "moved": weight.latent_after - weight.latent,
    }
    facts = [Fact(name=name, text=f"{number:+.6f}") for name, number in numbers.items()]
    codes = {"code": weight.code, "code_after": weight.code_after}
    facts += [Fact(name=name, text=f"{code:+d}" if code else "0") for name, code in codes.items()]
    return (*facts, Fact(name="rate", text=f"{weight.rate:g}"))


@reveal("computes-with", COMPUTED, may=MAY, answers=("latent", "code", "scaled"))
def computes_with(settings: Settings, models: Models, words: Words) -> Revealed:
    """What the forward pass multiplies with: the latent weight, its code, or scale times code."""
    weight = pick(_step(settings, models), settings.text("weight", "far"))
    candidates = {
        "latent": weight.latent,
        "code": float(weight.code),
        "scaled": weight.scale * weight.code,
    }
    found = min(candidates, key=lambda name: abs(candidates[name] - weight.value))
    said = words.steps
    labels = {"latent": said.latent, "code": said.code, "scaled": said.scaled}
    return Revealed(
        value=weight.value,
        unit="",
        digits=4,
        items=(
            Item(label=words.steps.computed, value=weight.value, main=True),
            *(Item(label=labels[name], value=value) for name, value in candidates.items()),
        ),
        holds=found,
        facts=_facts(weight),
        how=words.steps.how,
    )


@reveal("gradient", COMPUTED, may=MAY, answers=("same", "zero", "other"))
def gradient(settings: Settings, models: Models, words: Words) -> Revealed:
    """The latent weight's gradient as so many times that of the value computed with; 1 is the same.

    Held over the whole matrix: "same" only where every weight's is."""
    import torch

    step = _step(settings, models)
    weight = pick(step, settings.text("weight", NEAR))
    if torch.equal(step.gradient, step.gradient_of_value):
        found = "same"
    else:
        found = "zero" if not bool(step.gradient.any()) else "other"
    ratio = weight.gradient / weight.gradient_of_value
    return Revealed(
        value=ratio,
        unit=TIMES,
        items=(
            Item(label=words.steps.of_latent, value=ratio, main=True),
            Item(label=words.steps.of_value, value=1.0),
        ),
        holds=found,
        facts=_facts(weight),
        how=words.steps.whole_how.format(how=words.steps.how, count=f"{step.before.numel():,}"),
    )


@reveal("flip", COMPUTED, may=MAY, answers=("flips", "stays"))
def flip(settings: Settings, models: Models, words: Words) -> Revealed:
    """Whether a weight's code is another one after the step; the value is how far it moved, in
    learning rates."""
    weight = pick(_step(settings, models), settings.text("weight", NEAR))
    moved = (weight.latent_after - weight.latent) / weight.rate
    gap = (weight.threshold - abs(weight.latent)) / weight.rate
    return Revealed(
        value=abs(moved),
        unit=words.steps.rates,
        digits=2,
        items=(
            Item(label=words.steps.moved, value=abs(moved), main=True),
            Item(label=words.steps.short, value=gap),
        ),
        holds="flips" if weight.flips else "stays",
        facts=_facts(weight),
        how=words.steps.place_how.format(how=words.steps.how, row=weight.row, column=weight.column),
    )


@reveal("flipped", COMPUTED, may=MAY)
def flipped(settings: Settings, models: Models, words: Words) -> Revealed:
    """How many per cent of a matrix's codes one step changes."""
    step = _step(settings, models)
    value, zeros = 100 * step.flipped, 100 * float((step.quantized.codes == 0).float().mean())
    return Revealed(
        value=value,
        unit=PER_CENT,
        digits=2,
        items=(Item(label=words.steps.changed, value=value, main=True),),
        facts=(
            Fact(name="count", text=f"{round(step.flipped * step.before.numel()):,}"),
            Fact(name="weights", text=f"{step.before.numel():,}"),
            Fact(name="zeros", text=f"{zeros:.0f} %"),
        ),
        how=words.steps.changed_how.format(how=words.steps.how),
    )


@reveal("importance", COMPUTED, may=MAY, answers=("gradient", "size", "place"))
def importance_of(settings: Settings, models: Models, words: Words) -> Revealed:
    """What LAT's importance of a weight goes with: its gradient, its size, or where it stands. The
    value is the largest of the three correlations."""
    import torch

    from core.quantizers.importance import importance

    step = _step(settings, models)
    found = importance(step.second_moment)
    assert found is not None
    places = torch.arange(found.numel(), dtype=torch.float32)
    others = {
        "gradient": step.gradient.abs(),
        "size": step.before.abs(),
        "place": places.reshape(found.shape),
    }
    values = {
        name: float(torch.corrcoef(torch.stack([found.flatten(), other.flatten()]))[0, 1])
        for name, other in others.items()
    }
    best = max(values, key=lambda name: abs(values[name]))
    said = words.steps
    labels = {"gradient": said.gradient, "size": said.size, "place": said.place}
    return Revealed(
        value=values[best],
        unit="",
        digits=2,
        items=tuple(
            Item(label=labels[name], value=value, main=name == best)
            for name, value in values.items()
        ),
        holds=best,
        facts=tuple(Fact(name=name, text=f"{value:.2f}") for name, value in values.items()),
        how=words.steps.importance_how.format(how=words.steps.how),
    )


@reveal("loss-aware", COMPUTED, needs=("measure",), may=MAY, answers=("lat", "twn"))
def loss_aware(settings: Settings, models: Models, words: Words) -> Revealed:
    """By how many per cent one rule's error is below the other's, on one matrix: measure
    "weighted" by the importance, or "plain". The rule with the smaller error holds."""
    from core.errors import one_of
    from core.quantizers import quantize
    from core.quantizers.error import quantization_error
    from core.quantizers.importance import importance

    measure = settings.text("measure")
    one_of("Measure", measure, ("weighted", "plain"))
    step = _step(settings, models)
    weights = importance(step.second_moment)
    errors = {}
    for method in ("twn", "lat"):
        rounded = quantize(
            step.before, method=method, bits=2, granularity="layer", importance=weights
        )
        found = quantization_error(step.before, rounded, weights)
        plain = 10 ** (-found.sqnr_db / 10)
        errors[method] = 100 * (plain if measure == "plain" else found.weighted or 0.0)
    best, other = sorted(errors, key=lambda name: errors[name])
    return Revealed(
        value=100 * (1 - errors[best] / errors[other]),
        unit=PER_CENT,
        items=tuple(
            Item(label=words.steps.left.format(rule=name), value=value, main=name == best)
            for name, value in errors.items()
        ),
        holds=best,
        facts=tuple(Fact(name=name, text=f"{value:.2f} %") for name, value in errors.items()),
        how=words.steps.rules_how.format(how=words.steps.how),
    )
