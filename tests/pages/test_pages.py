"""Every page opens in every state of the lab, and says what is wrong in a sentence."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core import api
from tests.pages.conftest import PAGES, button, errors_of, go_to, open_page, texts_of, whole
from tests.pages.damages import DAMAGES


def titles(app: AppTest) -> list[str]:
    return [title.value for title in app.title]


def tour() -> Iterator[tuple[str, AppTest]]:
    """One visitor who looks at every page."""
    app = open_page("start")
    for page, title in PAGES.items():
        go_to(app, page)
        assert titles(app) == [title]
        yield page, app


@pytest.mark.parametrize("page", PAGES)
def test_it_opens_in_an_empty_lab(lab, page):
    app = open_page(page)
    assert titles(app) == [PAGES[page]]
    assert not app.error


@pytest.mark.parametrize("page", PAGES)
def test_it_opens_without_any_teacher(lab, page):
    shutil.rmtree(lab.home)
    app = open_page(page)
    assert titles(app) == [PAGES[page]]
    if page in ("weights", "plan"):
        assert "Make one on the Train page" in errors_of(app)
    else:
        assert not app.error
    if page == "train":
        assert app.segmented_control(key="role").value == "teacher"


@pytest.mark.parametrize("page", PAGES)
def test_it_opens_with_a_finished_run(finished_run, page):
    app = open_page(page)
    assert titles(app) == [PAGES[page]]
    assert not app.error
    assert "no finished run yet" not in texts_of(app)


@pytest.mark.parametrize("page", PAGES)
def test_it_opens_when_the_text_is_not_on_this_computer(finished_run, monkeypatch, tmp_path, page):
    monkeypatch.setenv("TERNARY_LAB_CACHE", str(tmp_path / "empty"))
    app = open_page(page)
    assert titles(app) == [PAGES[page]]
    if page == "predict":
        assert not app.error
        assert button(app, "Fetch 2.4 MiB from the package vaderSentiment==3.3.2")


@pytest.mark.parametrize("kind", ["pair", "value", "span"])
def test_every_page_opens_for_every_kind_of_task(school, kind):
    task = school.experiments[kind].task
    for page in PAGES:
        app = open_page(page, task=task)
        assert titles(app) == [PAGES[page]]
        assert not app.error, (page, errors_of(app))
        if page in ("weights", "plan", "train", "data", "compare"):
            assert app.selectbox(key="task").value == task


def test_own_data_that_is_gone_breaks_no_page(school):
    """Its teacher and its run are still there; its text and its task are not."""
    for kind in school.experiments:
        api.delete_data(school.experiments[kind].task)
    for _, app in tour():
        assert not app.error
    app = open_page("train", task=school.experiments["span"].task)
    assert app.selectbox(key="task").value == "movie-sentiment"


# Damage


def damage_plan(folder: Path) -> None:
    (folder / "plan.json").write_text("{")


def damage_rows(folder: Path) -> None:
    for file in (folder / "tables" / "train").glob("*.arrow"):
        file.write_bytes(file.read_bytes()[:100])


@pytest.mark.parametrize("damage", [damage_plan, damage_rows])
def test_damaged_own_data_breaks_no_page(school, damage):
    for folder in (school.lab.home / "tasks").iterdir():
        damage(folder)
    shutil.rmtree(school.lab.cache)
    assert [page for page, _ in tour()] == [*PAGES]


def test_own_data_whose_rows_are_damaged_says_so_and_can_be_deleted(school):
    name = school.experiments["pair"].task
    damage_rows(school.lab.home / "tasks" / name)
    shutil.rmtree(school.lab.cache)
    app = open_page("data", task=name)
    assert "Delete this data and give the file again" in errors_of(app)
    assert not whole(app.button(key=f"delete-{name}").click().run()).error
    assert name not in api.tasks()


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_damaged_run_breaks_no_page(finished_run, damage):
    damage(finished_run)
    assert [page for page, _ in tour()] == [*PAGES]


def test_a_damaged_teacher_breaks_no_page(finished_run, lab):
    next((lab.home / "teachers").glob("*/model.safetensors")).write_bytes(b"damaged")
    for page, app in tour():
        if page in ("weights", "start", "predict"):
            assert "is damaged" in errors_of(app), page
