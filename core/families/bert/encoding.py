"""Text to BERT's numbers: word pieces, the two texts of a pair told apart by their types.

A pair whose second text (a passage) is longer than the model can read is cut into windows that
overlap, each of them

    [CLS] first [SEP] part of the second [SEP]

so that one window starts 128 tokens after the other (Devlin et al. 2019; PAPER 3: stride 128).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from core.family import Batch, Counted, Encoded, Unit, Windows
from core.models.tokenizing import tokenized

IDS, TYPES, MASK = "input_ids", "token_type_ids", "attention_mask"
STRIDE = 128
FIRST_TOKENS = 64  # of the first text in a window


def encode(tokenizer: Any, columns: Sequence[list[str]], limit: int) -> Encoded:
    """Tokenize one column of texts, or two (pairs), cut to `limit` tokens; no labels."""
    tokens = tokenized(
        tokenizer,
        *columns,
        truncation=True,
        max_length=limit,
        padding=False,
        return_token_type_ids=True,
    )
    return _encoded(tokens[IDS], tokens[TYPES])


def _encoded(
    ids: Sequence[Sequence[int]], types: Sequence[Sequence[int]], about: Any = None
) -> Encoded:
    units = np.array([len(row) for row in ids], dtype=np.int64)
    return Encoded(inputs={IDS: ids, TYPES: types}, units=units, about=about)


def windows(tokenizer: Any, first: list[str], second: list[str], limit: int) -> Encoded:
    """Pairs as windows of at most `limit` tokens; `about` says what each row is a window of."""
    asked = tokenized(tokenizer, first, add_special_tokens=False)[IDS]
    read = tokenized(tokenizer, list(second), add_special_tokens=False, return_offsets_mapping=True)
    start, end = [tokenizer.cls_token_id], [tokenizer.sep_token_id]
    ids: list[list[int]] = []
    types: list[list[int]] = []
    example: list[int] = []
    begins: list[int] = []
    offsets: list[np.ndarray] = []
    for number, (question, passage) in enumerate(zip(asked, read[IDS], strict=True)):
        head = [*start, *question[: first_units(limit)], *end]
        room = max(1, limit - len(head) - len(end))
        places = np.asarray(read["offset_mapping"][number], dtype=np.int64).reshape(-1, 2)
        for begin in _starts(len(passage), room):
            part = passage[begin : begin + room]
            ids.append([*head, *part, *end])
            types.append([0] * len(head) + [1] * (len(part) + 1))
            example.append(number)
            begins.append(len(head))
            offsets.append(places[begin : begin + room])
    about = Windows(
        example=np.array(example),
        first=np.array(begins),
        offsets=offsets,
        contexts=second,
        accepted=[()] * len(second),
    )
    return _encoded(ids, types, about)


def first_units(limit: int) -> int:
    """How many tokens of the first text are read at most in a window of `limit`."""
    return min(FIRST_TOKENS, limit // 2)


def marks(texts: int) -> int:
    """[CLS] text [SEP], or [CLS] text [SEP] text [SEP]."""
    return 1 + texts


def _starts(tokens: int, room: int) -> list[int]:
    """Where windows of `room` tokens begin; the last one reaches the end of the passage."""
    step = min(STRIDE, max(1, room // 2))
    return [0, *range(step, max(0, tokens - room) + step, step)] if tokens > room else [0]


def count(tokenizer: Any, texts: Sequence[str]) -> list[Counted]:
    """The tokens of each text, its words, and those that the tokenizer does not know."""
    parts = tokenized(tokenizer, list(texts), add_special_tokens=False)
    return [_counted(parts, row, tokenizer.unk_token_id) for row in range(len(texts))]


def _counted(parts: Any, row: int, unknown: int) -> Counted:
    is_unknown: dict[int, bool] = {}  # of each word: one of its tokens is
    for word, token in zip(parts.word_ids(row), parts[IDS][row], strict=True):
        if word is not None:
            is_unknown[word] = is_unknown.get(word, False) or token == unknown
    units, words = len(parts[IDS][row]), len(is_unknown)
    return Counted(units=units, words=words, unknown=sum(is_unknown.values()))


def units_of(tokenizer: Any, encoded: Encoded, row: int) -> tuple[Unit, ...]:
    """The word pieces of a row; a word that the tokenizer does not know is its [UNK]."""
    marks = {*tokenizer.all_special_ids} - {tokenizer.unk_token_id}
    ids = encoded.inputs[IDS][row]
    pieces = tokenizer.convert_ids_to_tokens(ids)
    return tuple(
        Unit(text=piece, is_mark=number in marks) for number, piece in zip(ids, pieces, strict=True)
    )


def made_up_batch(config: Any, rows: int, tokens: int) -> Batch:
    """Random words, always the same ones: `rows` texts of `tokens` each, or as many as the model
    reads."""
    draw = torch.Generator().manual_seed(0)
    tokens = min(tokens, config.max_position_embeddings)
    ids = torch.randint(1, config.vocab_size, (rows, tokens), generator=draw)
    return Batch(
        inputs={IDS: ids, TYPES: torch.zeros_like(ids), MASK: torch.ones_like(ids)},
        units=torch.full((rows,), tokens),
        labels={},
        examples=torch.arange(rows),
    )


def collate(encoded: Encoded, rows: np.ndarray) -> Batch:
    """The batch of these rows, padded with token 0 to the longest of them."""
    longest = int(encoded.units[rows].max())
    ids = torch.zeros(len(rows), longest, dtype=torch.long)
    types, mask = torch.zeros_like(ids), torch.zeros_like(ids)
    for place, row in enumerate(map(int, rows)):
        tokens = encoded.inputs[IDS][row]
        ids[place, : len(tokens)] = torch.tensor(tokens)
        types[place, : len(tokens)] = torch.tensor(encoded.inputs[TYPES][row])
        mask[place, : len(tokens)] = 1
    return Batch(
        inputs={IDS: ids, TYPES: types, MASK: mask},
        units=torch.as_tensor(encoded.units[rows]),
        labels={name: torch.as_tensor(every[rows]) for name, every in encoded.labels.items()},
        examples=torch.as_tensor(np.asarray(rows)),
    )
