"""Load a BERT for a task: an embedded backbone, a folder, or a hub id.

Only safetensors are read and no code that comes with a model is ever run. Another architecture is
refused with the list of what works. Whether the head was trained for the task or is fresh is
said, not guessed later: a checkpoint that fits can be a teacher as it is.
"""

import weakref
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import nn
from transformers import AutoConfig, AutoTokenizer, PreTrainedModel

from core.errors import InputError
from core.families.bert.attention import NAME
from core.families.bert.heads import HEAD_WEIGHTS, HEADS, output_names
from core.families.bert.matrices import keep_layers
from core.hub import snapshot
from core.models.backbones import BACKBONES, backbone_folder
from core.places import find

FAMILIES = ("bert",)
HEAD_PARTS = ("classifier.", "qa_outputs.", "bert.pooler.")
PATTERNS = ("*.json", "*.safetensors", "vocab.txt")
_tokenizers: weakref.WeakValueDictionary[tuple[str, int], Any] = weakref.WeakValueDictionary()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Loaded:
    """A model in float32. `is_fine_tuned`: its head was trained for this number of outputs;
    `labels` are the names that its config gives them; `revision` is the hub's, or ""."""

    model: PreTrainedModel
    is_fine_tuned: bool
    labels: tuple[str, ...]
    revision: str


def load_model(name: str, kind: str, labels: tuple[str, ...], seed: int) -> Loaded:
    """The model with a head for `kind`; a missing head is drawn from `seed`.

    Raises InputError when it cannot be found or is not of the BERT family.
    """
    folder, revision = files_of(name)
    with explained(name):
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
        if config.model_type not in FAMILIES:
            raise InputError(
                f"{name} is a {config.model_type} model. Ternary Lab works with the BERT family "
                f"(model_type {', '.join(FAMILIES)}); the embedded ones are: "
                f"{', '.join(BACKBONES)}."
            )
        theirs = tuple(str(label) for _, label in sorted((config.id2label or {}).items()))
        names = dict(enumerate(output_names(kind, labels)))
        config.id2label, config.label2id = names, {label: i for i, label in names.items()}
        torch.manual_seed(seed)
        model, info = HEADS[kind].from_pretrained(
            folder,
            config=config,
            dtype=torch.float32,
            use_safetensors=True,
            attn_implementation=NAME,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
        fresh = [*info["missing_keys"], *(key[0] for key in info["mismatched_keys"])]
        _check_encoder(fresh)
    backbone = BACKBONES.get(name)
    if backbone and backbone.layers:
        keep_layers(model, backbone.layers)
    return Loaded(model=model, is_fine_tuned=not fresh, labels=theirs, revision=revision)


def _check_encoder(fresh: list[str]) -> None:
    """Only a head may be drawn anew: an encoder layer that nobody trained would go unnoticed."""
    lost = [name for name in fresh if not name.startswith(HEAD_PARTS)]
    if lost:
        raise ValueError(f"its file has no fitting weights for {lost[0]}.")


def has_trained_head(name: str, kind: str, labels: tuple[str, ...]) -> bool:
    """Whether the folder `name` holds a checkpoint with a head of the right kind and size.

    Looks at names and shapes only. False for embedded backbones, and for a hub id, of which
    nothing may be here yet.
    """
    wanted = next(weight for weight, head in HEAD_WEIGHTS.items() if head is HEADS[kind])
    try:
        for file in sorted(Path(name).expanduser().glob("*.safetensors")):
            with safe_open(file, framework="pt") as weights:
                if wanted in weights.keys():  # noqa: SIM118
                    return weights.get_slice(wanted).get_shape()[0] == len(
                        output_names(kind, labels)
                    )
    except (OSError, SafetensorError, ValueError, RuntimeError):
        return False
    return False


def files_of(name: str) -> tuple[str, str]:
    """(folder, revision) of a model's files. Raises InputError when there are none."""
    backbone = BACKBONES.get(name)
    if backbone:
        return str(backbone_folder(backbone)), ""
    folder = _folder(name)
    if folder is not None:
        return str(folder), ""
    instead = f"Use a folder with a BERT (safetensors), or one of: {', '.join(BACKBONES)}."
    if name.startswith((".", "/", "~")) or "\\" in name:
        raise InputError(f"There is no folder {name}. {instead}")
    found = snapshot(name, "model", PATTERNS, instead)
    return str(found.folder), found.revision


def _folder(name: str) -> Path | None:
    try:
        path = Path(name).expanduser()
        return path if path.is_dir() else None
    except (OSError, RuntimeError, ValueError):  # far too long, ~nobody, a zero byte
        return None


def load_tokenizer(name: str):
    """The tokenizer of an embedded backbone (it ships), a folder or a hub id."""
    backbone = BACKBONES.get(name)
    shared = backbone.shared if backbone else ""
    shipped = find("backbones", shared, "tokenizer.json") if shared else None
    folder = str(shipped.parent) if shipped else files_of(name)[0]
    return tokenizer_from(folder, name)


def tokenizer_from(folder: str, name: str):
    """The tokenizer of a folder, the same object as long as anybody holds it (see
    `core.models.tokenizing`); `name` is what a message calls it."""
    try:
        key = folder, Path(folder, "tokenizer.json").stat().st_mtime_ns
    except OSError:
        key = folder, 0
    with explained(name):
        found = _tokenizers.get(key)
        if found is None:
            found = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
            _tokenizers[key] = found
        return found


def check_words(model: PreTrainedModel, tokenizer, name: str) -> None:
    """Raise InputError when the tokenizer knows words that the model has no embedding for."""
    words, rows = len(tokenizer), model.config.vocab_size
    if words > rows:
        raise InputError(
            f"The tokenizer of {name} knows {words:,} words, the model only {rows:,}: they do not "
            "belong together. Use the tokenizer that the model was trained with."
        )


@torch.no_grad()
def use_label_order(loaded: Loaded, labels: tuple[str, ...]) -> None:
    """Bring the outputs of a fine-tuned classifier into the order of the task's labels.

    Names are compared without case, blanks, dashes and underscores; a checkpoint that only
    numbers its labels keeps its order. Raises InputError when the names differ.
    """
    theirs = [_plain(label) for label in loaded.labels]
    if all(label == f"label{number}" for number, label in enumerate(theirs)):
        return
    if sorted(theirs) != sorted(map(_plain, labels)):
        raise InputError(
            f"The checkpoint's labels are {', '.join(loaded.labels)}; the task's are "
            f"{', '.join(labels)}. Rename them, or fine-tune the checkpoint on this task."
        )
    order = [theirs.index(_plain(label)) for label in labels]
    head = loaded.model.get_submodule("classifier")
    assert isinstance(head, nn.Linear)
    head.weight.copy_(head.weight[order].clone())
    head.bias.copy_(head.bias[order].clone())


def _plain(label: str) -> str:
    return "".join(letter for letter in label.lower() if letter.isalnum())


@contextmanager
def explained(model: str) -> Generator[None]:
    """Turn what the library raises for a model that is not there into one sentence."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # OSError, ValueError, SafetensorError, its own validation errors
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise InputError(
            f"The model {model!r} could not be loaded: {reason} Use a folder with a BERT "
            f"(safetensors), a hub id, or one of: {', '.join(BACKBONES)}."
        ) from error
