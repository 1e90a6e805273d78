"""Data sets of the hub as sources of tasks.

The files come through `core.hub`; read are the Parquet files of one configuration,
`<configuration>/<split>-*.parquet`, by the datasets library. Not by its `load_dataset` on the
folder: that also wants the files of the configurations that were not downloaded.

GLUE hides the labels of its test split, so test is the validation split, as in the paper, and dev
is cut from train: what selects never reports.
"""

import tempfile
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import InputError
from core.events import Preparing
from core.hub import snapshot
from core.paths import cache
from core.tasks import embedded
from core.tasks.own_data import own_tasks
from core.tasks.sources import Reading

if TYPE_CHECKING:
    from datasets import Dataset


@dataclass(frozen=True, slots=True, kw_only=True)
class FromHub:
    """One configuration of a data set; `splits` pairs our names with the hub's, `columns` are
    what must be there, `size_bytes` about what is downloaded; `tidy` brings a split into the
    form that tasks have."""

    repository: str
    config: str
    splits: tuple[tuple[str, str], ...]
    columns: tuple[str, ...]
    size_bytes: int
    tidy: "Callable[[Dataset], Dataset]"
    needs_hub: bool = True

    @property
    def place(self) -> str:
        """The data set on the hub."""
        return f"the hub's {self.repository} ({self.config})"

    @property
    def identity(self) -> str:
        """Repository, configuration and splits; the revision is kept with the data."""
        return f"{self.repository}/{self.config}/{self.splits}"

    def read(self) -> Generator[Preparing, None, Reading]:
        """Download and open. Raises InputError without a network, naming what works without."""
        yield Preparing(text=f"Asking the hub for {self.repository}")
        found = snapshot(self.repository, "dataset", (f"{self.config}/*",), _instead())
        yield Preparing(text=f"Reading {self.place}")
        try:
            parts = {ours: self._split(found.folder, theirs) for ours, theirs in self.splits}
        except InputError:
            raise
        except Exception as error:  # the library has many ways to refuse a folder
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise InputError(f"{self.place} could not be read: {reason}") from error
        return Reading(parts=parts, revision=found.revision)

    def _split(self, folder: Path, name: str) -> "Dataset":
        from datasets import Dataset, disable_progress_bars

        files: list[Any] = sorted(map(str, (folder / self.config).glob(f"{name}-*.parquet")))
        if not files:
            pattern = f"{self.config}/{name}-*.parquet"
            raise InputError(f"{self.place} has no file {pattern} here. {_instead()}")
        disable_progress_bars()
        cache().mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache()) as scratch:
            table = Dataset.from_parquet(files, cache_dir=scratch, keep_in_memory=True)
        missing = [column for column in self.columns if column not in table.column_names]
        if missing:
            raise InputError(
                f"{self.place} has no column {missing[0]!r}; it has: "
                f"{', '.join(table.column_names)}."
            )
        return self.tidy(table.select_columns(list(self.columns)))


def _instead() -> str:
    names = [task.name for task in (*embedded.TASKS, *own_tasks())]
    return f"Without the hub these tasks work: {', '.join(names)}."
