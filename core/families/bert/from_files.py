"""A BERT out of files: a stranger's folder, of which nothing is trusted, or weights of our own.

The config is checked before the library sees it (`settings`); weights and tokenizer come from
regular files of the folder (`weight_files`, `vocabulary`); no code that comes with it is ever run.
Whether the head was trained is said, not guessed later: a checkpoint that fits can be a teacher as
it is.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import BertConfig, PreTrainedModel

from core.errors import InputError
from core.families.bert.config import (
    MANY_LABELS,
    config_of,
    read_config,
    settings_from_text,
)
from core.families.bert.heads import HEAD_PARTS, class_of, head_class, weight_of
from core.families.bert.self_attention import NAME
from core.families.bert.vocabulary import TOKENIZER_FILES
from core.families.bert.weight_files import (
    WEIGHT_FILES,
    check_encoder,
    missing,
    places,
    read_state,
)
from core.family import Head, Loaded
from core.models.alignment import align, aligned
from core.models.folder_files import read_text
from core.models.model_settings import labels_of

CONFIG_FILE = "config.json"
FILES = (*WEIGHT_FILES, *TOKENIZER_FILES)


def load(folder: Path, head: Head, name: str, seed: int) -> Loaded:
    """The model of a folder with this head; a missing head is drawn from `seed`.

    Raises InputError for a setting that we do not compute, and ValueError for whatever is wrong
    with the files.
    """
    settings = read_settings(folder, name)
    theirs, config = labels_of(settings), _with_outputs(config_of(settings, name), head)
    model, fresh = build(class_of(head), config, folder, HEAD_PARTS, seed)
    return Loaded(
        model=model,
        is_fine_tuned=not fresh,
        labels=theirs,
        gives_many=config.problem_type == MANY_LABELS,
    )


def _with_outputs(config: BertConfig, head: Head) -> BertConfig:
    names = dict(enumerate(head.outputs))
    config.id2label, config.label2id = names, {label: i for i, label in names.items()}
    return config


def fresh_config(text: str, head: Head, name: str) -> BertConfig:
    """The config that `load` gives a model of this config's text. Raises InputError."""
    config = _with_outputs(read_config(text, name), head)
    config.dtype = torch.float32  # as the library notes it when it loads weights
    return config


def blank(config: BertConfig, head: Head) -> PreTrainedModel:
    """A model of this config whose weights have names and shapes, but no numbers."""
    with torch.device("meta"):
        return class_of(head)(config)


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
    torch.manual_seed(seed)  # pyright: ignore[reportUnknownMemberType]
    model = kind.from_pretrained(
        None,
        config=config,
        state_dict=state,
        dtype=torch.float32,
        attn_implementation=NAME,
    )
    align(model)
    return model, fresh


def has_trained_head(folder: Path, head: Head) -> bool:
    """Whether a folder's weights have a head of this kind and size, by their names and shapes."""
    found = places(folder).get(weight_of(head))
    return found is not None and found.shape[:1] == (len(head.outputs),)


def from_state(config: BertConfig, state: dict[str, Tensor]) -> PreTrainedModel:
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
    except Exception as error:  # activations that do not exist, 0 heads, shapes ...
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


def save_processor(tokenizer: Any, folder: Path) -> None:
    """Write the files that the tokenizer is read from."""
    tokenizer.save_pretrained(folder)


def check_fits(config: BertConfig, tokenizer: Any, texts: int, name: str) -> None:
    """Raise InputError when the tokenizer knows words that the model has no embedding for, or a
    task has two texts a row and the model cannot tell them apart."""
    words, rows = len(tokenizer), config.vocab_size
    if words > rows:
        raise InputError(
            f"The tokenizer of {name} knows {words:,} words, the model only {rows:,}: they do not "
            "belong together. Use the tokenizer that the model was trained with."
        )
    if texts > 1 and config.type_vocab_size < 2:
        raise InputError(
            f"{name} knows one kind of text (type_vocab_size 1); this task has pairs, whose "
            "second text is of another kind. Use another model, or a task of single texts."
        )
