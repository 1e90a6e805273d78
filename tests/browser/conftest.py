"""A real browser before a real server, with the shipped models and a home of its own.

Nothing here sleeps: Playwright waits for what is expected to be seen. Screenshots go to the folder
TERNARY_LAB_ARTIFACTS, else `artifacts/` (git-ignored).
"""

import io
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, Request, expect, sync_playwright

from core import api, settings
from core.experiment import Experiment, TrainRecipe
from core.runs import runner
from core.teachers.teacher_store import save_teacher
from tests.conftest import card_of, compute, move_to, save_tiny_model, tiny_model
from tests.servers import end_trainings, served

CHROMIUM = str(settings.CHROMIUM.value() or settings.CHROMIUM.default)
QUIET = ("no-sandbox", "disable-quic", "disable-background-networking", "disable-sync")
ARTIFACTS = settings.ARTIFACTS.value() or runner.PROJECT / settings.ARTIFACTS.default
PAGES = ("", "weights", "plan", "train", "data", "compare", "predict", "export")
PAGES += ("lessons", "classroom", "theory")
SETTLED = """() => {
    const app = document.querySelector('[data-test-script-state]')
    return app && app.dataset.testScriptState === 'notRunning'
        && document.querySelector('h1')
        && !document.querySelector('[data-testid=stSkeleton], [data-testid=stSpinner]')
}"""

EVERYTHING = """words => [
    document.body.innerText,
    ...[...document.querySelectorAll('input')].map(box => box.value),
    ...[...document.querySelectorAll('[role=gridcell]')].map(cell => cell.textContent),
].some(text => text.includes(words))"""
PATIENCE_MS = 40_000

expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a teacher so small that a student of it is trained in seconds, and one run."""
    root = tmp_path_factory.mktemp("browser")
    cache, shipped = settings.CACHE.value(), settings.SHIPPED.value()
    with pytest.MonkeyPatch.context() as patch:
        move_to(root, patch)
        for one, value in ((settings.CACHE, cache), (settings.SHIPPED, shipped)):
            patch.setenv(one.name, str(value)) if value else patch.delenv(one.name)
        list(api.prefetch("movie-sentiment"))
        network, model = tiny_model(), root / "tiny"
        save_tiny_model(model, network)
        save_teacher(network, card_of(network, str(model)))
        train = TrainRecipe(steps=4, batch_size=8, evaluate_every=2, max_tokens=16)
        compute(Experiment(model=str(model), train=train))
    return root


@pytest.fixture(scope="session")
def address(tiny: Path) -> Iterator[str]:
    """Where the app is served."""
    with served(TERNARY_LAB_HOME=str(tiny / "home")) as server:
        yield server.address
    end_trainings(tiny / "home")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as play:
        arguments = [f"--{name}" for name in QUIET]
        yield play.chromium.launch(executable_path=CHROMIUM, args=arguments)


class Visitor:
    """A tab of the browser on the app."""

    def __init__(self, page: Page, address: str) -> None:
        self.page, self.address = page, address
        self.faults: list[str] = []
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("request", self._note)

    def _note(self, request: Request) -> None:
        """Whatever leaves the server is a fault: pages work offline, and tell nobody of a visit."""
        inside = (f"{self.address}/", self.address.replace("http:", "ws:"), "data:", "blob:")
        if not request.url.startswith(inside):
            self.faults.append(f"asks {request.url}")

    def open(self, place: str) -> "Visitor":
        """Follow an address: what comes after the server's name."""
        self.page.goto(f"{self.address}/{place}")
        self.coerce_fields()
        return self

    def coerce_fields(self) -> None:
        """Wait until the page is drawn, charts included."""
        self.page.wait_for_function(SETTLED, timeout=PATIENCE_MS)
        for chart in self.page.get_by_test_id("stVegaLiteChart").all():
            expect(chart.locator("canvas, svg").first).to_be_attached()

    def title(self, words: str) -> None:
        expect(self.page.get_by_role("heading", level=1)).to_have_text(words)

    def says(self, words: str | re.Pattern) -> None:
        expect(self.page.get_by_text(words).first).to_be_visible()

    def shows(self, words: str) -> None:
        """Wait for words that may be in a box or in a table as well."""
        self.page.wait_for_function(EVERYTHING, arg=words, timeout=PATIENCE_MS)

    def says_no_longer(self, words: str) -> None:
        expect(self.page.get_by_text(words)).to_have_count(0)

    def has_in_address(self, words: str) -> None:
        expect(self.page).to_have_url(re.compile(re.escape(words)))

    def press(self, label: str, **options) -> None:
        self.page.get_by_role("button", name=label, exact=True, **options).click()

    def choose(self, label: str, option: str) -> None:
        """An option of a selectbox."""
        box = self.page.get_by_role("combobox", name=re.compile(re.escape(label)))
        box.click()
        self.page.get_by_role("option", name=re.compile(re.escape(option))).first.click()

    def segment(self, label: str, option: str) -> Locator:
        """One of the options side by side."""
        group = self.page.get_by_test_id("stButtonGroup").filter(has_text=label).first
        return group.get_by_role("radio", name=option, exact=True)

    def cells(self, table: int = 0) -> Locator:
        """The cells of a table; they are drawn on a canvas that holds them as text too."""
        return self.page.get_by_test_id("stDataFrame").nth(table).locator("[role=gridcell]")

    def click_colour(self, place: Locator, colour: tuple[int, int, int]) -> None:
        """Click on the lowest full spot of that colour: a mark on a canvas, not its legend."""
        picture = Image.open(io.BytesIO(place.screenshot())).convert("RGB")
        there = (np.abs(np.asarray(picture).astype(int) - colour).max(axis=2) < 12).astype(float)
        # A spot is filled for 7 pixels around; a letter or a line is not.
        filled = sliding_window_view(there, (7, 7)).sum(axis=(2, 3)) == 49
        row, column = np.argwhere(filled)[-1]
        place.click(position={"x": int(column) + 3, "y": int(row) + 3})

    def picture(self, name: str) -> Path:
        """The whole page as a picture among the artifacts."""
        ARTIFACTS.mkdir(parents=True, exist_ok=True)
        path = ARTIFACTS / f"{name}.png"
        width = self.page.viewport_size["width"]
        height = self.page.evaluate(
            "() => document.querySelector('[data-testid=stMain]').scrollHeight"
        )
        self.page.set_viewport_size({"width": width, "height": min(max(height + 10, 700), 6000)})
        self.coerce_fields()
        self.page.screenshot(path=path)
        return path


@pytest.fixture
def tab(chromium: Browser, address: str) -> Iterator:
    """Opens tabs: `tab()`, `tab(width=390, theme="dark")`. No script of theirs may fail, and none
    may ask another server."""
    tabs: list[Visitor] = []

    def opened(width: int = 1280, theme: str = "light", server: str = address) -> Visitor:
        context = chromium.new_context(
            viewport={"width": width, "height": 900}, color_scheme=theme, accept_downloads=True
        )
        tabs.append(Visitor(context.new_page(), server))
        return tabs[-1]

    yield opened
    faults = [fault for one in tabs for fault in one.faults]
    for one in tabs:
        one.page.context.close()
    assert not faults


@pytest.fixture
def visitor(tab) -> Visitor:
    """A tab on a laptop, in the light."""
    return tab()
