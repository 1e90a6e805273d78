"""A class's answers as CSV and as JSON, to be looked at in another program."""

import csv
import io
import json
import time
from dataclasses import asdict, fields
from typing import Any

from core.classroom.administration import Classroom
from core.classroom.class_answers import Given

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def as_csv(answers: list[Given]) -> str:
    """One line an answer, with a heading. A nickname that a spreadsheet would compute is quoted
    with an apostrophe, as spreadsheets themselves do."""
    text = io.StringIO()
    names = [field.name for field in fields(Given)]
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    for answer in answers:
        row = _plain(answer)
        nickname = row["nickname"]
        row["nickname"] = f"'{nickname}" if nickname.startswith(_FORMULA) else nickname
        writer.writerow({**row, "runs": " ".join(answer.runs)})
    return text.getvalue()


def as_json(classroom: Classroom, answers: list[Given]) -> str:
    """The class and its answers."""
    about = {**asdict(classroom), "opened": _time(classroom.opened)}
    table = {"class": about, "answers": [_plain(answer) for answer in answers]}
    return json.dumps(table, indent=2, ensure_ascii=False) + "\n"


def _plain(answer: Given) -> dict[str, Any]:
    return {**asdict(answer), "given": _time(answer.given)}


def _time(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
