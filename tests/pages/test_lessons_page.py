"""The Lessons page: nothing is shown before the lock, nothing is lost after it, by one person."""

import pytest
from streamlit.testing.v1 import AppTest

from core import api
from core.lessons import budget_challenge as rules
from core.lessons import lesson_list
from core.lessons.instruments import INSTRUMENTS
from core.lessons.lesson import CHOICE, NUMBER, Lesson, Step
from core.lessons.lesson_answers import Answer, encode
from pages.ui.lessons import instrument_panels
from tests.pages.conftest import (
    button,
    errors_of,
    go_to,
    open_page,
    press,
    texts_of,
    whole,
)

LESSONS = lesson_list.lessons()[0]
FIRST = LESSONS[0]


@pytest.fixture(autouse=True)
def _shipped(monkeypatch, tmp_path):
    """What ships, and a home without anything."""
    for name in ("TERNARY_LAB_SHIPPED", "TERNARY_LAB_GRIDS", "TERNARY_LAB_LESSONS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERNARY_LAB_HOME", str(tmp_path / "home"))


def guess_of(step: Step) -> str:
    question = step.question
    return question.options[0].key if question.kind == CHOICE else f"{question.high:g}"


def answers_to(lesson: Lesson, count: int | None = None) -> str:
    steps = lesson.steps[: len(lesson.steps) if count is None else count]
    given = [
        Answer(
            lesson=lesson.name,
            version=lesson.version,
            step=step.name,
            guess=guess_of(step),
            reason=step.reason.right,
        )
        for step in steps
    ]
    return encode(LESSONS, given)


def at(lesson: Lesson, step: int, answered: int) -> AppTest:
    return open_page(
        "lessons", lesson=lesson.name, step=str(step), answers=answers_to(lesson, answered)
    )


def subheaders(app: AppTest) -> list[str]:
    return [each.value for each in app.subheader]


def test_every_instrument_can_be_drawn():
    assert {*instrument_panels.DRAWN} == {*INSTRUMENTS}


def test_the_list_names_every_lesson_and_begins_one():
    app = open_page("lessons")
    for lesson in LESSONS:
        assert lesson.title in texts_of(app)
    press(app, "Begin: 01")
    assert app.query_params["lesson"] == FIRST.name
    assert FIRST.steps[0].title in texts_of(app)


def test_nothing_is_shown_before_both_are_answered_and_locked():
    app = open_page("lessons", lesson=FIRST.name)
    assert not subheaders(app)
    lock = button(app, "Lock my answer")
    assert lock.disabled
    app.number_input[0].set_value(40.0).run()
    assert button(app, "Lock my answer").disabled
    app.radio[0].set_value(FIRST.steps[0].reason.right).run()
    assert not button(app, "Lock my answer").disabled
    assert not subheaders(app)
    press(app, "Lock my answer")
    assert subheaders(app) == ["See for yourself", "What came out"]
    assert not app.number_input
    assert app.query_params["answers"] == "01.1_40a"


def test_a_refresh_and_a_way_through_other_pages_lose_nothing():
    code = answers_to(FIRST, 1)
    app = at(FIRST, 1, 1)
    assert subheaders(app) == ["See for yourself", "What came out"]
    go_to(app, "start")
    go_to(app, "lessons")
    app = whole(app.selectbox(key="lesson").set_value(FIRST.name).run())
    assert app.query_params["answers"] == code
    assert subheaders(app)


def test_a_step_that_is_not_open_yet_cannot_be_had_from_the_address():
    app = at(FIRST, 3, 1)
    assert FIRST.steps[0].title in texts_of(app)
    assert "cannot be had here" in texts_of(app)


def test_a_code_of_another_version_is_said_and_the_lesson_can_be_answered():
    app = open_page("lessons", lesson=FIRST.name, answers="01.7_40a")
    assert "has changed since it was answered" in texts_of(app)
    assert button(app, "Lock my answer")


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.number)
def test_every_step_is_asked_and_shown(lesson):
    """The question, then with all answers in the address the instrument and what came out."""
    for number, step in enumerate(lesson.steps, 1):
        app = at(lesson, number, number - 1)
        assert not app.error, errors_of(app)
        assert step.title in texts_of(app)
        assert not subheaders(app)
        assert len(app.radio) == (2 if step.question.kind == CHOICE else 1)
        assert len(app.number_input) == (step.question.kind == NUMBER)
        app = at(lesson, number, number)
        assert not app.error, (step.name, errors_of(app))
        assert subheaders(app) == ["See for yourself", "What came out"]
        assert "Computed now" in texts_of(app) or "Replayed from runs" in texts_of(app)


def test_the_end_of_a_lesson_gives_a_sheet_and_can_be_begun_again():
    app = at(FIRST, len(FIRST.steps), len(FIRST.steps))
    assert [each.value for each in app.header][-1] == "My sheet"
    assert app.get("download_button")
    press(app, "Begin this lesson again")
    assert "answers" not in app.query_params
    assert button(app, "Lock my answer")


def test_a_broken_lesson_is_named_and_the_others_are_there(tmp_path, monkeypatch):
    folder = tmp_path / "lessons" / "en"
    folder.mkdir(parents=True)
    (folder / "01-good.md").write_text((lesson_list.OURS / "en" / f"{FIRST.name}.md").read_text())
    (folder / "02-bad.md").write_text("---\ntitle: ![p](http://evil.example)\n")
    monkeypatch.setenv("TERNARY_LAB_LESSONS", str(folder.parent))
    app = open_page("lessons")
    assert "02-bad.md, line 1" in errors_of(app)
    assert button(app, "Begin: 01")


def test_the_challenge_shows_dev_until_an_entry_is_locked():
    app = open_page("lessons", budget="5.5")
    assert "runs fit" in texts_of(app)
    assert not app.metric
    (first, *_) = rules.entries(api.runs(), 5.5)
    assert app.selectbox(key="my-entry").value is None
    whole(app.selectbox(key="my-entry").set_value(first.run_id).run())
    press(app, "Lock my entry and test it")
    assert [each.label for each in app.metric] == ["Dev", "Test", "Teacher on test"]
    assert app.query_params["entry"] == first.run_id
    assert first.run_id in texts_of(app)
    press(app, "Enter another run")
    assert "entry" not in app.query_params
    assert not app.metric


def test_an_entry_that_is_not_here_is_said():
    app = open_page("lessons", entry="0" * 12)
    assert "is not here" in texts_of(app)


# One of each page by default, all of them among the slow tests.
LINKS = {(step.link.page, step.link.settings) for lesson in LESSONS for step in lesson.steps}


FIRST_LINKS = {page: (page, settings) for page, settings in sorted(LINKS, key=str, reverse=True)}


@pytest.mark.parametrize(
    ("page", "settings"),
    [
        pytest.param(*link, marks=() if link in FIRST_LINKS.values() else pytest.mark.many)
        for link in sorted(LINKS, key=str)
    ],
    ids=lambda one: str(one)[:40],
)
def test_every_link_leads_to_settings_that_the_page_has(page, settings):
    app = open_page(page, **dict(settings.pairs))
    assert not app.error, errors_of(app)
    said = texts_of(app)
    assert "cannot be had here" not in said
    assert "not used on this page" not in said
