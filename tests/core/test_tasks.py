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

import numpy as np
import pytest
from sklearn.metrics import accuracy_score

from core.errors import InputError
from core.tasks import base, embedded
from core.tasks.archives import Archive, fetch, member, verify
from core.tasks.base import SPLITS, cut, find_task, folder, is_prepared, load, prepare, save_splits
from core.tasks.metrics import score
from tests.conftest import made_up_rows


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


def vader_like(ratings: str, monkeypatch) -> Archive:
    """An archive with the layout of the real one, holding these lines."""
    inner = tar_of({"hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt": ratings.encode()})
    outer = tar_of({embedded.VADER_INNER: inner})
    archive = archive_of(outer)
    keep(archive, outer)
    monkeypatch.setattr(embedded, "VADER", archive)
    return archive


def use_pip(script: str, tmp_path, monkeypatch) -> None:
    """Let a shell script stand for `python -m pip download ... -d FOLDER -r FILE`."""
    fake = tmp_path / "python"
    fake.write_text(f'#!/bin/sh\nwhile [ "$1" != "-d" ]; do shift; done\nfolder="$2"\n{script}\n')
    fake.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(fake))


# Metrics


@pytest.mark.parametrize("classes", [2, 3])
def test_accuracy_is_that_of_scikit_learn(classes):
    draw = np.random.default_rng(0)
    logits, labels = draw.normal(size=(200, classes)), draw.integers(0, classes, 200)
    found = score("accuracy", logits, labels)
    assert found.value == accuracy_score(labels, logits.argmax(axis=1))
    assert found.standard_error == pytest.approx(
        (logits.argmax(axis=1) == labels).std() / np.sqrt(200)
    )
    assert found.examples == 200


def test_an_unknown_metric_is_refused():
    with pytest.raises(InputError, match="Metric 'rouge' is not known"):
        score("rouge", np.zeros((1, 2)), np.zeros(1))


# The cut


def test_the_cut_depends_on_the_text_only():
    task = replace(find_task("movie-sentiment"), dev_examples=20, test_examples=30)
    rows = [{"text": f"sentence {i}", "label": i % 2} for i in range(100)]
    splits = cut(rows, task)
    assert {split: len(splits[split]) for split in SPLITS} == {"train": 50, "dev": 20, "test": 30}
    assert sorted(r["text"] for s in SPLITS for r in splits[s]) == sorted(r["text"] for r in rows)
    shuffled = random.Random(0).sample(rows, len(rows))
    assert cut(shuffled, task) == splits
    assert splits["test"][0]["text"] == min(
        (row["text"] for row in rows), key=lambda text: hashlib.sha256(text.encode()).digest()
    )


def test_too_few_rows_are_refused():
    task = replace(find_task("movie-sentiment"), dev_examples=20, test_examples=30)
    with pytest.raises(InputError, match="has 50 usable rows; more than 50 are needed"):
        cut(made_up_rows(50, seed=0), task)


# The embedded text


def test_repeated_and_neutral_sentences_are_left_out(empty_cache, monkeypatch):
    lines = [
        "1_1\t2.5\tA fine   film .",
        "1_2\t-3.0\tA DULL film .",
        "1_3\t-1.0\ta Fine film .",  # the first sentence again
        "1_4\t0.45\tA film .",  # neutral
        "1_5\t-0.5\tA film with\ta tab .",
    ]
    vader_like("\n".join(lines) + "\n", monkeypatch)
    assert embedded.read_movie_sentiment() == [
        {"text": "A fine   film .", "label": 1},
        {"text": "A DULL film .", "label": 0},
        {"text": "A film with\ta tab .", "label": 0},
    ]


@pytest.mark.parametrize("line", ["1_2 2.5 no tabs", "1_2\tgood\tno number", "1_2\t2.5"])
def test_a_malformed_line_is_named(empty_cache, monkeypatch, line):
    vader_like(f"1_1\t2.5\tA film .\n{line}\n", monkeypatch)
    with pytest.raises(InputError, match=r"Line 2 of movieReviewSnippets_GroundTruth\.txt"):
        embedded.read_movie_sentiment()


def test_prepare_reads_the_archive_into_the_cache_once(empty_cache, monkeypatch):
    ratings = "".join(f"1_{i}\t{2.0 if i % 2 else -2.0}\tfilm {i}\n" for i in range(10))
    archive = vader_like(ratings, monkeypatch)
    task = replace(find_task("movie-sentiment"), archive=archive, dev_examples=2, test_examples=3)
    assert not is_prepared(task)
    assert [progress.text for progress in prepare(task)] == ["Reading Movie sentiment"]
    splits = load(task)
    assert [len(split) for split in (splits.train, splits.dev, splits.test)] == [5, 2, 3]
    assert {type(label) for label in splits.train["label"]} == {int}
    assert list(prepare(task)) == []
    assert [path.name for path in folder(task).parent.iterdir()] == [folder(task).name]


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
    save_splits(task, {split: made_up_rows(2, seed=9) for split in SPLITS})
    assert len(load(task).train) == 96
    assert len(list(folder(task).parent.iterdir())) == 1


def test_a_full_disk_is_a_sentence(empty_cache, monkeypatch):
    def full(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(base.tempfile, "mkdtemp", full)
    with pytest.raises(InputError, match=r"No space left on device\. Free some space"):
        save_splits(find_task("movie-sentiment"), {split: [] for split in SPLITS})


@pytest.mark.network
def test_the_published_archive_gives_the_known_sentences(empty_cache):
    task = find_task("movie-sentiment")
    progress = list(prepare(task))
    assert progress[0].total == task.archive.size_bytes
    splits = load(task)
    assert [len(split) for split in (splits.train, splits.dev, splits.test)] == [8070, 1000, 1000]
    texts = [text for split in (splits.train, splits.dev, splits.test) for text in split["text"]]
    assert len({" ".join(text.lower().split()) for text in texts}) == 10_070
    for split in (splits.train, splits.dev, splits.test):
        labels = Counter(split["label"])
        assert 0.45 < labels[1] / len(split) < 0.55
