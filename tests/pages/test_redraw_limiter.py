"""Redraws take turns; a slow one holds nobody up, and a broken one gives its turn back."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import pytest
from streamlit.runtime.scriptrunner import StopException

from core import api
from pages.ui.redraw_limiter import RedrawLimiter
from pages.ui.train import live_run
from tests.conftest import wait_for
from tests.pages.conftest import open_page

LONG = 60.0  # seconds that no test waits for


class Redraw(threading.Thread):
    """A turn that lasts until it is told to end."""

    def __init__(
        self, turns: RedrawLimiter, order: list[int] | None = None, number: int = 0
    ) -> None:
        super().__init__(daemon=True)
        self.turns, self.order, self.number = turns, order, number
        self.inside, self.over = threading.Event(), threading.Event()
        self.start()

    def run(self) -> None:
        with self.turns.turn():
            if self.order is not None:
                self.order.append(self.number)
            self.inside.set()
            self.over.wait(LONG)

    def end(self) -> None:
        self.over.set()
        self.join(5.0)
        assert not self.is_alive()


@contextmanager
def redraws(turns: RedrawLimiter, count: int) -> Iterator[list[Redraw]]:
    """So many, one after the other; each waits in the queue or has begun before the next comes."""
    order: list[int] = []
    made = []
    try:
        for number in range(count):
            made.append(Redraw(turns, order, number))
            wait_for(lambda wanted=number + 1: len(turns._queue) + len(turns._began) == wanted)
        yield made
    finally:
        for redraw in made:
            redraw.over.set()


def test_no_more_than_two_have_a_turn_at_once():
    turns, here, seen = RedrawLimiter(2, LONG), [], []

    def redraw(number):
        with turns.turn():
            here.append(number)
            seen.append(len(here))
            time.sleep(0.01)
            here.remove(number)

    with ThreadPoolExecutor(8) as visitors:
        list(visitors.map(redraw, range(24)))
    assert max(seen) == 2
    assert len(seen) == 24
    assert not turns._began
    assert not turns._queue


def test_who_came_first_has_the_first_turn():
    turns = RedrawLimiter(2, LONG)
    with redraws(turns, 6) as made:
        for number, redraw in enumerate(made):
            assert redraw.inside.wait(5.0)
            assert [each.inside.is_set() for each in made] == [n < number + 2 for n in range(6)]
            redraw.end()
            if number + 2 < 6:
                assert made[number + 2].inside.wait(5.0)
        assert made[0].order == [0, 1, 2, 3, 4, 5]
    assert not turns._began


def test_nobody_waits_for_a_slow_one_for_longer_than_a_turn():
    turns = RedrawLimiter(1, 0.3)
    with redraws(turns, 1) as (slow,):
        assert slow.inside.wait(5.0)
        left = turns._seconds_until_free()
        began = time.monotonic()
        with turns.turn():
            waited = time.monotonic() - began
        assert left - 0.05 < waited < 5.0
        assert turns._seconds_until_free() == 0.0  # it is still there, and its time is up
        assert slow.is_alive()
        slow.end()
    assert not turns._began


def test_a_turn_inside_a_turn_is_the_same():
    turns = RedrawLimiter(1, LONG)
    with turns.turn():
        with turns.turn():
            pass
        assert turns._seconds_until_free() > 0.0
    assert not turns._began


def test_who_fails_gives_the_turn_back():
    turns = RedrawLimiter(1, LONG)
    for error in (ValueError, StopException):
        with suppress(error), turns.turn():
            raise error
        assert not turns._began


@pytest.fixture
def taken(monkeypatch):
    """The turns of every thread that had to ask for one."""
    taken, wait = [], RedrawLimiter._wait
    monkeypatch.setattr(RedrawLimiter, "_wait", lambda turns: taken.append(turns) or wait(turns))
    return taken


@pytest.mark.parametrize("address", [{}, {"view": "Ablations"}], ids=["whole", "stopped"])
def test_a_page_is_one_turn_and_gives_it_back(address, taken):
    page = open_page("compare", **address)
    assert not taken[-1]._began
    taken.clear()
    page.run()
    (turns,) = taken
    assert not turns._began


def test_a_part_that_draws_itself_again_is_one_turn(taken, monkeypatch):
    monkeypatch.setattr(api, "find_run", lambda run_id: None)
    live_run._draw("0" * 12, None)
    (turns,) = taken
    assert not turns._began
