"""How fast does the Weights page answer? Clicks through its knobs in a real browser.

    python tests/browser/measure_knobs.py http://localhost:8501

Prints, per matrix, the median and 95th percentile of the time from a click to the end of the redraw
(the script has run and the page says so), over every change of bits and granularity for every
method. The first visit of a setting computes it; nothing is warmed up but the matrix itself.
"""

import sys
from collections.abc import Iterator
from urllib.parse import quote

import numpy as np
from playwright.sync_api import Page, sync_playwright

CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-quic", "--disable-background-networking"]
IDLE = '[data-test-script-state="notRunning"]'
METHODS = (
    "TWN (approximation)",
    "LAT (loss-aware)",
    "LAT, exact solver",
    "LSQ (learned step)",
    "Exact optimum (least squares)",
    "Uniform (max-abs)",
    "absmean (BitNet b1.58)",
)

WATCH = """() => new Promise((resolve) => {
  const app = document.querySelector('[data-test-script-state]');
  let began = null, ran = false;
  const look = () => {
    const state = app.getAttribute('data-test-script-state');
    if (state !== 'notRunning') ran = true;
    else if (ran) { observer.disconnect(); resolve(performance.now() - began); }
  };
  const observer = new MutationObserver(look);
  observer.observe(app, {attributes: true, attributeFilter: ['data-test-script-state']});
  document.addEventListener('click', () => { began = performance.now(); },
                            {once: true, capture: true});
  setTimeout(() => { observer.disconnect(); resolve(-1); }, 30000);
  window.__armed = true;
})"""


def timed_click(page: Page, locator) -> float:
    """Milliseconds from the click to the end of the redraw; -1 if nothing happened in 30 s."""
    page.evaluate("window.__armed = false")
    handle = page.evaluate_handle(f"({{promise: ({WATCH})()}})")
    locator.click()
    return page.evaluate("(h) => h.promise", handle)


def choose_method(page: Page, title: str) -> float:
    """Pick a method in the first column; milliseconds of the redraw."""
    page.locator('[data-testid="stMain"] [role="combobox"]').first.click()
    return timed_click(page, page.get_by_role("option", name=title, exact=True))


def changes(page: Page) -> Iterator[tuple[str, float]]:
    """(what was changed, milliseconds) for every setting of the first column."""
    column = page.locator('[data-testid="stColumn"]').first
    for method in METHODS:
        yield method, choose_method(page, method)
        for granularity in ("row", "layer"):
            bits = [
                text for text in column.get_by_role("radio").all_inner_texts() if text.isdigit()
            ]
            for name in (granularity, *bits):
                button = column.get_by_role("radio", name=name, exact=True)
                if not button.is_checked():
                    yield f"{method} {granularity} {name}", timed_click(page, button)


def main(address: str) -> None:
    """Measure the word embedding and an ordinary matrix."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for matrix in ("word embedding", "layer 2, feed-forward in"):
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            page.goto(f"{address}/weights?matrix={quote(matrix)}&columns=1")
            page.wait_for_selector("h1")
            page.wait_for_timeout(3000)
            page.wait_for_selector(IDLE, timeout=60_000)
            times = list(changes(page))
            values = np.array([ms for _, ms in times])
            slowest = sorted(times, key=lambda item: -item[1])[:6]
            print(
                f"{matrix}: {len(values)} changes, median {np.median(values):.0f} ms, "
                f"95th percentile {np.percentile(values, 95):.0f} ms, failed {(values < 0).sum()}; "
                f"slowest {[(name, round(ms)) for name, ms in slowest]}"
            )
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1])
