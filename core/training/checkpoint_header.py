"""What a checkpoint says of itself at the top of its file: read without torch, for pages."""

from pathlib import Path

from safetensors import SafetensorError, safe_open

FILE = "checkpoint.safetensors"


def header(path: Path) -> dict[str, str]:
    """The metadata of the file; empty when it cannot be read."""
    try:
        with safe_open(path, framework="np") as file:
            return file.metadata() or {}
    except (OSError, SafetensorError):
        return {}


def step_kept(folder: Path) -> int:
    """The step after which the folder's checkpoint was made; 0 when there is none to be read."""
    told = header(folder / FILE).get("step", "")
    return int(told) if told.isdecimal() else 0
