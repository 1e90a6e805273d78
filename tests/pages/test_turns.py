"""Redraws take turns; a slow one holds nobody up, and a broken one gives its turn back."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from pages.ui.turns import Turns

LONG = 60.0  # seconds that no test waits for


def test_no_more_than_two_have_a_turn_at_once():
    turns, here, seen = Turns(2, LONG), [], []

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


def test_nobody_waits_for_a_slow_one():
    turns, over, waited = Turns(1, 0.1), threading.Event(), []

    def slow():
        with turns.turn():
            over.wait(LONG)

    def quick():
        began = time.monotonic()
        with turns.turn():
            waited.append(time.monotonic() - began)

    threads = [threading.Thread(target=slow)]
    threads[0].start()
    time.sleep(0.02)
    for _ in range(2):
        threads.append(threading.Thread(target=quick))
        threads[-1].start()
        threads[-1].join(5.0)
    assert not over.is_set()
    over.set()
    threads[0].join(5.0)
    assert 0.0 < waited[0] < 2.0
    assert waited[1] < 0.1  # the slow one's time was up already


def test_a_turn_inside_a_turn_is_the_same():
    turns = Turns(1, LONG)
    with turns.turn(), turns.turn():
        pass
    assert turns._seconds_until_free() == 0.0


def test_the_inner_end_does_not_end_the_outer():
    turns = Turns(1, LONG)
    with turns.turn():
        with turns.turn():
            pass
        assert turns._seconds_until_free() > 0.0


def test_who_fails_gives_the_turn_back():
    turns = Turns(1, LONG)
    with suppress(ValueError), turns.turn():
        raise ValueError
    assert turns._seconds_until_free() == 0.0


@pytest.mark.parametrize("visitors", [1, 2, 3])
def test_a_place_is_free_until_both_are_taken(visitors):
    turns = Turns(2, LONG)
    entered, over = threading.Semaphore(0), threading.Event()

    def redraw():
        with turns.turn():
            entered.release()
            over.wait(LONG)

    threads = [threading.Thread(target=redraw) for _ in range(visitors)]
    for thread in threads:
        thread.start()
    assert all(entered.acquire(timeout=5.0) for _ in range(min(visitors, 2)))
    assert (turns._seconds_until_free() > 0.0) == (visitors >= 2)
    assert not entered.acquire(timeout=0.05)  # a third stands outside
    over.set()
    for thread in threads:
        thread.join(5.0)
    assert turns._seconds_until_free() == 0.0
