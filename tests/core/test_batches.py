"""Batches: every example once an epoch, the same for a seed, hardly any padding; order restored."""

from collections import Counter
from itertools import islice

import numpy as np
import pytest
import torch
from torch import nn
from transformers.modeling_outputs import SequenceClassifierOutput

from core.training.batches import (
    WINDOW_BATCHES,
    Encoded,
    collate,
    encode,
    evaluation_batches,
    lengths,
    training_batches,
)
from core.training.evaluate import split_predictions
from tests.conftest import tiny_tokenizer


def encoded_of(count: int, seed: int = 0) -> Encoded:
    """Examples of 3 to 40 tokens; the second token of an example is its number plus 10."""
    draw = np.random.default_rng(seed)
    ids = [[2, 10 + i, *draw.integers(5, 9, draw.integers(1, 39)).tolist()] for i in range(count)]
    types = [[0] * len(tokens) for tokens in ids]
    return Encoded(input_ids=ids, token_types=types, labels=np.arange(count) % 2)


def epoch(encoded: Encoded, batch_size: int, seed: int = 0):
    count = -(-len(encoded) // batch_size)
    return list(islice(training_batches(encoded, batch_size, seed), count))


@pytest.mark.parametrize("count", [1, 7, 8, 9, 100, 8 * WINDOW_BATCHES + 3])
def test_every_example_is_seen_once_an_epoch(count):
    encoded = encoded_of(count)
    batches = list(islice(training_batches(encoded, 8, seed=0), 2 * (-(-count // 8))))
    half = len(batches) // 2
    for part in (batches[:half], batches[half:]):
        seen = Counter(int(example) for batch in part for example in batch.examples)
        assert seen == Counter(range(count))
    assert max(len(batch.examples) for batch in batches) <= 8


def test_the_same_seed_gives_the_same_batches_and_another_gives_others():
    encoded = encoded_of(100)
    one, same, other = epoch(encoded, 8), epoch(encoded, 8), epoch(encoded, 8, seed=1)
    for left, right in zip(one, same, strict=True):
        assert torch.equal(left.examples, right.examples)
        assert torch.equal(left.input_ids, right.input_ids)
    assert any(
        left.examples.tolist() != right.examples.tolist()
        for left, right in zip(one, other, strict=True)
    )


def test_two_epochs_come_in_different_order():
    encoded = encoded_of(64)
    batches = list(islice(training_batches(encoded, 8, seed=0), 16))
    assert [b.examples.tolist() for b in batches[:8]] != [b.examples.tolist() for b in batches[8:]]


def test_a_batch_is_padded_only_to_its_longest_example():
    encoded = encoded_of(50)
    sizes = lengths(encoded)
    for batch in [*epoch(encoded, 8), *evaluation_batches(encoded)]:
        rows = batch.examples.numpy()
        assert batch.input_ids.shape == (len(rows), sizes[rows].max())
        assert batch.attention_mask.sum(dim=1).tolist() == sizes[rows].tolist()
        assert (batch.input_ids[batch.attention_mask == 0] == 0).all()
        assert batch.input_ids[:, 1].tolist() == (rows + 10).tolist()
        assert batch.labels.tolist() == encoded.labels[rows].tolist()


def test_grouping_by_length_leaves_little_padding():
    encoded = encoded_of(800)
    masks = [batch.attention_mask for batch in epoch(encoded, 16)]
    grouped = sum(int(mask.sum()) for mask in masks) / sum(mask.numel() for mask in masks)
    assert grouped > 0.95
    rows = np.split(np.arange(800), 50)
    masks = [collate(encoded, part).attention_mask for part in rows]
    assert sum(int(mask.sum()) for mask in masks) / sum(mask.numel() for mask in masks) < 0.6


def test_short_and_long_batches_come_in_random_order():
    means = [
        lengths(encoded_of(800))[b.examples.numpy()].mean() for b in epoch(encoded_of(800), 16)
    ]
    assert means != sorted(means)


@pytest.mark.parametrize("inputs", [["input_ids"], ["input_ids", "token_type_ids"]])
def test_texts_are_cut_to_the_limit_and_pairs_have_two_types(inputs):
    long, short = "the film was good " * 20, "a bad plot"
    tokenizer = tiny_tokenizer()
    tokenizer.model_input_names = inputs  # whatever its config lists
    labels = np.array([0, 1])
    encoded = encode(tokenizer, [[long, short], [short, short]], labels, max_tokens=12)
    assert lengths(encoded).tolist() == [12, 9]
    assert encoded.token_types[1] == [0] * 5 + [1] * 4
    single = encode(tokenizer, [[long, short]], labels, max_tokens=12)
    assert lengths(single).tolist() == [12, 5]
    assert single.input_ids[1][0] == 2
    assert single.input_ids[1][-1] == 3


class Echo(nn.Module):
    """A model whose logits are the example's number and its length: padding must not matter."""

    def forward(self, input_ids, token_type_ids, attention_mask):
        rows = torch.stack([input_ids[:, 1] - 10, attention_mask.sum(dim=1)], dim=1)
        return SequenceClassifierOutput(logits=rows.double())


def test_logits_come_back_in_the_order_of_the_split():
    encoded = encoded_of(120)
    model, kept = Echo().train(), []

    def score():
        kept.append((yield from split_predictions(model, encoded, "Scoring")))

    progress = list(score())
    logits = kept[0]
    assert logits.dtype == np.float32
    assert logits[:, 0].tolist() == list(range(120))
    assert logits[:, 1].tolist() == lengths(encoded).tolist()
    assert [(event.done, event.total) for event in progress] == [(50, 120), (100, 120), (120, 120)]
    assert not model.training
