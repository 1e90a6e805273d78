"""A first guess at what the columns of a file mean, to be corrected in a form.

A text has words, a label has few different values, an id has as many as there are rows. Names
help more than numbers do: people call these columns the same few things, and published data sets
too, so names are tried first and counting decides among the rest.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise, permutations

from core.errors import InputError, shown
from core.tables.cells import as_text, number
from core.tables.pace import Tick, keep_going, paced
from core.tables.squad_format import SQUAD_COLUMNS
from core.tables.table import Table
from core.tables.table_limits import MAX_NAME
from core.tasks.checking import MAX_TEXT, class_names
from core.tasks.file_targets import file_target
from core.tasks.plans import Plan
from core.tasks.sources import Row

SAMPLE_ROWS, SAMPLE_CHARACTERS = 1000, 10_000_000
MOST_CLASSES = 20  # whole numbers with more different values are values, not classes
TEXT_NAMES = (
    *("text", "sentence", "review", "tweet", "comment", "message", "utterance", "content", "body"),
    *("document", "article", "description", "abstract", "question", "query", "headline", "title"),
)
PAIRS = (
    *(("premise", "hypothesis"), ("claim", "evidence"), ("question", "passage")),
    *(("question", "context"), ("question", "sentence"), ("query", "passage")),
    *(("query", "document"), ("text", "text_pair"), ("question", "answer")),
)
SEARCHES = (
    *(("question", "passage"), ("question", "context"), ("query", "passage")),
    *(("query", "document"), ("question", "document")),
)
LABEL_NAMES = (
    *("gold_label", "label_text", "label_name", "label", "labels", "class", "target", "category"),
    *("sentiment", "score", "rating", "stars", "similarity", "quality", "duplicate", "emotion"),
    *("intent", "topic", "polarity", "stance", "verdict", "overall", "value", "y"),
)
ID = re.compile(r"(.*_)?(id|ids|idx|index|uid|uuid|guid|key|unnamed)[\d_]*")
TOKENS_PER_WORD, LENGTHS = 1.4, (32, 64, 128, 256, 384, 512)
SPAN_TOKENS = 384


@dataclass(frozen=True, slots=True, kw_only=True)
class _Column:
    """What a sample of a column looks like; `words` is a mean, `plain` the name in snake case."""

    name: str
    plain: str
    filled: int
    distinct: int
    words: float
    numeric: bool
    is_id: bool


def guess(table: Table, title: str, tick: Tick = keep_going) -> Plan:
    """The likely plan, from a sample of bounded size. Raises InputError when the file has no rows
    or too few columns."""
    title = " ".join((title.strip() or table.name).split())[:MAX_NAME]
    if not table.rows:
        raise InputError(f"{table.name} has no row that can be read; {table.broken[0]}.")
    if set(SQUAD_COLUMNS) <= set(table.columns):
        return Plan(title=title, kind="span", texts=SQUAD_COLUMNS[:2], max_tokens=SPAN_TOKENS)
    sample, stride = _sample(table)
    columns = []
    for name in table.columns:
        tick()
        columns.append(_profile(sample, name, stride))
    if pair := _question_and_passage(columns):
        return Plan(title=title, kind="ranking", texts=pair, max_tokens=length_of(table, pair))
    texts = _texts(columns)
    rest = [column for column in columns if column.name not in texts]
    label = _label([column for column in rest if not column.is_id and column.filled])
    if not label:
        raise InputError(
            f"{table.name} has a text column, {shown(texts[0])}, but none for the label. "
            "Add a column with the class or value of each row."
        )
    kind = label_kind(table, label, tick)
    return Plan(
        title=title,
        kind=kind,
        texts=texts,
        label=label,
        labels=class_names(table, label, tick) if file_target(kind).has_classes else (),
        max_tokens=length_of(table, texts),
    )


def label_kind(table: Table, column: str, tick: Tick = keep_going) -> str:
    """The kind "value" for numbers that are not whole or differ a lot, else "classes"."""
    found = [text for row in paced(table.rows, tick) if (text := _cell(row, column))]
    numbers = [value for text in set(found) if (value := _number(text)) is not None]
    if len(numbers) < 0.95 * len(set(found)):
        return "classes"
    whole = all(value.is_integer() for value in numbers)
    return "classes" if whole and len(set(numbers)) <= MOST_CLASSES else "value"


def _sample(table: Table) -> tuple[list[Row], int]:
    """Rows spread over the table, every so-manieth, and that step. Where texts are long they are
    fewer, and end before the table does."""
    stride = max(1, len(table.rows) // SAMPLE_ROWS)
    sample: list[Row] = []
    characters = 0
    for row in table.rows[::stride]:
        sample.append(row)
        characters += sum(len(value) for value in row.values() if isinstance(value, str))
        if characters > SAMPLE_CHARACTERS:
            break
    return sample, stride


def _cell(row: Row, column: str) -> str:
    """The value as text, cut at the longest that is read; "" where it is none."""
    try:
        return as_text(row[column])[:MAX_TEXT].strip()
    except InputError:
        return ""


def _number(text: str) -> float | None:
    try:
        return number(text)
    except InputError:
        return None


def _profile(sample: list[Row], name: str, stride: int) -> _Column:
    cells = [text for row in sample if (text := _cell(row, name))]
    numbers = [value for text in cells if (value := _number(text)) is not None]
    numeric = len(numbers) >= 0.95 * len(cells)
    distinct = len(set(cells))
    steps = {after - before for before, after in pairwise(numbers)}
    counted = numeric and len(cells) > MOST_CLASSES and steps == {stride}
    snake = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
    plain = re.sub(r"[^a-z0-9]+", "_", snake).strip("_")
    named = any(word in LABEL_NAMES for word in plain.split("_"))  # "class_index" is a label
    return _Column(
        name=name,
        plain=plain,
        filled=len(cells),
        distinct=distinct,
        words=sum(len(text.split()) for text in cells) / max(1, len(cells)),
        numeric=numeric,
        is_id=not named and (counted or ID.fullmatch(plain) is not None),
    )


def _texts(columns: list[_Column]) -> tuple[str, ...]:
    """A pair that belongs together, or the column whose name or words say that it is text."""
    wordy = [column for column in columns if not (column.numeric or column.is_id)]
    pairs = [pair for pair in permutations(wordy, 2) if _belong_together(*pair)]
    if pairs and len(columns) > 2:
        best = max(pairs, key=lambda pair: (_stem(pair[0].plain) in TEXT_NAMES, pair[0].words))
        return tuple(column.name for column in best)
    labels = [column for column in wordy if column.plain in LABEL_NAMES and column.words < 5]
    wordy = [column for column in wordy if column not in labels] or wordy or columns
    longest = max(wordy, key=lambda column: (column.words, column.distinct))
    named = _named(
        [column for column in wordy if column.words > 2 and column.words > longest.words / 8],
        TEXT_NAMES,
    )
    return ((named or longest).name,)


def _question_and_passage(columns: list[_Column]) -> tuple[str, ...]:
    """The two columns of a file that holds nothing but questions and the passages that answer them;
    () for any other."""
    told = [column for column in columns if not column.is_id]
    plain = tuple(column.plain for column in told)
    return tuple(column.name for column in told) if plain in SEARCHES else ()


def _belong_together(first: _Column, second: _Column) -> bool:
    """premise and hypothesis, sentence1 and sentence2, text_a and text_b."""
    if (first.plain, second.plain) in PAIRS:
        return True
    numbered = _stem(first.plain) == _stem(second.plain) and first.plain < second.plain
    return numbered and min(first.words, second.words) > 1.5


def _stem(plain: str) -> str:
    return re.sub(r"_?(\d+|(?<=_)[ab])(?=_|$)", "", plain)


def _label(columns: list[_Column]) -> str:
    """The name of the label column, "" when there is none to choose from."""
    short = [column for column in columns if column.words < 5 or column.numeric]
    named = _named(short, LABEL_NAMES)
    few = [column for column in short if 1 < column.distinct <= max(2, column.filled // 2)]
    few = [column for column in few if column.distinct <= MOST_CLASSES]
    fewest = min(few, key=lambda column: column.distinct, default=None)
    numeric = next((column for column in columns if column.numeric), None)
    found = named or fewest or numeric or next(reversed(columns), None)
    return found.name if found else ""


def _named(columns: list[_Column], names: Sequence[str]) -> _Column | None:
    """The column whose whole name, last word, or any word comes first among `names`."""
    ways: tuple[Callable[[str], list[str]], ...] = (
        lambda plain: [plain],
        lambda plain: plain.split("_")[-1:],
        lambda plain: plain.split("_"),
    )
    for words_of in ways:
        known = [[word for word in words_of(column.plain) if word in names] for column in columns]
        ranks = [min(map(names.index, words), default=len(names)) for words in known]
        if min(ranks, default=len(names)) < len(names):
            return columns[ranks.index(min(ranks))]
    return None


def length_of(table: Table, texts: tuple[str, ...]) -> int:
    """The usual length in tokens that holds all but the longest twentieth of these columns'
    texts together."""
    sample, _ = _sample(table)
    words = sorted(sum(len(_cell(row, text).split()) for text in texts) for row in sample)
    needed = TOKENS_PER_WORD * words[len(words) * 19 // 20] + len(texts) + 1
    return next((length for length in LENGTHS if length >= needed), LENGTHS[-1])
