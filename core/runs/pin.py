"""The teacher's PIN: who may do on a shared server what others could lose something by.

The caller says which PIN is right (from the server's secrets); an empty one means that this
computer belongs to the person who sits at it.

A PIN is short, so guessing is made slow, and only for those who guess: every network address has
its own count. After five wrong PINs within ten minutes the next ones from that address are judged
one at a time, each after a delay that grows with their number, up to 15 seconds. Nobody is locked
out: the right PIN from another address is heard at once, and from the same address after its
turn. A new browser session changes nothing, because sessions are not counted. Where all visitors
have one address (a reverse proxy, or a school behind one router), all share one count: the right
PIN may then have to wait, or be given again when too many wait already.

At four guesses a minute a PIN of four digits is found within two days, one of eight letters and
digits never: on a network that is not trusted, take a long one.
"""

import hmac
import ipaddress
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

from core.errors import InputError

FREE_TRIES, WINDOW_SECONDS = 5, 600.0
SECONDS_PER_WRONG, LONGEST_SECONDS = 0.4, 15.0
MOST_WAITING = 4
MOST_ADDRESSES = 10_000


@dataclass(eq=False, slots=True)
class _Count:
    """What came from one address: when wrong PINs were judged, and how many wait for that."""

    wrong: list[float] = field(default_factory=list)
    waiting: int = 0
    turn: threading.Lock = field(default_factory=threading.Lock)

    def forget_old(self) -> None:
        since = time.monotonic() - WINDOW_SECONDS
        self.wrong = [when for when in self.wrong if when > since]

    def delay_seconds(self) -> float:
        self.forget_old()
        wrong = len(self.wrong)
        return min(LONGEST_SECONDS, SECONDS_PER_WRONG * wrong) if wrong >= FREE_TRIES else 0.0


_counts: dict[str, _Count] = {}
_lock = threading.Lock()


def check_pin(given: str, right: str, address: str = "") -> None:
    """Raise InputError unless the PIN is right, or none is wanted.

    `address` is the network address of the visitor, "" where it is not known (this computer, or a
    proxy on it). Waits up to 15 seconds for each that waits before, see above.
    """
    if not right:
        return
    with _in_turn(_group(address)) as count:
        time.sleep(count.delay_seconds())
        if hmac.compare_digest(given.encode(), right.encode()):
            return
        count.wrong.append(time.monotonic())
    raise InputError("This is not the teacher's PIN.")


@contextmanager
def _in_turn(group: str) -> Generator[_Count]:
    """The count of an address, for one visitor at a time."""
    with _lock:
        if len(_counts) >= MOST_ADDRESSES:
            _forget()
        count = _counts.setdefault(group, _Count())
        if count.waiting >= MOST_WAITING:
            raise InputError(
                "Too many PINs are being tried from your network address. Wait a moment and try "
                "again."
            )
        count.waiting += 1
    try:
        with count.turn:
            yield count
    finally:
        with _lock:
            count.waiting -= 1


def _forget() -> None:
    """Drop the addresses that say nothing any more; all if that is not enough."""
    for group, count in [*_counts.items()]:
        count.forget_old()
        if not count.wrong and not count.waiting:
            del _counts[group]
    if len(_counts) >= MOST_ADDRESSES:
        for group, count in [*_counts.items()]:
            if not count.waiting:
                del _counts[group]


def _group(address: str) -> str:
    """Visitors that are counted together: one address, in IPv6 one network of 64 bits, which is
    what a single household gets."""
    try:
        known = ipaddress.ip_address(address.split("%")[0])
    except ValueError:
        return address
    if isinstance(known, ipaddress.IPv6Address):
        if known.ipv4_mapped:
            return str(known.ipv4_mapped)
        return str(ipaddress.ip_network((known, 64), strict=False))
    return str(known)
