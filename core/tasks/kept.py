"""Kept data: the folder that a person's checked rows live in, and the task that it is.

`cached_models/local/tasks/<name>/` holds `plan.json` (a `Kept`) and the uncut rows in `tables/`.
A folder appears whole or not at all, and one that is damaged is passed over. All of this is read
at every redraw of a page, so a `plan.json` that has not changed is not read again.
"""

import re
import shutil
import tempfile
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from core import paths
from core.errors import InputError
from core.events import Preparing
from core.serialization import canonical_json, from_json
from core.tasks.file_targets import file_target
from core.tasks.plans import Plan
from core.tasks.sources import Reading
from core.tasks.splits import save_splits
from core.tasks.task import Task

if TYPE_CHECKING:
    from datasets import Dataset

PLAN_FILE, TABLES = "plan.json", "tables"
MOST_PLAN_BYTES = 2**23
NAME = re.compile(r"own-[a-z0-9-]{1,40}-[0-9a-f]{6}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What `plan.json` says: the plan, the SHA-256 of plan and rows, and how many rows were kept
    and left out (repeated, bad). `examples` are texts of dev."""

    name: str
    plan: Plan
    digest: str
    train_rows: int
    test_rows: int
    repeated: int
    bad: int
    may_have_no_answer: bool
    examples: tuple[tuple[str, ...], ...] = ()

    @property
    def task(self) -> Task:
        """The data as a task."""
        plan = self.plan
        target = file_target(plan.kind)
        test = f" and {self.test_rows:,} for the test" if self.test_rows else ""
        return Task(
            name=self.name,
            title=plan.title,
            description=f"Your own data: {self.train_rows:,} rows{test}.",
            source=FromFile(
                name=self.name, identity=self.digest, has_test=self.test_rows > 0, plan=plan
            ),
            metrics=target.metrics(plan),
            kind=plan.kind,
            labels=plan.labels,
            texts=target.columns or plan.columns,
            max_tokens=plan.max_tokens,
            batch_size=target.batch_size,
            copies=target.copies,
            may_have_no_answer=self.may_have_no_answer,
            examples=self.examples,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FromFile:
    """The source of a person's own data: the rows that are kept here."""

    name: str
    identity: str
    has_test: bool
    plan: Plan
    size_bytes: int = 0
    place: str = "your file"
    needs_hub: bool = False

    def read(self) -> Generator[Preparing, None, Reading]:
        """Read the rows; raises InputError when they are gone or damaged."""
        from datasets import load_from_disk

        yield Preparing(text="Reading your file")
        names = ("train", "test") if self.has_test else ("train",)
        tables = home() / self.name / TABLES
        try:
            parts = {name: load_from_disk(str(tables / name)) for name in names}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(
                f"The rows kept for {self.name} cannot be read ({error}). Delete this data and "
                "give the file again."
            ) from error
        if made := file_target(self.plan.kind).made:
            yield Preparing(text="Searching candidates for every question")
            rows = {name: part.to_list() for name, part in parts.items()}  # type: ignore[union-attr]
            parts = made(self.plan, rows["train"], rows.get("test"))
        return Reading(parts=parts, revision=self.identity[:12])  # type: ignore[arg-type]


def home() -> Path:
    """Where the folders are."""
    return paths.local() / "tasks"


def find_kept(name: str) -> Kept | None:
    """What is kept under that name; None when there is nothing, or nothing that can be read."""
    if not NAME.fullmatch(name):
        return None
    try:
        file = home() / name / PLAN_FILE
        about = file.stat()
    except OSError:
        return None
    return _read(file, about.st_mtime_ns, about.st_size)


@lru_cache(maxsize=1000)
def _read(file: Path, changed_ns: int, size_bytes: int) -> Kept | None:
    try:
        kept = from_json(Kept, paths.read_text_up_to(file, MOST_PLAN_BYTES))
    except (OSError, ValueError):
        return None
    whole = kept.name == file.parent.name and (file.parent / TABLES / "train").is_dir()
    return kept if whole else None


def all_kept() -> list[Kept]:
    """All that is kept, by title."""
    try:
        names = [path.name for path in home().iterdir()]
    except OSError:
        return []
    found = [kept for name in names if (kept := find_kept(name))]
    return sorted(found, key=lambda kept: (kept.plan.title.casefold(), kept.name))


def keep(kept: Kept, parts: "Mapping[str, Dataset]") -> None:
    """Write the folder; the first to finish wins. Raises InputError when the disk refuses."""
    target = home() / kept.name
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{kept.name}.", dir=target.parent))
        try:
            save_splits(temporary / TABLES, parts, kept.digest[:12])
            (temporary / PLAN_FILE).write_text(canonical_json(kept), encoding="utf-8")
            _move(temporary, target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        raise InputError(
            f"The data could not be kept in {target.parent}: {error.strerror or error}. "
            "Free some space or point TERNARY_LAB_HOME to another folder."
        ) from error


def _move(temporary: Path, target: Path) -> None:
    """Give the folder its name, unless somebody was faster; what is damaged is replaced."""
    try:
        temporary.rename(target)
    except OSError:
        if find_kept(target.name) is None:
            shutil.rmtree(target)
            temporary.rename(target)


def remove(name: str) -> None:
    """Delete a folder and what was cut from it. Raises InputError when there is none."""
    target = home() / name
    if not NAME.fullmatch(name) or target.is_symlink() or not target.is_dir():
        raise InputError(f"{name[:60]!r} is not the name of own data. Choose one that is listed.")
    try:
        hidden = Path(tempfile.mkdtemp(prefix=f".{name}.", dir=target.parent))
        target.rename(hidden / name)  # gone at once for every reader
        shutil.rmtree(hidden)
        for cut in (paths.cache() / "tasks").glob(f"{name}-????????"):
            shutil.rmtree(cut, ignore_errors=True)
    except OSError as error:
        raise InputError(f"{name} could not be deleted: {error.strerror or error}.") from error
