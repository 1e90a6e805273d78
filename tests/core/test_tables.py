"""Tables of people come out as they are meant, and no file takes longer than its size allows."""

import gzip
import io
import json
import time
import tracemalloc
from collections.abc import Callable
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.errors import InputError
from core.tables import table_limits
from core.tables.cells import as_label
from core.tables.file_reading import read_table
from core.tables.pace import keep_going, paced
from core.tables.table import Table
from core.tasks.checking import Checked, check, class_names
from core.tasks.file_targets import MAX_ANSWERS
from core.tasks.guessing import guess, label_kind
from core.tasks.plans import Plan

PASSAGE = "The old lighthouse was built in 1874 and has 212 steps."
MARK = b"\xef\xbb\xbf"


def parquet_of(table: pa.Table | dict, **options) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table if isinstance(table, pa.Table) else pa.table(table), buffer, **options)
    return buffer.getvalue()


def lines_of(rows: list[dict]) -> bytes:
    return "\n".join(json.dumps(row) for row in rows).encode()


def checked(table: Table) -> tuple[Plan, Checked]:
    plan = guess(table, "Data")
    return plan, check(table, plan)


# CSV


def rows_of(delimiter: str, end: str = "\n") -> bytes:
    rows = [f"film number {i}{delimiter}{('bad', 'good')[i % 2]}{end}" for i in range(60)]
    return f"text{delimiter}label{end}{''.join(rows)}".encode()


NAMED = {
    "sep=;": b"sep=;\n" + rows_of(";"),
    "sep=,": b"sep=,\r\n" + rows_of(",", "\r\n"),
    "SEP=|": MARK + b"SEP=|\n" + rows_of("|"),
    '"sep=^"': b'"sep=^"\n' + rows_of("^"),
    "sep=tab": b"sep=\t\n" + rows_of("\t"),
}


@pytest.mark.parametrize("first", NAMED)
@pytest.mark.parametrize("ending", ["csv", "tsv"])
def test_a_first_line_that_names_the_delimiter_is_no_header(first, ending):
    table = read_table(f"a.{ending}", NAMED[first])
    assert table.columns == ("text", "label")
    assert (len(table.rows), table.lines[0], table.broken) == (60, 3, ())
    plan, fits = checked(table)
    assert (plan.labels, len(fits.rows)) == (("bad", "good"), 60)


def test_a_column_may_still_be_called_sep():
    table = read_table("a.csv", b"sep=words,label\na film,1\nanother,0\n")
    assert table.columns == ("sep=words", "label")


def test_a_delimiter_of_ones_own_does_not_pass_the_limit_of_values(monkeypatch):
    monkeypatch.setattr(table_limits, "MAX_CELLS", 20)
    with pytest.raises(InputError, match="more than 20 values"):
        read_table("a.csv", b"sep=^\n" + b"a^b\n" * 3 + b"^" * 20)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_mark_of_a_file_that_was_joined_on_is_no_text(delimiter):
    half = rows_of(delimiter)
    table = read_table("a.csv", MARK + half + MARK + half.replace(b"film", b"play"))
    assert table.columns == ("text", "label")
    assert [str(bad) for bad in table.broken] == ["line 62: it repeats the header"]
    plan, fits = checked(table)
    assert (plan.labels, len(fits.rows)) == (("bad", "good"), 120)
    assert fits.rows[60]["text"] == "play number 0"


def test_the_mark_of_a_file_that_was_joined_on_is_no_text_in_json_lines_either():
    half = lines_of([{"text": "a", "label": 1}]) + b"\n"
    table = read_table("a.jsonl", MARK + MARK + half + MARK + half)
    assert table.rows == [{"text": "a", "label": 1}] * 2
    assert read_table("a.jsonl", half + b'"\xef\xbb\xbf"').broken[0].line == 2


def test_a_file_of_marks_alone_is_empty():
    with pytest.raises(InputError, match="is empty"):
        read_table("a.csv", MARK * 2)


def test_column_names_that_look_the_same_are_one():
    table = read_table("a.csv", "te\u200bxt,cafe\u0301,caf\u00e9\na,1,2\n".encode())
    assert table.columns == ("text", "caf\u00e9", "caf\u00e9 (2)")


# Labels


CAFE = "caf\u00e9"
SAME = [
    (["1", "1.0", "1.", " 1.00 "], "1"),
    (["-1", "-1.0"], "-1"),
    (["0", "0.0", "-0.0", "-0"], "0"),
    (["True", "true", "TRUE"], "true"),
    (["False", "false"], "false"),
    (
        ["caf\u00e9", "cafe\u0301", "caf\u00e9\u200b", "\ufeffcaf\u00e9", "c\u00adaf\u00e9"],
        "caf\u00e9",
    ),
    (["very good", "very  good", "very\u00a0good", "\u200every good\u200d"], "very good"),
]


@pytest.mark.parametrize(("spellings", "name"), SAME)
def test_labels_that_look_the_same_are_one_class(spellings, name):
    labels = [*spellings, "other"] * 12
    lines = [f"film number {i},{label}" for i, label in enumerate(labels)]
    table = read_table("a.csv", "\n".join(["text,label", *lines]).encode())
    plan, fits = checked(table)
    assert set(plan.labels) == {name, "other"}
    assert (len(fits.rows), fits.bad) == (len(labels), ())
    of_name = plan.labels.index(name)
    assert [row["label"] == of_name for row in fits.rows] == [label != "other" for label in labels]


@pytest.mark.parametrize(
    "labels",
    [
        ["1.5", "1.50"],
        ["01", "1"],
        ["+", "-"],
        ["C", "C#"],
        ["-1", "1"],
        ["\u0645\u06cc\u200c\u0622", "\u0645\u06cc\u0622"],
    ],
)
def test_labels_that_look_different_stay_different(labels):
    assert len({as_label(label) for label in labels}) == len(labels)


def test_numbers_and_texts_of_every_format_are_the_same_classes():
    data = [
        read_table("a.csv", b"text,label\na,1.0\nb,0.0\nc,TRUE\n"),
        read_table("a.jsonl", lines_of([{"text": "a", "label": x} for x in (1, 0, True)])),
        read_table("a.parquet", parquet_of({"text": list("abc"), "label": ["1", "0", "True"]})),
    ]
    assert {class_names(table, "label") for table in data} == {("0", "1", "true")}


# Parquet


def test_every_type_of_text_and_number_is_read():
    columns = {
        "view": pa.array(["a", None], pa.string_view()),
        "large": pa.array(["a", None], pa.large_string()),
        "words": pa.array(["a", None]).dictionary_encode(),
        "whole": pa.array([7, None]).dictionary_encode(),
        "half": pa.array([1.5, None], pa.float16()),
        "money": pa.array([Decimal("1.5"), None], pa.decimal256(50, 2)),
        "nothing": pa.nulls(2),
        "a.b": ["x", "y"],
    }
    table = read_table("a.parquet", parquet_of(columns))
    assert table.columns == tuple(columns)
    assert table.rows[0] == {
        **{"view": "a", "large": "a", "words": "a", "whole": 7, "half": 1.5, "money": 1.5},
        **{"nothing": None, "a.b": "x"},
    }
    assert set(table.rows[1].values()) == {None, "y"}
    assert table.notes == ()


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view()])
def test_no_type_of_text_is_a_way_round_the_limit_of_bytes(kind):
    """10,000 rows with the same 20,000 characters, which the file keeps once a group."""
    buffer, text = io.BytesIO(), pa.array(["word " * 4_000] * 1000)
    with pq.ParquetWriter(buffer, pa.schema([("text", kind)])) as writer:
        for _ in range(10):
            writer.write_table(pa.table({"text": text.cast(kind)}))
    assert buffer.tell() < 500_000
    with pytest.raises(InputError, match="more than 100 MiB"):
        read_table("bomb.parquet", buffer.getvalue())


def test_answers_are_no_way_round_the_limit_of_bytes():
    answers = pa.array([{"text": ["word " * 4_000] * 10, "answer_start": [0] * 10}] * 1000)
    asked = {"question": ["what?"] * 1000, "context": ["it"] * 1000}
    bomb = parquet_of({**asked, "answers": answers})
    assert len(bomb) < 500_000
    with pytest.raises(InputError, match="more than 100 MiB"):
        read_table("bomb.parquet", bomb)


def test_whatever_type_is_not_read_is_named():
    others = {
        "vector": pa.array([[0.5], None]),
        "raw": pa.array([b"\xff", None]),
        "picture": pa.array([{"bytes": b"", "path": "a"}, None]),
        "lasted": pa.array([1, None], pa.duration("s")),
        "json": pa.array(["{}", None], pa.json_()),
        "map": pa.array([[("a", 1)], None], pa.map_(pa.string(), pa.int64())),
    }
    table = read_table("a.parquet", parquet_of({"text": ["a", "b"], **others}))
    assert table.columns == ("text",)
    (note,) = table.notes
    assert note.startswith("Left out: 6 columns that are neither text nor number: 'vector' (list<")
    assert all(f"'{name}' (" in note for name in others)
    with pytest.raises(InputError, match=r"no column of text or numbers. It has: 'raw' \(binary\)"):
        read_table("a.parquet", parquet_of({"raw": others["raw"]}))


def of_hub(features: object, **columns) -> bytes:
    described = json.dumps({"info": {"features": features}}).encode()
    return parquet_of(pa.table(columns).replace_schema_metadata({b"huggingface": described}))


def test_the_names_of_classes_are_read_from_a_file_of_the_datasets_library():
    features = {
        "text": {"dtype": "string", "_type": "Value"},
        "label": {"names": ["neg", "pos"], "_type": "ClassLabel"},
        "stars": {"dtype": "int64", "_type": "Value"},
    }
    texts = [f"film number {i}" for i in range(60)]
    data = of_hub(features, text=texts, label=[0, 1, -1] * 20, stars=[1, 2, 3, 4, 5] * 12)
    table = read_table("train.parquet", data)
    assert [row["label"] for row in table.rows[:3]] == ["neg", "pos", None]
    assert table.rows[0]["stars"] == 1
    plan, fits = checked(table)
    assert (plan.label, plan.labels) == ("label", ("neg", "pos"))
    assert [bad.reason for bad in fits.bad] == ["the label is missing"] * 20


def test_what_the_datasets_library_writes_itself_is_read(tmp_path):
    from datasets import ClassLabel, Dataset, Features, Value

    features = Features({"text": Value("string"), "label": ClassLabel(names=["ham", "spam"])})
    data = Dataset.from_dict({"text": ["a", "b"], "label": [1, 0]}, features=features)
    data.to_parquet(tmp_path / "a.parquet")
    table = read_table("a.parquet", (tmp_path / "a.parquet").read_bytes())
    assert [row["label"] for row in table.rows] == ["spam", "ham"]


@pytest.mark.parametrize(
    "features",
    [
        [],
        {"label": {"_type": "ClassLabel"}},
        {"label": {"_type": "ClassLabel", "names": [1, 2]}},
        {"label": {"_type": "ClassLabel", "names": "no"}},
        {"label": 7},
        {"label": {"_type": "ClassLabel", "names": ["\ud800"]}},
    ],
)
def test_names_of_classes_that_cannot_be_read_are_said(features):
    table = read_table("a.parquet", of_hub(features, text=["a", "b"], label=[0, 1]))
    assert [row["label"] for row in table.rows] == [0, 1]
    assert table.notes == (
        "The names of classes in this file cannot be read. Numbers stand for them.",
    )


# Questions


def question(number: int, answers: object, **more) -> dict:
    asked = {"id": f"q{number}", "title": "Lighthouse", "context": PASSAGE}
    return asked | {"question": f"What about {number}?", "answers": answers} | more


FLAT = [
    question(0, {"text": ["1874"], "answer_start": [32]}),
    question(1, {"text": ["212 steps", "212"], "answer_start": ["45", 45.0]}),
    question(2, {"text": [], "answer_start": []}),
    question(3, None),
    question(4, [{"text": "1874", "answer_start": 32}]),
    question(5, {"text": "1874", "answer_start": 32}),
]
STARTS = [[32], [45, 45], [], [], [32], [32]]


@pytest.mark.parametrize("name", ["a.jsonl", "a.json"])
def test_the_flat_squad_of_the_hub_is_question_answering(name):
    data = lines_of(FLAT) if name == "a.jsonl" else json.dumps(FLAT).encode()
    plan, fits = checked(read_table(name, data))
    assert (plan.kind, plan.texts) == ("span", ("question", "context"))
    assert [row["starts"] for row in fits.rows] == STARTS
    assert fits.rows[1]["answers"] == ["212 steps", "212"]
    assert fits.bad == ()


@pytest.mark.parametrize("form", ["flat", "list"])
def test_the_flat_squad_of_the_hub_is_read_from_parquet(form):
    flat = [{"text": ["1874"], "answer_start": [32]}, {"text": [], "answer_start": []}, None]
    listed = [[{"text": "1874", "answer_start": 32}], [], None]
    rows = [question(i, x) for i, x in enumerate(flat if form == "flat" else listed)]
    table = read_table("a.parquet", parquet_of(pa.Table.from_pylist(rows)))
    plan, fits = checked(table)
    assert plan.kind == "span"
    assert [row["starts"] for row in fits.rows] == [[32], [], []]
    assert table.notes == ()


def test_flat_questions_that_cannot_be_read_are_bad_rows():
    rows = [
        *FLAT[:2],
        question(2, {"text": ["1874"], "answer_start": []}),
        question(3, {"text": ["1874"], "answer_start": [32]}, is_impossible=True),
        question(4, None, is_impossible=False),
        question(5, "1874"),
        question(6, None, is_impossible=True),
    ]
    _, fits = checked(read_table("a.jsonl", lines_of(rows)))
    assert [str(bad) for bad in fits.bad] == [
        "line 3: it has 1 answers but 0 starts",
        "line 4: it is marked as impossible but has answers",
        "line 5: it is marked as possible but has no answers",
        'line 6: "answers" is not a list of objects',
    ]
    assert [row["starts"] for row in fits.rows] == [[32], [45, 45], []]


def test_questions_without_answers_are_read_from_squads_own_form():
    asked = [{"question": f"{i}?", "answers": None} for i in range(3)]
    asked[1]["is_impossible"], asked[2]["is_impossible"] = True, False
    asked.append({"question": "When?", "answers": [{"text": "1874", "answer_start": "32"}]})
    data = {"data": [{"paragraphs": [{"context": PASSAGE, "qas": asked}]}]}
    _, fits = checked(read_table("a.json", json.dumps(data).encode()))
    assert [row["starts"] for row in fits.rows] == [[], [], [32]]
    assert [str(bad) for bad in fits.bad] == [
        "question 3: it is marked as possible but has no answers"
    ]


def test_a_column_of_answers_that_is_a_label_stays_one():
    rows = [
        {"question": f"is it {i}?", "context": f"it is {i} or not", "answers": ("yes", "no")[i % 2]}
        for i in range(60)
    ]
    table = read_table("a.jsonl", lines_of(rows))
    assert table.columns == ("question", "context", "answers")
    assert guess(table, "Data").label == "answers"


def test_a_question_has_a_limited_number_of_answers():
    many = {"text": ["1874"] * (MAX_ANSWERS + 1), "answer_start": [32] * (MAX_ANSWERS + 1)}
    _, fits = checked(read_table("a.jsonl", lines_of([FLAT[0], question(1, many)])))
    assert [bad.reason for bad in fits.bad] == ["it has 101 answers; at most 100 are read"]


# Limits before the work that they limit: each of these took minutes, hours, or never ended


def look_at(name: str, data: bytes) -> Checked:
    """Read, guess and check, as the page does."""
    return checked(read_table(name, data))[1]


def header_of(names: list[str]) -> bytes:
    return f"{','.join(names)}\n{','.join(['1'] * len(names))}\n".encode()


WIDE = {f"column {i}": 1 for i in range(40_000)}
WORDS = [{"text": f"film number {i}", "label": i % 2} for i in range(60)]
BOMBS: dict[str, tuple[Callable[[], bytes], str]] = {
    "equal.csv": (lambda: header_of(["x"] * 4000), "more than 200 columns"),
    "equal-names.tsv": (lambda: b"\t".join([b"x"] * 4000) + b"\n1", "more than 200 columns"),
    "different.csv": (lambda: header_of(list(WIDE)), "too long to name at most 200 columns"),
    "short.csv": (lambda: header_of([f"{i:x}" for i in range(8000)]), "more than 200 columns"),
    "wide.csv": (lambda: b"a," * 5_000_000, "too long to name at most 200 columns"),
    "keys.jsonl": (lambda: lines_of([WIDE]), "more than 200 columns"),
    "keys.json": (lambda: json.dumps([WIDE]).encode(), "more than 200 columns"),
    "open.csv": (lambda: b'text,label\n"a,1\n' + b'"a\n' * 3_000_000, "quotation marks"),
    "reopened.csv": (lambda: b"text,label\n" + b'a","\n' * 400_000, "quotation marks"),
    "rows.csv": (lambda: b"text,label\n" + b"a,1\n" * 1_000_000, "more than 500,000 rows"),
    "rows.json": (lambda: b"[" + b"{}," * 1_000_000 + b"{}]", "more than 500,000 rows"),
    "parts.csv.gz": (lambda: gzip.compress(b"") * 400_000, "more than 10,000 compressed parts"),
    "wide.parquet": (
        lambda: parquet_of({f"c{i}": pa.array([1]) for i in range(6000)}),
        "more than 200 columns",
    ),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_file_that_takes_too_long_is_refused_before(name):
    made, message = BOMBS[name]
    data = made()
    started = time.process_time()
    with pytest.raises(InputError, match=message):
        look_at(name, data)
    assert time.process_time() - started < 10


USABLE: dict[str, Callable[[], list[dict]]] = {
    "a name like an id": lambda: [row | {"id" + "1" * 60 + "x": 1} for row in WORDS],
    "digits": lambda: [row | {"more": "1" * 300_000 + "x"} for row in WORDS],
    "a label of digits": lambda: [*WORDS, {"text": "film", "label": "1" * 300_000 + "x"}],
    "a label of accents": lambda: [
        *WORDS,
        {"text": "film", "label": "a" + "\u0301\u0316" * 200_000},
    ],
    "a long text": lambda: [*WORDS, {"text": "a " * 5_000_000, "label": 1}],
    "200 columns of text": lambda: [
        {f"text_{i}": f"some words number {j}" for i in range(199)} | {"label": j % 2}
        for j in range(60)
    ],
}


@pytest.mark.parametrize("case", USABLE)
def test_a_strange_file_is_looked_at_in_seconds(case):
    data = lines_of(USABLE[case]())
    started = time.process_time()
    assert len(look_at("a.jsonl", data).rows) == 60
    assert time.process_time() - started < 10


def test_guessing_does_not_cut_long_texts_into_words():
    rows = [*WORDS, {"text": "a " * 5_000_000, "label": 1}]
    table = read_table("a.jsonl", lines_of(rows))
    tracemalloc.start()
    guess(table, "Data")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 30 * 2**20  # the words alone would be 40 MB of references and the text again


def test_several_compressed_parts_are_one_file():
    parts = gzip.compress(b"text,label\n") + gzip.compress(b"") + gzip.compress(b"a,1\n") + bytes(9)
    assert read_table("a.csv.gz", parts).rows == [{"text": "a", "label": "1"}]
    for damaged in (parts + b"x", parts[:-20], b"", parts.replace(b"\x1f\x8b", b"\x1f\x8c")):
        with pytest.raises(InputError, match="is not a whole gzip file"):
            read_table("a.csv.gz", damaged)


# Work that ends with the person who asked for it


class GoneError(BaseException):
    """As Streamlit's own, which no `except Exception` catches."""


class Tick:
    """Raises at the call of that number; 0: never."""

    def __init__(self, last: int = 0) -> None:
        self.calls, self.last = 0, last

    def __call__(self) -> None:
        self.calls += 1
        if self.calls == self.last:
            raise GoneError


MANY = [{"text": f"film number {i}", "label": i % 2} for i in range(30_000)]
COLUMNS = {name: [row[name] for row in MANY] for name in MANY[0]}
AS_CSV = "text,label\n" + "".join(f"{row['text']},{row['label']}\n" for row in MANY)
LARGE = {
    "a.csv": AS_CSV.encode(),
    "a.tsv": AS_CSV.replace(",", "\t").encode(),
    "a.csv.gz": gzip.compress(AS_CSV.encode()),
    "a.jsonl": lines_of(MANY),
    "a.json": json.dumps(MANY).encode(),
    "a.parquet": parquet_of(COLUMNS),
}


@pytest.mark.parametrize("name", LARGE)
def test_reading_ends_when_nobody_waits_for_it(name):
    tick = Tick()
    assert len(read_table(name, LARGE[name], tick).rows) == len(MANY)
    calls = tick.calls
    assert calls >= (3 if name == "a.parquet" else 30)
    tick = Tick(last=calls // 2)
    with pytest.raises(GoneError):
        read_table(name, LARGE[name], tick)
    assert tick.calls == calls // 2


def test_guessing_and_checking_end_when_nobody_waits_for_them():
    table = read_table("a.jsonl", LARGE["a.jsonl"])
    plan = guess(table, "Data")
    ways: list[Callable[[Tick], object]] = [
        lambda tick: guess(table, "Data", tick),
        lambda tick: check(table, plan, tick),
        lambda tick: class_names(table, "label", tick),
        lambda tick: label_kind(table, "label", tick),
    ]
    for way in ways:
        with pytest.raises(GoneError):
            way(Tick(last=20))


def test_a_tick_comes_before_every_thousandth_item():
    tick = Tick()
    assert list(paced(range(2001), tick)) == list(range(2001))
    assert tick.calls == 3
    assert keep_going() is None
