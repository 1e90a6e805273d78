"""Long work in small pieces, so that it can end with the person who asked for it.

Reading, guessing and checking call a `Tick` every thousand rows. On a page it raises when the
person has left or has asked for something else; on the command line it does nothing.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Tick = Callable[[], None]
Item = TypeVar("Item")
PIECE = 1000


def keep_going() -> None:
    """The tick of a caller that waits to the end."""


def paced(items: Iterable[Item], tick: Tick) -> Iterator[Item]:
    """The items, with a call of `tick` before the first and then before every thousandth."""
    for number, item in enumerate(items):
        if number % PIECE == 0:
            tick()
        yield item
