"""Own files are read, guessed, checked and kept; whatever is wrong with one ends in a sentence."""

import decimal
import gzip
import io
import json
import tracemalloc
from dataclasses import replace
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InputError
from core.serialization import canonical_json, from_json
from core.tables import table_limits
from core.tables.file_reading import read_files, read_table
from core.tables.table import BadRow, Table
from core.tasks import own_data
from core.tasks.checking import MAX_TEXT, Checked, apart, check, class_names, told
from core.tasks.guessing import guess
from core.tasks.kept import TABLES, find_kept, home, keep
from core.tasks.own_data import delete, own_tasks, save
from core.tasks.plans import Plan
from core.tasks.prepare import is_prepared, load, prepare
from core.tasks.registry import find_task
from core.tasks.task import Task

PASSAGE = "The Amazon rainforest covers most of the Amazon basin."


@pytest.fixture
def own_home(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("TERNARY_LAB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TERNARY_LAB_CACHE", str(tmp_path / "cache"))
    return tmp_path


def lines_of(rows: list[dict]) -> bytes:
    return "\n".join(json.dumps(row) for row in rows).encode()


def separated(rows: list[dict], delimiter: str = ",") -> bytes:
    lines = [delimiter.join(rows[0])]
    lines += [delimiter.join(f'"{value}"' for value in row.values()) for row in rows]
    return "\n".join(lines).encode()


def parquet_of(columns: dict) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer)
    return buffer.getvalue()


def squad_of(*questions: object, context: object = PASSAGE) -> bytes:
    article = {"title": "Amazon", "paragraphs": [{"context": context, "qas": list(questions)}]}
    return json.dumps({"version": "v2.0", "data": [article]}).encode()


def question(text: str, *answers: tuple, **more) -> dict:
    found = [{"text": answer, "answer_start": start} for answer, start in answers]
    return {"id": text, "question": text, "answers": found, **more}


def reviews(count: int, start: int = 0) -> list[dict]:
    labels = ("bad", "good")
    return [
        {"text": f"a film about number {i}", "label": labels[i % 2]}
        for i in range(start, start + count)
    ]


def table_of(rows: list[dict]) -> Table:
    return read_table("reviews.jsonl", lines_of(rows))


SENTIMENT = Plan(title="Reviews", texts=("text",), label="label", labels=("bad", "good"))


# Reading


ROWS = [{"text": "good; or, so\tit seems", "label": "1"}, {"text": "bad | film", "label": "0"}]
FORMATS = {
    "comma.csv": separated(ROWS),
    "semicolon.csv": separated(ROWS, ";"),
    "tab.csv": separated(ROWS, "\t"),
    "bar.csv": separated(ROWS, "|"),
    "tab.tsv": separated(ROWS, "\t"),
    "UPPER.TSV": b"\xef\xbb\xbf" + separated(ROWS, "\t").replace(b"\n", b"\r\n"),
    "old-mac.csv": separated(ROWS).replace(b"\n", b"\r"),
    "lines.jsonl": lines_of(ROWS) + b"\n\n",
    "list.json": json.dumps(ROWS).encode(),
    "columns.parquet": parquet_of({key: [row[key] for row in ROWS] for key in ROWS[0]}),
}


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("compressed", [False, True])
def test_every_format_gives_the_same_rows(name, compressed):
    data = gzip.compress(FORMATS[name]) if compressed else FORMATS[name]
    table = read_table(name + ".gz" * compressed, data)
    assert table.columns == ("text", "label")
    assert table.rows == ROWS
    assert not table.broken
    assert table.digest == read_table(name, FORMATS[name]).digest


def test_lines_are_counted_through_quoted_newlines():
    data = (
        b'text,label\n\n"one\nand ""two""\n",1\nthree,2,x\nfour,4\n"five"s,5\nsix,6\n,,\n"end,7\n'
    )
    table = read_table("a.csv", data)
    assert [(line, row["text"]) for line, row in zip(table.lines, table.rows, strict=True)] == [
        (3, 'one\nand "two"\n'),
        (7, "four"),
        (9, "six"),
    ]
    assert [bad.line for bad in table.broken] == [6, 8, 11]
    assert str(table.broken[0]).startswith("line 6: it has 3 fields, the header 2")
    assert "quotation mark is not closed" in table.broken[1].reason


def test_an_open_quote_does_not_swallow_the_rest_of_the_file():
    data = b'text,label\n"open,1\n' + b"".join(b"row %d,1\n" % i for i in range(100))
    table = read_table("a.csv", data)
    assert len(table.rows) == 100
    assert [bad.line for bad in table.broken] == [2]


def test_an_endless_field_is_a_broken_row():
    data = b'text,label\n"' + b"x" * 200_000 + b'",1\nok,2\n'
    (bad,) = read_table("a.csv", data).broken
    assert str(bad) == "line 2: a field is longer than 131,072 characters"


def test_a_header_in_the_middle_is_a_broken_row():
    (bad,) = read_table("a.csv", b"text,label\na,1\ntext,label\nb,2\n").broken
    assert str(bad) == "line 3: it repeats the header"


def test_quotes_in_a_tsv_may_be_plain_characters():
    data = b'text\tlabel\n"What?" she said\t1\n"open\t0\nplain\t1\n'
    table = read_table("a.tsv", data)
    assert [row["text"] for row in table.rows] == ['"What?" she said', '"open', "plain"]
    assert not table.broken


def test_broken_lines_of_json_are_set_aside():
    data = (
        b'{"text": "a", "label": 1}\n[1]\nnot json\n\n{"text": ["b"], "more": null}\n' + b"[" * 9999
    )
    table = read_table("a.jsonl", data)
    assert table.columns == ("text", "label", "more")
    assert table.rows[1] == {"text": ["b"], "label": None, "more": None}
    assert table.lines == [1, 5]
    assert [bad.line for bad in table.broken] == [2, 3, 6]
    assert table.broken[0].reason == "it is a list, not an object"


def test_a_file_of_parquet_gives_texts_numbers_and_dates():
    data = parquet_of(
        {
            "text": ["a", None],
            "class": pa.array(["x", "y"]).dictionary_encode(),
            "score": [decimal.Decimal("1.5"), None],
            "yes": [True, None],
            "day": [date(2024, 2, 29), None],
            "list": [[1], None],
            "bytes": [b"\xff", None],
        }
    )
    table = read_table("a.parquet", data)
    assert table.rows == [
        {"text": "a", "class": "x", "score": 1.5, "yes": True, "day": "2024-02-29"},
        {"text": None, "class": "y", "score": None, "yes": None, "day": None},
    ]
    assert (table.lines, table.unit) == ([1, 2], "row")


def test_squad_becomes_a_row_for_each_question():
    data = squad_of(
        question("What covers the basin?", ("The Amazon rainforest", 0), ("rainforest", 11)),
        question("Who discovered it?", is_impossible=True),
        question("What?", ("Amazon", 4), is_impossible=True),
        "what?",
        {"question": "what?", "answers": "Amazon"},
    )
    table = read_table("dev.json", data)
    assert table.rows[0] == {
        "question": "What covers the basin?",
        "context": PASSAGE,
        "answers": ["The Amazon rainforest", "rainforest"],
        "starts": [0, 11],
    }
    assert table.rows[1]["answers"] == []
    assert [str(bad) for bad in table.broken] == [
        "question 3: it is marked as impossible but has answers",
        "question 4: 'what?' in \"qas\" is not an object",
        'question 5: "answers" is not a list of objects',
    ]


REFUSED = {
    "a.xlsx": (b"PK", "format that cannot be read here. Save the data as one of: .csv, .tsv"),
    "noextension": (b"text", "format that cannot be read"),
    "a.gz": (gzip.compress(b"text,label\na,1"), "format that cannot be read"),
    "empty.csv": (b" \n", "empty.csv is empty"),
    "blank.csv": (b",,\n,,\n", "blank.csv is empty"),
    "header.csv": (b"text,label\n", "has no rows"),
    "latin.csv": ("text,label\nok,1\ncaf\xe9,0".encode("latin-1"), r"Line 3 of .* UTF-8 \(0xe9\)"),
    "bom.csv": (b"\xef\xbb\xbftext,label\n\xff,0", r"Line 2 of .* \(0xff\)"),
    "wide.csv": ("text,label\nok,1".encode("utf-16-le"), "Line 1 of .* zero byte"),
    "excel.tsv": (b"PK\x03\x04\x00\x00", "zero byte"),
    "headless.tsv": (b"ham\tSee you\nspam\tWin now\nham\tOk\nham\tWell", "'ham' looks like data"),
    "rated.csv": (b"a film,0.73\nanother,0.21", "'0.73' looks like data"),
    "open.csv": (b'"text,label\na,1', "header of open.csv cannot be read"),
    "long.csv": (b"x" * 101 + b",label\na,1", "Give each column its own short name"),
    "half.jsonl": (b'{"\\ud800": 1}', "Give each column its own short name"),
    "text.json": (b"hello", "text.json is not JSON"),
    "lines.json": (b'{"text": 1}\n{"text": 2}', "name the file .jsonl"),
    "deep.json": (b"[" * 99_999, "is not JSON"),
    "object.json": (b'{"text": 1}', "cannot be read as a table. It must be a list of objects"),
    "a.parquet": (b"PAR1 and so on", "cannot be read as Parquet"),
    "lists.parquet": (parquet_of({"text": [["a"]]}), "no column of text or numbers"),
    "cut.csv.gz": (gzip.compress(b"text,label\na,1\n" * 99)[:-9], "is not a whole gzip file"),
    "plain.csv.gz": (b"text,label\na,1", "is not a whole gzip file"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_useless_file_is_refused_with_a_sentence(name):
    data, message = REFUSED[name]
    with pytest.raises(InputError, match=message):
        read_table(name, data)


def test_nameless_and_repeated_columns_get_names():
    table = read_table("a.csv", b",text,text,\n0,a,b,c\n")
    assert table.columns == ("column 1", "text", "text (2)", "column 4")
    numbered = read_table("pandas.csv", b",0,1\n0,a film,1\n1,b film,1\n2,c film,1\n")
    assert numbered.columns == ("column 1", "0", "1")


# Limits


LIMITS = [
    ("MAX_BYTES", 30, "a.csv", b"text,label\n" + b"a,1\n" * 10, "MiB"),
    ("MAX_ROWS", 3, "a.csv", b"text,label\n" + b"a,1\n" * 4, "3 rows"),
    ("MAX_ROWS", 3, "a.jsonl", b'{"a": 1}\n' * 4, "3 rows"),
    ("MAX_ROWS", 3, "a.json", b"[" + b'{"a": 1},' * 3 + b'{"a": 1}]', "3 rows"),
    ("MAX_ROWS", 3, "a.json", squad_of(*[question("q")] * 4), "3 rows"),
    ("MAX_ROWS", 3, "a.parquet", parquet_of({"a": [1] * 4}), "3 rows"),
    ("MAX_COLUMNS", 2, "a.tsv", b"a\tb\tc\n1\t2\t3", "2 columns"),
    ("MAX_COLUMNS", 2, "a.jsonl", b'{"a": 1}\n{"b": 1, "c": 1}', "2 columns"),
    ("MAX_COLUMNS", 2, "a.parquet", parquet_of({"a": [1], "b": [1], "c": [1]}), "2 columns"),
    ("MAX_CELLS", 20, "a.csv", b"a,b\n" + b"," * 20, "20 values"),
    ("MAX_CELLS", 20, "a.csv", b"a,b\n" + b"\r" * 20, "20 values"),
    ("MAX_CELLS", 20, "a.jsonl", b"\n".join(b'{"%d": 1}' % i for i in range(6)), "20 values"),
    ("MAX_CELLS", 20, "a.json", b"[" * 21, "20 values"),
    ("MAX_CELLS", 20, "a.parquet", parquet_of({"a": [1] * 11, "b": [1] * 11}), "20 values"),
]


@pytest.mark.parametrize(("limit", "most", "name", "data", "message"), LIMITS)
def test_more_than_the_limit_is_refused(limit, most, name, data, message, monkeypatch):
    monkeypatch.setattr(table_limits, limit, most)
    with pytest.raises(InputError, match=f"more than .*{message}, the most that is read"):
        read_table(name, data)


def test_a_gzip_bomb_is_not_unpacked(monkeypatch):
    bomb = gzip.compress(bytes(2**26), compresslevel=1)
    monkeypatch.setattr(table_limits, "MAX_BYTES", 2**20)
    tracemalloc.start()
    with pytest.raises(InputError, match="more than 1 MiB"):
        read_table("bomb.csv.gz", bomb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * 2**20


def test_a_parquet_bomb_is_not_unpacked():
    texts = pa.DictionaryArray.from_arrays(pa.array([0] * 100_000, pa.int32()), ["word " * 20_000])
    bomb = parquet_of({"text": texts})
    assert len(bomb) < 10_000  # and 10 GB of text
    with pytest.raises(InputError, match="more than 100 MiB"):
        read_table("bomb.parquet", bomb)


def test_a_passage_counts_with_each_of_its_questions(monkeypatch):
    table = read_table("a.json", squad_of(*[question(f"what {i}?", ("The", 0)) for i in range(9)]))
    plan = guess(table, "Amazon")
    assert len(check(table, plan).rows) == 9
    monkeypatch.setattr(table_limits, "MAX_CHARACTERS", 8 * len(PASSAGE))
    with pytest.raises(InputError, match="characters of text"):
        check(table, plan)


# Several files


def write(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def test_several_files_are_one_table(tmp_path):
    first = write(tmp_path, "a.csv", b"text,label\none,1\nbroken\n")
    second = write(tmp_path, "b.csv.gz", gzip.compress(b"label,text\n2,two\nx,three\n3\n"))
    table = read_files([first, second])
    assert [row["text"] for row in table.rows] == ["one", "two", "three"]
    plan = Plan(title="Both", texts=("text",), label="label", labels=("1", "2"))
    bad = check(table, plan).bad
    assert [(each.file, each.line) for each in bad] == [
        ("a.csv", 3),
        ("b.csv.gz", 3),
        ("b.csv.gz", 4),
    ]
    assert str(bad[1]) == "b.csv.gz, line 3: the label 'x' is not one of the classes"
    assert table.digest != read_files([second, first]).digest
    assert read_files([first]).digest == read_table("a.csv", first.read_bytes()).digest


def test_files_that_do_not_belong_together_are_refused(tmp_path, monkeypatch):
    first = write(tmp_path, "a.csv", b"text,label\none,1\n")
    with pytest.raises(InputError, match="No file was given"):
        read_files([])
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read_files([first, tmp_path / "none.csv"])
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(InputError, match="is not a file"):
        read_files([tmp_path / "folder.csv"])
    with pytest.raises(InputError, match=r"b\.tsv and a.csv differ in format"):
        read_files([first, write(tmp_path, "b.tsv", b"text\tlabel\none\t1\n")])
    with pytest.raises(InputError, match=r"b\.csv has the columns text, class, but a.csv"):
        read_files([first, write(tmp_path, "b.csv", b"text,class\none,1\n")])
    monkeypatch.setattr(table_limits, "MAX_BYTES", 25)
    with pytest.raises(InputError, match=r"a\.csv holds more than"):
        read_files([first, first])


# Guessing


def of_header(header: str, *cells: list) -> Table:
    """A table with these columns; the cells of each are repeated until there are 60 rows."""
    columns = header.split(",")
    rows = [
        {c: values[i % len(values)] for c, values in zip(columns, cells, strict=True)}
        for i in range(60)
    ]
    return table_of(rows)


IDS, RISING = [f"q{i:03}" for i in range(60)], list(range(60))
SHORT = [f"word number {i}" for i in range(60)]
LONG = [f"a rather long text with quite a few more words in it, number {i}" for i in range(60)]
TWO, THREE = ["0", "1"], ["contradiction", "entailment", "neutral"]
REALS, STARS = [i / 7 for i in range(60)], [1, 2, 3, 4, 5]
WORDS = [f"word{i}" for i in range(60)]

# For each header: its cells, and the texts, label and kind that a person would choose.
HEADERS = {
    "sentence,label": ([LONG, TWO], "sentence", "label", "classes"),
    "index,sentence1,sentence2,score": (
        [RISING, SHORT, LONG, REALS],
        "sentence1,sentence2",
        "score",
        "value",
    ),
    "id,qid1,qid2,question1,question2,is_duplicate": (
        [RISING, IDS, IDS, SHORT, LONG, TWO],
        "question1,question2",
        "is_duplicate",
        "classes",
    ),
    "pairID,sentence1_parse,sentence2_parse,sentence1,sentence2,label1,gold_label": (
        [IDS, LONG, LONG, SHORT, SHORT, THREE, THREE],
        "sentence1,sentence2",
        "gold_label",
        "classes",
    ),
    "hypothesis,premise,label": ([LONG, SHORT, THREE], "premise,hypothesis", "label", "classes"),
    "passage,question,answer": (
        [LONG, SHORT, [True, False]],
        "question,passage",
        "answer",
        "classes",
    ),
    "Quality,#1 ID,#2 ID,#1 String,#2 String": (
        [TWO, RISING, RISING, LONG, LONG],
        "#1 String,#2 String",
        "Quality",
        "classes",
    ),
    "review,sentiment": ([LONG, ["negative", "positive"]], "review", "sentiment", "classes"),
    "v1,v2,unnamed: 2": ([["ham", "spam"], LONG, [None]], "v2", "v1", "classes"),
    "Id,UserId,Score,Time,Summary,Text": (
        [RISING, IDS, STARS, RISING, SHORT, LONG],
        "Text",
        "Score",
        "classes",
    ),
    "tweet_id,airline_sentiment,name,text": (
        [RISING, THREE, WORDS, LONG],
        "text",
        "airline_sentiment",
        "classes",
    ),
    "reviewerID,reviewText,overall": ([IDS, LONG, [1.0, 5.0]], "reviewText", "overall", "classes"),
    "Class Index,Title,Description": (
        [STARS, SHORT, LONG],
        "Description",
        "Class Index",
        "classes",
    ),
    "text,label,label_text": ([LONG, TWO, THREE], "text", "label_text", "classes"),
    "excerpt,target,standard_error": ([LONG, REALS, REALS], "excerpt", "target", "value"),
    "a,b": ([LONG, STARS], "a", "b", "classes"),
    "name,gender": ([WORDS, ["f", "m"]], "name", "gender", "classes"),
}


@pytest.mark.parametrize("header", HEADERS)
def test_columns_are_guessed_from_names_and_content(header):
    cells, texts, label, kind = HEADERS[header]
    table = of_header(header, *cells)
    plan = guess(table, "Guess")
    assert (",".join(plan.texts), plan.label, plan.kind) == (texts, label, kind)
    assert check(table, plan).rows


def test_classes_are_sorted_and_lengths_guessed():
    table = of_header("text,label", LONG, ["10", "9", "b", None, [1]])
    assert class_names(table, "label") == ("10", "9", "b")
    numbers = of_header("text,label", ["word " * 100], [10, 9.0, "-1"])
    plan = guess(numbers, " Numbers\n of it ")
    assert (plan.labels, plan.max_tokens, plan.title) == (("-1", "9", "10"), 256, "Numbers of it")
    assert guess(numbers, "").title == "reviews.jsonl"


def test_a_file_without_label_or_rows_is_told_so():
    with pytest.raises(InputError, match="has a text column, 'text', but none for the label"):
        guess(of_header("id,text", RISING, LONG), "No label")
    with pytest.raises(InputError, match="has no row that can be read; line 1: it is not JSON"):
        guess(read_table("a.jsonl", b"nothing"), "No rows")


# Checking


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"texts": ("sentence",)}, "no column 'sentence'. It has: text, label"),
        ({"label": "class"}, "no column 'class'"),
        ({"label": ""}, "Choose the column that holds the label"),
        ({"label": "text"}, "'text' is chosen twice"),
        ({"texts": ("text", "text")}, "'text' is chosen twice"),
        ({"texts": ()}, "Choose one or two text columns"),
        ({"kind": "span"}, "question and passage"),
        ({"labels": ("good",)}, "fewer than two classes"),
        ({"labels": tuple(map(str, range(101)))}, 'more than 100 classes. .*the kind "value"'),
        ({"labels": ("a", "a")}, "a name of its own"),
        ({"labels": ("a", " b")}, "a name of its own"),
    ],
)
def test_a_plan_that_does_not_fit_is_refused(changes, message):
    with pytest.raises(InputError, match=message):
        check(table_of(reviews(4)), replace(SENTIMENT, **changes))


@pytest.mark.parametrize(
    "changes",
    [{"title": " "}, {"title": "x" * 101}, {"kind": "rank"}, {"max_tokens": 4}, {"label": 3}],
)
def test_a_plan_holds_its_own_rules(changes):
    with pytest.raises(InputError):
        replace(SENTIMENT, **changes)


def test_a_plan_survives_its_json():
    plan = replace(SENTIMENT, texts=["text", "more"], max_tokens=128)
    assert from_json(Plan, canonical_json(plan)) == plan
    assert replace(SENTIMENT, kind="value").labels == ()


BAD = [
    ({"text": "", "label": "good"}, "'text' is empty"),
    ({"text": " \n", "label": "good"}, "'text' is empty"),
    ({"label": "good"}, "'text' is empty"),
    ({"text": ["a"], "label": "good"}, "a list is not a text"),
    ({"text": {}, "label": "good"}, "an object is not a text"),
    ({"text": "half \ud800", "label": "good"}, "it has half a character (a lone surrogate)"),
    ({"text": "x" * (MAX_TEXT + 1), "label": "good"}, "'text' is longer than 20,000 characters"),
    ({"text": "a"}, "the label is missing"),
    ({"text": "a", "label": " "}, "the label is missing"),
    ({"text": "a", "label": "so-so"}, "the label 'so-so' is not one of the classes"),
    ({"text": "a", "label": ["good"]}, "a list is not a text"),
    ({"text": "a", "label": "x" * 101}, "the label is longer than 100 characters"),
]


@pytest.mark.parametrize(("row", "reason"), BAD)
def test_a_bad_row_is_listed_with_its_line(row, reason):
    checked = check(table_of([*reviews(2), row, *reviews(2, start=2)]), SENTIMENT)
    assert checked.bad == (BadRow(line=3, reason=reason),)
    assert len(checked.rows) == 4


def test_rows_are_stripped_and_numbered_by_class():
    rows = [{"text": " a film\n", "label": "good "}, {"text": 7, "label": "bad"}]
    assert check(table_of(rows), SENTIMENT).rows == [
        {"text": "a film", "label": 1},
        {"text": "7", "label": 0},
    ]


@pytest.mark.parametrize(
    ("value", "read"),
    [(3, 3.0), ("-1.5e1", -15.0), (" .5 ", 0.5), ("4.", 4.0), (0.1, 0.1), ("+7", 7.0)],
)
def test_numbers_are_read(value, read):
    plan = replace(SENTIMENT, kind="value")
    assert check(table_of([{"text": "a", "label": value}]), plan).rows[0]["label"] == read


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("nan", "'nan' is not a number"),
        (float("nan"), "the label is missing"),
        (float("inf"), "'inf' is not a number"),
        ("1e999", "'1e999' is larger than 1e+18"),
        (10**400, "is larger than"),
        ("3,5", "'3,5' is not a number"),
        ("1_000", "'1_000' is not a number"),
        ("٣", "'٣' is not a number"),
        (True, "'true' is not a number"),
        ([1], "a list is not a text"),
        (None, "the label is missing"),
    ],
)
def test_what_is_no_finite_number_is_a_bad_row(value, reason):
    plan = replace(SENTIMENT, kind="value")
    (bad,) = check(table_of([{"text": "a", "label": value}]), plan).bad
    assert reason in bad.reason


def test_repeated_texts_are_left_out_and_contradictions_counted():
    rows = [*reviews(2), {"text": "A film  about NUMBER 0", "label": "bad"}]
    rows += [{"text": "a film about number 1 ", "label": "bad"}, {"text": "", "label": "bad"}]
    checked = check(table_of(rows), SENTIMENT)
    assert (len(checked.rows), checked.repeated, checked.contradictory) == (2, 2, 1)
    assert len(checked.bad) == 1


def test_a_pair_is_repeated_only_as_a_pair():
    rows = [{"a": x, "b": y, "label": "good"} for x, y in ("xy", "xz", "yx", "XY")]
    checked = check(table_of(rows), replace(SENTIMENT, texts=("a", "b")))
    assert (len(checked.rows), checked.repeated) == (3, 1)


def test_at_most_twenty_bad_rows_are_told():
    bad = check(table_of([{"text": "", "label": "good"}] * 25), SENTIMENT).bad
    assert len(told(bad)) == 21
    assert told(bad)[0] == "line 1: 'text' is empty"
    assert told(bad)[-1] == "and 5 more"
    assert told(bad[:20])[-1].startswith("line 20")


def test_text_columns_may_be_called_as_we_call_labels():
    rows = [{"label": f"film {i}", "class": i % 2} for i in range(60)]
    plan = Plan(title="Odd", texts=("label",), label="class", labels=("0", "1"))
    assert plan.columns == ("label (text)",)
    assert check(table_of(rows), plan).rows[1] == {"label (text)": "film 1", "label": 1}


@pytest.mark.parametrize(
    ("answers", "starts", "reason"),
    [
        (["Amazon"], [5], None),  # one character beside
        ([" Amazon "], [2], None),
        ([], [], None),
        (["Amazon"], [9], "does not begin at character 9"),
        (["Amazon"], [-3], "does not begin"),
        (["Amazon"] * 3, ["4", 4.0, "4.0"], None),
        (["Amazon"], ["4.5"], "does not begin at character '4.5'"),
        (["Amazon"], ["four"], "does not begin at character 'four'"),
        (["Amazon"], [True], "does not begin"),
        (["Amazon"], [10**30], "does not begin"),
        (["Amazon"], [None], "does not begin at character null"),
        (["Amazon"], [], "it has 1 answers but 0 starts"),
        ([""], [0], "is empty or not a text"),
        ([4], [0], "the answer 4 is empty or not a text"),
        ("Amazon", [4], "answers and starts are not lists"),
    ],
)
def test_an_answer_stands_where_it_is_said_to(answers, starts, reason):
    row = {"question": "what?", "context": PASSAGE, "answers": answers, "starts": starts}
    table = table_of([row])
    checked = check(table, guess(table, "Amazon"))
    if reason:
        assert reason in checked.bad[0].reason
    else:
        (row,) = checked.rows
        for answer, start in zip(row["answers"], row["starts"], strict=True):
            assert answer == "Amazon" == PASSAGE[start : start + 6]


@pytest.mark.parametrize("context", [None, "", 7, ["a"]])
def test_a_passage_must_be_text(context):
    table = read_table("a.json", squad_of(question("what?", ("Amazon", 4)), context=context))
    checked = check(table, guess(table, "Amazon"))
    assert (len(checked.rows), len(checked.bad)) == (0, 1)


# Malformed files: an InputError or a table, never anything else


def read_and_check(name: str, data: bytes) -> None:
    try:
        table = read_table(name, data)
        assert len(table.rows) == len(table.lines)
        assert all(set(row) == set(table.columns) for row in table.rows)
        checked = check(table, guess(table, "Malformed"))
    except InputError:
        return
    accounted = len(checked.rows) + len(checked.bad) + checked.repeated
    assert accounted == len(table.rows) + len(table.broken)


@given(
    st.sampled_from(["a.csv", "a.tsv", "a.jsonl", "a.json", "a.parquet", "a.csv.gz"]), st.binary()
)
def test_bytes_without_any_sense(name, data):
    read_and_check(name, data)


@given(st.lists(st.text('ab1,;"\n\r\t| ', max_size=12), max_size=6))
def test_text_of_delimiters_quotes_and_newlines(parts):
    read_and_check("a.csv", b"text,label\n" + "\n".join(parts).encode())
    read_and_check("a.tsv", "\n".join(parts).encode())


PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
NESTED = st.recursive(
    PLAIN,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["data", "paragraphs", "qas", "context", "answers", "text", "label"]),
            inner,
        )
    ),
    max_leaves=12,
)


@given(st.lists(NESTED, max_size=5))
def test_json_of_any_shape(values):
    read_and_check("a.jsonl", "\n".join(map(json.dumps, values)).encode())
    read_and_check("a.json", json.dumps(values).encode())
    read_and_check("a.json", json.dumps({"data": values}).encode())


FLAT = [
    {"question": f"{i}?", "context": PASSAGE, "answers": {"text": ["The"], "answer_start": [0]}}
    for i in range(3)
]
SOUND = {
    **{name: FORMATS[name] for name in ("comma.csv", "tab.tsv", "lines.jsonl", "columns.parquet")},
    "squad.json": squad_of(question("what?", ("Amazon", 4)), question("who?")),
    "named.csv": b"sep=;\n" + separated(ROWS, ";"),
    "flat.jsonl": lines_of(FLAT),
    "flat.parquet": parquet_of({name: [row[name] for row in FLAT] for name in FLAT[0]}),
    "more.csv.gz": gzip.compress(FORMATS["comma.csv"], mtime=0),
    "more.parquet.gz": gzip.compress(FORMATS["columns.parquet"], mtime=0),
}
CHANGE = st.tuples(st.integers(0, 10**6), st.integers(0, 5), st.binary(max_size=4))


@settings(max_examples=300)
@given(st.sampled_from(sorted(SOUND)), st.lists(CHANGE, min_size=1, max_size=4))
def test_sound_files_with_some_bytes_changed(name, changes):
    data = SOUND[name]
    for place, removed, added in changes:
        place %= len(data) + 1
        data = data[:place] + added + data[place + removed :]
    read_and_check(name, data)


# Keeping


def all_rows(splits) -> list[dict]:
    return [row for part in (splits.train, splits.dev, splits.test) for row in part]


def kept_splits(task: Task):
    assert list(prepare(task))
    return load(task)


def test_a_file_becomes_a_task(own_home):
    table = read_table("reviews.csv", separated(reviews(80)))
    plan = guess(table, "My réviews: part 1!")
    task = save(plan, check(table, plan))
    assert task.name.startswith("own-my-reviews-part-1-")
    assert (task.kind, task.labels, task.metrics) == (
        "classes",
        ("bad", "good"),
        ("accuracy", "f1"),
    )
    assert (task.source.size_bytes, task.source.needs_hub) == (0, False)
    assert find_task(task.name) == task
    assert not is_prepared(task)
    splits = kept_splits(task)
    assert [len(part) for part in (splits.train, splits.dev, splits.test)] == [64, 8, 8]
    assert splits.revision == task.source.identity[:12]
    assert task.examples == tuple((text,) for text in splits.dev["text"][:3])
    found = {row["text"]: row["label"] for row in all_rows(splits)}
    assert found == {row["text"]: row["label"] == "good" for row in reviews(80)}


def test_saving_again_gives_the_same_task(own_home):
    checked = check(table_of(reviews(60)), SENTIMENT)
    task = save(SENTIMENT, checked)
    assert save(SENTIMENT, checked) == task
    assert own_tasks() == [task]
    others = [
        save(replace(SENTIMENT, max_tokens=128), checked),
        save(replace(SENTIMENT, title="Other"), checked),
        save(SENTIMENT, check(table_of(reviews(61)), SENTIMENT)),
    ]
    assert len({each.name for each in (task, *others)}) == 4
    assert len(own_tasks()) == 4


def test_the_first_to_finish_wins(own_home):
    task = save(SENTIMENT, check(table_of(reviews(60)), SENTIMENT))
    kept = find_kept(task.name)
    assert kept
    keep(replace(kept, bad=7), {"train": kept_splits(task).train})
    assert find_kept(task.name) == kept
    assert [path.name for path in home().iterdir()] == [task.name]


def test_a_name_never_stands_for_two_data_sets(own_home, monkeypatch):
    first, second = (check(table_of(reviews(count)), SENTIMENT) for count in (60, 61))
    monkeypatch.setattr(own_data, "_digest", lambda _, rows: f"abcdef{len(rows['train'])}")
    task = save(SENTIMENT, first)
    with pytest.raises(InputError, match="own-reviews-abcdef is taken by other data"):
        save(SENTIMENT, second)
    assert own_tasks() == [task]


def test_texts_of_the_test_file_leave_train(own_home):
    train = check(table_of(reviews(70)), SENTIMENT)
    others = [{"text": "A FILM about number 3", "label": "bad"}, *reviews(9, start=100)]
    test = check(table_of(others), SENTIMENT)
    left = apart(SENTIMENT, train, test)
    assert (len(left.rows), left.repeated) == (69, 1)
    task = save(SENTIMENT, train, test)
    splits = kept_splits(task)
    assert [len(part) for part in (splits.train, splits.dev, splits.test)] == [63, 6, 10]
    assert "a film about number 3" not in [*splits.train["text"], *splits.dev["text"]]
    assert "69 rows and 10 for the test" in task.description


def test_values_and_spans_are_kept(own_home):
    rows = [{"text": f"text {i}", "score": i / 2} for i in range(60)]
    plan = guess(table_of(rows), "Scores")
    task = save(plan, check(table_of(rows), plan))
    assert (task.kind, task.metrics, task.labels) == ("value", ("pearson", "spearman"), ())
    assert set(map(type, kept_splits(task).train["label"])) == {float}

    answers = [question(f"what {i}?", ("Amazon", 4), ("Amazon", 41)) for i in range(50)]
    for more, may_have_none in ([], False), ([question("who?")], True):
        table = read_table("a.json", squad_of(*answers, *more))
        plan = guess(table, "Amazon")
        task = save(plan, check(table, plan))
        assert (task.kind, task.texts) == ("span", ("question", "context"))
        assert task.may_have_no_answer is may_have_none
        starts = sorted(row["starts"] for row in all_rows(kept_splits(task)))
        assert starts == [[]] * len(more) + [[4, 41]] * 50


@pytest.mark.parametrize("tested", [False, True])
def test_questions_and_passages_are_kept_as_rankings(tested, own_home):
    """Each passage is found among all, and none that is tested was learned from."""

    def pairs(first: int, count: int) -> list[dict]:
        return [{"query": f"who wrote book {i}?", "passage": f"Book {i} is by author {i}."}
                for i in range(first, first + count)]  # fmt: skip

    table = table_of(pairs(0, 100))
    plan = guess(table, "Books")
    assert (plan.kind, plan.texts) == ("ranking", ("query", "passage"))
    test = check(table_of(pairs(100, 30)), plan) if tested else None
    task = save(plan, check(table, plan), test)
    assert task.texts == ("query", "candidates")
    assert task.examples[0] == ("who wrote book 0?", "Book 0 is by author 0.")
    splits = kept_splits(task)
    sizes = [len(part) for part in (splits.train, splits.dev, splits.test)]
    assert sizes == ([90, 10, 30] if tested else [80, 10, 10])
    for row in splits.test:
        number = row["query"].split()[-1].rstrip("?")
        right = [row["candidates"][place] for place in row["relevant"]]
        assert right == [f"Book {number} is by author {number}."]
        assert len(row["candidates"]) == 20
    learned = {text for row in splits.train for text in row["candidates"]}
    for row in [*splits.dev, *splits.test]:
        assert not learned & {row["candidates"][place] for place in row["relevant"]}


def test_squads_own_form_can_be_kept_as_a_ranking(own_home):
    paragraphs = [{"context": f"The Amazon in chapter {i}.", "qas": [question(f"what {i}?")]}
                  for i in range(60)]  # fmt: skip
    chapters = json.dumps({"data": [{"title": "Amazon", "paragraphs": paragraphs}]}).encode()
    table = read_table("a.json", chapters)
    plan = replace(guess(table, "Amazon"), kind="ranking")
    task = save(plan, check(table, plan))
    assert (task.kind, task.metrics[0]) == ("ranking", "mrr-10")
    few = check(read_table("a.json", squad_of(*[question(f"what {i}?") for i in range(60)])), plan)
    with pytest.raises(InputError, match="1 different passages"):
        save(plan, few)


def test_questions_without_any_answer_are_refused(own_home):
    table = read_table("a.json", squad_of(*[question(f"who {i}?") for i in range(50)]))
    plan = guess(table, "Silence")
    with pytest.raises(InputError, match="No usable question has an answer"):
        save(plan, check(table, plan))


@pytest.mark.parametrize(
    ("rows", "test", "message"),
    [
        (reviews(49), None, "Reviews has 49 usable rows; at least 50 are needed"),
        ([], None, "has 0 usable rows"),
        ([{**row, "label": "good"} for row in reviews(60)], None, "the same label"),
        (reviews(60), reviews(60), "has 0 usable rows"),
        (reviews(60), [], "The test file has no usable row"),
    ],
)
def test_data_that_cannot_be_learned_is_refused(rows, test, message, own_home):
    checked = [rows and check(table_of(rows), SENTIMENT) for rows in (rows, test)]
    checked = [Checked(rows=[]) if part == [] else part for part in checked]
    with pytest.raises(InputError, match=message):
        save(SENTIMENT, *checked)
    assert own_tasks() == []
    assert not home().exists() or not list(home().iterdir())


def test_a_cache_that_was_cleared_is_filled_again(own_home):
    task = save(SENTIMENT, check(table_of(reviews(60)), SENTIMENT))
    first = kept_splits(task).train["text"][:]
    for path in sorted((own_home / "cache").rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    assert not is_prepared(task)
    assert kept_splits(task).train["text"][:] == first


DAMAGES = {
    "no plan": lambda folder: (folder / "plan.json").unlink(),
    "half a plan": lambda folder: (folder / "plan.json").write_text('{"name": "own'),
    "not text": lambda folder: (folder / "plan.json").write_bytes(b"\xff\xfe"),
    "another name": lambda folder: (folder / "plan.json").write_text(
        (folder / "plan.json").read_text().replace(folder.name, "own-other-000000")
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_folder_is_passed_over_and_mended(damage, own_home):
    checked = check(table_of(reviews(60)), SENTIMENT)
    task = save(SENTIMENT, checked)
    DAMAGES[damage](home() / task.name)
    (home() / "own-stranger-000000").mkdir()
    (home() / "notes.txt").write_text("not a folder")
    assert own_tasks() == []
    assert save(SENTIMENT, checked) == task
    assert own_tasks() == [task]


def test_rows_that_are_gone_end_in_a_sentence(own_home):
    task = save(SENTIMENT, check(table_of(reviews(60)), SENTIMENT))
    (home() / task.name / TABLES / "train" / "state.json").unlink()
    with pytest.raises(InputError, match="Delete this data and give the file again"):
        list(prepare(task))


def test_a_disk_that_refuses_ends_in_a_sentence(own_home):
    (own_home / "home").write_text("a file where the folder should be")
    with pytest.raises(InputError, match=r"could not be kept in .*Free some space"):
        save(SENTIMENT, check(table_of(reviews(60)), SENTIMENT))
    assert own_tasks() == []


def test_deleting_leaves_nothing_behind(own_home):
    task = save(SENTIMENT, check(table_of(reviews(60)), SENTIMENT))
    other = save(replace(SENTIMENT, title="Reviews too"), check(table_of(reviews(60)), SENTIMENT))
    kept_splits(task)
    kept_splits(other)
    delete(task.name)
    assert own_tasks() == [other]
    assert [path.name for path in home().iterdir()] == [other.name]
    assert [path.name[:-9] for path in (own_home / "cache" / "tasks").iterdir()] == [other.name]
    with pytest.raises(InputError, match="is not the name of own data"):
        delete(task.name)


def test_what_cannot_be_deleted_ends_in_a_sentence(own_home, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    task = save(SENTIMENT, check(table_of(reviews(60)), SENTIMENT))
    monkeypatch.setattr("shutil.rmtree", refuse)
    with pytest.raises(InputError, match="could not be deleted: Permission denied"):
        delete(task.name)


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../own-a-000000", "own-a-000000/..", "/", "own-\0-000000", "movie"]
)
def test_only_own_data_can_be_deleted(name, own_home):
    save(SENTIMENT, check(table_of(reviews(60)), SENTIMENT))
    (own_home / "home" / "own-a-000000").mkdir()
    with pytest.raises(InputError, match="is not the name of own data"):
        delete(name)
    assert len(own_tasks()) == 1
    assert (own_home / "home" / "own-a-000000").is_dir()


def test_a_link_is_not_followed_when_deleting(own_home):
    home().mkdir(parents=True)
    (own_home / "precious").mkdir()
    (home() / "own-link-000000").symlink_to(own_home / "precious")
    with pytest.raises(InputError, match="is not the name of own data"):
        delete("own-link-000000")
    assert (own_home / "precious").is_dir()
