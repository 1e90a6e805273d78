"""What stands in and around pictures and panels: axes, legends, columns, and their descriptions."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureWords:
    """Charts and their tables."""

    mine: str
    came_out: str
    beside: str
    group: str
    in_unit: str
    value: str
    low: str
    high: str
    mark: str
    label: str
    cut: str
    error: str
    cut_axis: str
    error_axis: str
    at_cut: str
    weight: str
    share: str
    becomes: str
    input_axis: str
    count: str
    rule: str
    min_max: str
    symmetric: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InstrumentsWords:
    """The panels that a step shows."""

    latent: str
    own_scale: str
    scales: str
    cuts: str
    while_training: str
    each_loss: str
    dev: str
    losses: str
    replay: str
    settling: str
    inputs: str
    sentence: str
    part: str
    numbers: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepperWords:
    """One training step, number by number."""

    order: str
    number: str
    which: str
    latent: str
    latent_is: str
    threshold: str
    threshold_is: str
    code: str
    code_is: str
    scale: str
    scale_is: str
    forward: str
    forward_is: str
    felt: str
    felt_is: str
    gradient: str
    gradient_is: str
    rate: str
    rate_is: str
    latent_after: str
    latent_after_is: str
    threshold_after: str
    threshold_after_is: str
    code_after: str
    code_after_is: str
    place: str
