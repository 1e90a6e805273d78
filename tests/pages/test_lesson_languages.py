"""What stands around the lessons is in the catalogue, and a class can do a lesson in German."""

import ast
import re
from collections.abc import Iterator

import pytest

from core import settings
from core.classroom import administration, class_answers, students
from core.lessons import lesson_list
from core.lessons.language_words import FILE, words_in
from pages.ui.glossary import TERMS
from tests.pages.conftest import button, errors_of, open_page, press, texts_of, whole
from tests.pages.markdown_reading import MARKDOWN
from tests.pages.test_lessons_page import FIRST, answers_to, subheaders

GERMAN = lesson_list.lessons("de")[0]
WORDS = words_in("de")
PANELS = sorted((settings.PROJECT / "pages" / "ui" / "lessons").glob("*.py"))
# What students of a lesson see is drawn here. (The lecturer's own views are in English.)
SOURCES = (
    "pages/lessons.py",
    *(f"pages/ui/lessons/{path.name}" for path in PANELS),
    *("pages/ui/classroom/joining.py", "pages/ui/classroom/distribution.py"),
    *("core/lessons/sheet.py", "core/lessons/drawing.py"),
)
# Not in the catalogue, and why.
ALLOWED = {
    "dev (%)": "the name of a split and a unit",
    "No run of the grid ": "an error of the engine, as the engine's are: in English",
    " has finished on this computer.": "the same",
    " was not watched inside, so there is nothing to replay.": "the same",
}
WORD = re.compile(r"[A-Za-z]{2,}")
SPACED = re.compile(r"[A-Za-z)][.,:;?!]? +[(A-Za-z]")
MARKUP = re.compile(r"^\s*<|</|viewBox|stroke|\bfill=|height=|=\"|^isValid\(|:material/")


@pytest.fixture(autouse=True)
def _shipped(monkeypatch, tmp_path):
    """What ships, and a home without anything."""
    for name in ("TERNARY_LAB_SHIPPED", "TERNARY_LAB_GRIDS", "TERNARY_LAB_LESSONS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERNARY_LAB_HOME", str(tmp_path / "home"))


# The source


def literals(tree: ast.AST) -> Iterator[ast.Constant]:
    """Every text but docstrings."""
    docs = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node


def said_to_streamlit(tree: ast.AST) -> Iterator[str]:
    """Texts that are a label, a body, a column's title or a description of a call to Streamlit."""
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        if not isinstance(call.func, ast.Attribute):
            continue
        name, owner = call.func.attr, ast.unparse(call.func.value)
        named = [k.value for k in call.keywords if k.arg in ("label", "help", "alt", "placeholder")]
        shows = owner.startswith("st") or name in MARKDOWN
        first = call.args[:1] if shows and name not in ("page_link", "form") else []
        for value in (*first, *named):
            yield from parts(value)


def parts(node: ast.AST) -> Iterator[str]:
    """The texts that an expression is put together from; not what it asks a function for."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif not isinstance(node, ast.Call):
        for child in ast.iter_child_nodes(node):
            yield from parts(child)


def sentences(source: str) -> list[str]:
    """What is written there for a reader in place of a text of the catalogue."""
    tree = ast.parse(source)
    spaced = [one.value for one in literals(tree) if SPACED.search(one.value)]
    labels = [one for one in said_to_streamlit(tree) if WORD.search(one)]
    return [one for one in (*spaced, *labels) if not MARKUP.search(one)]


def source_of(name: str) -> str:
    source = (settings.PROJECT / name).read_text(encoding="utf-8")
    return re.sub(r'STYLE = """.*?"""', "", source, flags=re.DOTALL)  # of the sheet: CSS


@pytest.mark.parametrize("name", SOURCES)
def test_no_sentence_for_students_is_written_in_the_source(name):
    assert [one for one in sentences(source_of(name)) if one not in ALLOWED] == []


def test_every_exception_is_needed():
    found = {one for name in SOURCES for one in sentences(source_of(name))}
    assert {*ALLOWED} <= found


@pytest.mark.parametrize(
    "line",
    [
        "st.caption('Answer both, then lock.')",
        "st.button('Lock')",
        "st.metric(f'{name} points', 3)",
        "column.metric('Dev', 3)",
        "st.text_input(words.x.y, placeholder='name')",
        "st.altair_chart(chart, alt=f'Weights of {title}')",
        "title = 'squared error (%)'",
        "note = f'{count} runs fit. {level} of them'",
    ],
)
def test_the_reading_finds_a_sentence(line):
    assert sentences(line)


# Pages


def test_what_2_2_8_means_is_said_in_the_glossary_s_words():
    assert words_in().page.bits == TERMS["2-2-8"]
    assert WORDS.page.bits in texts_of(open_page("lessons", language="de"))


def test_the_list_is_in_german_and_the_selector_in_both():
    app = open_page("lessons", language="de")
    assert app.title[0].value == WORDS.page.title
    for lesson in GERMAN:
        assert lesson.title in texts_of(app)
    (selector,) = [each for each in app.segmented_control if each.key == "language"]
    assert selector.label == "Sprache · Language"
    assert [each.value for each in app.header] == [WORDS.page.challenge]
    app = whole(selector.set_value("en").run())
    assert app.title[0].value == words_in().page.title
    assert "language" not in app.query_params


def test_a_lesson_is_walked_through_in_german_and_its_answers_hold_in_english():
    """From the first question to the sheet; then the same address in English."""
    lesson = GERMAN[0]
    app = press(open_page("lessons", language="de"), "Beginnen: 01")
    for step in lesson.steps:
        assert step.title in texts_of(app)
        assert not subheaders(app)
        assert button(app, WORDS.asking.lock).disabled
        key = f"{lesson.name}-{lesson.version}-{step.name}"
        if step.question.options:
            app.radio(key=f"guess-{key}").set_value(step.question.right)
        else:
            app.number_input(key=f"guess-{key}").set_value(step.question.high)
        app.radio(key=f"reason-{key}").set_value(step.reason.right).run()
        press(app, WORDS.asking.lock)
        assert not errors_of(app)
        assert subheaders(app) == [WORDS.shown.see, WORDS.shown.came_out]
        assert WORDS.shown.guess in texts_of(app)
        assert "{" not in texts_of(app)
        if step is not lesson.steps[-1]:
            press(app, WORDS.page.next_step)
    assert [each.value for each in app.header][-1] == WORDS.page.sheet
    (sheet,) = app.get("download_button")
    assert sheet.label == WORDS.ending.download
    code = app.query_params["answers"]
    app = open_page("lessons", lesson=lesson.name, answers=code)
    assert [each.value for each in app.header][-1] == words_in().page.sheet


@pytest.mark.parametrize(
    "lesson",
    [
        pytest.param(lesson, id=lesson.number, marks=() if place == 0 else pytest.mark.many)
        for place, lesson in enumerate(GERMAN)
    ],
)
def test_every_lesson_is_shown_in_german(lesson):
    english = {
        getattr(getattr(words_in(), table), name)
        for table, name in (("shown", "see"), ("shown", "because"), ("shown", "guess"))
    }
    last = len(lesson.steps)
    code = answers_to(lesson_list.find_lesson(lesson.name))
    app = open_page("lessons", language="de", lesson=lesson.name, step=str(last), answers=code)
    assert not errors_of(app)
    assert lesson.steps[-1].title in texts_of(app)
    assert not [text for text in english if text in texts_of(app)]


def test_who_joins_in_german_answers_in_the_class_of_all():
    opened = administration.open_class("Dienstag", FIRST.name)
    app = open_page("lessons", language="de", **{"class": opened.code})
    assert WORDS.joining.invited.format(title="Dienstag") in texts_of(app)
    app.text_input(key="nickname").set_value("Ada")
    press(app, WORDS.joining.join)
    step = GERMAN[0].steps[0]
    key = f"{FIRST.name}-{FIRST.version}-{step.name}"
    app.number_input(key=f"guess-{key}").set_value(44.0)
    app.radio(key=f"reason-{key}").set_value(step.reason.right).run()
    press(app, WORDS.asking.lock)
    assert not errors_of(app)
    (kept,) = class_answers.answers_of(opened.code)
    assert (kept.lesson, kept.step, kept.guess) == (FIRST.name, step.name, "44")
    guesses = WORDS.joining.guesses.format(people=1)
    assert guesses in [each.label for each in app.expander]
    assert students.student_of(app.query_params["member"])


def test_a_lesson_that_is_not_translated_is_shown_in_english_and_that_is_said(
    tmp_path, monkeypatch
):
    folder = tmp_path / "lessons"
    for language, count in (("en", 2), ("de", 1)):
        (folder / language).mkdir(parents=True)
        for path in sorted((lesson_list.OURS / language).glob("*.md"))[:count]:
            (folder / language / path.name).write_text(path.read_text("utf-8"), "utf-8")
    monkeypatch.setenv("TERNARY_LAB_LESSONS", str(folder))
    app = open_page("lessons", language="de")
    assert [each.value for each in app.caption].count(WORDS.page.not_translated) == 1
    second = lesson_list.lessons()[0][1]
    app = open_page("lessons", language="de", lesson=second.name)
    assert WORDS.page.not_translated in [each.value for each in app.info]
    assert second.steps[0].title in texts_of(app)
    assert button(app, words_in().asking.lock)


def test_words_that_cannot_be_read_are_named_and_english_ones_are_there(tmp_path, monkeypatch):
    folder = tmp_path / "lessons"
    for language in ("en", "de"):
        (folder / language).mkdir(parents=True)
        path = lesson_list.OURS / language / f"{FIRST.name}.md"
        (folder / language / path.name).write_text(path.read_text("utf-8"), "utf-8")
    (folder / "de" / FILE).write_text('name = "Deutsch"\nlok = "x"\n', "utf-8")
    monkeypatch.setenv("TERNARY_LAB_LESSONS", str(folder))
    app = open_page("lessons", language="de")
    assert f"de/{FILE}, line 2: 'lok' is no text" in errors_of(app)
    assert app.title[0].value == words_in().page.title
    assert GERMAN[0].title in texts_of(app)
