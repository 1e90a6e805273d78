"""The instruments that a lesson can show, by name, and the settings that each needs and may have.

An instrument is a panel of the app, drawn by pages/ui/lessons/instrument_panels.py; here is only
what a file must say, so that a lesson is checked without drawing anything.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """What a panel needs to be told, and what else it can be."""

    needs: tuple[str, ...] = ()
    may: tuple[str, ...] = ()


_MODEL = ("task", "model")
_QUANT = ("method", "bits", "granularity")

INSTRUMENTS: dict[str, Instrument] = {
    # One matrix, rounded in one to three ways: columns are "method bits granularity".
    "weights": Instrument(needs=("matrix", "columns"), may=_MODEL),
    # How the scales of a matrix's rows are spread.
    "scales": Instrument(needs=("matrix",), may=(*_MODEL, *_QUANT)),
    # The error of every cut, with the rules' own.
    "cuts": Instrument(needs=("matrix",), may=_MODEL),
    # A grid as a table, and its differences as a picture.
    "grid": Instrument(needs=("grid",)),
    # The curves of one run of a grid, and how its weights moved.
    "training": Instrument(needs=("grid", "case"), may=("seed",)),
    "settling": Instrument(needs=("grid", "case"), may=("seed",)),
    # One training step, number by number.
    "stepper": Instrument(may=(*_MODEL, "weight")),
    # What comes into a matrix for one sentence.
    "activations": Instrument(needs=("matrix", "sentence"), may=_MODEL),
    # Bytes by part, by the paper's arithmetic.
    "bytes": Instrument(needs=("architecture",), may=("layout",)),
}

PAGES = ("start", "weights", "train", "data", "compare", "predict", "export")
