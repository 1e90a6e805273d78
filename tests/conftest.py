"""A laboratory small enough for tests: a 2-layer, 32-wide BERT, sixty sentences, a teacher.

`lab` moves every folder of the app into a temporary one, so no test sees what ships or what this
computer made, and puts there: a tiny teacher, the cached text of movie-sentiment (made up here),
and nothing else.
"""

import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"  # read when transformers is imported

import pytest
import torch
from datasets import Dataset
from hypothesis import settings
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, PreTrainedModel, PreTrainedTokenizerFast

from core.experiment import Experiment, Job, Teaching, TrainRecipe
from core.families.bert.heads import class_of
from core.family import Head
from core.machine import cores, describe
from core.results import Score, TeacherCard
from core.runs import runner
from core.runs.run_store import Run, is_alive, read_folder, run_folder
from core.targets.registry import find_target
from core.tasks.prepare import folder
from core.tasks.registry import find_task
from core.tasks.sample_passages import Asked, Sample, write_sample
from core.tasks.sources import Row
from core.tasks.splits import save_splits
from core.teachers.teacher_store import save_teacher

torch.set_num_threads(1)  # the models are tiny, and tests run side by side
# The same examples on every machine, and no examples lost to a computer that is busy.
settings.register_profile("lab", derandomize=True, deadline=None)
settings.load_profile("lab")

WORDS = ["the", "film", "was", "a", "an", "of", "and", "story", "plot", "cast", "scene", "it"]
GOOD, BAD = ["good", "great", "lovely", "fine", "warm"], ["bad", "dull", "awful", "poor", "cold"]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


@dataclass(frozen=True)
class Lab:
    """Where the tests' world is, and the experiment that it is made for."""

    home: Path
    cache: Path
    model: str
    experiment: Experiment


def tiny_config(**changes) -> BertConfig:
    usual = {
        "vocab_size": len(SPECIAL) + len(WORDS) + len(GOOD) + len(BAD),
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 64,
        "max_position_embeddings": 64,
        "initializer_range": 0.2,  # large enough that the layers change what passes through
    }
    config = BertConfig(**(usual | changes))
    config.id2label, config.label2id = (
        {0: "negative", 1: "positive"},
        {"negative": 0, "positive": 1},
    )
    return config


def tiny_head(kind: str, labels: tuple[str, ...] = ()) -> Head:
    """What the target of this name needs of a model."""
    return find_target(kind).head(labels)


def tiny_model(seed: int = 0, kind: str = "classes", **changes) -> PreTrainedModel:
    config = tiny_config(**changes)
    head = tiny_head(kind, tuple(config.id2label.values()))
    names = dict(enumerate(head.outputs))
    config.id2label, config.label2id = names, {name: i for i, name in names.items()}
    torch.manual_seed(seed)
    return class_of(head)(config).eval()


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    vocabulary = {word: i for i, word in enumerate([*SPECIAL, *WORDS, *GOOD, *BAD])}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    names = dict(zip(("pad", "unk", "cls", "sep", "mask"), SPECIAL, strict=True))
    tokens = {f"{name}_token": token for name, token in names.items()}
    inputs = ["input_ids", "token_type_ids", "attention_mask"]  # as BERT's
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_input_names=inputs, **tokens)


def made_up_rows(count: int, seed: int) -> list[Row]:
    """Sentences whose label is whether their one opinion word is good."""
    source = random.Random(seed)
    rows = []
    for number in range(count):
        label = number % 2
        words = source.choices(WORDS, k=source.randint(3, 12))
        words.insert(source.randrange(len(words)), source.choice(GOOD if label else BAD))
        rows.append({"text": " ".join(words), "label": label})
    return rows


def save_tiny_model(folder: Path, model: PreTrainedModel) -> None:
    model.save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)


def move_to(root: Path, patch: pytest.MonkeyPatch) -> None:
    """Let every folder of the app lie under `root`."""
    patch.setenv("TERNARY_LAB_HOME", str(root / "home"))
    patch.setenv("TERNARY_LAB_CACHE", str(root / "cache"))
    patch.setenv("TERNARY_LAB_SHIPPED", str(root / "shipped"))
    patch.setenv("TERNARY_LAB_GRIDS", str(root / "grids"))
    patch.setenv("TERNARY_LAB_SLOTS", str(cores()))  # so each run computes on one thread
    patch.setattr(runner, "NICE", 1)  # the tests take every core: 10 would wait for their end
    patch.delenv("TERNARY_LAB_THREADS", raising=False)
    patch.delenv("TERNARY_LAB_RAY", raising=False)
    patch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """The lab that the others are copied from, with its experiment's run; never change it."""
    root = tmp_path_factory.mktemp("furnished")
    model = root / "tiny"
    with pytest.MonkeyPatch.context() as patch:
        move_to(root, patch)
        task = find_task("movie-sentiment")
        splits = zip(("train", "dev", "test"), (96, 20, 20), strict=True)
        tables = {
            split: Dataset.from_list(made_up_rows(n, seed))
            for seed, (split, n) in enumerate(splits)
        }
        save_splits(folder(task), tables)
        network = tiny_model()
        save_tiny_model(model, network)
        save_teacher(network, card_of(network, str(model)))
        train = TrainRecipe(steps=4, batch_size=8, evaluate_every=2, max_tokens=16)
        experiment = Experiment(task=task.name, model=str(model), train=train)
        compute(experiment)
    return Lab(home=root / "home", cache=root / "cache", model=str(model), experiment=experiment)


def card_of(
    network: PreTrainedModel, model: str, task: str = "movie-sentiment", **changes
) -> TeacherCard:
    score = Score(metric="accuracy", value=0.5, standard_error=0.1, examples=20)
    card = TeacherCard(
        task=task,
        model=model,
        labels=("negative", "positive"),
        train=TrainRecipe(),
        seed=0,
        dev=score,
        test=score,
        parameters=sum(p.numel() for p in network.parameters()),
        shared_embedding="",
        train_seconds=0.0,
        machine=describe(1),
    )
    return replace(card, **changes)


@pytest.fixture
def lab(furnished: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    move_to(tmp_path, monkeypatch)
    home, cache = tmp_path / "home", tmp_path / "cache"
    shutil.copytree(furnished.cache, cache)
    shutil.copytree(furnished.home / "teachers", home / "teachers")
    return replace(furnished, home=home, cache=cache)


@pytest.fixture
def finished_run(furnished: Lab, lab: Lab) -> Run:
    """The run of the lab's experiment."""
    folder = run_folder(lab.experiment.run_id)
    shutil.copytree(furnished.home / "runs" / folder.name, folder)
    return read_folder(folder)


def compute(job: Job) -> Run:
    """Compute a run in this process, as its own process would."""
    folder = run_folder(job.run_id)
    runner.prepare_folder(folder, job)
    return runner.work(folder)


def wait_for(condition: Callable[[], bool], seconds: float = 60.0, every: float = 0.05) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(every)


def idle_worker(folder: Path) -> str:
    """A program in place of Python for workers that live and do nothing, not even take a lock."""
    program = folder / "idle-worker"
    program.write_text("#!/bin/sh\nexec sleep 600\n")
    program.chmod(0o755)
    return str(program)


def end_worker(folder: Path) -> None:
    """Kill the worker of a run's folder, and wait until the folder knows."""
    os.killpg(int((folder / "worker.pid").read_text()), signal.SIGKILL)
    wait_for(lambda: not is_alive(folder))


def is_running(process: int) -> bool:
    """Whether the process lives; one that has ended but that nobody asked about does not."""
    try:
        status = Path(f"/proc/{process}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def with_train(experiment: Experiment, **changes) -> Experiment:
    return replace(experiment, train=replace(experiment.train, **changes))


def with_quant(experiment: Experiment, **changes) -> Experiment:
    return replace(experiment, quant=replace(experiment.quant, **changes))


def made_up_rankings(count: int, seed: int) -> list[Row]:
    """Queries of one opinion word, whose relevant passage is the only one of its opinion."""
    source = random.Random(seed)
    rows = []
    for number in range(count):
        same, other = (GOOD, BAD) if number % 2 else (BAD, GOOD)
        texts = [" ".join([source.choice(WORDS), source.choice(other)]) for _ in range(3)]
        place = source.randrange(4)
        texts.insert(place, f"{source.choice(WORDS)} {source.choice(same)}")
        query = f"a {source.choice(same)} {source.choice(WORDS)}"
        rows.append({"query": query, "candidates": texts, "relevant": [place], "missed": 0})
    return rows


RANKING = "passage-ranking"


@pytest.fixture
def ranking_lab(lab: Lab) -> Lab:
    """The lab with passages that ship, and a task of ranking that has a teacher."""
    rows = made_up_rankings(12, 9)
    passages = tuple(dict.fromkeys(text for row in rows for text in row["candidates"]))
    questions = [
        Asked(
            text=row["query"],
            relevant=tuple(passages.index(row["candidates"][place]) for place in row["relevant"]),
            found=tuple(passages.index(text) for text in row["candidates"]),
        )
        for row in rows
    ]
    titles = tuple("A_&_<b>title</b>" for _ in passages)
    write_sample(Sample(passages=passages, articles=titles, questions=tuple(questions)))
    sizes = (("train", 60), ("dev", 10), ("test", 10), ("squad", 10))
    tables = {
        split: Dataset.from_list(made_up_rankings(size, seed))
        for seed, (split, size) in enumerate(sizes)
    }
    save_splits(folder(find_task(RANKING)), tables)
    train = TrainRecipe(steps=4, batch_size=8, evaluate_every=2, max_tokens=16)
    compute(Teaching(task=RANKING, model=lab.model, train=train))
    experiment = Experiment(task=RANKING, model=lab.model, train=train)
    return replace(lab, experiment=experiment)
