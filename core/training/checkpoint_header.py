"""What a checkpoint says of itself at the top of its file: read without torch, for pages."""

from pathlib import Path

from safetensors import SafetensorError, safe_open

from core.errors import InputError
from core.paths import check_file

FILE = "checkpoint.safetensors"
MOST_BYTES, MOST_DIGITS = 2**36, 7


def header(path: Path) -> dict[str, str]:
    """The metadata of the file; empty when it cannot be read."""
    try:
        check_file(path, MOST_BYTES)
        with safe_open(path, framework="np") as file:
            return file.metadata() or {}
    except (OSError, SafetensorError, InputError):
        return {}


def step_kept(folder: Path) -> int:
    """The step after which the folder's checkpoint was made; 0 when there is none to be read."""
    step = header(folder / FILE).get("step", "")
    return int(step) if step.isdecimal() and len(step) <= MOST_DIGITS else 0
