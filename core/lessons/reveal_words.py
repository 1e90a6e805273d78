"""What reveals say beside their numbers: labels, units and how a value came about, a table for each
file of core/lessons/reveals/."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivationsWords:
    """Of reveals/activations.py."""

    below: str
    above: str
    spread: str
    lean_how: str
    deviations: str
    farthest: str
    outlier_how: str
    symmetric: str
    same: str
    ranges_how: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvesWords:
    """Of reveals/curves.py."""

    hidden: str
    attention: str
    logits: str
    left_how: str
    gone: str
    whole: str
    way_how: str
    step: str
    settling_how: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CutsWords:
    """Of reveals/cuts.py."""

    optimum: str
    thumb: str
    cut_how: str
    above: str
    thumb_how: str
    half: str
    best: str
    double: str
    side_how: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GridsWords:
    """Of reveals/grids.py."""

    points: str
    less: str
    its_teacher: str
    no_difference: str
    difference_how: str
    could: str
    found: str
    reach_how: str
    teacher: str
    untrained: str
    student: str
    score_how: str
    loss_how: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MatricesWords:
    """Of reveals/matrices.py."""

    zero: str
    sign: str
    zeros_how: str
    rounded: str
    same: str
    cosine_how: str
    column: str
    layer: str
    row: str
    noise_how: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SizesWords:
    """Of reveals/sizes.py."""

    embedding: str
    encoder: str
    pooler: str
    kept: str
    scales: str
    counted: str
    bits: str
    file: str
    codes: str
    possible: str
    how: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepsWords:
    """Of reveals/steps.py."""

    how: str
    computed: str
    latent: str
    code: str
    scaled: str
    of_latent: str
    of_value: str
    whole_how: str
    rates: str
    moved: str
    short: str
    place_how: str
    changed: str
    changed_how: str
    gradient: str
    size: str
    place: str
    importance_how: str
    left: str
    rules_how: str
