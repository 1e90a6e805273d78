"""A class on its pages: a lecturer opens one, people join and answer, and all of it can go."""

import json

import pytest
from streamlit.testing.v1 import AppTest

from core import api
from core.classroom import administration, class_answers, class_board, students
from core.lessons.language_words import words_in
from pages.ui.classroom import distribution
from tests.pages.conftest import as_read, button, errors_of, open_page, press, texts_of
from tests.pages.test_lessons_page import FIRST

DEFAULT_RUN = "197caee709a1"


@pytest.fixture(autouse=True)
def _shipped(monkeypatch, tmp_path):
    """What ships, and a home without anything."""
    for name in ("TERNARY_LAB_SHIPPED", "TERNARY_LAB_GRIDS", "TERNARY_LAB_LESSONS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERNARY_LAB_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("TERNARY_LAB_PIN", raising=False)


def a_class(people: int = 0) -> administration.Classroom:
    """A class of the first lesson, of whom so many have answered its first step."""
    opened = administration.open_class("Tuesday", FIRST.name)
    for number in range(people):
        give(students.join(opened.code, f"person {number}"), guess=str(40 + number))
    return opened


def give(student: students.Student, guess: str) -> None:
    step = FIRST.steps[0]
    class_answers.give(
        student,
        lesson=FIRST.name,
        lesson_version=str(FIRST.version),
        step=step.name,
        guess=guess,
        reason=step.reason.right,
    )


def looked_at(opened: administration.Classroom, view: str, **more: str) -> AppTest:
    return open_page("classroom", watched_class=opened.code, class_view=view, **more)


def test_a_lecturer_opens_a_class_and_sees_the_way_in():
    app = open_page("classroom")
    app.text_input(key="class-title").set_value("[Tuesday](http://x.example)")
    press(app, "Open the class")
    (opened,) = administration.classes()
    assert (opened.title, opened.lesson) == ("[Tuesday](http://x.example)", FIRST.name)
    assert app.query_params["watched_class"] == opened.code
    assert f"lessons?class={opened.code}" in app.code[0].value
    assert as_read(app.header[0].value) == "Join [Tuesday](http://x.example)"
    assert not errors_of(app)


def test_a_class_without_a_name_is_refused_and_the_form_stays():
    app = open_page("classroom")
    press(app, "Open the class")
    assert "a name of 1 to 60 letters" in errors_of(app)
    assert administration.classes() == []
    assert app.text_input(key="class-title")


def test_who_follows_the_invitation_joins_answers_and_is_known_again():
    opened = a_class()
    app = open_page("lessons", **{"class": opened.code})
    assert "invited to the class Tuesday" in texts_of(app)
    app.text_input(key="nickname").set_value("*Ada*")
    press(app, "Join")
    assert "class" not in app.query_params
    secret = app.query_params["member"]
    ada = students.student_of(secret)
    assert ada is not None
    assert ada.nickname == "*Ada*"
    assert app.query_params["lesson"] == FIRST.name
    step = FIRST.steps[0]
    key = f"{FIRST.name}-{FIRST.version}-{step.name}"
    app.number_input(key=f"guess-{key}").set_value(44.0)
    app.radio(key=f"reason-{key}").set_value(step.reason.right).run()
    press(app, "Lock my answer")
    (kept,) = class_answers.answers_of(opened.code)
    assert (kept.nickname, kept.step, kept.guess) == ("*Ada*", step.name, "44")
    again = open_page("lessons", member=secret, lesson=FIRST.name)
    assert "My guess" in texts_of(again)  # the answer is there without the address's
    assert "What the class guessed (1 people)" in [each.label for each in again.expander]
    assert not errors_of(app)
    assert not errors_of(again)


def test_a_nickname_that_is_taken_is_said_and_nothing_is_lost():
    opened = a_class(1)
    app = open_page("lessons", **{"class": opened.code})
    app.text_input(key="nickname").set_value("Person 0")
    press(app, "Join")
    assert "has that nickname" in errors_of(app)
    assert app.query_params["class"] == opened.code


def test_the_address_of_no_class_and_of_a_deleted_one():
    app = open_page("lessons", **{"class": "zzzzz"})
    assert "no class of that code" in errors_of(app)
    opened = a_class()
    ada = students.join(opened.code, "Ada")
    administration.delete_class(opened.code)
    app = open_page("lessons", member=ada.secret)
    assert "was deleted" in texts_of(app)
    assert FIRST.title in texts_of(app)


@pytest.mark.parametrize("view", ["invite", "answers", "where", "challenge", "projector"])
@pytest.mark.parametrize("people", [0, 3])
def test_every_view_stands_empty_and_full(view, people):
    app = looked_at(a_class(people), view)
    assert not errors_of(app)
    assert len(app.title) == 1


def test_the_answers_of_a_step_are_counted_and_the_truth_comes_when_asked():
    app = looked_at(a_class(3), "answers")
    assert "**3 of 3** people have answered." in texts_of(app)
    (table, reasons) = (each.value for each in app.dataframe)
    assert sorted(table["value"]) == [40, 41, 42]
    assert set(reasons["is"]) == {words_in().joining.open}
    app.toggle(key="class-truth").set_value(True).run()
    (table, reasons) = (each.value for each in app.dataframe)
    assert list(table["mark"])[-1] == words_in().picture.came_out
    assert reasons.loc[reasons["people"] == 3, "is"].tolist() == [words_in().joining.right]


def test_an_answer_to_another_version_of_a_lesson_is_not_counted():
    opened = a_class()
    ada = students.join(opened.code, "Ada")
    step = FIRST.steps[0]
    for version in (FIRST.version, FIRST.version + 1):
        class_answers.give(
            ada,
            lesson=FIRST.name if version == FIRST.version else "other",
            lesson_version=str(version),
            step=step.name,
            guess="40",
            reason=step.reason.right,
        )
    given = class_answers.answers_of(opened.code)
    assert len(given) == 2
    assert len(distribution.of_step(given, FIRST.name, FIRST.version, step)) == 1
    assert distribution.of_step(given, FIRST.name, FIRST.version + 1, step) == []


def test_who_does_not_move_is_named_first(monkeypatch):
    opened = a_class(1)
    students.join(opened.code, "Edsger")
    monkeypatch.setattr("pages.ui.classroom.whereabouts.STUCK_SECONDS", -1.0)
    app = looked_at(opened, "where")
    table = app.dataframe[0].value
    assert table["who"].tolist() == ["Edsger", "person 0"]
    assert table["at step"].tolist() == [1, 2]
    assert all("help" in word for word in table["stuck"])


def test_the_projector_shows_one_step_and_keys_lead_on():
    app = looked_at(a_class(2), "projector")
    assert app.title[0].value == FIRST.steps[0].title
    assert "2 of 2 have answered" in texts_of(app)
    assert "It came out" not in texts_of(app)
    press(app, "What came out")
    assert "It came out" in texts_of(app)
    press(app, "Next step")
    assert app.title[0].value == FIRST.steps[1].title
    assert "It came out" not in texts_of(app)
    assert button(app, "Back").disabled is False
    press(app, "Back")
    assert button(app, "Back").disabled


def test_the_board_ranks_runs_by_dev_and_keeps_test_for_the_end():
    opened = a_class()
    runs = {run.run_id: run for run in api.runs() if run.result is not None}
    fit = sorted(
        (run for run in runs.values() if run.result.task == "movie-sentiment"),
        key=lambda run: run.result.dev_score,
    )
    worst, best = fit[0], fit[-1]
    for name, run in (("Ada", worst), ("Grace", best)):
        class_board.enter(students.join(opened.code, name), run.run_id)
    app = looked_at(opened, "challenge")
    app.number_input(key="class-budget").set_value(500.0).run()
    table = app.dataframe[0].value
    assert table["who"].tolist() == ["Grace", "Ada"]
    assert not [name for name in table.columns if "test" in name]
    app.toggle(key="class-over").set_value(True).run()
    table = app.dataframe[0].value
    assert table["test (%)"].tolist() == [100 * best.result.score, 100 * worst.result.score]


def test_somebody_of_a_class_enters_a_run_and_sees_no_test_score():
    opened = a_class()
    ada = students.join(opened.code, "Ada")
    app = open_page("lessons", member=ada.secret)
    entry = app.selectbox(key="my-entry")
    assert entry.value is None
    entry.set_value(DEFAULT_RUN).run()
    press(app, "Enter it")
    (entered,) = class_board.entries(opened.code)
    assert (entered.nickname, entered.run) == ("Ada", DEFAULT_RUN)
    assert not [metric for metric in app.metric if metric.label == "Test"]
    assert not errors_of(app)


def test_the_files_to_take_away_hold_the_answers():
    app = looked_at(a_class(2), "invite")
    found = {each.label: each for each in app.get("download_button")}
    assert set(found) == {"Answers as CSV", "Answers as JSON"}
    assert "2 answers so far" in texts_of(app)


def test_deleting_a_class_leaves_nothing():
    opened = a_class(2)
    app = looked_at(opened, "invite")
    press(app, "Delete everything for good")
    assert administration.classes() == []
    assert not errors_of(app)
    assert app.text_input(key="class-title")


def test_with_a_pin_a_stranger_sees_no_class_and_changes_none(monkeypatch):
    opened = a_class(2)
    monkeypatch.setenv("TERNARY_LAB_PIN", "a-long-one-73")
    app = looked_at(opened, "invite")
    told = texts_of(app) + json.dumps([each.value for each in app.code])
    assert opened.code not in told
    assert "Tuesday" not in told
    assert [each.label for each in app.button] == ["Unlock"]
    app.text_input[0].set_value("a-long-one-73")
    press(app, "Unlock")
    assert any(opened.code in each.value for each in app.code)
