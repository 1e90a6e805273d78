"""See inside: what one text does in a model, layer by layer, and how far a student drifts.

The engine in integers shows nothing of its inside, so a quantized model is opened in torch, whose
numbers are those of the packed file. At most `MOST_UNITS` tokens are read for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from core.analysis.cut_offs import Examined, examine
from core.analysis.drift import Compared, compare
from core.analysis.internals import Look, inputs_of, look
from core.api.answering import check_text
from core.api.models import OpenModel, Source, open_model
from core.api.text_coverage import Reading, reading
from core.errors import InputError

if TYPE_CHECKING:
    from core.family import Encoded

MOST_UNITS = 128


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Inside:
    """A look at one row of a text, and how much of the text the model reads when it answers."""

    look: Look
    reading: Reading

    @property
    def shown(self) -> int:
        """How many tokens of the text are in the row, without marks."""
        return sum(not unit.is_mark for unit in self.look.units)


def open_to_look(source: Source) -> OpenModel:
    """A model in torch, without its engine. Raises InputError as `open_model`."""
    return replace(open_model(source), engine=None)


def look_inside(opened: OpenModel, *texts: str, row: int = 0) -> Inside:
    """Read a text (a pair, question and passage, query and passage) and keep what happens on the
    way. `row` is which of its windows is looked at, where a long passage has several.

    Raises InputError for a text that cannot be read, or a row that there is not.
    """
    encoded = _encoded(opened, texts, row)
    seen = look(opened.family, opened.model, opened.tokenizer, encoded, row)
    return Inside(look=seen, reading=reading(opened, [check_text(text) for text in texts]))


def examine_input(opened: OpenModel, title: str, bits: int, *texts: str, row: int = 0) -> Examined:
    """What enters the matrix of this title, by channel and token, and what ranges of so many bits
    would cut off. Raises InputError as `look_inside`, and where no such matrix says what enters."""
    encoded = _encoded(opened, texts, row)
    for titles, values in inputs_of(opened.family, opened.model, encoded, row):
        if title in titles:
            units = opened.family.units_of(opened.tokenizer, encoded, row)
            return examine(values, units, bits)
    raise InputError(f"There is no matrix {title} in this model of which is known what enters it.")


def _encoded(opened: OpenModel, texts: Sequence[str], row: int) -> "Encoded":
    if opened.model is None:
        raise InputError("This model was opened to answer only. Open it with open_to_look.")
    if len(texts) != len(opened.task.texts):
        wanted = " and ".join(opened.task.texts)
        raise InputError(f"{opened.task.title} takes {len(opened.task.texts)} text(s): {wanted}.")
    longest = min(MOST_UNITS, opened.family.longest(opened.config))
    columns = [[check_text(text)] for text in texts]
    encoded = opened.target.encode_texts(
        opened.family, opened.tokenizer, columns, opened.task, longest
    )
    if not 0 <= row < len(encoded):
        raise InputError(f"The text is read in {len(encoded)} pieces; there is no piece {row + 1}.")
    return encoded


def compare_inside(student: Inside, teacher: Inside, name: str) -> Compared:
    """How far a student (whom messages call `name`) is from its teacher on the same row. Raises
    InputError where they cannot be compared."""
    return compare(student.look, teacher.look, name)
