"""`python -m core predict` with one text, with several, with a file and with standard input."""

import io
import json
import sys

import pytest

from core.__main__ import main

TEXTS = ["a good film", "a bad plot", "the dull cast was dull"]


@pytest.fixture
def predict(lab, finished_run, capsys):
    """Run the command with the finished run; what it printed, line by line."""

    def asked(*arguments: str) -> list[str]:
        code = main(["predict", "--run", finished_run.run_id, *arguments])
        out, err = capsys.readouterr()
        assert code == 0, err
        return out.splitlines()

    return asked


@pytest.fixture
def alone(predict) -> list[str]:
    """The answer to each text, asked for alone."""
    return [predict(text)[0] for text in TEXTS]


def piped(monkeypatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


def test_several_texts_are_answered_in_their_order(predict, alone):
    assert predict(*TEXTS) == alone
    assert len(set(alone)) == 3


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_file_has_one_text_a_line(predict, alone, tmp_path, ending, mark):
    (tmp_path / "texts.txt").write_bytes(mark + ending.join(TEXTS).encode())
    assert predict("--file", str(tmp_path / "texts.txt")) == alone


def test_standard_input_is_read_line_by_line(predict, alone, monkeypatch):
    piped(monkeypatch, "\n".join([*TEXTS, ""]).encode())
    assert predict("-") == alone


def test_json_has_all_of_an_answer(predict, alone):
    records = [json.loads(line) for line in predict(*TEXTS, "--json")]
    assert [record["texts"] for record in records] == [[text] for text in TEXTS]
    for record, line in zip(records, alone, strict=True):
        shares = zip(record["labels"], record["probabilities"], strict=True)
        assert line == " ".join([record["answer"], *(f"{k}={v:.4f}" for k, v in shares)])
    assert records[0]["reading"] == {"tokens": 3, "read": 3, "words": 3, "unknown": 0}


def test_what_was_not_read_is_said_beside_the_answers(lab, finished_run, capsys):
    assert main(["predict", "--run", finished_run.run_id, "a good film", "zzzz film"]) == 0
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 2
    assert err.startswith("text 2: 1 of 2 words or signs are unknown to this model")


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "There is no text in standard input"),
        (b"a film\n\nthe plot\n", "Line 2 of standard input: There is no text"),
        (b"caf\xe9", "is not text in UTF-8"),
        (b"x" * 30_000, "Line 1 of standard input: The text has 20,002 characters"),
    ],
    ids=["nothing", "an empty line", "latin 1", "a long line"],
)
def test_a_line_that_is_no_text_ends_with_a_sentence(
    lab, finished_run, capsys, monkeypatch, data, sentence
):
    piped(monkeypatch, data)
    assert main(["predict", "--run", finished_run.run_id, "-"]) == 2
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["a film", "--file", "x"], []])
def test_texts_come_from_one_place(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["predict", *arguments])
    assert ended.value.code == 2
    assert "one of them" in capsys.readouterr().err


def test_a_folder_is_no_file(lab, finished_run, capsys, tmp_path):
    assert main(["predict", "--run", finished_run.run_id, "--file", str(tmp_path)]) == 2
    assert "cannot be read: Is a directory" in capsys.readouterr().err
