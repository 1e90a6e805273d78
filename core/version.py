"""Which Ternary Lab this is: written into every result, checkpoint and packed file.

The one place of the number; CHANGELOG.md says what it stands for. It tells who wrote a file, not
what was computed, so no run's id depends on it.
"""

VERSION = "0.2.0"
PROGRAM = f"Ternary Lab {VERSION}"
