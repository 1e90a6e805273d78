"""One list of terms: every tooltip is an entry, and 2-2-8 is explained where it first stands."""

import ast
import re

import pytest

from core.options import options
from core.runs.runner import PROJECT
from pages.ui import glossary
from pages.ui.glossary import GLOSSARY, TERMS
from tests.pages.conftest import PAGES, as_read, open_page

# Tooltips that explain no term but how a box is to be filled in; more of them need a reason.
NOTES = {
    "An embedded one, or type a folder with a BERT (safetensors) or a hub id.",
    "A student learns from the teacher of this task and model.",
    "The default is about three epochs; more where there are few examples.",
    "A checkpoint that was fine-tuned for this task elsewhere can be taken as it is.",
    "TWN, two bits for weights and words, eight for activations, weights per layer, words per row, "
    "min-max, everything.",
    "Nobody chooses by test before that.",
    "Inside: attention, hidden states and activations of teacher and student on this text.",
    "One file with curves, scores and settings; it needs no network.",
    "Without it a tenth of the rows is set aside.",
}
# Not a text of ours but numbers, or what a function hands on.
HANDED_ON = {"help", "help_text", "about", "TERMS.get(key)"}
# An option's own words, which the glossary reads too.
OPTIONS = {"about.help", "knob.option.help", "preset.about"}
BITS = re.compile(r"(?<![\d-])(2|3|4|8|32)-(2|3|4|8|32)-(2|3|4|8|32)(?![\d-])")


def tooltips() -> list[tuple[str, ast.expr]]:
    """Every tooltip in the source of the pages: file and expression."""
    found = []
    for path in sorted((PROJECT / "pages").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            found += [(path.name, one.value) for one in node.keywords if one.arg == "help"]
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            places = {"segments": 4, "steps": 3}
            if name in places and len(node.args) > places[name]:
                found.append((path.name, node.args[places[name]]))
    return found


def keys_of(value: ast.expr) -> list[str]:
    """The entries that an expression `TERMS[...]` may mean."""
    if isinstance(value, ast.Subscript) and ast.unparse(value.value) == "TERMS":
        inside = [value.slice]
        if isinstance(value.slice, ast.IfExp):
            inside = [value.slice.body, value.slice.orelse]
        return [ast.literal_eval(one) for one in inside]
    return []


def test_every_tooltip_is_an_entry_of_the_glossary():
    used = tooltips()
    assert len(used) > 25
    for file, value in used:
        keys = keys_of(value)
        assert set(keys) <= TERMS.keys(), (file, keys)
        if not keys:
            text = value.value if isinstance(value, ast.Constant) else None
            said = ast.unparse(value)
            assert text in NOTES or said in HANDED_ON | OPTIONS, f"{file}: {said}"
    notes = {value.value for _, value in used if isinstance(value, ast.Constant)}
    assert notes >= NOTES, "a note that no page has any more"


def test_terms_that_are_looked_up_by_a_name_are_there():
    from pages.ui.compare.compare_panels import ONE_DECIMAL

    assert {key for key in ONE_DECIMAL.values() if key} <= TERMS.keys()


@pytest.mark.parametrize("key", GLOSSARY)
def test_an_entry_is_one_or_two_sentences_with_a_source(key):
    term = GLOSSARY[key]
    assert term.name
    assert term.source
    assert term.group
    assert term.text.endswith(".")
    sentences = re.split(r"[.:?] (?=[A-Z0-9])", term.text)
    assert 1 <= len(sentences) <= 4
    assert len(term.text) < 260


def test_what_can_be_set_is_in_it_in_its_own_words():
    for option in options():
        assert TERMS[option.name] == option.help
        assert GLOSSARY[option.name].name == option.about.label
        assert f"\n{option.name} |" not in glossary._LIST, "written down a second time"


def test_no_name_stands_twice():
    names = [term.name.lower() for term in GLOSSARY.values()]
    assert len(names) == len(set(names))


def shown_on(app) -> list[str]:
    """What a person reads without pointing at anything, in the order of sidebar and page."""
    found = []
    for block in (app.sidebar, app.main):
        for each in block:
            if each.type in ("selectbox", "multiselect"):
                found.append(" ".join(map(str, each.options)))
            elif each.type in ("arrow_data_frame", "dataframe"):
                found.append(each.value.to_string())
            elif isinstance(getattr(each, "value", None), str):
                found.append(as_read(each.value))
    return found


@pytest.mark.parametrize("page", PAGES)
def test_two_two_eight_is_explained_where_it_first_stands(finished_run, page):
    texts = shown_on(open_page(page))
    numbers = [place for place, text in enumerate(texts) if BITS.search(text)]
    told = [place for place, text in enumerate(texts) if TERMS["2-2-8"] in text]
    if page in ("start", "train", "compare", "predict", "export", "theory"):
        assert numbers
    if numbers:
        assert told, texts[numbers[0]]
        assert told[0] <= numbers[0] + 1, (texts[numbers[0]], told[0] - numbers[0])


@pytest.mark.parametrize("view", ["All settings", "Ablations", "Two models", "Published"])
def test_it_is_explained_in_every_view_of_compare(finished_run, view):
    assert TERMS["2-2-8"] in " ".join(shown_on(open_page("compare", view=view)))
