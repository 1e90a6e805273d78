"""Every language asks and shows the same: lessons differ from the English ones in words only."""

import re
from pathlib import Path

import pytest

from core.errors import InputError
from core.lessons import lesson_list
from core.lessons.lesson import OUTCOMES, Lesson, Step
from core.lessons.lesson_parser import read_lesson
from core.lessons.translating import check_translation
from tests.core.test_lessons import FIGURE, PLACEHOLDER

OTHERS = [one for one in lesson_list.languages() if one != lesson_list.ENGLISH]
ORIGINALS = lesson_list.lessons()[0]
PAIRS = [
    (original, translated)
    for language in OTHERS
    for original, translated in zip(ORIGINALS, lesson_list.lessons(language)[0], strict=True)
]
STEPS = [
    pytest.param(one, other, id=f"{translated.language}-{original.number}-{one.name}")
    for original, translated in PAIRS
    for one, other in zip(original.steps, translated.steps, strict=True)
]
UNITS = ("Punkte", "mal", "Prozent")  # beside those that a figure in English can have


@pytest.fixture(autouse=True)
def _shipped(monkeypatch):
    monkeypatch.delenv("TERNARY_LAB_LESSONS", raising=False)


# The lessons that ship


def test_german_is_complete():
    assert "de" in OTHERS
    for language in OTHERS:
        found, wrong = lesson_list.lessons(language)
        assert wrong == []
        assert [one.name for one in found] == [one.name for one in ORIGINALS]
    assert {one.language for one in lesson_list.lessons("de")[0]} == {"de"}


@pytest.mark.parametrize(
    ("original", "translated"), PAIRS, ids=[f"{b.language}-{b.number}" for _, b in PAIRS]
)
def test_a_translation_asks_the_same(original: Lesson, translated: Lesson):
    check_translation(original, translated)
    assert translated.minutes == original.minutes
    assert translated.title != original.title


@pytest.mark.parametrize(("step", "translated"), STEPS)
def test_a_translation_quotes_the_same_facts(step: Step, translated: Step):
    for outcome in OUTCOMES:
        quoted = [
            sorted(set(PLACEHOLDER.findall(one.explanations.of(outcome))))
            for one in (step, translated)
        ]
        assert quoted[0] == quoted[1], outcome


@pytest.mark.parametrize(("step", "translated"), STEPS)
def test_no_result_is_written_into_a_translation(step: Step, translated: Step):
    figure = re.compile(rf"{FIGURE.pattern}|\d[\d.,]*\s?({'|'.join(UNITS)})")
    said = [translated.explanations.of(outcome) for outcome in OUTCOMES]
    said += [one.text for one in (*translated.question.options, *translated.reason.options)]
    for text in (translated.text, translated.question.text, *said):
        assert not figure.findall(text.replace("95 %", "")), text


def texts(step: Step) -> list[str]:
    """All that is read in a step."""
    options = [option.text for option in (*step.question.options, *step.reason.options)]
    said = [step.explanations.of(outcome) for outcome in OUTCOMES]
    return [step.title, step.text, step.question.text, step.link.text, *options, *said]


@pytest.mark.parametrize(("step", "translated"), STEPS)
def test_nothing_is_left_in_english(step: Step, translated: Step):
    pairs = zip(texts(step), texts(translated), strict=True)
    assert [one for one, other in pairs if one == other] == []


# Files

NAME = "01-three-numbers"
ENGLISH = (lesson_list.OURS / "en" / f"{NAME}.md").read_text(encoding="utf-8")
GERMAN = (lesson_list.OURS / "de" / f"{NAME}.md").read_text(encoding="utf-8")


def replaced(old: str, new: str) -> str:
    assert old in GERMAN
    return GERMAN.replace(old, new, 1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (replaced("version: 1", "version: 2"), "version: 2. In the English lesson: 1"),
        (replaced("## zeros:", "## nullen:"), "names of the steps: nullen, direction"),
        (replaced("- within: 7", "- within: 8"), "step zeros: numbers (from, to, by, within)"),
        (replaced("- (few) ", "- (wenige) "), "step zeros: reasons: hill, third, wenige"),
        (replaced("- right: hill", "- right: few"), "step zeros: right reason: few"),
        (replaced("- right: not-shown", "- right: better"), "step trained: right choice: better"),
        (replaced("- column: twn 2 layer", "- column: twn 3 layer"), "step zeros: reveal: zeros"),
        (replaced("- page: weights", "- page: train"), "step zeros: link: train"),
    ],
)
def test_a_translation_that_asks_something_else_is_refused(text, said):
    original, translated = (read_lesson(NAME, "x", one) for one in (ENGLISH, text))
    with pytest.raises(InputError) as refused:
        check_translation(original, translated)
    assert str(refused.value).startswith(f"{NAME}.md")
    assert said in str(refused.value)
    assert "Copy it from there" in str(refused.value)


def written(folder: Path, language: str, name: str, text: str) -> None:
    (folder / language).mkdir(exist_ok=True)
    (folder / language / f"{name}.md").write_text(text, encoding="utf-8")


def test_where_a_language_lacks_a_lesson_the_english_one_is_there(tmp_path, monkeypatch):
    other = (lesson_list.OURS / "en" / "02-where-to-cut.md").read_text(encoding="utf-8")
    written(tmp_path, "en", NAME, ENGLISH)
    written(tmp_path, "en", "02-where-to-cut", other)
    written(tmp_path, "de", NAME, GERMAN)
    monkeypatch.setenv("TERNARY_LAB_LESSONS", str(tmp_path))
    found, wrong = lesson_list.lessons("de")
    assert [(one.name, one.language) for one in found] == [(NAME, "de"), ("02-where-to-cut", "en")]
    assert wrong == []
    assert lesson_list.find_lesson(NAME, "de").title == "Drei Zahlen genügen"


def test_a_translation_that_does_not_fit_is_named_and_the_english_one_is_there(
    tmp_path, monkeypatch
):
    written(tmp_path, "en", NAME, ENGLISH)
    written(tmp_path, "de", NAME, replaced("version: 1", "version: 2"))
    monkeypatch.setenv("TERNARY_LAB_LESSONS", str(tmp_path))
    found, (sentence,) = lesson_list.lessons("de")
    assert [one.language for one in found] == ["en"]
    assert sentence.startswith(f"de/{NAME}.md: version: 2.")


def test_a_translation_under_another_name_is_named(tmp_path, monkeypatch):
    written(tmp_path, "en", NAME, ENGLISH)
    written(tmp_path, "de", "01-drei-zahlen", GERMAN)
    written(tmp_path, "de", "11-eine-eigene", GERMAN)
    monkeypatch.setenv("TERNARY_LAB_LESSONS", str(tmp_path))
    found, (sentence,) = lesson_list.lessons("de")
    assert [one.name for one in found] == [NAME, "11-eine-eigene"]
    assert "Give the translation the same name" in sentence
