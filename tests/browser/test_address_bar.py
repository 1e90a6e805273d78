"""The address bar: what it holds, what following it opens, and the way back."""

import pytest
from playwright.sync_api import expect

from core import api
from core.runs import run_store

pytestmark = pytest.mark.browser
# The last of the list, so that it is not what a page shows anyway.
SHIPPED_RUN = [run.run_id for run in run_store.list_runs() if run.shipped and run.keeps_student][-1]

DEEP = {
    "weights?method=lat&columns=3&method_c=absmean": "lat, 2 bits, layer",
    f"export?student={SHIPPED_RUN}&codes=base-3": SHIPPED_RUN[:6],
    f"predict?student={SHIPPED_RUN}": SHIPPED_RUN[:6],
    f"train?run={SHIPPED_RUN}": f"run {SHIPPED_RUN}",
    "data?task=sst2": api.tasks()["sst2"].description,
}


@pytest.mark.parametrize("place", DEEP)
def test_a_deep_link_opens_that_setting(visitor, place):
    visitor.open(place)
    visitor.shows(DEEP[place])
    visitor.says_no_longer("cannot be had here")


def test_a_wrong_value_is_refused_in_a_word(visitor):
    visitor.open("train?weight_bits=5&task=poetry")
    visitor.says("The address asks for weight_bits = 5, which cannot be had here; 2 is used.")
    visitor.says("movie-sentiment is used")


def test_a_copied_address_carries_the_whole_form(tab):
    first, second = tab(), tab()
    first.open("train")
    first.choose("Method", "lat")
    first.segment("Weight bits", "4").click()
    first.segment("Activation range", "symmetric").click()
    first.page.get_by_role("spinbutton", name="Seed").fill("12")
    first.page.keyboard.press("Enter")
    for words in ("method=lat", "weight_bits=4", "activation=symmetric", "seed=12"):
        first.has_in_address(words)
    second.open(first.page.url.removeprefix(f"{first.address}/"))
    expect(second.segment("Weight bits", "4")).to_be_checked()
    expect(second.segment("Activation range", "symmetric")).to_be_checked()
    expect(second.page.get_by_role("spinbutton", name="Seed")).to_have_value("12")


def test_a_chosen_run_is_in_the_address_by_its_id_and_goes_along(visitor):
    visitor.open("export")
    visitor.choose("Run", SHIPPED_RUN[:6])
    visitor.has_in_address(f"student={SHIPPED_RUN}")
    visitor.page.get_by_role("link", name="Predict", exact=True).first.click()
    visitor.title("Where do they disagree?")
    visitor.has_in_address(f"student={SHIPPED_RUN}")


def test_one_step_back_brings_the_last_page_with_its_setting(visitor):
    """Neither a knob nor what Streamlit does to the address of a page that is left is a step."""
    visitor.open("")
    main = visitor.page.get_by_role("link", name="Weights", exact=True)
    main.first.click()
    visitor.title("What does quantizing do to one weight matrix?")
    visitor.segment("Side by side", "3").click()
    visitor.has_in_address("columns=3")
    visitor.page.get_by_role("link", name="Export", exact=True).first.click()
    visitor.title("How many bytes is it really?")
    visitor.page.go_back()
    visitor.title("What does quantizing do to one weight matrix?")
    visitor.has_in_address("columns=3")
    expect(visitor.segment("Side by side", "3")).to_be_checked()
    visitor.page.go_back()
    visitor.title("How small can a language model get?")
    visitor.page.go_forward()
    visitor.has_in_address("columns=3")
    expect(visitor.segment("Side by side", "3")).to_be_checked()


def test_a_choice_that_is_kept_from_page_to_page_is_no_step_either(visitor):
    visitor.open("export")
    visitor.choose("Run", SHIPPED_RUN[:6])
    visitor.has_in_address(f"student={SHIPPED_RUN}")
    visitor.page.get_by_role("link", name="Predict", exact=True).first.click()
    visitor.title("Where do they disagree?")
    visitor.has_in_address(f"student={SHIPPED_RUN}")
    visitor.page.go_back()
    visitor.title("How many bytes is it really?")
    visitor.has_in_address(f"student={SHIPPED_RUN}")
