"""Own data: a person's file as a task like any other. Nothing leaves the machine.

The way of a file: `tables` reads it, `guess` proposes what its columns mean, the form corrects
that `Plan`, `check` says which rows fit, and `save` keeps those rows. From there `prepare`
cuts them as it does with every task. The name ends in a hash of plan and rows: the same name is
the same data, for ever, so that a run which names it means what it meant.
"""

import hashlib
import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from core.errors import InputError
from core.serialization import identity_json
from core.tasks.checking import Checked, apart
from core.tasks.file_targets import file_target
from core.tasks.kept import Kept, all_kept, find_kept, keep, remove
from core.tasks.plans import ANSWERS, Plan
from core.tasks.prepare import check_enough, cut
from core.tasks.sources import Row
from core.tasks.task import Task

if TYPE_CHECKING:
    from datasets import Dataset

EXAMPLES = 3
SLUG_LENGTH = 40


def own_tasks() -> list[Task]:
    """The data that people of this computer have saved, by title."""
    return [kept.task for kept in all_kept()]


def delete(name: str) -> None:
    """Delete own data, and what was cut from it. Raises InputError for any other name."""
    remove(name)


def save(plan: Plan, train: Checked, test: Checked | None = None) -> Task:
    """Keep the rows of a file, and of a test file if there is one, as a task.

    Rows of train whose text is in test are left out. Saving the same again gives the same task.
    Raises InputError when too few rows are left, when there is nothing to learn from them, or
    when the disk refuses.
    """
    train = apart(plan, train, test) if test else train
    rows = {"train": train.rows} | ({"test": test.rows} if test else {})
    kept = _kept(plan, rows, train, test)
    if known := find_kept(kept.name):
        if known.digest != kept.digest:
            raise InputError(f"The name {kept.name} is taken by other data. Change the title.")
        return known.task
    parts = {name: _table(plan, part) for name, part in rows.items()}
    check_enough(len(train.rows), kept.task)
    _check_learnable(plan, rows)
    shown = parts["train"]
    if file_target(plan.kind).made is None:  # else the cut is made with the candidates
        shown = cut(parts, kept.task)["dev"]
    examples = zip(*(shown[:EXAMPLES][column] for column in plan.columns), strict=True)
    kept = replace(kept, examples=tuple(examples))
    keep(kept, parts)
    return kept.task


def _kept(plan: Plan, rows: Mapping[str, list[Row]], train: Checked, test: Checked | None) -> Kept:
    digest = _digest(plan, rows)
    files = [train, test] if test else [train]
    return Kept(
        name=f"own-{_slug(plan.title)}-{digest[:6]}",
        plan=plan,
        digest=digest,
        train_rows=len(train.rows),
        test_rows=len(test.rows) if test else 0,
        repeated=sum(file.repeated for file in files),
        bad=sum(len(file.bad) for file in files),
        may_have_no_answer=any(row.get(ANSWERS) == [] for part in rows.values() for row in part),
    )


def _digest(plan: Plan, rows: Mapping[str, list[Row]]) -> str:
    digest = hashlib.sha256(identity_json(plan).encode())
    for name, part in rows.items():
        digest.update(f"\n{name}\n".encode())
        for row in part:
            digest.update(json.dumps(row, sort_keys=True).encode())
    return digest.hexdigest()


def _slug(title: str) -> str:
    """Lower-case letters, digits and dashes, at most 40: "Ärger & Lob" becomes "arger-lob"."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:SLUG_LENGTH].strip("-") or "data"


def _table(plan: Plan, rows: list[Row]) -> "Dataset":
    """The rows as a table whose types do not depend on what they happen to hold."""
    from datasets import Dataset, Features, List, Value

    lists = {"texts": List(Value("string")), "numbers": List(Value("int64"))}
    learned = file_target(plan.kind).types
    types = {column: Value("string") for column in plan.columns}
    types |= {name: lists.get(kind) or Value(kind) for name, kind in learned.items()}
    columns = {name: [row[name] for row in rows] for name in types}
    return Dataset.from_dict(columns, features=Features(types))


def _check_learnable(plan: Plan, rows: Mapping[str, list[Row]]) -> None:
    """Raise InputError when test is empty or all rows of train say the same."""
    if not rows.get("test", [True]):
        raise InputError("The test file has no usable row. Correct it, or leave it out.")
    if why := file_target(plan.kind).nothing(rows["train"]):
        raise InputError(why)
