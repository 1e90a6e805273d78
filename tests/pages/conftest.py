"""What the tests of the pages share: a visitor, and a school that has a task of every kind.

`school` is the lab with three tasks of a person's own (pairs, values, spans), each kept the way
the Data page keeps it, with a teacher and a finished run of the tiny BERT. All of it is made once
per session and copied for each test.
"""

import csv
import functools
import io
import json
import random
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import streamlit as st
from altair.utils import schemapi
from filelock import FileLock
from streamlit.components.v2 import manifest_scanner
from streamlit.proto.WidgetStates_pb2 import WidgetState
from streamlit.runtime.pages_manager import PagesManager
from streamlit.testing.v1 import AppTest, app_test
from streamlit.testing.v1.element_tree import Selectbox

from core import api
from core.experiment import Experiment, Job, Teaching, TrainRecipe
from core.runs import run_store, runner
from core.runs.run_store import Run
from core.tasks.task import Task
from pages.ui import fast_charts, idle_memory
from pages.ui.formatting import WORD_JOINER
from tests.conftest import BAD, GOOD, WORDS, Lab, compute, move_to

PAGES = {
    "start": "How small can a language model get?",
    "weights": "What does quantizing do to one weight matrix?",
    "plan": "Where do the bits count?",
    "train": "Can a ternary student learn from its teacher?",
    "data": "What should it learn?",
    "compare": "What does each bit cost?",
    "predict": "Where do they disagree?",
    "export": "How many bytes is it really?",
    "lessons": "What do you expect?",
    "classroom": "What does the class think?",
    "theory": "What do the words mean?",
}
ADDRESS_NAMES = [  # of parameters, of all pages, and two of none
    *("student", "of", "matrix", "more", "columns", "corner", "closer", "codes", "leftovers"),
    *("show", "truth", "task", "model", "role", "method", "method_b", "bits_b", "scale_b"),
    *("weight_bits", "weight_granularity", "activation_bits", "activation", "parts", "layers"),
    *("steps", "learning_rate", "seed", "hidden", "labels", "augment", "augment_copies", "run"),
    *("lesson", "answers", "entry", "budget", "class", "member"),
    *("watched_class", "class_view", "class_step", "wall_step", "wall_stage"),
    *(
        "view",
        "rival",
        "head",
        "into",
        "piece",
        "passage",
        "search",
        "questions",
        "may_lose",
        "wished",
    ),
    *("ladder_bits", "widths", "losses", "budget_mib", "by_hand", "around", "its_bits"),
    *("matrix_bits", "range_bits"),
    *("text_movie-sentiment", "embed", "nonsense", ""),
]
SHORT = TrainRecipe(steps=2, batch_size=8, evaluate_every=2, max_tokens=32)


@pytest.fixture(autouse=True)
def _no_caches():
    st.cache_data.clear()
    st.cache_resource.clear()


class _Routed(PagesManager):
    """A manager of pages as a server has it once `app.py` has run."""

    def __init__(self, *arguments, **options) -> None:
        PagesManager.uses_pages_directory = False
        super().__init__(*arguments, **options)


@pytest.fixture(autouse=True)
def _untidied(monkeypatch):
    """What tidies a server's memory has no business in the tests' process."""
    monkeypatch.setattr(idle_memory, "start", lambda: None)
    monkeypatch.setattr(api, "tidy_memory", lambda: None)
    monkeypatch.setattr(api, "give_back_memory", lambda: None)


_installed_components = functools.cache(manifest_scanner.scan_component_manifests)


@pytest.fixture(autouse=True)
def _components_are_looked_for_once(monkeypatch):
    """AppTest reads what every installed package says of itself, for every visitor."""
    monkeypatch.setattr(manifest_scanner, "scan_component_manifests", _installed_components)


@pytest.fixture(autouse=True)
def _checked_charts(monkeypatch):
    """The app trusts its charts; the tests have altair check every one of them."""
    monkeypatch.setattr(fast_charts, "trust_charts", lambda: None)
    monkeypatch.setattr(schemapi, "DEBUG_MODE", True)


@pytest.fixture(autouse=True)
def _through_the_router(monkeypatch):
    """Every page is drawn by `app.py`, as on a server; AppTest would run it alone."""
    monkeypatch.setattr(app_test, "PagesManager", _Routed)


@pytest.fixture(autouse=True)
def _typed_options(monkeypatch):
    """A browser sends whatever a person typed into a selectbox; AppTest only what was offered."""

    def chosen(box: Selectbox) -> WidgetState:
        text = None if box.value is None else box.format_func(box.value)
        return WidgetState(id=box.id, string_value=text)

    monkeypatch.setattr(Selectbox, "_widget_state", property(chosen))


# A visitor


def _visitor() -> AppTest:
    return AppTest.from_file(str(runner.PROJECT / "app.py"), default_timeout=60)


@functools.cache
def _page_hash(page: str) -> str:
    return _visitor().run().switch_page(f"pages/{page}.py")._page_hash


def open_page(page: str, **parameters: str) -> AppTest:
    """The page as after following an address with these URL parameters."""
    app = _visitor()
    app._page_hash = _page_hash(page)  # at once: who follows an address has not been to Start
    for name, value in parameters.items():
        app.query_params[name] = value
    return whole(app.run())


def go_to(app: AppTest, page: str) -> AppTest:
    """The same visitor on another page."""
    return whole(app.switch_page(f"pages/{page}.py").run())


def whole(app: AppTest) -> AppTest:
    assert not app.exception, [error.value for error in app.exception]
    return app


def as_read(markdown: str) -> str:
    """What a person reads where `plain` made text into Markdown."""
    return re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", markdown).replace(WORD_JOINER, "")


def errors_of(app: AppTest) -> str:
    return as_read("\n".join(error.value for error in app.error))


def texts_of(app: AppTest) -> str:
    said = (*app.markdown, *app.caption, *app.header, *app.info, *app.error)
    return as_read("\n".join(part.value for part in (*said, *app.warning, *app.success)))


def button(app: AppTest, label: str):
    (found,) = [each for each in app.button if as_read(each.label) == label]
    return found


def press(app: AppTest, label: str) -> AppTest:
    return whole(button(app, label).click().run())


def prepared(job: Job) -> Run:
    """A run that was asked for and that no process computes."""
    folder = run_store.run_folder(job.run_id)
    runner.prepare_folder(folder, job)
    return run_store.read_folder(folder)


@pytest.fixture
def submitted(monkeypatch) -> Iterator[list[Job]]:
    """What was submitted; nothing is started, but what was submitted last counts as living."""
    asked, locks = [], []

    def submit(job, again=False):
        asked.append(job)
        run = prepared(job)
        locks[:] = [FileLock(run.folder / "worker.lock")]
        locks[0].acquire()
        return run_store.read_folder(run.folder)

    monkeypatch.setattr(api, "submit", submit)
    yield asked
    for lock in locks:
        lock.release()


# Files as people bring them


def sentence(source: random.Random, length: int = 6) -> str:
    return " ".join(source.choices([*WORDS, *GOOD, *BAD], k=length))


def pair_rows(count: int = 60) -> list[dict]:
    source = random.Random(1)
    return [
        {
            "premise": f"{sentence(source)} {number}",
            "hypothesis": sentence(source),
            "label": ("different", "same")[number % 2],
        }
        for number in range(count)
    ]


def value_rows(count: int = 60) -> list[dict]:
    source = random.Random(2)
    return [
        {"text": f"{sentence(source)} {number}", "score": f"{source.uniform(-4, 4):.2f}"}
        for number in range(count)
    ]


def csv_of(rows: list[dict]) -> bytes:
    file = io.StringIO()
    writer = csv.DictWriter(file, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue().encode()


def squad_of(count: int = 60) -> bytes:
    """Every third question has no answer."""
    source = random.Random(3)
    paragraphs = []
    for number in range(count):
        answer = source.choice(GOOD)
        context = f"{sentence(source)} {answer} {sentence(source)}"
        answers = [{"text": answer, "answer_start": context.index(answer)}] if number % 3 else []
        asked = {"id": str(number), "question": f"was it {number} ?", "answers": answers}
        paragraphs.append({"context": context, "qas": [asked]})
    return json.dumps({"data": [{"title": "made up", "paragraphs": paragraphs}]}).encode()


FILES = {
    "pair": ("Pairs.csv", csv_of(pair_rows())),
    "value": ("Values.csv", csv_of(value_rows())),
    "span": ("Spans.json", squad_of()),
}


def keep_file(filename: str, data: bytes) -> Task:
    """The file as a task, its columns as they are guessed."""
    table = api.read_table(filename, data)
    plan = api.guess_plan(table, filename.split(".")[0])
    return api.keep_data(plan, api.check_rows(table, plan))


# The school


@dataclass(frozen=True)
class School:
    """Per kind (pair, value, span): the teaching and the experiment that are finished."""

    lab: Lab
    teachings: dict[str, Teaching]
    experiments: dict[str, Experiment]

    def task(self, kind: str) -> Task:
        return api.tasks()[self.experiments[kind].task]

    def run(self, kind: str) -> Run:
        return api.find_run(self.experiments[kind].run_id)


@pytest.fixture(scope="session")
def equipped(furnished: Lab, tmp_path_factory: pytest.TempPathFactory) -> School:
    """The school that the others are copied from; never change it."""
    root = tmp_path_factory.mktemp("equipped")
    shutil.copytree(furnished.cache, root / "cache")
    shutil.copytree(furnished.home, root / "home")
    teachings, experiments = {}, {}
    with pytest.MonkeyPatch.context() as patch:
        move_to(root, patch)
        for kind, file in FILES.items():
            task = keep_file(*file).name
            teachings[kind] = Teaching(task=task, model=furnished.model, train=SHORT)
            experiments[kind] = Experiment(task=task, model=furnished.model, train=SHORT)
            compute(teachings[kind])
            compute(experiments[kind])
    lab = replace(furnished, home=root / "home", cache=root / "cache")
    return School(lab=lab, teachings=teachings, experiments=experiments)


@pytest.fixture
def school(equipped: School, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> School:
    move_to(tmp_path, monkeypatch)
    home, cache = tmp_path / "home", tmp_path / "cache"
    shutil.copytree(equipped.lab.cache, cache)
    shutil.copytree(equipped.lab.home, home)
    return replace(equipped, lab=replace(equipped.lab, home=home, cache=cache))
