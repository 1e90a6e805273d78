"""Text that this program did not write is shown as text, wherever a page has it.

Two ways: a reading of the pages' source (what reaches a function that takes Markdown is our own
words, a number, or went through `plain`), and pages in a lab where every foreign field is hostile.
What a browser makes of it is tried in `tests/browser/test_strangers.py`.
"""

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
from google.protobuf.message import Message
from streamlit.testing.v1 import AppTest

from core import api
from core.classroom import administration, students
from core.classroom.administration import MOST_TITLE
from core.classroom.students import MOST_NICKNAME
from core.runs.run_store import Run
from pages.ui.classroom.lecturer import VIEWS
from pages.ui.formatting import WORD_JOINER, code, plain
from tests.pages.conftest import (
    PAGES,
    School,
    as_read,
    csv_of,
    open_page,
    prepared,
    press,
    whole,
)
from tests.pages.markdown_reading import findings, read_pages

HOSTILE = (
    "![p](http://evil.example/p) www.evil.example a@evil.example :smile: [l](http://evil.example)"
)


# The function


@pytest.mark.parametrize(
    ("text", "markdown"),
    [
        ("a_b *c*", r"a\_b \*c\*"),
        ("http://x.y", rf"http\:{WORD_JOINER}//x\.y"),
        ("WWW.x.y", rf"WWW{WORD_JOINER}\.x\.y"),
        ("a@b.c", rf"a@{WORD_JOINER}b\.c"),
        (":smile:", rf"\:{WORD_JOINER}smile\:"),
        ("a -> b --fresh c->d", rf"a \-{WORD_JOINER}\> b \-\-fresh c\-\>d"),
        ("one\n# two\t three", r"one \# two three"),
    ],
)
def test_text_as_markdown_that_shows_it(text, markdown):
    assert plain(text) == markdown
    assert as_read(markdown) == " ".join(text.split())


@pytest.mark.parametrize(
    ("text", "markdown"), [("a b", "`a b`"), ("a ` b", "`` a ` b ``"), ("``", "``` `` ```")]
)
def test_a_command_as_a_code_span(text, markdown):
    assert code(text) == markdown


# The source


def test_what_reaches_markdown_is_our_own_or_plain():
    assert findings(read_pages()) == []


@pytest.mark.parametrize(
    "line",
    [
        "st.error(run.message)",
        "st.caption(f'{task.title} is here')",
        "st.markdown('a ' + text)",
        "left.metric('Score', name)",
        "st.text_input(column)",
        "st.progress(0.5, text=event.text)",
        "st.button('Go', help=note)",
        "st.segmented_control('Of', names, format_func=titles.get)",
        "st.markdown(words.page.nothing_of_it)",
        "st.markdown(words.asking.grey.format(matrix=name))",
    ],
)
def test_the_reading_finds_foreign_text(line):
    assert findings({"made_up": f"def f(run, task, text, name):\n    {line}\n"})


@pytest.mark.parametrize(
    "line",
    [
        "st.error(plain(run.message), icon=':material/error:')",
        "st.caption(f'{len(task)} of {count:,} {TERMS[name]}')",
        "word = 'one' if task else 'two'\n    st.markdown(f'**{word}**')",
        "st.selectbox('Of', names, format_func=titles.get)",
        "st.markdown(words.asking.grey.format(matrix=plain(name)))",
    ],
)
def test_the_reading_lets_our_own_words_pass(line):
    assert not findings({"made_up": f"def f(run, task):\n    {line}\n"})


# Pages in a hostile lab

MARKDOWN_FIELDS = {"body", "label", "help", "text", "content", "delta", "options"}
TEXT = ("arrow_data_frame", "text", "html", "code", "plotly_chart", "vega_lite_chart", "exception")
TEXT_OPTIONS = ("selectbox", "multiselect")


def texts_in(message: Message, kind: str) -> Iterator[str]:
    """The texts of an element that a browser takes as Markdown."""
    for field, value in message.ListFields():
        if field.name == "options" and kind in TEXT_OPTIONS:
            continue
        for each in value if field.is_repeated else [value]:
            if isinstance(each, Message):
                yield from texts_in(each, kind)
            elif isinstance(each, str) and field.name in MARKDOWN_FIELDS:
                yield each


def markdown_of(app: AppTest) -> list[str]:
    elements = [each for block in (app.main, app.sidebar) for each in block]
    return [
        text
        for each in elements
        if each.proto is not None and each.type not in TEXT
        for text in texts_in(each.proto, each.type)
    ]


def is_hostile(markdown: str) -> bool:
    """Whether an address, a picture or an emoji of the hostile text is still one."""
    signs = ("://evil", "www.evil", "@evil", "![p", "](http", ":smile:")
    return any(sign in markdown for sign in signs)


def hostile_file() -> bytes:
    rows = [
        {HOSTILE: f"the film was {number} {HOSTILE}", "label": f"{HOSTILE} {number % 2}"}
        for number in range(60)
    ]
    return csv_of(rows)


def spoil_result(run: Run) -> None:
    """Another name for the processor that the run was computed on."""
    assert run.result is not None
    file = run.folder / "result.json"
    processor = json.dumps(run.result.machine.processor)
    assert processor in file.read_text()
    file.write_text(file.read_text().replace(processor, json.dumps(HOSTILE)))


@pytest.fixture
def hostile(school: School) -> list[tuple[str, dict[str, str]]]:
    """A lab in which others left such text; the places that show it."""
    table = api.read_table("Mine.csv", hostile_file())
    plan = replace(api.guess_plan(table, "Mine"), title=HOSTILE)
    task = api.keep_data(plan, api.check_rows(table, plan))
    assert task.title == HOSTILE
    assert HOSTILE in task.texts
    failed = prepared(school.lab.experiment)
    (failed.folder / "error.txt").write_text(HOSTILE)
    finished = school.run("pair")
    spoil_result(finished)
    opened = administration.open_class(HOSTILE[:MOST_TITLE], "01-three-numbers")
    ada = students.join(opened.code, HOSTILE[:MOST_NICKNAME])
    places = [(page, {}) for page in PAGES]
    places += [("classroom", {"watched_class": opened.code, "class_view": view}) for view in VIEWS]
    places += [("lessons", {"class": opened.code}), ("lessons", {"member": ada.secret})]
    places += [("train", {"run": run_id}) for run_id in (failed.run_id, finished.run_id, HOSTILE)]
    places += [(page, {"task": task.name}) for page in ("train", "data", "compare")]
    places += [(page, {"task": HOSTILE, HOSTILE: HOSTILE}) for page in PAGES]
    places += [(page, {"model": HOSTILE}) for page in ("train", "weights", "plan")]
    places += [("plan", {"task": task.name})]
    places += [(page, {"student": finished.run_id}) for page in ("predict", "export")]
    places += [("predict", {"student": finished.run_id, "view": "see inside", "head": HOSTILE})]
    return places


def test_no_page_shows_text_of_others_as_markdown(hostile):
    seen = set()
    for page, parameters in hostile:
        for markdown in markdown_of(open_page(page, **parameters)):
            assert not is_hostile(markdown), f"{page} {parameters}: {markdown}"
            if "evil" in as_read(markdown):
                seen.add(page)
    assert seen == {*PAGES}


def test_a_hostile_file_is_text_while_it_is_looked_at_and_kept(lab):
    app = open_page("data")
    app.file_uploader[0].upload("![p](http:--evil.example).csv", hostile_file(), "text/csv")
    whole(app.run())
    shown = markdown_of(app)
    press(app, "Use this text")
    shown += markdown_of(app)
    assert not [each for each in shown if is_hostile(each)]
    assert len([each for each in shown if "evil" in as_read(each)]) > 2


def test_the_text_boxes_of_hostile_columns_are_named_as_text(school, monkeypatch):
    """Predict asks for one text of each column."""
    tasks = api.tasks()
    name = school.experiments["pair"].task
    changed = replace(tasks[name], texts=(HOSTILE, "second"), description=HOSTILE, examples=())
    monkeypatch.setattr(api, "tasks", lambda: tasks | {name: changed})
    shown = markdown_of(open_page("predict", student=school.run("pair").run_id))
    assert not [each for each in shown if is_hostile(each)]
    assert len([each for each in shown if "evil" in as_read(each)]) >= 2


def test_a_grid_that_cannot_be_read_is_named_as_text(finished_run, monkeypatch):
    monkeypatch.setattr(api, "grids", lambda: ([], [HOSTILE]))
    shown = markdown_of(open_page("compare", view="Ablations"))
    assert not [each for each in shown if is_hostile(each)]
    assert any("evil" in as_read(each) for each in shown)
