"""What a lecturer does in a terminal: look at the lessons' solutions, keep and delete classes."""

import pytest

from core.__main__ import main
from core.classroom import administration, database, students
from core.lessons import lesson_list
from core.lessons.lesson import CHOICE


@pytest.fixture(autouse=True)
def _shipped(monkeypatch, tmp_path):
    """What ships, and a home without anything."""
    for name in ("TERNARY_LAB_SHIPPED", "TERNARY_LAB_GRIDS", "TERNARY_LAB_LESSONS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERNARY_LAB_HOME", str(tmp_path / "home"))


@pytest.mark.parametrize("language", ["en", "de"])
def test_all_lessons_are_listed(capsys, language):
    assert main(["lessons", "--language", language]) == 0
    told = capsys.readouterr().out
    lessons, wrong = lesson_list.lessons(language)
    assert wrong == []
    assert len(told.splitlines()) == len(lessons) == 10
    assert all(lesson.name in told and lesson.title in told for lesson in lessons)


def test_solutions_have_one_right_choice_and_what_comes_out(capsys):
    assert main(["lessons", "10-every-byte-counted"]) == 0
    told = capsys.readouterr().out
    lesson = lesson_list.find_lesson("10-every-byte-counted")
    choices = sum(step.question.kind == CHOICE for step in lesson.steps)
    assert told.count("**right**") == len(lesson.steps) + choices
    assert told.count("What comes out: **") == len(lesson.steps)
    assert "{" not in told  # every figure of an explanation is put in
    assert "14.9 x" in told  # Zhang et al. 2020, table 1


def test_a_lesson_that_is_not_there_and_a_file_that_is_none(capsys, tmp_path, monkeypatch):
    assert main(["lessons", "99-nothing"]) == 2
    assert "01-three-numbers" in capsys.readouterr().err
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / "01-broken.md").write_text("no lesson")
    monkeypatch.setenv("TERNARY_LAB_LESSONS", str(tmp_path))
    assert main(["lessons"]) == 2
    assert "01-broken.md" in capsys.readouterr().out


def test_classes_are_listed_copied_and_deleted(capsys, tmp_path):
    assert main(["class"]) == 0
    assert capsys.readouterr().out == ""
    assert main(["class", "backup", str(tmp_path / "copy")]) == 2
    opened = administration.open_class("Tuesday", "01-three-numbers")
    students.join(opened.code, "Ada")
    assert main(["class"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert opened.code in line
    assert "1 people" in line
    assert "Tuesday" in line
    assert main(["class", "backup", str(tmp_path / "copy")]) == 0
    assert main(["class", "delete", opened.code]) == 0
    assert administration.classes() == []
    assert main(["class", "delete", opened.code]) == 2
    database.path().unlink()
    (tmp_path / "copy").rename(database.path())
    assert administration.classes() == [opened]
