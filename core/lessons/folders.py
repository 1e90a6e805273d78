"""Where lessons lie: a folder for each language, ours or those of TERNARY_LAB_LESSONS."""

from pathlib import Path

from core import settings

ENGLISH = "en"
OURS = settings.PROJECT / settings.LESSONS.default


def folder() -> Path:
    """The folder of languages that holds now."""
    return settings.LESSONS.value() or OURS
