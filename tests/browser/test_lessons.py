"""A whole lesson by one person; and a whole class, each in a browser of their own."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from core.classroom import administration, class_answers
from core.lessons import lesson_list
from core.lessons.lesson import CHOICE, Lesson, Step
from tests.browser.conftest import Visitor
from tests.browser.test_look import OVERFLOW, grave

pytestmark = pytest.mark.browser
LESSON = lesson_list.lessons()[0][0]
NOTHING_YET = "What came out"


def reading(markdown: str) -> str:
    """Words of a lesson as a browser shows them."""
    return re.sub(r"[*_`]", "", markdown)


def guess(visitor: Visitor, step: Step, share: float) -> None:
    """Answer a step: of a number so much between its ends, of a choice the first one."""
    question, group = step.question, visitor.page.get_by_role("radiogroup")
    if question.kind == CHOICE:
        first = reading(question.options[0].text)
        group.filter(has_text=first).get_by_text(first, exact=True).click()
    else:
        number = question.low + share * (question.high - question.low)
        box = visitor.page.get_by_role("spinbutton").first
        box.fill(f"{number:g}")
        box.press("Tab")
    right = next(one.text for one in step.reason.options if one.key == step.reason.right)
    group.filter(has_text=reading(right)).get_by_text(reading(right), exact=True).click()
    visitor.press("Lock my answer")


def walk(visitor: Visitor, lesson: Lesson, share: float) -> None:
    """All steps of a lesson, from the first, which is open."""
    for number, step in enumerate(lesson.steps, 1):
        visitor.says(reading(step.title))
        visitor.says_no_longer(NOTHING_YET)  # nothing is shown before the lock
        guess(visitor, step, share)
        visitor.says(NOTHING_YET)
        visitor.coerce_fields()
        if number < len(lesson.steps):
            visitor.press("Next step")


@pytest.mark.parametrize(("width", "theme"), [(1280, "light"), (390, "dark")])
def test_a_whole_lesson_from_the_first_guess_to_the_sheet(tab, width, theme, tmp_path):
    visitor = tab(width=width, theme=theme).open("lessons")
    visitor.press(f"Begin: {LESSON.number}")
    walk(visitor, LESSON, 0.5)
    visitor.says("My sheet")
    visitor.picture(f"lesson-{width}-{theme}")
    assert visitor.page.evaluate(OVERFLOW) == [0, 0]
    assert grave(visitor.page) == []
    with visitor.page.expect_download() as download:
        visitor.press("Download my sheet")
    sheet = Path(tmp_path / "sheet.html")
    download.value.save_as(sheet)
    text = sheet.read_text(encoding="utf-8")
    for step in LESSON.steps:
        assert reading(step.title) in text
    assert "<svg" in text
    assert f'href="{visitor.address}/' in text
    assert not re.search(r"(src|href)=[\"']?(https?:)?//(?!127\.0\.0\.1|localhost)", text)
    visitor.page.reload()  # nothing is lost
    visitor.says("My sheet")


def joined(visitor: Visitor, code: str, nickname: str) -> Visitor:
    visitor.open(f"lessons?class={code}")
    visitor.says("You are invited to the class")
    visitor.page.get_by_label("Nickname").fill(nickname)
    visitor.press("Join")
    visitor.says(reading(LESSON.steps[0].title))
    visitor.has_in_address("member=")
    return visitor


def test_a_class_of_three_and_its_lecturer(tab, tiny, monkeypatch):
    monkeypatch.setenv("TERNARY_LAB_HOME", str(tiny / "home"))
    lecturer = tab().open("classroom")
    lecturer.page.get_by_label("Name of the class").fill("Tuesday")
    lecturer.press("Open the class")
    lecturer.says("Join Tuesday")
    (code,) = re.findall(r"watched_class=(\w+)", lecturer.page.url)
    lecturer.picture("class-invitation")
    students = [joined(tab(width=390), code, name) for name in ("Ada", "Grace", "Edsger")]
    lecturer.segment("Invite", "Answers").click()
    lecturer.says("0 of 3")
    for number, student in enumerate(students, 1):
        guess(student, LESSON.steps[0], number / 4)
        student.says(NOTHING_YET)
        lecturer.says(f"{number} of 3")  # it arrives by itself
    assert [one.nickname for one in class_answers.answers_of(code)] == ["Ada", "Grace", "Edsger"]
    look_at_the_answers(lecturer)
    students[0].coerce_fields()
    students[0].press("Next step")
    guess(students[0], LESSON.steps[1], 0.5)
    students[0].says(NOTHING_YET)
    look_at_everybody(lecturer)
    project(lecturer)
    assert [one.step for one in class_answers.answers_of(code)][3:] == [LESSON.steps[1].name]
    lecturer.segment("Invite", "Invite").click()
    lecturer.press("Delete this class")
    lecturer.press("Delete everything for good")
    lecturer.says("Open the class")
    assert code not in [one.code for one in administration.classes()]


def look_at_the_answers(lecturer: Visitor) -> None:
    lecturer.page.get_by_text("Show what came out").click()
    lecturer.says("Because")
    lecturer.coerce_fields()
    lecturer.picture("class-answers")


def look_at_everybody(lecturer: Visitor) -> None:
    lecturer.segment("Invite", "Who is where").click()
    expect(lecturer.cells().filter(has_text="Ada").first).to_be_attached()
    lecturer.picture("class-where")


def project(lecturer: Visitor) -> None:
    lecturer.segment("Invite", "Projector").click()
    lecturer.title(reading(LESSON.steps[0].title))
    lecturer.coerce_fields()
    lecturer.picture("class-projector-question")
    lecturer.page.keyboard.press("t")
    lecturer.says("It came out")
    lecturer.picture("class-projector-truth")
    assert grave(lecturer.page) == []
    lecturer.page.keyboard.press("PageDown")
    lecturer.title(reading(LESSON.steps[1].title))
