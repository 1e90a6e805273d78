"""A slip in a setting of the environment is a sentence on every page, and nothing else is drawn."""

import pytest

from tests.pages.conftest import PAGES, errors_of, open_page

SLIPS = [("TERNARY_LAB_SLOT", "2", "Did you mean TERNARY_LAB_SLOTS?")]
SLIPS += [("TERNARY_LAB_SLOTS", "many", "TERNARY_LAB_SLOTS is 'many'; it must be a whole number.")]


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize(("name", "text", "sentence"), SLIPS)
def test_a_slip_of_whoever_runs_the_server_is_said(lab, monkeypatch, page, name, text, sentence):
    monkeypatch.setenv(name, text)
    app = open_page(page)
    assert sentence in errors_of(app)
    assert not app.title
    monkeypatch.delenv(name)
    assert [title.value for title in app.run().title] == [PAGES[page]]
