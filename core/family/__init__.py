"""Where an architecture and a question meet: types only.

A *family* (core/families) goes from examples to named outputs: it knows tokens or frames, layers
and the names of weights. A *target* (core/targets) goes from named outputs to a score: it knows
labels, losses and metrics. They meet in `Outputs` and never import each other.
"""

from core.family.data_types import (
    HEAD,
    Batch,
    Counted,
    Distance,
    Encoded,
    Head,
    Loaded,
    Matrix,
    Outputs,
    Smoothing,
    Trace,
    Unit,
    Windows,
)
from core.family.protocol import Family, Reader, Replacing, address_of

__all__ = [
    "HEAD",
    "Batch",
    "Counted",
    "Distance",
    "Encoded",
    "Family",
    "Head",
    "Loaded",
    "Matrix",
    "Outputs",
    "Reader",
    "Replacing",
    "Smoothing",
    "Trace",
    "Unit",
    "Windows",
    "address_of",
]
