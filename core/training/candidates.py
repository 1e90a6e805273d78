"""Which words could stand in place of a word? Two ways to propose them (Jiao et al. 2020).

neighbours   the words whose vectors in a word embedding lie nearest (cosine): needs nothing but
             the backbone, knows nothing of the sentence
masked       what a masked language model expects in the place of the word, given the rest

Both propose whole words of the vocabulary only, never the word itself. A word that is not one
piece of the vocabulary gets no proposals and stays as it is.
"""

from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import BertForMaskedLM

from core.errors import InputError
from core.events import Preparing
from core.models.settings import config_of
from core.models.tokenizing import tokenized
from core.teachers.loading import build, explained, files_of, read_settings, tokenizer_from

Place = tuple[int, int]  # number of the text, number of the word in it
Proposals = Generator[Preparing, None, list[tuple[str, ...]]]
BLOCK = 512
BATCH = 64
SPARE = 4  # proposals that are looked through for each one that is kept


def whole_words(tokenizer: Any) -> dict[str, int]:
    """Words of letters that are one piece of the vocabulary, and their numbers."""
    vocabulary = tokenizer.get_vocab()
    return {word: i for word, i in vocabulary.items() if word.isalpha() and len(word) > 1}


def neighbours(
    embedding: Tensor, tokenizer: Any, texts: Sequence[list[str]], places: list[Place], count: int
) -> Proposals:
    """`count` nearest words for the word at each place; embedding (words, hidden)."""
    known = whole_words(tokenizer)
    names, numbers = list(known), torch.tensor(list(known.values()))
    table = F.normalize(embedding.detach()[numbers].float(), dim=1)
    asked = sorted({texts[text][word] for text, word in places} & known.keys())
    rows = {name: row for row, name in enumerate(names)}
    found: dict[str, tuple[str, ...]] = {}
    for start in range(0, len(asked), BLOCK):
        yield Preparing(text="Looking for neighbours", done=start, total=len(asked))
        part = asked[start : start + BLOCK]
        likeness = table[[rows[word] for word in part]] @ table.T  # (part, words)
        nearest = likeness.topk(min(count + 1, len(names)), dim=1).indices.tolist()
        for word, row in zip(part, nearest, strict=True):
            found[word] = tuple(names[i] for i in row if names[i] != word)[:count]
    return [found.get(texts[text][word], ()) for text, word in places]


def masked(model: str, texts: Sequence[list[str]], places: list[Place], count: int) -> Proposals:
    """`count` words that the masked language model `model` (a folder or a hub id) expects at each
    place. Raises InputError when it cannot be loaded or is no such model."""
    network, tokenizer = _masked_model(model)
    known = {number: word for word, number in whole_words(tokenizer).items()}
    tokens = tokenized(
        tokenizer,
        [texts[text] for text, _ in places],
        is_split_into_words=True,
        truncation=True,
        max_length=network.config.max_position_embeddings,
    )
    spots = [_single_token(tokens.word_ids(i), word) for i, (_, word) in enumerate(places)]
    asked = [i for i, spot in enumerate(spots) if spot is not None]
    asked.sort(key=lambda i: len(tokens["input_ids"][i]))
    found: list[tuple[str, ...]] = [()] * len(places)
    for start in range(0, len(asked), BATCH):
        yield Preparing(text="Asking the masked language model", done=start, total=len(asked))
        part = asked[start : start + BATCH]
        ids = [list(tokens["input_ids"][i]) for i in part]
        best = _expected(network, ids, [spots[i] for i in part], tokenizer, count * SPARE)
        for i, row in zip(part, best, strict=True):
            text, word = places[i]
            expected = (known[n] for n in row if n in known and known[n] != texts[text][word])
            found[i] = tuple(expected)[:count]
    return found


def _masked_model(model: str) -> tuple[Any, Any]:
    folder, _ = files_of(model)
    with explained(model):
        settings = read_settings(Path(folder), model)
        if settings.get("tie_word_embeddings", True) is not True:
            raise ValueError("its words are embedded and predicted by two tables.")
        config = config_of(settings, model)
        network, fresh = build(BertForMaskedLM, config, Path(folder), ("cls.",))
    if any(name.startswith("cls.predictions.transform") for name in fresh):
        raise InputError(
            f"{model} has no masked language model's head. Use a plain BERT such as "
            "google-bert/bert-base-uncased, or the neighbours."
        )
    return network.eval(), tokenizer_from(folder, model)


def _single_token(word_ids: list[int | None], word: int) -> int | None:
    """The token of a word that is one token (and was not cut off), else None."""
    mine = [token for token, owner in enumerate(word_ids) if owner == word]
    return mine[0] if len(mine) == 1 else None


@torch.no_grad()
def _expected(
    network: Any, ids: list[list[int]], spots: list, tokenizer: Any, count: int
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
