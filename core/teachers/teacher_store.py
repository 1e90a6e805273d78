"""Teachers: fine-tuned full-precision models, kept small enough to ship.

A teacher folder holds `teacher.json` (a TeacherCard, which names its family), `config.json`,
`model.safetensors` and, for a person's own model, its tokenizer. Weights are *stored* in float16
and *computed* in float32; scores are measured on what is stored. (A checkpoint that is taken as it
is stays in float32.) While a teacher of an embedded backbone is fine-tuned the table that its
family calls `shared` stays frozen, so that half of the model is stored once for all of them, and is
in memory once however many are loaded.
"""

import tempfile
import weakref
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from core.errors import InputError
from core.families import find_family
from core.family import Family, Matrix
from core.models.alignment import aligned
from core.models.backbones import BACKBONES, share_tokenizer
from core.paths import find, local, replacing, shipped, write_text
from core.results import TeacherCard
from core.serialization import canonical_json
from core.teacher_folders import load_card, read_card, teacher_folder
from core.teachers.model_loading import load_tokenizer, tokenizer_from

_tables: weakref.WeakValueDictionary[tuple[Path, int], nn.Parameter] = weakref.WeakValueDictionary()


def list_teachers() -> list[TeacherCard]:
    """Cards of all readable teachers, local ones before shipped ones of the same name."""
    cards: dict[tuple[str, str], TeacherCard] = {}
    for root in (shipped(), local()):
        for path in sorted((root / "teachers").glob("*/teacher.json")):
            try:
                card = read_card(path)
            except InputError:
                continue  # a damaged folder is reported by load_teacher when it is asked for
            cards[card.task, card.model] = card
    return list(cards.values())


def save_teacher(model: Any, card: TeacherCard, root: Path | None = None) -> Path:
    """Write the teacher under `root` (default: local) and return its folder."""
    root, family = root or local(), find_family(card.family)
    folder = root / "teachers" / teacher_folder(card.task, card.model)
    store = to_half if card.fine_tuned else Tensor.contiguous
    state = {name: store(value) for name, value in model.state_dict().items()}
    if card.shared_embedding:
        table = _shared_of(family)
        _save_shared(card.shared_embedding, table, state.pop(table.address), root)
        share_tokenizer(card.model, root)
    else:
        _save_processor(family, card.model, folder)
    with replacing(folder / "model.safetensors") as temporary:
        save_file(state, temporary)
    write_text(folder / "config.json", family.config_text(model.config) + "\n")
    write_text(folder / "teacher.json", canonical_json(card) + "\n")
    return folder


def _save_processor(family: Family, model: str, folder: Path) -> None:
    """Keep a copy: the folder or hub id that it came from may not be there tomorrow."""
    with tempfile.TemporaryDirectory() as scratch:
        family.save_processor(load_tokenizer(model), Path(scratch))
        for file in Path(scratch).iterdir():
            with replacing(folder / file.name) as temporary:
                temporary.write_bytes(file.read_bytes())


def teacher_tokenizer(task: str, model: str) -> Any:
    """What the teacher of (task, model) reads with: its own copy, else that of the model."""
    folder = find("teachers", teacher_folder(task, model), "teacher.json")
    if folder is None:
        return load_tokenizer(model)
    family = find_family(read_card(folder).family)
    own = find("teachers", teacher_folder(task, model), family.processor_file)
    return tokenizer_from(str(own.parent), model, family) if own else load_tokenizer(model)


def _shared_of(family: Family) -> Matrix:
    if family.shared is None:
        raise InputError(f"Teachers of the family {family.name} have no table in common.")
    return family.shared


def _shared_name(table: Matrix) -> str:
    """What a shared table is called in its file, which has this name, too."""
    return table.title.replace(" ", "_")


def _save_shared(name: str, table: Matrix, values: Tensor, root: Path) -> None:
    called = _shared_name(table)
    existing = find("backbones", name, f"{called}.safetensors")
    if existing is not None:
        if not torch.equal(load_file(existing)[called], values):
            raise InputError(f"The {table.title} differs from the one stored for {name}.")
        return
    path = root / "backbones" / name / f"{called}.safetensors"
    with replacing(path) as temporary:
        save_file({called: values}, temporary)


def to_half(value: Tensor) -> Tensor:
    """float16 storage of a weight, contiguous."""
    return value.detach().to(torch.float16).contiguous()


def load_teacher(task: str, model: str) -> Any:
    """The teacher of (task, model) in float32, eval mode, gradients off. Its shared table may be
    that of other teachers too: copy it before changing its numbers.

    Raises InputError when there is none or its files are damaged.
    """
    card = load_card(task, model)
    folder, family = find("teachers", teacher_folder(task, model)), find_family(card.family)
    assert folder is not None
    try:
        state = load_file(folder / "model.safetensors")
        if card.shared_embedding:
            table = _shared_of(family)
            state[table.address] = _shared_table(card.shared_embedding, table)
        config = family.read_config((folder / "config.json").read_text(encoding="utf-8"))
        return family.from_state(config, state).requires_grad_(False)
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise InputError(
            f"The teacher in {folder.name} is damaged ({error}). Restore the folder, or delete it "
            f"and run: python -m core teach --task {task} --model {model}"
        ) from error


def _shared_table(name: str, table: Matrix) -> nn.Parameter:
    """A shared table in float32: the same object as long as anybody holds it."""
    called = _shared_name(table)
    path = find("backbones", name, f"{called}.safetensors")
    if path is None:
        raise InputError(f"The {table.title} of {name} is missing.")
    key = path, path.stat().st_mtime_ns
    held = _tables.get(key)
    if held is None:
        values = aligned(load_file(path)[called].to(torch.float32))
        held = _tables[key] = nn.Parameter(values, requires_grad=False)
    return held


def family_of_teacher(task: str, model: str) -> Family:
    """The family of the teacher of (task, model). Raises InputError when there is none."""
    return find_family(load_card(task, model).family)


def shared_embedding_of(model: str) -> str:
    """The folder of the shared table of an embedded backbone, "" for any other model."""
    backbone = BACKBONES.get(model)
    return backbone.shared if backbone else ""
