"""More text for small tasks: copies of the examples with some words replaced (PAPER 3).

Each example gets `augment_copies` copies; in a copy every word of letters that carries meaning is
replaced with `augment_probability` by one of `augment_candidates` proposals (see `candidates`).
The label stays, which is the gamble of the method: look at the preview.

Only the copies that the steps will read are made: the order of reading is drawn first. What a
copy becomes depends on the seed and on the numbers of example and copy alone.
"""

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from datasets import Dataset

from core.errors import InputError
from core.events import Preparing
from core.experiment import TrainRecipe
from core.family import Family, Replacing
from core.tasks.task import Task
from core.training.candidates import masked, neighbours

# Words that hold a sentence together; replacing them breaks it more than it changes it.
_KEPT_WORDS = """
    a an and are as at be been but by can could did do does for from had has have he her him his
    how i if in into is it its me my no nor not of on or our out she should so than that the their
    them then there these they this those to too very was we were what when where which who whom
    why will with would you your
"""
KEPT = frozenset(_KEPT_WORDS.split())
PUNCTUATION = "\"'()[]{}.,;:!?*-"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Words:
    """A text cut at its blanks: what stands before, the words in lower case, what stands after."""

    before: list[str]
    plain: list[str]
    after: list[str]

    @classmethod
    def of(cls, text: str) -> "Words":
        """Cut a text."""
        pieces = text.split()
        bare = [piece.strip(PUNCTUATION) for piece in pieces]
        cuts = [piece.find(word) for piece, word in zip(pieces, bare, strict=True)]
        return cls(
            before=[piece[:cut] for piece, cut in zip(pieces, cuts, strict=True)],
            plain=[word.lower() for word in bare],
            after=[p[c + len(w) :] for p, c, w in zip(pieces, cuts, bare, strict=True)],
        )

    def replaceable(self) -> list[int]:
        """Numbers of the words that may be replaced."""
        return [i for i, word in enumerate(self.plain) if word.isalpha() and word not in KEPT]

    def with_words(self, changes: dict[int, str]) -> str:
        """The text with some words replaced; blanks become single ones."""
        words = [changes.get(i, word) for i, word in enumerate(self.plain)]
        return " ".join(map("".join, zip(self.before, words, self.after, strict=True)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Copy:
    """One text of one copy; `chosen` are the words that will be replaced, `draws` which of the
    proposals each takes, in [0, 1)."""

    row: int
    column: str
    chosen: list[int]
    draws: list[float]


def draw_rows(rows: int, recipe: TrainRecipe, needed: int, seed: int) -> list[tuple[int, int]]:
    """(example, copy) of what will be read; copy 0 is the example itself."""
    pool = rows * (1 + recipe.augment_copies)
    order = np.random.default_rng(seed).permutation(pool)[:needed]
    return [(int(index % rows), int(index // rows)) for index in order]


def augmented(
    table: Dataset,
    task: Task,
    recipe: TrainRecipe,
    drawn: list[tuple[int, int]],
    family: Family,
    model: Any,
    tokenizer: Any,
    seed: int,
) -> Generator[Preparing, None, Dataset]:
    """The drawn examples and copies of `table`, in that order.

    `model`, of `family`, gives the word embedding for neighbours. Raises InputError when it has
    none, or the recipe's masked language model cannot be used.
    """
    replacing = _replacing(family)
    chosen = table.select([row for row, _ in drawn])
    columns = {column: list(chosen[column]) for column in task.texts}
    texts = {column: [Words.of(text) for text in columns[column]] for column in task.texts}
    copies = list(_copies(texts, drawn, recipe.augment_probability, seed))
    sentences = [texts[copy.column][copy.row].plain for copy in copies]
    places = [(number, word) for number, copy in enumerate(copies) for word in copy.chosen]
    if recipe.augment_model:
        asking = masked(recipe.augment_model, sentences, places, recipe.augment_candidates)
    else:
        embedding, known = replacing.embedding(model), replacing.words(tokenizer)
        asking = neighbours(embedding, known, sentences, places, recipe.augment_candidates)
    proposals = iter((yield from asking))
    for copy in copies:
        changes = {}
        for word, draw in zip(copy.chosen, copy.draws, strict=True):
            options = next(proposals)
            if options:
                changes[word] = options[int(draw * len(options))]
        columns[copy.column][copy.row] = texts[copy.column][copy.row].with_words(changes)
    kept = {name: list(chosen[name]) for name in chosen.column_names if name not in columns}
    return Dataset.from_dict(columns | kept)


def _replacing(family: Family) -> Replacing:
    if family.replacing is None:
        raise InputError(f"{family.title} has no words to replace: turn augmentation off.")
    return family.replacing


def _copies(
    texts: dict[str, list[Words]], drawn: list[tuple[int, int]], share: float, seed: int
) -> Iterator[_Copy]:
    for row, (example, copy) in enumerate(drawn):
        if copy == 0:
            continue
        random = np.random.default_rng([seed, example, copy])
        for column, cut in texts.items():
            words = cut[row].replaceable()
            lots = random.random((len(words), 2))
            taken = [i for i in range(len(words)) if lots[i, 0] < share]
            yield _Copy(
                row=row,
                column=column,
                chosen=[words[i] for i in taken],
                draws=[float(lots[i, 1]) for i in taken],
            )
