"""The Theory page: formulas with the numbers of a matrix, every rule, the paper beside ours."""

import re
import shutil

import pandas as pd
import pytest

from core import api
from core.api import worked_numbers
from core.experiment import QuantRecipe
from core.quantizers import registry, rules
from pages.ui import formula
from pages.ui.glossary import GLOSSARY
from pages.ui.theory import papers
from tests.pages.conftest import errors_of, open_page, texts_of, whole


def latex_of(app) -> list[str]:
    ends = re.escape(formula.PILLAR), re.escape(formula.TAIL)
    end = re.compile(f"({ends[0]})?{ends[1]}$")
    return [end.sub("", part.value.strip("$\n ")) for part in app.latex]


@pytest.fixture
def teacher(lab) -> api.OpenModel:
    return api.open_model(api.source_of_teacher("movie-sentiment", lab.model))


@pytest.fixture
def fresh_clone(tmp_path, monkeypatch) -> None:
    """What ships, and nothing else."""
    monkeypatch.setenv("TERNARY_LAB_HOME", str(tmp_path))


# Rules


@pytest.mark.parametrize("method", ["twn", "lat", "lat-exact", "optimal", "absmean", "lsq"])
@pytest.mark.parametrize("granularity", ["layer", "row"])
def test_the_formula_stands_with_the_numbers_of_the_matrix(teacher, method, granularity):
    app = open_page("theory", method=method, weight_granularity=granularity)
    assert not app.error, errors_of(app)
    name = app.selectbox(key="matrix").value
    quant = (method, 2, granularity)
    row = app.number_input(key="row").value if granularity == "row" else 0
    rule, found = rules()[method], worked_numbers.worked_matrix(teacher, name, quant, row)
    shown = latex_of(app)
    assert rule.latex in shown
    assert found.error_line in shown or rule.uses_importance
    assert set(found.lines) <= set(shown) or rule.uses_importance
    words = {"layer": "one scale for the whole matrix", "row": "one scale for every row"}
    assert f"in 2 bits, {words[granularity]}" in texts_of(app)


def test_importance_changes_the_numbers(teacher):
    app = open_page("theory", method="lat")
    name = app.selectbox(key="matrix").value
    unweighted = worked_numbers.worked_matrix(teacher, name, ("lat", 2, "layer"))
    assert not set(unweighted.lines) <= set(latex_of(app))


def test_the_turns_of_an_alternation_are_a_table(lab):
    tables = [table.value for table in open_page("theory", method="lat").dataframe]
    (turns,) = [table for table in tables if "turn" in table.columns]
    assert turns["turn"].tolist() == list(range(len(turns)))
    left = turns[turns.columns[-1]]
    assert left.is_monotonic_decreasing
    tables = [table.value for table in open_page("theory", method="twn").dataframe]
    assert not [table for table in tables if "turn" in table.columns]


def test_every_rule_is_listed_with_its_words_and_its_code(lab):
    app = open_page("theory")
    labels = " ".join(fold.label for fold in app.expander).replace("\\", "")
    code, text = (
        [part.value.strip() for part in app.code],
        [part.value.strip() for part in app.text],
    )
    for rule in rules().values():
        assert f"({rule.name})" in labels
        assert rule.latex in latex_of(app)
        assert rule.code.strip() in code
        assert rule.doc.strip() in text


def test_a_new_rule_appears_by_itself(lab, monkeypatch):
    @registry.rule("halves", title="Half the largest", latex=r"\alpha = \max|w| / 2", source="here")
    def halves(rows, bits, importance=None, start_scale=None):
        return registry.Levels(scale=rows.largest / 2)

    monkeypatch.setitem(rules(), "halves", registry._registry.pop("halves"))
    app = open_page("theory", method="halves")
    assert not app.error, errors_of(app)
    assert "Half the largest" in texts_of(app)
    assert latex_of(app).count(r"\alpha = \max|w| / 2") == 2  # with the matrix, and in the list
    assert any("return registry.Levels(scale=rows.largest / 2)" in part.value for part in app.code)


def test_a_row_that_another_matrix_has_not_breaks_nothing(teacher):
    names = list(api.matrix_shapes(teacher))
    wide = next(name for name in names if api.matrix_shapes(teacher)[name][0] == 64)
    app = open_page("theory", matrix=wide, weight_granularity="row", row="63")
    assert app.number_input(key="row").value == 63
    app.selectbox(key="matrix").set_value(names[1]).run()
    assert not whole(app).error
    assert app.number_input(key="row").value <= 31
    assert not open_page("theory", weight_granularity="row", row="9999").error


# Activations, distillation, bytes


def test_a_step_is_worked_through_with_eight_examples(teacher):
    found = worked_numbers.worked_step(teacher, QuantRecipe())
    app = open_page("theory")
    shown = latex_of(app)
    assert found.total_line in shown
    for one in found.losses:
        assert one.line in shown
    for one in found.ranges:
        assert {one.latex, one.numbers} <= set(shown)
    assert "8 dev examples" in texts_of(app)


def test_without_the_text_the_formulas_stand_alone(lab, monkeypatch, tmp_path):
    monkeypatch.setenv("TERNARY_LAB_CACHE", str(tmp_path / "empty"))
    app = open_page("theory", method="lat")
    assert not app.error
    shown = latex_of(app)
    assert [one.line for one in worked_numbers.loss_formulas() if one.line not in shown] == []
    assert all(latex in shown for _, latex in worked_numbers.range_formulas())
    assert "Every weight counts the same here" in texts_of(app)
    assert "Their numbers need the task's text" in texts_of(app)
    assert {"fetch-importance", "fetch-step"} <= {button.key for button in app.button}


def test_the_bytes_of_matrix_and_model(teacher):
    app = open_page("theory")
    lines = worked_numbers.matrix_bytes(
        teacher, app.selectbox(key="matrix").value, 2, "layer"
    ).lines
    assert set(lines) <= set(latex_of(app))
    rows = worked_numbers.size_arithmetic(teacher, QuantRecipe())
    before, after = sum(r.size_bytes_float32 for r in rows), sum(r.size_bytes for r in rows)
    assert f"{before / after:.2f} times smaller" in texts_of(app)
    (table,) = [each.value for each in app.dataframe if "packed (MiB)" in each.value.columns]
    assert table["packed (MiB)"].sum() * 2**20 == pytest.approx(after)


# The paper, the words


def test_published_figures_are_labelled_and_ours_are_the_runs(fresh_clone):
    assert set(papers.BESIDE) <= {one.model for one in api.published()}
    app = open_page("theory", benchmark="MNLI-m")
    assert not app.error
    (table,) = [each.value for each in app.dataframe if "figure" in each.value.columns]
    assert set(table["figure"]) == {"published", "published, unverified"}
    by_model = table.set_index("model")
    runs = {run.run_id: run for run in api.runs()}
    (grid,) = [grid for grid in api.grids()[0] if grid.name == "ablation-methods"]
    (row,) = [row for row in api.grid_rows(grid, runs) if row.result.case == "twn"]
    twn = by_model.loc["TernaryBERT, TWN"]
    shares = [100 * run.result.score / run.result.teacher_score for run in row.result.runs]
    assert twn["ours: % of its teacher"] == pytest.approx(sum(shares) / 3)
    assert twn["ours"] == "twn, 3 seeds"
    assert twn["% of its full model"] == pytest.approx(100 * 83.3 / 84.5)
    assert pd.isna(by_model.loc["DistilBERT"]["ours: times smaller"])


def test_every_term_is_in_the_glossary_with_its_source(lab):
    said = texts_of(open_page("theory"))
    for term in GLOSSARY.values():
        assert f"**{term.name}**: {term.text} *({term.source})*" in said


def test_without_a_teacher_everything_stands_but_the_numbers(lab):
    shutil.rmtree(lab.home)
    app = open_page("theory")
    assert "Numbers need a model" in texts_of(app)
    headers = [header.value for header in app.header]
    assert headers == [
        "All rules",
        "Activations",
        "Distillation",
        "The paper's figures beside ours",
        "Glossary",
    ]


# On a phone


@pytest.mark.parametrize(
    ("text", "sign", "parts"),
    [
        ("a = b = c", " = ", ["a", "b", "c"]),
        (r"\sum_{i = 1} (a = b) = c", " = ", [r"\sum_{i = 1} (a = b)", "c"]),
        ("1 + 2", " = ", ["1 + 2"]),
    ],
)
def test_parts_of_a_formula(text, sign, parts):
    assert formula.parts_at(text, sign) == parts


@pytest.mark.parametrize("method", rules())
def test_a_narrow_formula_has_every_sign_of_the_wide_one(teacher, method):
    name = list(api.matrix_shapes(teacher))[1]
    bits = rules()[method].bits[0]
    found = worked_numbers.worked_matrix(teacher, name, (method, bits, "layer"))
    for line in (rules()[method].latex, *found.lines, found.error_line):
        narrow = "".join(formula.narrowed(line))
        for extra in (r"\begin{aligned} &", r"\end{aligned}", r" \\ &", r"\quad", " "):
            narrow = narrow.replace(extra, "")
        wide = line.replace(" ", "")
        for between in (r",\quad", r":\quad", r"\quad", r",\B"):
            wide = wide.replace(between, "B" if between.endswith("B") else "")
        assert narrow == wide
        assert all(formula._width(one) < 75 for one in formula.narrowed(line) if "&" not in one)


def test_a_phone_gets_the_narrow_formulas(lab, monkeypatch):
    wide = latex_of(open_page("theory"))
    monkeypatch.setattr("pages.ui.browser.is_narrow", lambda: True)
    narrow = latex_of(open_page("theory"))
    assert len(narrow) > len(wide)
    assert any("aligned" in one for one in narrow)
    assert not any(r",\quad" in one for one in narrow)
