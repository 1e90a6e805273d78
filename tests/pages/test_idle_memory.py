"""A server lets go of what is large when its last visitor has gone, and not before."""

import pytest

from core import api
from pages.ui import cached, idle_memory
from tests.pages.conftest import open_page


@pytest.fixture
def done(monkeypatch):
    calls = []
    monkeypatch.setattr(cached, "let_go", lambda: calls.append("let go"))
    monkeypatch.setattr(api, "tidy_memory", lambda: calls.append("tidied"))
    return calls


def test_a_session_is_noted_once():
    open_page("start").run()
    assert len(idle_memory._visitors()) == 1


def test_what_is_large_goes_with_the_last_visitor(done):
    visitors, here = {"one", "other"}, {"one", "other"}
    idle_memory.tidy(visitors, here.__contains__)
    here.remove("one")
    idle_memory.tidy(visitors, here.__contains__)
    assert visitors == {"other"}
    assert done == ["tidied", "tidied"]
    here.remove("other")
    idle_memory.tidy(visitors, here.__contains__)
    assert done[2:] == ["let go", "tidied"]
    idle_memory.tidy(visitors, here.__contains__)
    assert len(done) == 4


def test_what_was_let_go_is_had_again(monkeypatch):
    asked = []
    monkeypatch.setattr(api, "find_run", lambda run_id: run_id)
    monkeypatch.setattr(api, "packed_contents", lambda run: asked.append(run) or "contents")
    source = api.Source(kind="run", task="t", model="m", run_id="0" * 12)
    for _ in range(2):
        assert cached.contents(source) == "contents"
    cached.let_go()
    assert cached.contents(source) == "contents"
    assert len(asked) == 2
    cached.let_go()
