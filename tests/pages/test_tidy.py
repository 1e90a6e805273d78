"""A server lets go of what is large when its last visitor has gone, and not before."""

import gc
import weakref

import pytest

from core import api
from pages.ui import loaded, tidy
from tests.pages.conftest import open_page


@pytest.fixture
def done(monkeypatch):
    calls = []
    monkeypatch.setattr(loaded, "let_go", lambda: calls.append("let go"))
    monkeypatch.setattr(api, "tidy_memory", lambda: calls.append("tidied"))
    return calls


def test_a_session_counts_while_it_lasts():
    def here() -> int:
        gc.collect()
        return len(tidy._visits())

    open_page("start")  # who asks a page for its name is a visitor too
    before = here()
    app = open_page("start")
    app.run()
    assert here() == before + 1
    del app
    assert here() == before


def test_what_is_large_goes_with_the_last_visitor(done):
    one, other = tidy._Visit(), tidy._Visit()
    visits = weakref.WeakSet([one, other])
    assert tidy.tidy(visits, somebody_was_here=False)
    del one
    assert tidy.tidy(visits, somebody_was_here=True)
    assert done == ["tidied", "tidied"]
    del other
    assert not tidy.tidy(visits, somebody_was_here=True)
    assert done[2:] == ["tidied", "let go", "tidied"]
    assert not tidy.tidy(visits, somebody_was_here=False)
    assert len(done) == 5


def test_what_was_let_go_is_had_again(monkeypatch):
    asked = []
    monkeypatch.setattr(api, "find_run", lambda run_id: run_id)
    monkeypatch.setattr(api, "packed_contents", lambda run: asked.append(run) or "contents")
    source = api.Source(kind="run", task="t", model="m", run_id="0" * 12)
    for _ in range(2):
        assert loaded.contents(source) == "contents"
    loaded.let_go()
    assert loaded.contents(source) == "contents"
    assert len(asked) == 2
    loaded.let_go()
