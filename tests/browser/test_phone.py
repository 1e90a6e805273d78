"""On a phone: the menu and the settings say what they are, and nothing hides behind an arrow."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import PAGES

pytestmark = pytest.mark.browser
ARROW = "stExpandSidebarButton"
WITH_SETTINGS = {"weights", "plan", "train", "compare", "predict", "export", "theory"}
TITLES = {"": "Start", "classroom": "Class"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page or "start")
def test_menu_and_settings_are_labelled(tab, page):
    visitor = tab(width=390).open(page)
    title = TITLES.get(page, page.capitalize())
    expect(visitor.page.get_by_role("button", name=f"Menu: {title}")).to_be_visible()
    expect(visitor.page.get_by_test_id(ARROW)).to_have_count(0)
    settings = visitor.page.get_by_text(re.compile("^Settings( and Start)?$"))
    expect(settings).to_have_count(1 if page in WITH_SETTINGS else 0)


def test_the_menu_leads_to_another_page(tab):
    visitor = tab(width=390).open("")
    visitor.page.get_by_role("button", name="Menu: Start").click()
    visitor.page.get_by_role("link", name="Export").last.click()
    visitor.title("How many bytes is it really?")


def test_a_training_is_started_on_a_phone(tab, tiny):
    visitor = tab(width=390).open(f"train?model={tiny}/tiny&steps=10&seed=6")
    visitor.page.get_by_text("Settings and Start").click()
    visitor.press("Start")
    visitor.has_in_address("run=")
    visitor.says("finished")


def test_a_window_that_grows_gets_its_sidebar_back(tab):
    visitor = tab(width=390).open("train")
    expect(visitor.page.get_by_role("button", name="Menu: Train")).to_be_visible()
    visitor.page.set_viewport_size({"width": 1280, "height": 900})
    expect(visitor.page.get_by_test_id("stSidebar").get_by_text("Task").first).to_be_visible()
    expect(visitor.page.get_by_role("button", name="Menu: Train")).to_have_count(0)
