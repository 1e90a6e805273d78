"""`python -m core import`: a file becomes a task, and bad rows stop it until somebody agrees."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.__main__ import main
from core.tasks.prepare import load, prepare
from core.tasks.registry import find_task
from tests.conftest import made_up_rows


@pytest.fixture
def reviews(lab, tmp_path):
    path = tmp_path / "reviews.jsonl"
    rows = made_up_rows(80, seed=5)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def imported(capsys, *arguments) -> str:
    assert main(["import", *map(str, arguments)]) == 0
    return capsys.readouterr().out.partition(":")[0]


def test_a_file_becomes_a_task_that_can_be_cut_and_loaded(reviews, capsys):
    task = find_task(imported(capsys, reviews, "--title", "My reviews"))
    assert (task.kind, task.texts, task.labels) == ("classes", ("text",), ("0", "1"))
    for _ in prepare(task):
        pass
    splits = load(task)
    assert len(splits.train) + len(splits.dev) + len(splits.test) <= 80
    assert splits.revision


def test_a_test_file_is_test_and_can_be_shortened(reviews, tmp_path, capsys):
    other = tmp_path / "other.jsonl"
    rows = made_up_rows(60, seed=6)
    other.write_text("".join(json.dumps(row) + "\n" for row in rows))
    name = imported(capsys, reviews, "--test", other, "--test-rows", "10", "--title", "Cut")
    task = find_task(name)
    for _ in prepare(task):
        pass
    assert len(load(task).test) == 10
    assert set(load(task).test["text"]) <= {row["text"] for row in rows}


def test_kind_and_columns_can_be_said(reviews, capsys):
    name = imported(capsys, reviews, "--title", "As numbers", "--kind", "value", "--label", "label")
    assert find_task(name).kind == "value"


def test_columns_that_are_left_out_are_named(tmp_path, capsys):
    rows = [row | {"vector": [0.5]} for row in made_up_rows(80, seed=5)]
    path = tmp_path / "reviews.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path)
    assert main(["import", str(path), "--title", "Reviews"]) == 0
    said = capsys.readouterr().err
    assert "Left out: a column that is neither text nor number: 'vector' (list<" in said


@pytest.mark.parametrize(
    "asked",
    [
        ("--text", "sentence"),
        ("--text", "text", "sentence"),
        ("--label", "sentence"),
        ("--kind", "value", "--label", "sentence"),
        ("--kind", "classes", "--label", "sentence"),
        ("--text", "sentence", "--max-tokens", "32"),
    ],
    ids=" ".join,
)
def test_a_column_that_the_file_does_not_have_is_said(reviews, capsys, asked):
    assert main(["import", str(reviews), "--title", "X", *asked]) == 2
    said = capsys.readouterr().err
    assert "reviews.jsonl has no column 'sentence'. It has: " in said
    assert "Traceback" not in said


def test_a_column_that_only_the_test_file_lacks_is_said(reviews, tmp_path, capsys):
    (tmp_path / "test.csv").write_text("sentence,label\nfine,1\n")
    arguments = ["import", str(reviews), "--test", str(tmp_path / "test.csv"), "--title", "X"]
    assert main(arguments) == 2
    assert "test.csv has no column 'text'" in capsys.readouterr().err


def test_bad_rows_are_listed_with_their_lines_and_left_out_when_agreed(reviews, capsys):
    reviews.write_text(reviews.read_text() + '{"text": "", "label": 1}\nnonsense\n')
    assert main(["import", str(reviews), "--title", "Bad"]) == 2
    said = capsys.readouterr().err
    assert "line 81" in said
    assert "line 82" in said
    assert "2 rows cannot be used" in said
    assert "--skip-bad" in said
    assert imported(capsys, reviews, "--title", "Bad", "--skip-bad").startswith("own-bad-")


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("data.pkl", b"\x80\x04", "pkl"),
        ("data.csv", b"\xff\xfe\x00", "UTF-8"),
        ("data.csv", b"", "empty"),
    ],
)
def test_what_is_no_table_is_refused_in_a_sentence(lab, tmp_path, capsys, name, content, sentence):
    (tmp_path / name).write_bytes(content)
    assert main(["import", str(tmp_path / name), "--title", "X"]) == 2
    assert sentence in capsys.readouterr().err


def test_a_file_that_is_not_there_is_said(lab, tmp_path, capsys):
    assert main(["import", str(tmp_path / "no.csv"), "--title", "X"]) == 2
    assert "no.csv" in capsys.readouterr().err
