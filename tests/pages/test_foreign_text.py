"""Text that this program did not write is shown as text, wherever a page has it.

Two ways: a reading of the pages' source (what reaches a function that takes Markdown is our own
words, a number, or went through `plain`), and pages in a lab where every foreign field is hostile.
What a browser makes of it is tried in `tests/browser/test_strangers.py`.
"""

import shutil

import pytest
from google.protobuf.message import Message

from core import api
from core.records import canonical_json
from core.runs import store
from pages.ui.words import WORD_JOINER, code, plain
from tests.pages.conftest import PAGES, School, as_read, csv_of, keep_file, open_page, prepared
from tests.pages.markdown_reading import findings, read_pages

HOSTILE = (
    "![p](http://evil.example/p.png) www.evil.example a@evil.example <img src=//evil.example> "
    ":red[x] :smile: $x^2$ `c` **b** [l](http://evil.example) a -> b"
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
    ],
)
def test_the_reading_lets_our_own_words_pass(line):
    assert not findings({"made_up": f"def f(run, task):\n    {line}\n"})


# Pages in a hostile lab


def shown_markdown(app) -> list[str]:
    """Every text of a page that a browser takes as Markdown."""
    taken = {"body", "label", "help", "text", "content", "delta", "element", "question"}
    found = []

    def walk(message: Message, name: str) -> None:
        for field, value in message.ListFields():
            many = value if field.is_repeated else [value]
            for each in many:
                if isinstance(each, Message):
                    walk(each, field.name)
                elif isinstance(each, str) and field.name in taken and name != "text_area_value":
                    found.append(each)

    for block in (app.main, app.sidebar):
        for element in block:
            if element.proto is not None and element.type not in NOT_MARKDOWN:
                walk(element.proto, element.type)
    return found


NOT_MARKDOWN = {"arrow_data_frame", "text", "html", "code", "plotly_chart", "vega_lite_chart"}


def is_hostile(markdown: str) -> bool:
    """Whether an address or a picture of ours is still one."""
    return any(
        sign in markdown for sign in ("://evil", "www.evil", "@evil", "![p", "](http", ":smile:")
    )


def hostile_rows() -> list[dict]:
    return [
        {HOSTILE: f"the film was {number} {HOSTILE}", "label": f"{HOSTILE} {number % 2}"}
        for number in range(60)
    ]


@pytest.fixture
def hostile(school: School) -> list[tuple[str, dict[str, str]]]:
    """A lab in which others left such text; the places that show it."""
    task = keep_file("Mine.csv", csv_of(hostile_rows()))
    plan = next((school.lab.home / "tasks" / task.name).glob("plan.json"))
    plan.write_text(plan.read_text().replace('"Mine"', canonical_json(HOSTILE)))
    failed = prepared(school.lab.experiment)
    (failed.folder / "error.txt").write_text(HOSTILE)
    for kind in ("pair", "value"):
        folder = school.run(kind).folder
        record = folder / "result.json"
        text = record.read_text()
        result = store.read_folder(folder).result
        assert result is not None
        processor = canonical_json(result.machine.processor)
        record.write_text(text.replace(processor, canonical_json(HOSTILE)))
    runs = [failed.run_id, school.run("pair").run_id, school.run("value").run_id, HOSTILE]
    places = [(page, {}) for page in PAGES]
    places += [("train", {"run": run_id}) for run_id in runs]
    places += [(page, {"task": task.name}) for page in ("train", "data", "compare")]
    places += [(page, {"task": HOSTILE, HOSTILE[:30]: HOSTILE}) for page in PAGES]
    places += [(page, {"model": HOSTILE}) for page in ("train", "weights")]
    for run_id in runs[1:3]:
        places += [(page, {"student": run_id}) for page in ("predict", "export")]
    return places


def test_no_page_shows_text_of_others_as_markdown(hostile):
    shown = 0
    for page, parameters in hostile:
        app = open_page(page, **parameters)
        for markdown in shown_markdown(app):
            assert not is_hostile(markdown), f"{page} {parameters}: {markdown}"
            shown += "evil" in as_read(markdown)
    assert shown > 20


def test_the_columns_of_ones_own_hostile_file_are_text(lab):
    app = open_page("data")
    app.file_uploader[0].set_value([(f"{HOSTILE[:20]}.csv", csv_of(hostile_rows()), "text/csv")])
    app.run()
    assert not app.exception
    assert not [each for each in shown_markdown(app) if is_hostile(each)]
    assert any("evil" in each for each in shown_markdown(app))


def test_a_damaged_grid_is_named_as_text(finished_run, monkeypatch, tmp_path):
    from core.api import comparisons

    grids = tmp_path / "grids"
    grids.mkdir()
    (grids / "![p](x) www.evil.example.json").write_text("{")
    monkeypatch.setattr(comparisons.grid_files, "folder", lambda: grids, raising=False)
    shutil.rmtree(grids)
    assert not [
        each for each in shown_markdown(open_page("compare", view="Ablations")) if "![" in each
    ]


def test_labels_of_hostile_data_are_text_when_it_is_kept(lab):
    task = keep_file("Mine.csv", csv_of(hostile_rows()))
    assert HOSTILE[:10] in api.tasks()[task.name].labels[0]
