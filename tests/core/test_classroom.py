"""A class: its people and their answers survive everything but being deleted."""

import csv
import io
import json
import multiprocessing
import sqlite3
import threading
import time

import pytest

from core import paths
from core.classroom import administration, class_answers, class_board, database, report, students
from core.classroom.students import Student
from core.errors import InputError
from core.version import VERSION


@pytest.fixture(autouse=True)
def _home(tmp_path, monkeypatch):
    monkeypatch.setenv("TERNARY_LAB_HOME", str(tmp_path))
    assert paths.local() == tmp_path


def _class() -> administration.Classroom:
    return administration.open_class("  Tuesday\n group ", "three-numbers")


def _give(student: Student, step: str = "first", guess: str = "86.5") -> bool:
    return class_answers.give(
        student,
        lesson="three-numbers",
        lesson_version="1",
        step=step,
        guess=guess,
        reason="levels",
        runs=("197caee709a1",),
    )


def test_nothing_is_written_before_a_class_is_opened(tmp_path):
    assert administration.classes() == []
    assert students.student_of("x") is None
    assert class_answers.answers_of("abcde") == []
    with pytest.raises(InputError, match="no class of that code"):
        students.join("abcde", "Ada")
    assert list(tmp_path.iterdir()) == []


def test_a_class_is_found_by_its_code_however_it_is_spelled():
    opened = _class()
    assert opened.title == "Tuesday group"
    assert administration.find_class(f" {opened.code.upper()} ") == opened
    assert len(opened.code) == administration.CODE_LETTERS
    assert set(opened.code) <= set(administration.ALPHABET)


@pytest.mark.parametrize("title", ["", "  ", "x" * 61])
def test_a_class_needs_a_name(title):
    with pytest.raises(InputError, match="a name of 1 to 60 letters"):
        administration.open_class(title, "three-numbers")


def test_there_is_an_end_to_classes_and_to_people(monkeypatch):
    monkeypatch.setattr(administration, "MOST_CLASSES", 1)
    monkeypatch.setattr(students, "MOST_STUDENTS", 1)
    code = _class().code
    with pytest.raises(InputError, match="1 classes are kept"):
        _class()
    students.join(code, "Ada")
    with pytest.raises(InputError, match="full: 1 people"):
        students.join(code, "Grace")


@pytest.mark.parametrize("nickname", ["", " \n", "x" * 25, "a\u200fb", "a\x00b"])
def test_a_nickname_is_a_short_line_of_letters(nickname):
    with pytest.raises(InputError, match="nickname of 1 to 24"):
        students.join(_class().code, nickname)


def test_a_nickname_is_one_persons_in_a_class_and_free_in_another():
    code, other = _class().code, _class().code
    students.join(code, "Ångström")
    with pytest.raises(InputError, match="has that nickname"):
        students.join(code, "A\u030angstro\u0308m".upper())
    assert students.join(other, "Ångström").code == other


def test_a_secret_finds_its_person_again_and_nobody_else():
    code = _class().code
    ada, grace = students.join(code, "Ada"), students.join(code, "Grace")
    assert students.student_of(ada.secret) == ada
    assert students.student_of(grace.secret) == grace
    assert students.student_of(ada.secret[:-1]) is None
    assert students.student_of("") is None
    assert len(ada.secret) >= 20


def test_the_first_answer_of_a_step_stays():
    ada = students.join(_class().code, "Ada")
    assert _give(ada, guess="86.5")
    assert not _give(ada, guess="12")
    (kept,) = class_answers.answers_by(ada)
    assert (kept.guess, kept.reason, kept.runs) == ("86.5", "levels", ("197caee709a1",))
    assert (kept.nickname, kept.lesson_version, kept.program) == ("Ada", "1", VERSION)
    assert abs(kept.given - time.time()) < 60


def test_who_is_stuck_comes_first():
    code = _class().code
    ada, grace, edsger = (students.join(code, name) for name in ("Ada", "Grace", "Edsger"))
    for student, steps in ((ada, "ab"), (grace, "a")):
        for step in steps:
            _give(student, step)
    found = class_answers.progress(code, "three-numbers")
    assert [(each.nickname, each.answered) for each in found] == [
        ("Edsger", 0),
        ("Grace", 1),
        ("Ada", 2),
    ]
    assert [each.answered for each in class_answers.progress(code, "another")] == [0, 0, 0]
    assert edsger.nickname == found[0].nickname


def test_deleting_a_class_deletes_everything_in_it_and_nothing_else(tmp_path):
    gone, kept = _class().code, _class().code
    ada, grace = students.join(gone, "Ada-Unmistakable"), students.join(kept, "Grace")
    for student in (ada, grace):
        _give(student)
        class_board.enter(student, "197caee709a1")
    administration.delete_class(gone)
    assert [each.code for each in administration.classes()] == [kept]
    assert students.student_of(ada.secret) is None
    assert class_answers.answers_of(gone) == class_board.entries(gone) == []
    assert len(class_answers.answers_of(kept)) == len(class_board.entries(kept)) == 1
    with pytest.raises(InputError, match="was deleted"):
        _give(ada)
    with sqlite3.connect(database.path()) as file:
        for table in ("students", "answers", "entries"):
            assert file.execute(f"SELECT count(*) FROM {table}").fetchone() == (1,)
    assert not any(b"Unmistakable" in each.read_bytes() for each in tmp_path.iterdir())


def test_thirty_answers_at_once_are_all_kept():
    code = _class().code
    people = [students.join(code, f"student {number}") for number in range(30)]
    barrier, refused = threading.Barrier(30), []

    def answer(student: Student) -> None:
        barrier.wait()
        try:
            for step in "abc":
                assert _give(student, step)
        except BaseException as error:
            refused.append(error)

    threads = [threading.Thread(target=answer, args=(each,)) for each in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert refused == []
    assert len(class_answers.answers_of(code)) == 90


def _answer_forever(secret: str, told) -> None:
    student = students.student_of(secret)
    for number in range(1_000_000):
        _give(student, str(number))
        told.send(number)


def test_what_was_confirmed_survives_a_kill():
    ada = students.join(_class().code, "Ada")
    context = multiprocessing.get_context("spawn")
    told, other = context.Pipe(duplex=False)
    process = context.Process(target=_answer_forever, args=(ada.secret, other), daemon=True)
    process.start()
    while told.recv() < 20:
        pass
    process.kill()
    process.join()
    confirmed = 20
    while told.poll():
        confirmed = told.recv()
    kept = {int(each.step) for each in class_answers.answers_by(ada)}
    assert kept >= set(range(confirmed + 1))


def test_a_copy_made_while_it_is_used_has_everything(tmp_path):
    with pytest.raises(InputError, match="nothing to copy"):
        database.backup(tmp_path / "copy")
    ada = students.join(_class().code, "Ada")
    _give(ada)
    copy = tmp_path / "copy"
    with database.reading():
        database.backup(copy)
    with pytest.raises(InputError, match="exists already"):
        database.backup(copy)
    database.path().unlink()
    copy.rename(database.path())
    assert students.student_of(ada.secret) == ada
    assert len(class_answers.answers_by(ada)) == 1


def test_a_damaged_or_later_file_is_said_and_left_alone():
    database.path().write_bytes(b"This is no database, whatever its name says." * 100)
    with pytest.raises(InputError, match="cannot be used: file is not a database"):
        administration.classes()
    database.path().unlink()
    _class()
    with sqlite3.connect(database.path()) as file:
        file.execute(f"PRAGMA user_version = {database.VERSION + 1}")
    with pytest.raises(InputError, match="later version"):
        administration.classes()


def test_the_board_holds_a_run_once_for_each_and_not_too_many(monkeypatch):
    monkeypatch.setattr(class_board, "MOST_ENTRIES", 2)
    code = _class().code
    ada, grace = students.join(code, "Ada"), students.join(code, "Grace")
    assert class_board.enter(ada, "a")
    assert not class_board.enter(ada, "a")
    assert class_board.enter(grace, "a")
    class_board.enter(ada, "b")
    assert not class_board.enter(ada, "b")
    with pytest.raises(InputError, match="entered 2 runs"):
        class_board.enter(ada, "c")
    found = [(each.nickname, each.run) for each in class_board.entries(code)]
    assert found == [("Ada", "a"), ("Grace", "a"), ("Ada", "b")]


def test_the_reports_hold_every_answer_and_no_secret():
    opened = _class()
    ada, formula = students.join(opened.code, "Ada, L."), students.join(opened.code, "=1+1")
    for student in (ada, formula):
        _give(student)
    given = class_answers.answers_of(opened.code)
    rows = list(csv.DictReader(io.StringIO(report.as_csv(given))))
    assert [row["nickname"] for row in rows] == ["Ada, L.", "'=1+1"]
    assert rows[0]["runs"] == "197caee709a1"
    assert rows[0]["lesson_version"] == "1"
    assert rows[0]["program"] == VERSION
    table = json.loads(report.as_json(opened, given))
    assert table["class"]["code"] == opened.code
    assert [row["guess"] for row in table["answers"]] == ["86.5", "86.5"]
    for text in (report.as_csv(given), report.as_json(opened, given)):
        assert ada.secret not in text
