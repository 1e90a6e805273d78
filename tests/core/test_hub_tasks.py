"""All tasks of GLUE and SQuAD on files of the hub's schema: from parquet to a scored student."""

import math
import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from huggingface_hub import close_session, constants

import core.hub
from core.errors import InputError
from core.events import Finished, Taught
from core.experiment import Experiment, Teaching, TrainRecipe
from core.hub import is_repository, snapshot
from core.results import Result, TeacherCard
from core.runs.runner import PROJECT
from core.serialization import canonical_json, from_json
from core.tasks.prepare import folder, is_prepared, load, prepare
from core.tasks.registry import find_task, tasks
from core.teacher_folders import load_card
from core.teachers.model_loading import files_of, load_model
from core.training.student_training import train
from core.training.teacher_training import teach
from tests.core import hub_files
from tests.core.hub_files import CLASS_NAMES, GLUE, ROWS, SQUAD, SQUAD_V2, Hub

REPOSITORIES = {"squad": SQUAD, "squad-v2": SQUAD_V2}
HUB_TASKS = (*CLASS_NAMES, *REPOSITORIES)
RANKED = "squad-ranking"  # of the same rows, but none of them is an example by itself
RECIPE = TrainRecipe(steps=5, batch_size=8, evaluate_every=5, max_tokens=32)
REVISION = "0123456789abcdef0123456789abcdef01234567"
EMBEDDED = "Without the hub these tasks work: movie-sentiment, sentiment-strength, news-topic"


@pytest.fixture
def hub(tmp_path, monkeypatch) -> Path:
    """A folder in the hub's place."""
    (tmp_path / "hub").mkdir()
    monkeypatch.setenv("TERNARY_LAB_HUB", str(tmp_path / "hub"))
    return tmp_path / "hub"


def write(hub: Path, task: str) -> None:
    if task in CLASS_NAMES:
        hub_files.write_glue(hub, task)
    else:
        hub_files.write_squad(hub, REPOSITORIES[task])


def given(task: str, split: str) -> list[dict]:
    """What the files hold, in the form that tasks have."""
    if task in CLASS_NAMES:
        rows = hub_files.glue_rows(task, split, ROWS[split.partition("_")[0]])
        kept = [*hub_files.TEXTS[task], "label"]
        return [{name: row[name] for name in kept} for row in rows]
    return [
        {
            "question": row["question"],
            "context": row["context"],
            "answers": row["answers"]["text"],
            "starts": row["answers"]["answer_start"],
        }
        for row in hub_files.squad_rows(REPOSITORIES[task], split, ROWS[split])
    ]


def as_keys(rows) -> list[str]:
    return sorted(str(sorted(row.items())) for row in rows)


def test_all_tasks_of_the_hub_are_tried_here():
    assert {name for name, task in tasks().items() if task.source.needs_hub} == {*HUB_TASKS, RANKED}


@pytest.mark.parametrize("name", HUB_TASKS)
def test_a_task_of_the_hub_from_its_files_to_a_scored_student(lab, hub, name):
    write(hub, name)
    task = find_task(name)
    texts = [progress.text for progress in prepare(task)]
    assert texts[0].startswith("Asking the hub for ")
    check_splits(task)

    *_, taught = teach(Teaching(task=name, model=lab.model, train=RECIPE))
    assert isinstance(taught, Taught)
    check_scores(task, {"teacher"}, taught.teacher.scores)
    assert from_json(TeacherCard, canonical_json(taught.teacher)) == taught.teacher
    assert load_card(name, lab.model) == taught.teacher

    *_, finished = train(Experiment(task=name, model=lab.model, train=RECIPE))
    assert isinstance(finished, Finished)
    result = finished.result
    check_scores(task, {"teacher", "untrained", "student"}, result.scores)
    assert (result.metric, result.test_examples) == (task.metrics[0], ROWS["validation"])
    assert result.size_bytes_packed < result.size_bytes_float32
    assert from_json(Result, canonical_json(result)) == result
    assert result.data_revision == result.model_revision == ""  # a folder stood in


def test_questions_and_passages_of_the_hub_become_rankings(lab, hub):
    hub_files.write_squad(hub, SQUAD)
    task = find_task(RANKED)
    assert list(prepare(task))[-2].text == "Searching candidates for every question"
    splits = load(task)
    given = {
        split: hub_files.squad_rows(SQUAD, split, ROWS[split]) for split in ("train", "validation")
    }
    validation = {row["question"]: row["context"] for row in given["validation"]}
    assert {row["query"] for row in splits.test} == set(validation)
    for row in splits.test:
        assert len(row["candidates"]) == ROWS["validation"]  # fewer than twenty: all of them
        assert [row["candidates"][place] for place in row["relevant"]] == [validation[row["query"]]]
    article = {row["context"]: row["title"] for row in given["train"]}
    learned = {article[text] for row in splits.train for text in row["candidates"]}
    developed = {
        article[row["candidates"][place]] for row in splits.dev for place in row["relevant"]
    }
    assert developed
    assert not learned & developed
    *_, taught = teach(Teaching(task=RANKED, model=lab.model, train=RECIPE))
    assert isinstance(taught, Taught)
    assert (taught.teacher.test.metric, taught.teacher.test.examples) == ("mrr-10", 15)


def check_splits(task) -> None:
    splits, mnli = load(task), task.name == "mnli"
    assert len(splits.dev) == ROWS["train"] // 10
    together = [*splits.train, *splits.dev]
    assert as_keys(together) == as_keys(given(task.name, "train"))  # each row once
    validation = "validation_matched" if mnli else "validation"
    assert list(splits.test) == given(task.name, validation)
    assert [list(part) for part in splits.more] == (
        [given("mnli", "validation_mismatched")] if mnli else []
    )
    assert set(splits.train.column_names) == set(given(task.name, "train")[0])


def check_scores(task, who: set[str], scores) -> None:
    splits = {"dev", "test", *task.more_tests}
    wanted = {(each, split, metric) for each in who for split in splits for metric in task.metrics}
    found = [(measured.who, measured.split, measured.score.metric) for measured in scores]
    assert set(found) == wanted
    assert len(found) == len(wanted)
    for measured in scores:
        assert -1.0 <= measured.score.value <= 1.0
        assert math.isfinite(measured.score.standard_error)
        examples = ROWS["train"] // 10 if measured.split == "dev" else ROWS["validation"]
        assert measured.score.examples == examples


def test_without_an_answer_a_question_of_squad_v2_has_empty_columns(hub, lab):
    write(hub, "squad-v2")
    list(prepare(find_task("squad-v2")))
    splits = load(find_task("squad-v2"))
    empty = [row for row in splits.test if not row["answers"]]
    assert len(empty) == 5
    assert all(row["starts"] == [] for row in empty)
    for row in (*splits.train, *splits.test):
        for text, start in zip(row["answers"], row["starts"], strict=True):
            assert row["context"][start : start + len(text)] == text


def test_the_threshold_for_no_answer_is_chosen_only_where_there_may_be_none(lab, hub):
    thresholds = {}
    for name in REPOSITORIES:
        write(hub, name)
        *_, taught = teach(Teaching(task=name, model=lab.model, train=replace(RECIPE, steps=1)))
        thresholds[name] = taught.teacher.threshold
    assert thresholds["squad"] > 1e6  # never refuses
    assert abs(thresholds["squad-v2"]) < 100


def test_what_was_prepared_is_not_read_again(hub, lab):
    write(hub, "rte")
    list(prepare(find_task("rte")))
    (hub / GLUE).rename(hub / "gone")
    assert list(prepare(find_task("rte"))) == []
    assert len(load(find_task("rte")).train) == 54


def test_rows_without_a_label_are_left_out(hub, lab):
    rows = hub_files.glue_rows("stsb", "train", 60)
    rows[3]["label"], rows[4]["label"], rows[5]["label"] = -1.0, None, 0.0
    hub_files.write_glue(hub, "stsb", train=rows)
    list(prepare(find_task("stsb")))
    splits = load(find_task("stsb"))
    kept = {row["sentence1"] for row in (*splits.train, *splits.dev)}
    assert kept == {row["sentence1"] for row in rows} - {rows[3]["sentence1"], rows[4]["sentence1"]}


# What can be wrong with the files


def sentence_of(name: str) -> str:
    with pytest.raises(InputError) as refused:
        list(prepare(find_task(name)))
    assert not is_prepared(find_task(name))
    assert not list(folder(find_task(name)).parent.glob(f"*{name}*"))  # no half of anything
    sentence = str(refused.value)
    assert len(sentence) < 700
    assert "\n" not in sentence
    return sentence


def test_a_repository_that_is_not_there_is_named_with_what_works(hub, lab):
    sentence = sentence_of("squad")
    assert f"{SQUAD} is not in the folder of TERNARY_LAB_HUB. {EMBEDDED}" in sentence


def test_a_missing_column_is_named(hub, lab):
    hub_files.write_glue(
        hub,
        "rte",
        features=hub_files.glue_features("sst2"),
        **{split: hub_files.glue_rows("sst2", split, 60) for split in ROWS},
    )
    wanted = "the hub's nyu-mll/glue (rte) has no column 'sentence1'; it has: sentence, label, idx."
    assert sentence_of("rte") == wanted


def test_a_missing_configuration_and_a_missing_split_are_named(hub, lab):
    place = hub_files.write_glue(hub, "rte")
    assert "nyu-mll/glue (cola) has no file cola/train-*.parquet" in sentence_of("cola")
    (place / "rte" / "validation-00000-of-00001.parquet").unlink()
    assert "nyu-mll/glue (rte) has no file rte/validation-*.parquet" in sentence_of("rte")


@pytest.mark.parametrize("kept", [0, 100, -1])
def test_a_damaged_file_is_a_sentence(hub, lab, kept):
    table = hub_files.write_glue(hub, "rte") / "rte" / "validation-00000-of-00001.parquet"
    table.write_bytes(table.read_bytes()[:kept])
    assert "the hub's nyu-mll/glue (rte) could not be read: " in sentence_of("rte")


def test_a_split_in_several_files_is_read_whole(hub, lab):
    place = hub_files.write_glue(hub, "rte") / "rte"
    rows = hub_files.glue_rows("rte", "more", 30)
    file = hub_files.write_table(place, "more", rows, hub_files.glue_features("rte"))
    (place / "train-00000-of-00001.parquet").rename(place / "train-00000-of-00002.parquet")
    file.rename(place / "train-00001-of-00002.parquet")
    list(prepare(find_task("rte")))
    splits = load(find_task("rte"))
    assert len(splits.train) + len(splits.dev) == 90


# The hub itself


@pytest.mark.parametrize(
    "name", ["../x", "a/b/c", "", "/etc", "a/../b", "a/", ".a/b", "a b", "a\n"]
)
def test_only_an_owner_and_a_name_are_asked_for(hub, name):
    (hub.parent / "x").mkdir()
    assert not is_repository(name)
    with pytest.raises(InputError, match=r"is not the name of a hub repository\. Do this\."):
        snapshot(name, "model", ("*",), "Do this.")


@pytest.mark.parametrize("name", ["bert-base-uncased", "google/bert_uncased_L-2", "a.b/c.d"])
def test_names_of_repositories_are_known(name):
    assert is_repository(name)


def test_without_a_network_a_task_fails_within_5_seconds_naming_the_others(lab):
    began = time.monotonic()
    sentence = sentence_of("squad-v2")
    assert time.monotonic() - began < 5.0
    assert f"could not be had from the hub: the hub does not answer. {EMBEDDED}" in sentence


ASKING = """
import time
import huggingface_hub  # to import it is not the hub's fault
from core.errors import InputError
from core.hub import snapshot
from core.tasks.prepare import prepare
from core.tasks.registry import find_task
task = find_task("rte")
began = time.monotonic()
try:
    list(prepare(task))
except InputError as error:
    print(f"{time.monotonic() - began:.2f}", error)
print(snapshot("owner/bert", "model", ("*.json",), "").revision)
"""


def ask(tmp_path, **variables: str) -> subprocess.Popen:
    """A process that knows the hub only from these variables."""
    here = {"TERNARY_LAB_CACHE": str(tmp_path / "empty"), "HF_HOME": str(tmp_path / "hf")}
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "TERNARY_"))}
    return subprocess.Popen(
        [sys.executable, "-c", ASKING],
        cwd=PROJECT,
        env=environment | here | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def test_the_environment_says_where_the_hub_and_its_cache_are(tmp_path):
    """Nothing is told to the library here: a process starts with HF_ENDPOINT, HF_HOME and
    HF_HUB_OFFLINE as a person sets them."""
    copy_of(tmp_path, "owner/bert").mkdir(parents=True)
    (copy_of(tmp_path, "owner/bert") / "config.json").write_text("{}")
    cache = tmp_path / ".cache" / "hf"  # a folder that is hidden, as the usual one
    hub_files.into_cache(cache, "models", "owner/bert", copy_of(tmp_path, "owner/bert"), REVISION)
    refused = ask(tmp_path, HF_ENDPOINT="http://127.0.0.1:9", NO_PROXY="*")
    offline = ask(tmp_path, HF_HOME=str(cache), HF_HUB_OFFLINE="1")
    for process in (refused, offline):
        said = process.communicate(timeout=100)[0]
        seconds, _, sentence = said.partition(" ")
        assert float(seconds) < 5.0
        assert sentence.startswith(
            f"nyu-mll/glue could not be had from the hub: the hub does not answer. {EMBEDDED}"
        )
        assert said.endswith(f"{REVISION}\n") == (process is offline)


def copy_of(tmp_path: Path, repository: str) -> Path:
    """Where the small hub has the files of a repository."""
    return tmp_path / "source" / repository


@pytest.fixture
def settings(tmp_path, monkeypatch):
    """Set the library's settings as its variables would have when it was imported."""

    def use(endpoint: str) -> None:
        monkeypatch.setattr(constants, "ENDPOINT", endpoint)
        template = endpoint + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / ".cache" / "hub"))
    monkeypatch.setattr(core.hub, "_last_probe", [])
    yield use
    close_session()


@pytest.fixture
def small_hub(tmp_path, settings, lab):
    """A hub on this computer with GLUE and a BERT."""
    hub_files.write_glue(tmp_path / "source", "rte", "cola")
    shutil.copytree(lab.model, copy_of(tmp_path, "owner/bert"))
    (copy_of(tmp_path, "owner/bert") / "pytorch_model.bin").write_bytes(b"a pickle")
    with closing(Hub(tmp_path / "source", REVISION)) as hub:
        settings(hub.url)
        yield hub


def test_a_hub_that_never_answers_costs_5_seconds_at_most(lab, settings):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings(f"http://127.0.0.1:{silent.getsockname()[1]}")
        began = time.monotonic()
        assert f"the hub does not answer. {EMBEDDED}" in sentence_of("rte")
        assert time.monotonic() - began < 5.0
        began = time.monotonic()
        assert f"the hub does not answer. {EMBEDDED}" in sentence_of("squad")
        assert time.monotonic() - began < 1.0  # it remembers


def test_what_the_hub_gave_is_kept_with_its_revision_and_serves_without_it(small_hub, lab):
    task = find_task("rte")
    *_, taught = teach(Teaching(task="rte", model="owner/bert", train=RECIPE))
    assert (taught.teacher.data_revision, taught.teacher.model_revision) == (REVISION, REVISION)
    check_splits(task)
    assert load(task).revision == REVISION
    cached = Path(files_of("owner/bert")[0])
    assert cached.name == REVISION
    assert not (cached / "pytorch_model.bin").exists()
    assert not list(cached.parents[2].rglob("cola"))  # only what was asked for

    small_hub.close()
    core.hub._last_probe.clear()
    *_, finished = train(Experiment(task="rte", model="owner/bert", train=RECIPE))
    assert finished.result.data_revision == finished.result.model_revision == REVISION
    shutil.rmtree(folder(task))
    list(prepare(task))  # from the cache of the library
    assert load(task).revision == REVISION
    assert "the hub does not answer. Without the hub" in sentence_of("cola")


def test_what_the_hub_does_not_have_is_a_sentence(small_hub):
    with pytest.raises(InputError, match=r"hub: it has no public repository of that name\. Use a"):
        files_of("owner/other")


def test_a_hub_that_hangs_up_is_a_sentence(small_hub):
    small_hub.is_broken = True
    sentence = sentence_of("rte")
    assert sentence.startswith("nyu-mll/glue could not be had from the hub: ")
    assert f". {EMBEDDED}" in sentence


def test_files_in_the_librarys_cache_serve_offline_under_their_revision(lab, settings, tmp_path):
    hub_files.write_glue(tmp_path / "source", "rte")
    shutil.copytree(lab.model, copy_of(tmp_path, "owner/bert"))
    for kind, name, revision in (
        ("datasets", GLUE, REVISION),
        ("models", "owner/bert", REVISION[::-1]),
    ):
        hub_files.into_cache(tmp_path / ".cache", kind, name, copy_of(tmp_path, name), revision)
    list(prepare(find_task("rte")))
    assert load(find_task("rte")).revision == REVISION
    assert files_of("owner/bert")[1] == REVISION[::-1]
    loaded = load_model("owner/bert", "classes", ("entailment", "not entailment"), seed=0)
    assert loaded.revision == REVISION[::-1]
    assert "(cola) has no file cola/train-*.parquet here. Without the hub" in sentence_of("cola")
