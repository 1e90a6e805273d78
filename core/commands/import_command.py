"""`import`: a person's own files as a task, with the same guesses and checks as the Data page.

python -m core import reviews.csv --title "Reviews"
python -m core import train.jsonl.gz --test test.jsonl.gz --title "Claims" --label label
"""

import argparse
import hashlib
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from core import api
from core.errors import InputError

if TYPE_CHECKING:
    from core.tables.table import Table
    from core.tasks.checking import Checked
    from core.tasks.plans import Plan


def add(commands) -> None:
    """Add the command to a parser's commands."""
    text = "make a task of your own files (CSV, TSV, JSONL, Parquet, SQuAD JSON; also .gz)"
    parser = commands.add_parser("import", help=text, description=text)
    parser.set_defaults(command=import_files)
    parser.add_argument("files", nargs="+", help="the text to learn from")
    parser.add_argument("--test", nargs="+", default=(), help="text to test on; else a tenth")
    parser.add_argument("--test-rows", type=int, help="use only so many rows of the test files")
    parser.add_argument("--title", required=True)
    parser.add_argument("--text", nargs="+", help="text column(s); without it guessed")
    parser.add_argument("--label", help="label column; without it guessed")
    parser.add_argument(
        "--kind", choices=("classes", "value", "span", "ranking"), help="without it guessed"
    )
    parser.add_argument("--max-tokens", type=int, help="longer texts are cut")
    parser.add_argument("--skip-bad", action="store_true", help="leave rows out that do not fit")


def import_files(parsed: argparse.Namespace) -> None:
    """Read, guess, check and keep. Raises InputError as each of them does."""
    table = _read(parsed.files)
    plan = _corrected(api.guess_plan(table, parsed.title), table, parsed)
    train = _usable(api.check_rows(table, plan), parsed.skip_bad)
    test = None
    if parsed.test:
        tested = _read(parsed.test)
        test = _usable(api.check_rows(tested, plan), parsed.skip_bad)
        if parsed.test_rows:
            test = replace(test, rows=_some(test.rows, plan, parsed.test_rows))
    task = api.keep_data(plan, train, test)
    print(f"{task.name}: {plan.kind}, texts {', '.join(plan.texts)}, {len(train.rows):,} rows")


def _read(files: Sequence[str]) -> "Table":
    """The files as one table; what is left out as a whole is printed."""
    table = api.read_files([Path(name) for name in files])
    for note in table.notes:
        print(note, file=sys.stderr)
    return table


def _corrected(plan: "Plan", table, parsed: argparse.Namespace) -> "Plan":
    if parsed.text:
        texts = tuple(parsed.text)
        plan = replace(plan, texts=texts, max_tokens=api.length_of(table, texts))
    if parsed.max_tokens:
        plan = replace(plan, max_tokens=parsed.max_tokens)
    if parsed.kind == "ranking" and len(plan.texts) == 2:
        length = parsed.max_tokens or api.length_of(table, plan.texts)
        return replace(plan, kind="ranking", label="", max_tokens=length)
    if not plan.label:  # the file says by itself what is learned
        return replace(plan, kind=parsed.kind or plan.kind)
    label = parsed.label or plan.label
    kind = parsed.kind or api.label_kind(table, label)
    labels = api.class_names(table, label) if api.has_classes(kind) else ()
    return replace(plan, label=label, kind=kind, labels=labels)


def _usable(checked: "Checked", skip_bad: bool) -> "Checked":
    if checked.repeated:
        print(f"{checked.repeated:,} repeated texts are left out.", file=sys.stderr)
    for line in api.bad_rows(checked):
        print(line, file=sys.stderr)
    if checked.bad and not skip_bad:
        raise InputError(
            f"{len(checked.bad):,} rows cannot be used. Correct them, or add --skip-bad."
        )
    return checked


def _some(rows: Sequence, plan: "Plan", count: int) -> list:
    """`count` rows, always the same: the first by the SHA-256 of their texts."""

    def order(row: dict) -> bytes:
        return hashlib.sha256("\n".join(row[column] for column in plan.columns).encode()).digest()

    return sorted(rows, key=order)[:count]
