"""Redraws take turns: two at a time, in the order in which they were asked for.

Every redraw is a thread, and all threads share Python's lock. When thirty people click at once,
thirty threads hand it round, each waits for all others at every file it looks at and every message
it sends, and everybody sees his page when the last one is done. In turns the first see theirs at
once, and the last no later than before.

A turn expires after half a second, far more than most redraws take. A redraw that computes longer,
or waits for somebody else's model to open, continues beside the others, and the next one begins. So
a slow redraw delays those behind it by at most that, and two threads that wait for each other, one
for its turn and one inside its own, cannot deadlock.

Streamlit has no such limit itself (its issues 7851 and 8490); when it has, this file can go.
"""

import threading
import time
from collections import deque
from collections.abc import Generator
from contextlib import contextmanager

AT_ONCE, TURN_SECONDS = 2, 0.5


class RedrawLimiter:
    """At most `at_once` holders whose turn began less than `seconds` ago."""

    def __init__(self, at_once: int, seconds: float) -> None:
        self.at_once, self.seconds = at_once, seconds
        self._lock = threading.Lock()
        self._queue: deque[threading.Condition] = deque()
        self._began: dict[int, float] = {}  # thread to the moment its turn began

    @contextmanager
    def turn(self) -> Generator[None]:
        """Wait for a turn and have it inside the block. Inside a turn of the same thread it is
        that same turn."""
        me = threading.get_ident()
        if me in self._began:
            yield
            return
        with self._lock:
            self._wait()
            self._began[me] = time.monotonic()
        try:
            yield
        finally:
            with self._lock:
                del self._began[me]
                self._wake_first()

    def _wait(self) -> None:
        """Until this thread is the first in the queue and there is a place."""
        mine = threading.Condition(self._lock)
        self._queue.append(mine)
        while (first := self._queue[0]) is not mine or self._seconds_until_free() > 0:
            mine.wait(self._seconds_until_free() if first is mine else None)
        self._queue.popleft()
        self._wake_first()

    def _wake_first(self) -> None:
        if self._queue:
            self._queue[0].notify()

    def _seconds_until_free(self) -> float:
        """At the latest, if nobody ends his turn before; 0: there is a place now."""
        now = time.monotonic()
        left = sorted(began + self.seconds - now for began in self._began.values())
        return max(0.0, left[-self.at_once]) if len(left) >= self.at_once else 0.0


turn = RedrawLimiter(AT_ONCE, TURN_SECONDS).turn
