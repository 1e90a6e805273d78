"""What others left is shown as text in a real browser, and no page asks another server."""

import shutil
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from core import api
from core.experiment import Experiment
from core.runs import run_store, runner
from core.teachers.teacher_store import save_teacher
from pages.ui.formatting import WORD_JOINER
from tests.browser.conftest import PAGES
from tests.conftest import card_of, move_to, save_tiny_model, tiny_model
from tests.pages.conftest import csv_of
from tests.servers import end_trainings, served

pytestmark = pytest.mark.browser

HOSTILE = (
    "![p](http://evil.example/p) www.evil.example a@evil.example <img src=http://evil.example>"
)
# What a browser must show letter by letter.
ERROR = (
    f"{HOSTILE} <http://evil.example> [l](http://evil.example) HTTPS://evil.example "
    ":material/error: :smile: :streamlit: :red[x] $a^2$ `c` **b** ~~s~~ a -> b <- c -- d >= e ~= f "
    "&amp; [^1] mailto:a@evil.example --fresh a\\b # h"
)
MADE_OF_IT = """() => [...document.querySelectorAll(
    '[href*=evil], [src*=evil], [href^=mailto], [role=alert] .katex, [role=alert] del')]
    .map(each => each.outerHTML)"""


def hostile_rows() -> list[dict]:
    return [
        {HOSTILE: f"a film of {number} {HOSTILE}", "label": f"{HOSTILE} {number % 2}"}
        for number in range(60)
    ]


@pytest.fixture(scope="module")
def left_behind(tmp_path_factory):
    """A server on which somebody left such text: its address, the task, the run that failed."""
    root: Path = tmp_path_factory.mktemp("hostile")
    with pytest.MonkeyPatch.context() as patch:
        move_to(root, patch)
        table = api.read_table("Mine.csv", csv_of(hostile_rows()))
        plan = replace(api.guess_plan(table, "Mine"), title=HOSTILE)
        task = api.keep_data(plan, api.check_rows(table, plan)).name
        list(api.prefetch(task))
        network, model = tiny_model(), root / "tiny"
        save_tiny_model(model, network)
        save_teacher(network, card_of(network, str(model)))
        failed = Experiment(model=str(model), seed=3)
        folder = run_store.run_folder(failed.run_id)
        runner.prepare_folder(folder, failed)
        (folder / "error.txt").write_text(ERROR)
    cache, home = root / "cache", root / "home"
    with served(TERNARY_LAB_HOME=str(home), TERNARY_LAB_CACHE=str(cache)) as server:
        yield server.address, task, failed.run_id
    end_trainings(home)
    shutil.rmtree(root)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page or "start")
def test_no_page_asks_another_server(visitor, page):
    """The fixture `tab` notes every request of every test; here each page is opened and has time
    for what comes late, such as its icon."""
    visitor.open(page)
    visitor.page.wait_for_load_state("networkidle")
    icon = visitor.page.locator("link[rel~=icon]").first.get_attribute("href")
    assert icon
    assert not icon.startswith("http")
    assert not visitor.faults


def test_the_error_of_a_run_is_shown_letter_by_letter(tab, left_behind):
    server, _, run_id = left_behind
    visitor = tab(server=server).open(f"train?run={run_id}")
    alert = visitor.page.get_by_test_id("stAlertContentError")
    expect(alert).to_contain_text("evil")
    assert alert.inner_text().replace(WORD_JOINER, "").endswith(ERROR)
    assert visitor.page.evaluate(MADE_OF_IT) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page or "start")
def test_an_address_and_the_data_of_others_make_no_link_and_no_picture(tab, left_behind, page):
    server, task, _ = left_behind
    for asked in (f"task={task}", f"task={quote(HOSTILE)}&run={quote(HOSTILE)}&{quote(HOSTILE)}=1"):
        visitor = tab(server=server).open(f"{page}?{asked}")
        assert visitor.page.evaluate(MADE_OF_IT) == []
    visitor.shows("evil")


def test_own_data_is_named_as_text(tab, left_behind):
    server, task, _ = left_behind
    visitor = tab(server=server).open(f"data?task={task}")
    said = visitor.page.get_by_test_id("stMain").inner_text().replace(WORD_JOINER, "")
    assert said.count(HOSTILE) >= 2
    assert visitor.page.evaluate(MADE_OF_IT) == []
