"""Redraws take turns: two at a time, whoever came first.

Every redraw is a thread, and all threads share Python's lock. When thirty people click at once,
thirty threads hand it round, each waits for all others at every file it looks at and every message
it sends, and everybody sees his page when the last one is done. In turns the first see theirs at
once, and nobody sees his later.

A turn is short. Whoever computes longer goes on beside the others, who no longer wait for him, so
nobody's slow question makes a class stand still, and no lock that a thread waits for inside its
turn can be out of reach for good.
"""

import threading
import time
from collections.abc import Generator
from contextlib import contextmanager

AT_ONCE, TURN_SECONDS = 2, 0.5


class Turns:
    """At most `at_once` holders whose turn began less than `seconds` ago."""

    def __init__(self, at_once: int, seconds: float) -> None:
        self.at_once, self.seconds = at_once, seconds
        self._began: dict[int, float] = {}  # thread to the moment its turn began
        self._changed = threading.Condition()

    @contextmanager
    def turn(self) -> Generator[None]:
        """Wait for a turn and have it inside the block. In a block of the same thread's this is
        that turn."""
        me = threading.get_ident()
        if me in self._began:
            yield
            return
        with self._changed:
            while (left := self._seconds_until_free()) > 0:
                self._changed.wait(left)
            self._began[me] = time.monotonic()
        try:
            yield
        finally:
            with self._changed:
                del self._began[me]
                self._changed.notify()

    def _seconds_until_free(self) -> float:
        """At the latest, if nobody ends his turn before; 0 or less: there is a place now."""
        now = time.monotonic()
        ends = sorted(began + self.seconds for began in self._began.values())
        current = [end for end in ends if end > now]
        return current[-self.at_once] - now if len(current) >= self.at_once else 0.0


turn = Turns(AT_ONCE, TURN_SECONDS).turn
