"""How fast does the Weights page answer? Turns every knob of a real server over HTTP.

    streamlit run app.py --server.headless true --server.enableAgentApi true
    python tests/measure_knobs.py http://localhost:8501

Prints, per matrix, median and 95th percentile of the time from a changed method, bit-width or
granularity to the whole redrawn page, over every change from each setting to the next. Each setting
is visited once, so what is measured is computed, not remembered; only the matrix is loaded before.
The drawing in the browser comes on top: it depends on the browser's machine.
"""

import json
import sys
import time
import urllib.request
from collections.abc import Iterator

import numpy as np

METHODS = ("twn", "lat", "lat-exact", "lsq", "optimal", "uniform", "absmean")
INSIDE = ("query", "key", "value", "attention output", "feed-forward in", "feed-forward out")
ENCODER = [f"layer {layer}, {name}" for layer in range(3) for name in INSIDE]
MATRICES = [("word embedding", "embedding"), *((name, "weight") for name in [*ENCODER, "pooler"])]


class Session:
    """One visitor of the Weights page."""

    def __init__(self, address: str, matrix: str) -> None:
        self.address, self.handle = address, ""
        self.ask(page="weights", query_params={"matrix": [matrix], "columns": ["1"]})

    def ask(self, **request) -> float:
        """Milliseconds until the page is drawn again."""
        body = json.dumps({**({"session_id": self.handle} if self.handle else {}), **request})
        headers = {"Content-Type": "application/json"}
        url = f"{self.address}/_stcore/agent/interact"
        sent = urllib.request.Request(url, data=body.encode(), headers=headers)
        began = time.perf_counter()
        with urllib.request.urlopen(sent, timeout=120) as answer:
            text = answer.read()
        passed = 1000 * (time.perf_counter() - began)
        self.handle = json.loads(text)["session_id"]
        return passed


def changes(session: Session, part: str) -> Iterator[tuple[str, float]]:
    """(setting, milliseconds) for every method, granularity and bit-width."""
    for method in METHODS:
        yield method, session.ask(widget_state={"method": method})
        for granularity in ("layer", "row"):
            state = {f"{part}_granularity": granularity}
            yield f"{method} {granularity}", session.ask(widget_state=state)
            for bits in (3, 4, 8, 2) if method != "absmean" else ():
                passed = session.ask(widget_state={f"{part}_bits": bits})
                yield f"{method} {granularity} {bits}", passed


def main(address: str) -> None:
    """Measure every matrix of the default model, the embedding first."""
    everything: list[float] = []
    for title, part in MATRICES:
        session = Session(address, title)
        times = list(changes(session, part))
        values = [passed for _, passed in times]
        everything += values
        slowest = sorted(times, key=lambda item: -item[1])[:6]
        named = ", ".join(f"{name} {passed:.0f}" for name, passed in slowest)
        if part == "embedding":
            print(f"{title}: {report(values)}; slowest: {named}")
    print(f"without the word embedding: {report(everything[len(times) :])}")
    print(f"all {len(MATRICES)} matrices: {report(everything)}")


def report(values: list[float]) -> str:
    """Count, median and 95th percentile as text."""
    return (
        f"{len(values)} changes, median {np.median(values):.0f} ms, "
        f"95th percentile {np.percentile(values, 95):.0f} ms"
    )


if __name__ == "__main__":
    main(sys.argv[1])
