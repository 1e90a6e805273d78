"""As many threads as the machine has processors to give, while a training runs.

Threads that share an operation wait for each other, so the operation takes as long as its slowest
thread. Where another program keeps a processor busy, a thread too many makes every operation wait
for that processor: fewer threads are faster. So every few seconds the training looks at what other
programs use (`cpu_usage`) and changes its number of threads between two steps or two batches of a
scoring. Every change is an event, because sums are taken in another order with another number of
threads, so the last digits of what follows may differ from those of an undisturbed run.

A thread is given up only if both are seen twice in a row: others use its processor, and threads of
this process wait. On an idle machine nothing changes. One is taken back when its processor has
been idle for a while; after every disturbance that while becomes longer, up to about a minute.
"""

import random
import time
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import replace

import torch

from core.events import Event, Finished, StepDone, Taught, ThreadsChanged
from core.machine import describe
from core.results import Machine
from core.training.cpu_usage import Reading, Usage, read_usage, usage_between

LOOK_SECONDS = 2.0
LOOKS_DOWN, LOOKS_UP, LOOKS_UP_MOST = 2, 2, 24
WAITED = 0.2  # of the time computed: below, nobody is in the way
SLACK = 0.5  # of a processor: so much of it others may use before it counts as theirs
IDLE = 0.7  # of a processor: so much of it must be idle before a thread is added

_jitter = random.SystemRandom()  # two trainings must not look at the same moments
_used: list[int] = []  # numbers of threads of the training under way, as torch's a process's own


class ThreadCount:
    """Decides how many threads, at most `most`, a training should have."""

    def __init__(self, most: int, read: Callable[[], Reading | None] | None = None) -> None:
        self.most = self.now = most
        self.usage = Usage(processors=most, others=0.0, waited=0.0)
        self._read = read or read_usage
        self._before = self._read()
        self._direction = self._looks = 0  # looks in a row that asked for fewer or more threads
        self._patience = LOOKS_UP

    def look(self) -> bool:
        """Look at the accounts; whether `now` has changed."""
        after = self._read()
        if after is None or self._before is None or after.clock <= self._before.clock:
            return False
        self.usage, self._before = usage_between(self._before, after), after
        wanted = wanted_threads(self.usage, self.now, self.most)
        direction = (wanted > self.now) - (wanted < self.now)
        self._looks = self._looks + 1 if direction == self._direction else 1
        self._direction = direction
        if not direction or self._looks < (self._patience if direction > 0 else LOOKS_DOWN):
            return False
        if direction < 0:
            self._patience = min(2 * self._patience, LOOKS_UP_MOST)
        self.now, self._direction = wanted, 0
        return True


def wanted_threads(usage: Usage, now: int, most: int) -> int:
    """How many threads one look asks for, where there are `now`."""
    free = usage.processors - usage.others
    if now > free + SLACK and usage.waited > WAITED:
        return max(1, int(free + SLACK))
    if now + IDLE <= free:
        return max(now, min(most, int(free + 1 - IDLE)))
    return now


def with_threads(
    training: Generator[Event], most: int, count: ThreadCount | None
) -> Generator[Event]:
    """The events of a training on `most` threads, or on as many as `count` says and then with an
    event for every change."""
    torch.set_num_threads(most)
    _used[:] = [most]
    step, next_look = 0, time.monotonic() + LOOK_SECONDS
    with closing(training):
        for event in training:
            yield event
            step = event.step if isinstance(event, StepDone) else step
            is_over = isinstance(event, Finished | Taught)  # nothing comes after it
            if count is None or is_over or time.monotonic() < next_look:
                continue
            if count.look():
                torch.set_num_threads(count.now)
                _used.append(count.now)
                yield _change(step, count)
            next_look = time.monotonic() + LOOK_SECONDS * _jitter.uniform(1.0, 1.5)


def _change(step: int, count: ThreadCount) -> ThreadsChanged:
    return ThreadsChanged(
        step=step,
        threads=count.now,
        text=(
            f"Computing with {count.now} of {count.most} threads from here on: other programs use "
            f"{count.usage.others:.1f} of {count.usage.processors} processors. Sums are now taken "
            "in another order, so the last digits may differ from those of an undisturbed run."
        ),
    )


def machine() -> Machine:
    """This machine with the number of threads now, and all numbers if there were several."""
    found = describe(torch.get_num_threads())
    several = tuple(dict.fromkeys(_used)) if found.threads in _used else ()
    return replace(found, thread_counts=several if len(several) > 1 else ())
