"""Splits on disk: the tables of a task, written once, whole or not at all, read by every run."""

import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import InputError

if TYPE_CHECKING:
    from datasets import Dataset

SOURCE_FILE = "source.json"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Splits:
    """The tables of a task: its text columns and "label" (or "answers" and "starts"). `more`
    holds further test splits in the order of `Task.more_tests`; `revision` is what was read."""

    train: "Dataset"
    dev: "Dataset"
    test: "Dataset"
    more: "tuple[Dataset, ...]" = ()
    revision: str = ""


def save_splits(target: Path, splits: "Mapping[str, Dataset]", revision: str = "") -> None:
    """Keep the splits in the folder `target`; the first to finish wins.

    Raises InputError when the disk refuses.
    """
    from datasets import disable_progress_bars

    disable_progress_bars()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        try:
            for name, table in splits.items():
                table.save_to_disk(temporary / name, num_shards=1)
            (temporary / SOURCE_FILE).write_text(json.dumps({"revision": revision}))
            if not (target / "test").is_dir():
                temporary.rename(target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        if (target / "test").is_dir():  # somebody else was faster
            return
        raise InputError(
            f"The text could not be kept in {target.parent}: "
            f"{error.strerror or error}. Free some space or set TERNARY_LAB_CACHE."
        ) from error


def load_splits(folder: Path, more: tuple[str, ...]) -> Splits:
    """Read them back; raises InputError when the folder is damaged."""
    from datasets import disable_progress_bars, load_from_disk

    disable_progress_bars()
    names = ("train", "dev", "test", *more)
    try:
        train, dev, test, *others = (load_from_disk(str(folder / name)) for name in names)
        source = folder / SOURCE_FILE
        revision = str(json.loads(source.read_text())["revision"]) if source.exists() else ""
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"The cached text in {folder.name} cannot be read ({error}). "
            f"Delete {folder} and prepare it again."
        ) from error
    return Splits(train=train, dev=dev, test=test, more=tuple(others), revision=revision)  # type: ignore[arg-type]
