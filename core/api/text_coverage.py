"""How much of a text a model reads: tokens that are cut off, words that it does not know."""

from collections.abc import Sequence
from dataclasses import dataclass

from core.api.models import OpenModel


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """tokens: of all texts, without marks such as [CLS]; read: those that the model gets; words
    and, of these, the unknown ones, each of which it gets as the same mark [UNK]."""

    tokens: int
    read: int
    words: int
    unknown: int

    @property
    def missing(self) -> str:
        """What was not read, in words; "" where everything was."""
        told = []
        if self.read < self.tokens:
            told.append(
                f"The text has {self.tokens:,} tokens; {self.read:,} of them were read, the rest "
                "was cut off."
            )
        if self.unknown:
            told.append(
                f"{self.unknown:,} of {self.words:,} words or signs are unknown to this model: "
                "each of them is read as the same mark."
            )
        if self.unknown == self.words > 0:
            told.append("So the answer says nothing about this text.")
        return " ".join(told)


def reading(opened: OpenModel, texts: Sequence[str]) -> Reading:
    """What a model reads of one text (of a pair, of a question with its passage)."""
    counted = opened.family.count(opened.tokenizer, texts)
    lengths = [each.units for each in counted]
    longest = opened.family.longest(opened.config)
    return Reading(
        tokens=sum(lengths),
        read=opened.target.units_read(opened.family, opened.task, lengths, longest),
        words=sum(each.words for each in counted),
        unknown=sum(each.unknown for each in counted),
    )
