"""Taking a student away: bytes by part, exports, the check that they come back, the race."""

import json
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from core.api.runs import find_run
from core.errors import InputError
from core.export.kinds import KINDS as EXPORT_KINDS
from core.export.kinds import ExportKind
from core.packed.choices import LAYOUTS, LEFTOVERS
from core.packed.timings import Measured
from core.runs.run_store import Run
from core.runs.runner import PROJECT
from core.serialization import from_json

if TYPE_CHECKING:
    from core.export.files import ExportFile, Student
    from core.packed.audit import Expected, Part
    from core.packed.container import Container
    from core.packed.contents import Contents

MODEL_FILE = "model.safetensors"
RACE_SECONDS = 600
__all__ = ["EXPORT_KINDS", "LAYOUTS", "LEFTOVERS", "ExportKind", "Measured"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at: `ok` is computed, `detail` says from what."""

    what: str
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspected:
    """What a packed file holds. `expected` is the arithmetic of the paper for its architecture;
    `ternary_lab` is the version of the program that wrote it ("": it does not say)."""

    title: str
    version: str
    ternary_lab: str
    codes: str
    leftovers: str
    labels: tuple[str, ...]
    parts: "tuple[Part, ...]"
    expected: "tuple[Expected, ...]"
    size_bytes_float32: int

    @property
    def size_bytes(self) -> int:
        """The whole file."""
        return sum(part.size_bytes for part in self.parts)


def packed_contents(run: Run) -> "Contents":
    """What a finished run's packed file holds. Raises InputError when it is damaged or another
    run's."""
    from core.runs.run_files import student_of

    return student_of(run)


def inspect_file(path: Path) -> Inspected:
    """Look into a packed file; raises InputError when it is not one."""
    from core.packed.container import read_container
    from core.packed.file import read_contents

    return _inspected(read_container(path), read_contents(path))


def inspect_format(contents: "Contents", kind: ExportKind) -> Inspected:
    """The packed file that these contents would make."""
    from core.packed.container import open_container
    from core.packed.file import contents_to_bytes

    return _inspected(
        open_container(contents_to_bytes(contents, kind.codes, kind.leftovers)), contents
    )


def _inspected(container: "Container", contents: "Contents") -> Inspected:
    from core.packed.audit import arithmetic, audit, shapes_of, told_by
    from core.packed.file import WRITER

    told, quant = container.metadata, contents.experiment.quant
    codes, leftovers = told.get("codes", LAYOUTS[0]), told.get("leftovers", LEFTOVERS[0])
    shapes = shapes_of(contents)
    expected = arithmetic(contents.family, shapes, codes, leftovers, **told_by(quant))
    return Inspected(
        title=contents.experiment.title,
        version=told["version"],
        ternary_lab=told.get(WRITER, ""),
        codes=codes,
        leftovers=leftovers,
        labels=contents.labels,
        parts=audit(container, contents.family),
        expected=expected,
        size_bytes_float32=4 * contents.numbers,
    )


def export_name(run: Run, kind: ExportKind) -> str:
    """What a download is called."""
    return (f"ternary-{run.run_id}" if kind.kind != "snippet" else "predict") + kind.suffix


def export_bytes(run: Run, kind: ExportKind) -> bytes:
    """One export as the bytes of one file (a folder as a ZIP archive). Raises InputError."""
    from core.export.files import zipped

    name = export_name(run, kind).removesuffix(kind.suffix)
    files = _export(run, kind, name)
    return zipped(files, name) if kind.kind == "folder" else files[0].data


def export(run: Run, kind: ExportKind, path: Path) -> int:
    """Write an export to a file, or for "folder" into a folder; bytes written."""
    from core.export.files import write_files

    return write_files(_export(run, kind, path.name), path, as_folder=kind.kind == "folder")


def _export(run: Run, kind: ExportKind, name: str) -> "tuple[ExportFile, ...]":
    from core.export.files import export_files

    return export_files(_student(run, kind), kind, name)


def _student(run: Run, kind: ExportKind) -> "Student":
    """A run's student with all that its card needs; scored as stored where the text is here."""
    from core.export.files import Student
    from core.packed.origin import origin_of
    from core.tasks.prepare import is_prepared
    from core.tasks.registry import find_task

    if run.experiment is None or run.state != "finished":
        raise InputError(f"Run {run.run_id} is {run.state}; only a finished run can be exported.")
    experiment = run.experiment
    task = find_task(experiment.task)
    contents = packed_contents(run)
    contents = replace(contents, origin=origin_of(experiment))
    stored = None
    if kind.kind == "folder" and is_prepared(task):
        assert run.result is not None
        stored = _score(contents, kind.leftovers, run.result.threshold)
    return Student(contents=contents, task=task, result=run.result, stored=stored)


def _score(contents: "Contents", leftovers: str, threshold: float):
    from core.export.scoring import score_contents
    from core.packed.contents import round_contents

    return score_contents(round_contents(contents, leftovers), threshold)


def check_read_back(run: Run, kind: ExportKind) -> list[Check]:
    """Write the packed file of this kind, read it, and compare it with the run's student."""
    from core.export.checks import compare
    from core.packed.file import contents_to_bytes, write

    contents = packed_contents(run)
    with TemporaryDirectory() as folder:
        path = Path(folder) / MODEL_FILE
        write(contents_to_bytes(contents, kind.codes, kind.leftovers), path)
        return [Check(what=w, ok=ok, detail=d) for w, ok, d in compare(contents, path)]


def verify_file(path: Path) -> list[Check]:
    """Check a packed file as it lies there; raises InputError when it cannot be read at all."""
    from core.export.checks import examine

    return [Check(what=what, ok=ok, detail=detail) for what, ok, detail in examine(path)]


def engine_is_installed() -> bool:
    """Whether the extra of requirements-engine.txt is there."""
    from core.packed.engine import is_available

    return is_available()


def cores() -> int:
    """Cores that this process may use."""
    from core.machine import cores as counted

    return counted()


def race(run: Run, threads: int) -> Measured:
    """Time teacher and student on this computer, in a process of its own.

    Raises InputError with that process's own sentence when it fails.
    """
    find_run(run.run_id)
    command = [sys.executable, "-m", "core", "bench", "inference", "--run", run.run_id, "--json"]
    try:
        done = subprocess.run(
            [*command, "--threads", str(threads)],
            cwd=PROJECT,
            capture_output=True,
            text=True,
            timeout=RACE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise InputError(
            f"The measurement was not done after {RACE_SECONDS // 60} minutes. Is it busy?"
        ) from error
    lines = done.stdout.splitlines()
    if done.returncode or not lines:
        said = (done.stderr.strip() or "it said nothing").splitlines()[-1]
        raise InputError(f"The measurement failed: {said.removeprefix('error: ')}")
    return from_json(Measured, json.dumps(json.loads(lines[-1])))
