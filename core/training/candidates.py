"""Which words could stand in place of a word? Two ways to propose them (Jiao et al. 2020).

neighbours   the words whose vectors in a word embedding lie nearest (cosine): needs nothing but
             the backbone, knows nothing of the sentence
masked       what a masked language model expects in the place of the word, given the rest

Both propose whole words of the vocabulary only, never the word itself. A word that is not one
piece of the vocabulary gets no proposals and stays as it is. What a word and its vector are is the
family's knowledge.
"""

from collections.abc import Generator, Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from core.events import Preparing
from core.teachers.model_loading import load_masked

Place = tuple[int, int]  # number of the text, number of the word in it
Proposals = Generator[Preparing, None, list[tuple[str, ...]]]
BLOCK = 512
SPARE = 4  # proposals that are looked through for each one that is kept


def neighbours(
    embedding: Tensor,
    known: Mapping[str, int],
    texts: Sequence[list[str]],
    places: list[Place],
    count: int,
) -> Proposals:
    """`count` nearest words for the word at each place; embedding (rows, hidden), `known` words
    and their rows."""
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
    opened = load_masked(model)
    names = {row: word for word, row in opened.replacing.words(opened.tokenizer).items()}
    asked, spots = [texts[text] for text, _ in places], [word for _, word in places]
    expected = yield from opened.replacing.expected(
        opened.network, opened.tokenizer, asked, spots, count * SPARE
    )
    found = []
    for words, spot, best in zip(asked, spots, expected, strict=True):
        others = (names[row] for row in best if row in names and names[row] != words[spot])
        found.append(tuple(others)[:count])
    return found
