"""A finished student as files to take away; what there is, is told in `kinds`.

`load_folder` brings a folder back.
"""

import io
import json
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import InputError
from core.export.card import Facts, model_card
from core.export.kinds import ExportKind
from core.export.snippets import has_snippet, snippet
from core.packed import file
from core.packed.audit import audit
from core.packed.container import open_container
from core.packed.contents import Contents, round_contents
from core.packed.graphs import draw
from core.packed.operators import INT2, INT8
from core.packed.origin import tokenizer_file
from core.paths import replacing
from core.results import Result, Score
from core.serialization import to_plain
from core.tasks.task import Task

# Not `model.safetensors`: transformers passes over a `quant_method` that it does not know with a
# warning and would give a model of random weights. Without that name it refuses.
MODEL_FILE = "packed.safetensors"
LOAD_LINE = "from core.export.files import load_folder; student = load_folder({!r})"
_NO_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that a ZIP knows: equal files give equal bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportFile:
    """A file of an export, by its name inside the folder."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Student:
    """A student to be exported, and what is known of it (for the card)."""

    contents: Contents
    task: Task
    result: Result | None = None
    stored: Score | None = None


def export_files(student: Student, kind: ExportKind, name: str) -> tuple[ExportFile, ...]:
    """The files of one export; `name` is what the folder or file will be called.

    Raises InputError as the packed file and the graph do.
    """
    if kind.kind == "snippet":
        _check_head(student.task)
        program = snippet(student.contents.family)
        return (ExportFile(name=f"{name}.py", data=program),)
    if kind.kind in ("onnx", "onnx-int2"):
        rounded = round_contents(student.contents, kind.leftovers)
        data = draw(rounded, INT8 if kind.kind == "onnx" else INT2)
        return (ExportFile(name=name + kind.suffix, data=data),)
    packed = file.contents_to_bytes(student.contents, kind.codes, kind.leftovers)
    if kind.kind == "packed":
        return (ExportFile(name=name + kind.suffix, data=packed),)
    return tuple(_folder(student, packed, name))


def _check_head(task: Task) -> None:
    if task.target.head(task.labels).per_unit:
        raise InputError(
            "The snippet classifies texts and predicts values; it does not find answers in "
            "passages. Export the ONNX file or the packed file instead."
        )


def _has_predict(contents: Contents, task: Task) -> bool:
    """Whether an exported folder has a predict.py: a snippet gives one answer for each text."""
    return has_snippet(contents.family) and not task.target.head(task.labels).per_unit


def _folder(student: Student, packed: bytes, name: str) -> Iterable[ExportFile]:
    container = open_container(packed)
    contents = file.contents_of_container(container)
    facts = Facts(
        contents=contents,
        task=student.task,
        result=student.result,
        stored=student.stored,
        has_predict=_has_predict(contents, student.task),
        parts=audit(container, contents.family),
    )
    yield ExportFile(name=MODEL_FILE, data=packed)
    yield ExportFile(name="config.json", data=_config(contents))
    if facts.has_predict:
        yield ExportFile(name="predict.py", data=snippet(contents.family))
    yield ExportFile(name="README.md", data=model_card(facts, LOAD_LINE.format(name)).encode())
    tokenizer = tokenizer_file(contents.experiment)
    if tokenizer is None:
        raise InputError(
            f"The tokenizer of {contents.experiment.model} is not on this computer, and a folder "
            "without it is of no use. Export the packed file instead."
        )
    for path in (tokenizer, tokenizer.with_name("tokenizer_config.json")):
        if path.exists():
            yield ExportFile(name=path.name, data=path.read_bytes())


def _config(contents: Contents) -> bytes:
    quant = to_plain(contents.experiment.quant)
    plain = json.loads(contents.family.config_text(contents.config)) | {
        "quantization_config": {
            "quant_method": "ternary-lab",
            "version": file.version_of(contents),
            "codes": contents.layout,
            "leftovers": contents.leftovers,
            **quant,
        }
    }
    return (json.dumps(plain, indent=2, sort_keys=True) + "\n").encode()


def zipped(files: Iterable[ExportFile], name: str) -> bytes:
    """The files in a folder `name` of a ZIP archive; equal files give equal bytes."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        for one in files:
            archive.writestr(zipfile.ZipInfo(f"{name}/{one.name}", _NO_TIME), one.data, 8)
    return written.getvalue()


def write_files(files: Iterable[ExportFile], path: Path, as_folder: bool) -> int:
    """Write an export to `path`; bytes written. Each file is whole or not there."""
    total = 0
    for one in files:
        with replacing(path / one.name if as_folder else path) as temporary:
            temporary.write_bytes(one.data)
        total += len(one.data)
    return total


def load_folder(folder: str | Path) -> Any:
    """The student of an exported folder as a torch model; raises InputError when it is damaged."""
    return file.read(Path(folder) / MODEL_FILE).model
