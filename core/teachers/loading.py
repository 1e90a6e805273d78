"""Load a BERT for a task: an embedded backbone, a folder, or a hub id.

A model is a stranger's. Its config is checked before the library sees it (`settings`); weights and
tokenizer come from regular files of its own folder (`weight_files`, `vocabulary`); no code that
comes with it is ever run. Another architecture is refused with the list of what works. Whether the
head was trained for the task or is fresh is said, not guessed later: a checkpoint that fits can be
a teacher as it is.
"""

import weakref
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import BertConfig, PreTrainedModel

from core.errors import InputError
from core.families.bert.attention import NAME
from core.families.bert.heads import HEAD_WEIGHTS, HEADS, output_names
from core.families.bert.matrices import keep_layers
from core.hub import snapshot
from core.models.alignment import align
from core.models.backbones import BACKBONES, backbone_folder
from core.models.folder_files import read_text
from core.models.settings import config_of, labels_of, settings_from_text
from core.models.vocabulary import TOKENIZER_FILES, open_tokenizer
from core.models.weight_files import WEIGHT_FILES, check_encoder, missing, places, read_state
from core.places import find

HEAD_PARTS = ("classifier.", "qa_outputs.", "bert.pooler.")
CONFIG_FILE = "config.json"
PATTERNS = (CONFIG_FILE, *WEIGHT_FILES, *TOKENIZER_FILES)
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

    Raises InputError when it cannot be found, is not of the BERT family, or says something that
    we do not compute.
    """
    folder, revision = files_of(name)
    with explained(name):
        settings = read_settings(Path(folder), name)
        theirs = labels_of(settings)
        config = config_of(settings, name)
        names = dict(enumerate(output_names(kind, labels)))
        config.id2label, config.label2id = names, {label: i for i, label in names.items()}
        model, fresh = build(HEADS[kind], config, Path(folder), HEAD_PARTS, seed)
    backbone = BACKBONES.get(name)
    if backbone and backbone.layers:
        keep_layers(model, backbone.layers)
    return Loaded(model=model, is_fine_tuned=not fresh, labels=theirs, revision=revision)


def read_settings(folder: Path, name: str) -> dict[str, Any]:
    """The checked settings of a model's config.json. Raises InputError, or ValueError where
    there is none."""
    text = read_text(folder, CONFIG_FILE)
    if text is None:
        raise ValueError(f"it has no {CONFIG_FILE}.")
    return settings_from_text(text, name)


def build(
    kind: Any, config: BertConfig, folder: Path, head: tuple[str, ...], seed: int = 0
) -> tuple[PreTrainedModel, list[str]]:
    """A model of class `kind` with the weights of a folder in float32, and the names of what was
    drawn from `seed` instead: only what begins with `head` may be. Raises ValueError."""
    found = places(folder)
    with torch.device("meta"):
        wanted = kind(config).state_dict()
    check_encoder(found, wanted, head)
    fresh = missing(found, wanted)
    state = read_state(found, set(wanted) - set(fresh))
    torch.manual_seed(seed)
    model = kind.from_pretrained(
        None,
        config=config,
        state_dict=state,
        dtype=torch.float32,
        attn_implementation=NAME,
    )
    align(model)
    return model, fresh


def has_trained_head(name: str, kind: str, labels: tuple[str, ...]) -> bool:
    """Whether the folder `name` holds a checkpoint with a head of the right kind and size.

    Looks at names and shapes only. False for embedded backbones, and for a hub id, of which
    nothing may be here yet.
    """
    wanted = next(weight for weight, head in HEAD_WEIGHTS.items() if head is HEADS[kind])
    folder = _folder(name)
    try:
        found = places(folder).get(wanted) if folder else None
    except (OSError, SafetensorError, ValueError, RuntimeError):
        return False
    return found is not None and found.shape[:1] == (len(output_names(kind, labels)),)


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
    return _from_hub(name, instead)


def _from_hub(name: str, instead: str) -> tuple[str, str]:
    """The config comes first: only of a model that we can use is the rest fetched."""
    found = snapshot(name, "model", (CONFIG_FILE,), instead)
    with explained(name):
        read_settings(found.folder, name)
    found = snapshot(name, "model", PATTERNS, instead, found.revision)
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
            found = open_tokenizer(Path(folder))
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


def check_pairs(model: PreTrainedModel, texts: int, name: str) -> None:
    """Raise InputError when a task has two texts a row and the model cannot tell them apart."""
    if texts > 1 and model.config.type_vocab_size < 2:
        raise InputError(
            f"{name} knows one kind of text (type_vocab_size 1); this task has pairs, whose "
            "second text is of another kind. Use another model, or a task of single texts."
        )


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
