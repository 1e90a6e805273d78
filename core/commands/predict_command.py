"""`predict`: what a run's student, or a teacher, answers to one text or to many.

python -m core predict --run RUN_ID "A quiet film that stays with you."
python -m core predict --run RUN_ID --file reviews.txt --json
cut -f 2 reviews.tsv | python -m core predict --run RUN_ID -
"""

import argparse
import io
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import IO

from core import api
from core.api.answering import MAX_CHARACTERS
from core.errors import InputError

STANDARD_INPUT = "-"


def add(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument(
        "text",
        nargs="*",
        help="one or more texts; for a pair task two each; - reads lines from standard input",
    )
    parser.add_argument("--file", help="one text a line; for a pair task two with a tab between")
    parser.add_argument("--run", help="run id; without it the teacher answers")
    parser.add_argument("--task", default="movie-sentiment")
    parser.add_argument("--model", default="minilm-l3")
    parser.add_argument("--json", action="store_true", help="print one answer per line as JSON")
    parser.set_defaults(command=run, parser=parser)


def run(parsed: argparse.Namespace) -> None:
    """Answer every text in the order in which they are given."""
    if bool(parsed.text) == bool(parsed.file):
        parsed.parser.error("give texts, or - for standard input, or --file; one of them")
    opened = api.open_model(_source(parsed))
    if parsed.file or parsed.text == [STANDARD_INPUT]:
        examples = _lines(parsed.file or STANDARD_INPUT, opened.task.texts)
    else:
        examples = _grouped(parsed.text, opened.task.title, opened.task.texts)
    for number, texts in enumerate(examples, 1):
        answer = api.predict(opened, *texts)
        if missing := answer.reading.missing:
            print(f"text {number}: {missing}", file=sys.stderr, flush=True)
        print(_record(texts, answer) if parsed.json else _line(answer), flush=True)


def _source(parsed: argparse.Namespace) -> api.Source:
    if not parsed.run:
        return api.source_of_teacher(parsed.task, parsed.model)
    found = api.find_run(parsed.run)
    if found.state != "finished":
        raise InputError(f"Run {parsed.run} is {found.state}; only a finished run can predict.")
    if found.teaching:
        return api.source_of_teacher(found.teaching.task, found.teaching.model)
    return api.source_of_run(found)


def _grouped(texts: list[str], title: str, columns: tuple[str, ...]) -> list[list[str]]:
    """The texts of the command line, as many to an example as the task has columns. All are
    checked before the first is answered."""
    if len(texts) % len(columns):
        wanted = " and ".join(columns)
        raise InputError(
            f"{title} takes {len(columns)} texts each time ({wanted}), and there are {len(texts)}."
        )
    checked = [api.check_text(text) for text in texts]
    return [checked[i : i + len(columns)] for i in range(0, len(checked), len(columns))]


def _lines(name: str, columns: tuple[str, ...]) -> Iterator[list[str]]:
    """The examples of a file, read line by line. Raises InputError for a file that cannot be read
    and for a line that is no example, with its number."""
    where = "standard input" if name == STANDARD_INPUT else name
    number = 0
    try:
        with _opened(name) as file:
            for number, line in enumerate(_bounded(file, len(columns)), 1):
                yield _example(line, columns, f"Line {number} of {where}")
        if not number:
            raise InputError(f"There is no text in {where}. Write one a line.")
    except UnicodeDecodeError as error:
        raise InputError(f"{where} is not text in UTF-8. Save it as UTF-8 first.") from error
    except OSError as error:
        raise InputError(f"{where} cannot be read: {error.strerror}.") from error


def _opened(name: str) -> nullcontext[IO[str]] | IO[str]:
    if name == STANDARD_INPUT:
        return nullcontext(io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8-sig"))
    return Path(name).expanduser().open(encoding="utf-8-sig")


def _bounded(file: IO[str], columns: int) -> Iterable[str]:
    """The lines, none read further than the longest that could be answered."""
    return iter(lambda: file.readline(columns * (MAX_CHARACTERS + 2)), "")


def _example(line: str, columns: tuple[str, ...], where: str) -> list[str]:
    text = line.rstrip("\r\n")
    texts = text.split("\t") if len(columns) > 1 else [text]
    if len(texts) != len(columns):
        wanted = " and ".join(columns)
        raise InputError(
            f"{where} has {len(texts)} column(s); it needs {len(columns)} with a tab between: "
            f"{wanted}."
        )
    try:
        return [api.check_text(each) for each in texts]
    except InputError as error:
        raise InputError(f"{where}: {error}") from error


def _line(answer: api.Prediction) -> str:
    shares = zip(answer.labels, answer.probabilities, strict=True)
    return " ".join([answer.answer, *(f"{label}={share:.4f}" for label, share in shares)])


def _record(texts: list[str], answer: api.Prediction) -> str:
    return json.dumps({"texts": texts, **asdict(answer)}, ensure_ascii=False)
