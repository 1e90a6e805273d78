"""What a student does on each page, and sees."""

import re

import pytest
from playwright.sync_api import expect

from tests.pages.conftest import csv_of, value_rows

pytestmark = pytest.mark.browser
CODES_BLUE = (0, 114, 178)  # the colour of a trained student in the light


def test_start_answers_a_sentence_and_shows_the_way(visitor):
    visitor.open("")
    visitor.title("How small can a language model get?")
    visitor.says("Packed file")
    box = visitor.page.get_by_role("textbox").first
    box.fill("A dull and awful story that nobody needs.")
    box.press("Control+Enter")
    visitor.has_in_address("text_movie-sentiment=A+dull")
    expect(visitor.cells().filter(has_text="negative").first).to_be_attached()
    visitor.page.get_by_test_id("stMain").get_by_role("link", name="Weights").click()
    visitor.title("What does quantizing do to one weight matrix?")


def test_weights_follow_the_knobs_and_a_reload_keeps_them(visitor):
    visitor.open("weights")
    visitor.segment("Side by side", "3").click()
    visitor.has_in_address("columns=3")
    expect(visitor.page.get_by_test_id("stVegaLiteChart")).to_have_count(3)
    visitor.segment("Bits", "4").click()
    visitor.has_in_address("weight_bits=4")
    expect(visitor.cells().filter(has_text="twn, 4 bits, layer")).to_have_count(1)
    visitor.page.get_by_text("A corner, number by number").click()
    visitor.has_in_address("corner=true")
    expect(visitor.page.get_by_test_id("stPlotlyChart")).to_have_count(3)
    visitor.page.reload()
    expect(visitor.segment("Bits", "4")).to_be_checked()
    expect(visitor.page.get_by_test_id("stPlotlyChart")).to_have_count(3)


def test_train_a_tiny_student_and_see_what_came_out(visitor, tiny):
    visitor.open(f"train?model={tiny}/tiny&steps=10&seed=5")
    visitor.press("Start")
    visitor.says("finished")
    visitor.has_in_address("run=")
    visitor.says("Does the student reach its teacher?")
    expect(visitor.page.get_by_test_id("stMetric")).to_have_count(4)


def test_a_training_is_found_again_and_stopped_from_another_tab(tab):
    first, second = tab(), tab()
    first.open("train?steps=2000&seed=7")
    first.press("Start")
    first.has_in_address("run=")
    first.says("training · run")
    first.page.reload()
    first.says("training · run")
    second.open(first.page.url.removeprefix(f"{first.address}/"))
    second.says("training · run")
    second.press("Stop")
    second.says("stopped")
    first.says("stopped")


def test_own_text_becomes_a_task_and_goes_only_when_it_is_meant(visitor):
    visitor.open("data")
    file = {"name": "Ratings.csv", "mimeType": "text/csv", "buffer": csv_of(value_rows())}
    visitor.page.locator("input[type=file]").first.set_input_files(file)
    visitor.says("60 rows")
    visitor.press("Use this text")
    visitor.says("is now a task")
    visitor.press("Delete")
    visitor.says("Teachers and runs that learned from it stay.")
    visitor.page.keyboard.press("Escape")
    visitor.says("own-ratings")
    visitor.press("Delete")
    visitor.press("Delete for good")
    visitor.says_no_longer("own-ratings")


def test_a_click_on_a_student_shows_its_run(visitor):
    visitor.open("compare")
    visitor.title("What does each bit cost?")
    chart = visitor.page.get_by_test_id("stVegaLiteChart").first
    chart.scroll_into_view_if_needed()
    visitor.click_colour(chart, CODES_BLUE)
    visitor.says("Does the student reach its teacher?")


def test_predict_compares_runs_and_filters_the_examples(visitor):
    visitor.open("predict")
    box = visitor.page.get_by_role("textbox").first
    box.fill("Not a great film, but a warm one.")
    box.press("Control+Enter")
    visitor.has_in_address("text_movie-sentiment=Not+a+great")
    visitor.page.get_by_role("combobox", name=re.compile("More runs")).click()
    visitor.page.get_by_role("option").first.click()
    visitor.has_in_address("more=")
    expect(visitor.cells().filter(has_text="minilm").first).to_be_attached()
    visitor.page.keyboard.press("Escape")
    visitor.segment("Show", "student better").click()
    visitor.has_in_address("show=student+better")
    visitor.says(re.compile(r"dev examples"))


def test_export_counts_the_bytes_of_what_is_downloaded(visitor):
    visitor.open("export?codes=base-3")
    expect(visitor.segment("Codes", "base-3")).to_be_checked()
    visitor.says("Every byte has its place.")
    with visitor.page.expect_download() as taken:
        visitor.press("Packed file")
    size = taken.value.path().stat().st_size
    shown = visitor.page.get_by_test_id("stMetric").filter(has_text="Packed file")
    expect(shown).to_contain_text(f"{size / 2**20:.2f} MiB")
