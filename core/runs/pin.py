"""The teacher's PIN: who may remove runs, and stop those of others, on a server that many share.

The caller says which PIN is right (from the server's secrets); an empty one means that this
computer belongs to whoever sits at it. A PIN is short, so guessing is made slow: after some wrong
ones nobody is heard for a while, whoever asks.
"""

import hmac
import threading
import time

from core.errors import InputError

TRIES, WAIT_SECONDS = 5, 60.0
_wrong: list[float] = []
_lock = threading.Lock()


def check_pin(given: str, right: str) -> None:
    """Raise InputError unless the PIN is right, or none is wanted."""
    if not right:
        return
    with _lock:
        now = time.monotonic()
        _wrong[:] = [when for when in _wrong if now - when < WAIT_SECONDS]
        if len(_wrong) >= TRIES:
            raise InputError("Too many wrong PINs. Wait a minute and try again.")
        if not hmac.compare_digest(given.encode(), right.encode()):
            _wrong.append(now)
            raise InputError("This is not the teacher's PIN.")
