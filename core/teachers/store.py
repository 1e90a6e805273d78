"""Teachers: fine-tuned full-precision models, kept small enough to ship.

A teacher folder holds `teacher.json` (a TeacherCard), `config.json`, `model.safetensors` and, for
a person's own model, its tokenizer. Weights are *stored* in float16 and *computed* in float32;
scores are measured on what is stored. (A checkpoint that is taken as it is stays in float32.)
While a teacher of an embedded backbone is fine-tuned its word embedding stays frozen, so that
half of the model is stored once for all of them, and is in memory once however many are loaded.
"""

import tempfile
import weakref
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import BertConfig, PreTrainedModel

from core.errors import InputError
from core.families.bert.attention import NAME
from core.families.bert.heads import head_class
from core.families.bert.matrices import TABLE as WORD_EMBEDDING
from core.models.alignment import aligned
from core.models.backbones import BACKBONES, share_tokenizer
from core.models.settings import config_of, settings_from_text
from core.places import find, local, replacing, shipped, write_text
from core.records import canonical_json
from core.results import TeacherCard
from core.teacher_folders import load_card, read_card, teacher_folder
from core.teachers.loading import load_tokenizer, tokenizer_from

TOKENIZER_FILE = "tokenizer.json"
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


def save_teacher(model: PreTrainedModel, card: TeacherCard, root: Path | None = None) -> Path:
    """Write the teacher under `root` (default: local) and return its folder."""
    root = root or local()
    folder = root / "teachers" / teacher_folder(card.task, card.model)
    store = to_half if card.fine_tuned else Tensor.contiguous
    state = {name: store(value) for name, value in model.state_dict().items()}
    if card.shared_embedding:
        embedding = state.pop(WORD_EMBEDDING)
        _save_shared(card.shared_embedding, embedding, root)
        share_tokenizer(card.model, root)
    else:
        _save_tokenizer(card.model, folder)
    with replacing(folder / "model.safetensors") as temporary:
        save_file(state, temporary)
    write_text(folder / "config.json", model.config.to_json_string())
    write_text(folder / "teacher.json", canonical_json(card) + "\n")
    return folder


def _save_tokenizer(model: str, folder: Path) -> None:
    """Keep a copy: the folder or hub id that it came from may not be there tomorrow."""
    with tempfile.TemporaryDirectory() as scratch:
        load_tokenizer(model).save_pretrained(scratch)
        for file in Path(scratch).iterdir():
            with replacing(folder / file.name) as temporary:
                temporary.write_bytes(file.read_bytes())


def teacher_tokenizer(task: str, model: str):
    """The tokenizer of the teacher of (task, model): its own copy, else that of the model."""
    own = find("teachers", teacher_folder(task, model), TOKENIZER_FILE)
    return tokenizer_from(str(own.parent), model) if own else load_tokenizer(model)


def _save_shared(name: str, embedding: Tensor, root: Path) -> None:
    existing = find("backbones", name, "word_embedding.safetensors")
    if existing is not None:
        if not torch.equal(load_file(existing)["word_embedding"], embedding):
            raise InputError(f"The word embedding differs from the one stored for {name}.")
        return
    path = root / "backbones" / name / "word_embedding.safetensors"
    with replacing(path) as temporary:
        save_file({"word_embedding": embedding}, temporary)


def to_half(value: Tensor) -> Tensor:
    """float16 storage of a weight, contiguous."""
    return value.detach().to(torch.float16).contiguous()


def load_teacher(task: str, model: str) -> PreTrainedModel:
    """The teacher of (task, model) in float32, eval mode, gradients off. Its word embedding may be
    that of other teachers too: whoever wants to change its numbers copies it first.

    Raises InputError when there is none or its files are damaged.
    """
    card = load_card(task, model)
    folder = find("teachers", teacher_folder(task, model))
    assert folder is not None
    try:
        state = load_file(folder / "model.safetensors")
        if card.shared_embedding:
            shared = find("backbones", card.shared_embedding, "word_embedding.safetensors")
            if shared is None:
                raise InputError(f"The word embedding of {card.shared_embedding} is missing.")
            state[WORD_EMBEDDING] = _shared_table(shared)
        config = read_config((folder / "config.json").read_text(encoding="utf-8"))
        return model_from_state(config, state).requires_grad_(False)
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise InputError(
            f"The teacher in {folder.name} is damaged ({error}). Restore the folder, or delete it "
            f"and run: python -m core teach --task {task} --model {model}"
        ) from error


def _shared_table(path: Path) -> nn.Parameter:
    """A file's word embedding in float32: the same object as long as anybody holds it."""
    key = path, path.stat().st_mtime_ns
    table = _tables.get(key)
    if table is None:
        values = aligned(load_file(path)["word_embedding"].to(torch.float32))
        table = _tables[key] = nn.Parameter(values, requires_grad=False)
    return table


def read_config(text: str) -> BertConfig:
    """The config of this JSON text; raises InputError when it is not one that we compute."""
    return config_of(settings_from_text(text))


def model_from_state(config: BertConfig, state: dict[str, Tensor]) -> PreTrainedModel:
    """A model with exactly these weights (any float type, computed in float32), eval mode; their
    names tell its head. Raises InputError when names or shapes do not fit the config.
    """
    if config.num_hidden_layers > len(state):  # else a wrong number would build layers for hours
        raise InputError(f"There are no weights for {config.num_hidden_layers} layers.")
    try:
        with torch.device("meta"):
            model = head_class(state)(config)
        state = {name: aligned(value.to(torch.float32)) for name, value in state.items()}
        model.load_state_dict(state, assign=True)
        _check_finite(state)
    except Exception as error:  # as above: activations that do not exist, 0 heads, shapes ...
        raise InputError(f"The weights do not fit their config: {_last_line(error)}") from error
    _restore_buffers(model, config)
    model.set_attn_implementation(NAME)
    return model.eval()


def _check_finite(state: dict[str, Tensor]) -> None:
    for name, value in state.items():
        if not bool(torch.isfinite(value).all()):
            raise ValueError(f"{name} holds a number that is not finite")


def _last_line(error: Exception) -> str:
    line = (str(error).strip() or type(error).__name__).splitlines()[-1].strip()
    return line if len(line) <= 200 else line[:197] + "..."


def _restore_buffers(model: PreTrainedModel, config: BertConfig) -> None:
    """Buffers that no file holds (position and type numbers) were left on the meta device."""
    embeddings = model.get_submodule("bert.embeddings")
    positions = torch.arange(config.max_position_embeddings).expand((1, -1))
    embeddings.register_buffer("position_ids", positions, persistent=False)
    embeddings.register_buffer("token_type_ids", torch.zeros_like(positions), persistent=False)


def shared_embedding_of(model: str) -> str:
    """The shared embedding's name for an embedded backbone, "" for any other model."""
    backbone = BACKBONES.get(model)
    return backbone.shared if backbone else ""
