"""Which words BERT would put in place of a word: its embedding, or its masked language model."""

from collections.abc import Generator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import BertForMaskedLM

from core.errors import InputError
from core.events import Preparing
from core.families.bert.config import config_of
from core.families.bert.encoding import IDS
from core.families.bert.from_files import build, read_settings
from core.models.tokenizing import tokenized

BATCH = 64


def words(tokenizer: Any) -> dict[str, int]:
    """Words of letters that are one piece of the vocabulary, and their numbers."""
    vocabulary = tokenizer.get_vocab()
    return {word: i for word, i in vocabulary.items() if word.isalpha() and len(word) > 1}


def embedding(model: Any) -> Tensor:
    """The word embedding, (words, hidden)."""
    return model.get_input_embeddings().weight


def open_masked(folder: Path, name: str) -> Any:
    """The masked language model of a folder. Raises InputError, or a ValueError with a sentence,
    when it is none."""
    settings = read_settings(folder, name)
    if settings.get("tie_word_embeddings", True) is not True:
        raise ValueError("its words are embedded and predicted by two tables.")
    network, fresh = build(BertForMaskedLM, config_of(settings, name), folder, ("cls.",))
    if any(weight.startswith("cls.predictions.transform") for weight in fresh):
        raise InputError(
            f"{name} has no masked language model's head. Use a plain BERT such as "
            "google-bert/bert-base-uncased, or the neighbours."
        )
    return network.eval()


def expected(
    masked: Any, tokenizer: Any, texts: list[list[str]], spots: list[int], most: int
) -> Generator[Preparing, None, list[list[int]]]:
    """For each text (its words) the numbers of the `most` likeliest tokens in place of the word at
    its spot, likeliest first; none for a word that is not one token, or was cut off."""
    tokens = tokenized(
        tokenizer,
        texts,
        is_split_into_words=True,
        truncation=True,
        max_length=masked.config.max_position_embeddings,
    )
    places = [_single_token(tokens.word_ids(i), word) for i, word in enumerate(spots)]
    asked = [i for i, place in enumerate(places) if place is not None]
    asked.sort(key=lambda i: len(tokens[IDS][i]))
    found: list[list[int]] = [[] for _ in texts]
    for start in range(0, len(asked), BATCH):
        yield Preparing(text="Asking the masked language model", done=start, total=len(asked))
        part = asked[start : start + BATCH]
        ids = [list(tokens[IDS][i]) for i in part]
        best = _expected(masked, ids, [places[i] for i in part], tokenizer, most)
        for i, row in zip(part, best, strict=True):
            found[i] = row
    return found


def _single_token(word_ids: list[int | None], word: int) -> int | None:
    """The token of a word that is one token (and was not cut off), else None."""
    mine = [token for token, owner in enumerate(word_ids) if owner == word]
    return mine[0] if len(mine) == 1 else None


@torch.no_grad()
def _expected(
    network: Any, ids: list[list[int]], spots: list[int | None], tokenizer: Any, count: int
) -> list[list[int]]:
    """Numbers of the likeliest tokens at one masked spot per row, likeliest first."""
    longest = max(map(len, ids))
    rows = torch.full((len(ids), longest), tokenizer.pad_token_id)
    mask = torch.zeros_like(rows)
    for row, (tokens, spot) in enumerate(zip(ids, spots, strict=True)):
        rows[row, : len(tokens)] = torch.tensor(tokens)
        rows[row, spot] = tokenizer.mask_token_id
        mask[row, : len(tokens)] = 1
    hidden = network.bert(input_ids=rows, attention_mask=mask).last_hidden_state
    logits = network.cls(hidden[torch.arange(len(ids)), spots])  # (rows, vocabulary)
    return logits.topk(min(count, logits.shape[1]), dim=1).indices.tolist()
