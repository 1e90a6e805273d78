"""The catalogue of words: complete in every language, used as it says, refused where it is not."""

import ast
import re
from collections.abc import Iterator
from dataclasses import asdict
from functools import cache
from pathlib import Path

import pytest

from core import settings
from core.errors import InputError
from core.lessons import lesson_list
from core.lessons.catalogue import Words
from core.lessons.judging import facts
from core.lessons.language_words import FILE, found_words, read_words, words_in
from core.lessons.lesson import OUTCOMES, Lesson, Step
from core.lessons.revealing import find_reveal
from tests.core.test_lessons import PLACEHOLDER, model
from tests.core.test_lessons import revealed as in_english

ENGLISH = words_in()
SOURCES = [
    path
    for folder in ("core/lessons", "core/commands", "pages")
    for path in sorted((settings.PROJECT / folder).rglob("*.py"))
]


@pytest.fixture(autouse=True)
def _ours(monkeypatch):
    for name in ("TERNARY_LAB_SHIPPED", "TERNARY_LAB_GRIDS", "TERNARY_LAB_LESSONS"):
        monkeypatch.delenv(name, raising=False)


def texts(words: Words) -> dict[tuple[str, str], str]:
    """Every text by table and key."""
    tables = {name: told for name, told in asdict(words).items() if name != "name"}
    return {(table, key): text for table, told in tables.items() for key, text in told.items()}


# The words that ship


@pytest.mark.parametrize("language", lesson_list.languages())
def test_every_language_with_lessons_has_all_words(language):
    words, wrong = found_words(language)
    assert wrong == ""
    assert {*texts(words)} == {*texts(ENGLISH)}
    assert language == "en" or words.name != ENGLISH.name


def test_german_is_german():
    pairs = zip(texts(ENGLISH).items(), texts(words_in("de")).values(), strict=True)
    same = {key: text for (key, text), other in pairs if text == other}
    # Names, units and signs that are written alike in both.
    assert {*same.values()} <= {
        *("dev", "Dev", "test", "Test", "symmetric", "code", "pooler", "attention", "logits"),
        *("Budget (MiB)", "float32 (MiB)"),
    }


def uses(tree: ast.AST) -> Iterator[tuple[str, str, set[str] | None]]:
    """Every words.table.key (also said.key, where said = words.table), with what is put into it:
    None where nothing is."""
    filled = {
        id(node.func.value): {keyword.arg or "" for keyword in node.keywords}
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "format"
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and (table := table_of(node.value)):
            yield table, node.attr, filled.get(id(node))
        elif isinstance(node, ast.FunctionDef):
            yield from ((*use, None) for use in by_alias(node))


def table_of(node: ast.AST) -> str:
    """ "page" of words.page."""
    is_table = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    return node.attr if is_table and node.value.id == "words" else ""


def by_alias(function: ast.FunctionDef) -> Iterator[tuple[str, str]]:
    """Where a function writes `said = words.stepper` first."""
    tables = {
        target.id: table_of(node.value)
        for node in ast.walk(function)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name) and table_of(node.value)
    }
    for node in ast.walk(function):
        owner = node.value if isinstance(node, ast.Attribute) else None
        if isinstance(owner, ast.Name) and owner.id in tables:
            yield tables[owner.id], node.attr


@cache
def all_uses() -> list[tuple[str, str, str, set[str] | None]]:
    return [
        (path.name, *use)
        for path in SOURCES
        for use in uses(ast.parse(path.read_text(encoding="utf-8")))
    ]


def test_every_text_is_used_with_what_it_holds():
    known = texts(ENGLISH)
    for file, table, key, given in all_uses():
        assert (table, key) in known, f"{file}: words.{table}.{key}"
        wanted = {*PLACEHOLDER.findall(known[table, key])}
        assert (given or set()) == wanted, f"{file}: words.{table}.{key}"


def test_no_text_is_out_of_use():
    used = {(table, key) for _, table, key, _ in all_uses()}
    assert {*texts(ENGLISH)} - used == set()


STEPS = [
    pytest.param(lesson, original, step, id=f"{lesson.language}-{lesson.number}-{step.name}")
    for language in lesson_list.languages()
    if language != lesson_list.ENGLISH
    for first, lesson in zip(
        lesson_list.lessons()[0], lesson_list.lessons(language)[0], strict=True
    )
    for original, step in zip(first.steps, lesson.steps, strict=True)
]


@pytest.mark.parametrize(("lesson", "original", "step"), STEPS)
def test_a_reveal_finds_the_same_in_every_language(lesson: Lesson, original: Step, step: Step):
    first = in_english(original.reveal.name, original.reveal.settings)
    reveal = find_reveal(step.reveal.name)
    found = reveal.compute(step.reveal.settings, model, words_in(lesson.language))
    assert (found.value, found.low, found.high) == (first.value, first.low, first.high)
    assert (found.holds, found.runs, found.curve) == (first.holds, first.runs, first.curve)
    assert [item.value for item in found.items] == [item.value for item in first.items]
    assert [fact.name for fact in found.facts] == [fact.name for fact in first.facts]
    assert found.how != first.how
    # What is asked in a unit is answered in that unit, in either language.
    if original.question.unit == first.unit:
        assert step.question.unit == found.unit
    known = facts(step.question, step.question.right or f"{step.question.low:g}", found)
    for outcome in OUTCOMES:
        assert {*PLACEHOLDER.findall(step.explanations.of(outcome))} <= {*known}


# Files

TEXT = (lesson_list.OURS / "de" / FILE).read_text(encoding="utf-8")


def line_of(text: str) -> int:
    return next(n for n, line in enumerate(TEXT.splitlines(), 1) if line.startswith(text))


def changed(old: str, new: str) -> str:
    assert old in TEXT
    return TEXT.replace(old, new, 1)


LOCK, BETWEEN = 'lock = "Meine Antwort festlegen"', 'between = "{low} bis {high}"'


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        (changed(f"{LOCK}\n", ""), line_of("[asking]"), "key lock of [asking] is missing. Copy it"),
        (changed("lock =", "lok ="), line_of("lock"), "'lok' is no text of the catalogue. Take"),
        (changed("[sheet]", "[sheets]"), line_of("[sheet]"), "'sheets' is no text"),
        (changed('name = "Deutsch"\n', ""), 1, "name must be one line of text"),
        (changed(BETWEEN, 'between = "{low}"'), line_of("between"), "hold {low}, {high}, as in En"),
        (changed("{low} bis", "{from} bis"), line_of("between"), "must hold {low}, {high}"),
        (changed("{low} bis", "{low.real} bis"), line_of("between"), "braces stand only around"),
        (changed("{low} bis", "{low:9999}"), line_of("between"), "braces stand only around"),
        (changed(LOCK, 'lock = "{all}"'), line_of("lock"), "must hold no placeholder"),
        (changed(LOCK, "lock = 3"), line_of("lock"), "must be one line of text"),
        (changed(LOCK, 'lock = " "'), line_of("lock"), "must be one line of text"),
        (changed(LOCK, 'lock = "<b>x</b>"'), line_of("lock"), "HTML have no place here"),
        (changed(LOCK, 'lock = "![p](http://x)"'), line_of("lock"), "addresses and HTML"),
        (changed(LOCK, 'lock = "Meine'), line_of("lock"), "cannot be read"),
        (changed(LOCK, f"{LOCK}\n{LOCK}"), line_of("lock") + 1, "cannot be read"),
    ],
)
def test_a_broken_catalogue_is_refused_with_line_and_cure(text, line, said):
    with pytest.raises(InputError) as refused:
        read_words("de", text, ENGLISH)
    assert str(refused.value).startswith(f"de/{FILE}, line {line}: ")
    assert said in str(refused.value)


def test_a_missing_table_is_said():
    start, end = TEXT.index("[stepper]"), TEXT.index("[activations]")
    with pytest.raises(InputError, match=re.escape("The table [stepper] is missing. Copy it from")):
        read_words("de", TEXT[:start] + TEXT[end:], ENGLISH)
    with pytest.raises(InputError, match="stepper is a table"):
        read_words("de", f"stepper = 3\n{TEXT[:start]}{TEXT[end:]}", ENGLISH)


def test_words_of_ones_own_take_the_place_of_ours(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("TERNARY_LAB_LESSONS", str(tmp_path))
    assert words_in("de").name == "Deutsch"  # ours, where the folder has none
    (tmp_path / "de").mkdir()
    (tmp_path / "de" / FILE).write_text(changed(LOCK, 'lock = "Fest!"'), encoding="utf-8")
    assert words_in("de").asking.lock == "Fest!"
    (tmp_path / "de" / FILE).write_text(changed(LOCK, "lock = 1"), encoding="utf-8")
    words, sentence = found_words("de")
    assert words == ENGLISH
    assert sentence.startswith(f"de/{FILE}, line ")


def test_a_language_without_words_has_english_ones_and_says_so(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("TERNARY_LAB_LESSONS", str(tmp_path))
    words, sentence = found_words("fr")
    assert words == ENGLISH
    assert "There is no fr/words.toml" in sentence
    assert "Copy en/words.toml" in sentence
    (tmp_path / "fr" / FILE).mkdir(parents=True)
    assert "not a regular file" in found_words("fr")[1]


def test_the_command_speaks_the_language_of_the_lesson():
    from core.commands.lessons_command import solutions

    told = "\n".join(solutions(lesson_list.find_lesson("10-every-byte-counted", "de")))
    assert words_in("de").sizes.how in told
    assert ENGLISH.sizes.how not in told
