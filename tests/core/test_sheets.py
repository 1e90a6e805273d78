"""Sheets of runs: whole, standing alone, and with the figures of the run itself."""

import itertools
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from core import api
from core.events import StepDone
from core.options import as_text, options
from core.sheets import curves, frame, of_runs

DEFAULT_RUN, OTHER_RUN = "197caee709a1", "0095773dea26"
VOID = {"meta", "line", "polyline", "circle", "polygon"}


@pytest.fixture
def shipped(monkeypatch, tmp_path):
    """The runs that ship, and a home without any."""
    for name in ("TERNARY_LAB_SHIPPED", "TERNARY_LAB_GRIDS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERNARY_LAB_HOME", str(tmp_path))


class Reader(HTMLParser):
    """Whether every tag is closed, and what would be fetched."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fetched: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag, attrs) -> None:
        if tag not in VOID:
            self.open.append(tag)
        self.fetched += [value for name, value in attrs if name == "src"]
        self.fetched += [tag] if tag in ("script", "link", "img", "iframe") else []

    def handle_endtag(self, tag) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data) -> None:
        self.text.append(data)


def read(html: str) -> str:
    """The words of a file that is whole and fetches nothing."""
    reader = Reader()
    reader.feed(html)
    assert reader.open == []
    assert reader.fetched == []
    return " ".join(" ".join(reader.text).split())


def test_a_run_as_a_sheet_has_its_figures_curves_and_settings(shipped):
    run = api.find_run(DEFAULT_RUN)
    result = run.result
    html = of_runs.of_run(run, api.events(run), "No difference shown.", "http://lab.example")
    text = read(html)
    assert run.title in text
    assert "No difference shown." in text
    assert f"{100 * result.score:.1f} ± {100 * result.score_standard_error:.1f}" in text
    assert f"{result.size_bytes_packed:,} bytes" in text
    assert html.count("<svg") == 2
    for option in ("weight_bits", "learning_rate", "seed"):
        assert option in text
    assert f'href="http://lab.example/train?run={DEFAULT_RUN}"' in html


def test_two_runs_as_a_sheet_say_what_differs_and_nothing_else(shipped):
    first, second = api.find_run(DEFAULT_RUN), api.find_run(OTHER_RUN)
    html = of_runs.of_pair(first, second, "No difference shown", ["One <sentence>."], "")
    text = read(html)
    assert "One <sentence>." in text
    for option in options():
        values = {as_text(option.value_of(each.experiment)) for each in (first, second)}
        assert (f"<td>{option.name}</td>" in html) == (len(values) == 2), option.name
    assert "href" not in html  # where the app is, nobody said


def test_what_others_wrote_is_escaped(shipped):
    run = api.find_run(DEFAULT_RUN)
    spoilt = replace(run, experiment=replace(run.experiment, task="<script>alert(1)</script>"))
    html = of_runs.of_run(spoilt, [], "<img src=x>", "javascript:alert(1)")
    text = read(html)
    assert "<img src=x>" in text
    assert "<script>alert(1)</script>" in text
    assert "href" not in html


def test_a_line_is_where_its_values_are():
    (line,) = curves.dressed([("loss", [(0, 1.0), (50, 10.0), (100, 100.0)])])
    svg = curves.draw([line], "title", "loss", log=True)
    points = re.search(r'polyline points="([^"]+)"', svg).group(1).split()
    (x0, y0), (x1, y1), (x2, y2) = (map(float, point.split(",")) for point in points)
    assert (x0, x2) == (curves.LEFT, curves.WIDTH - curves.RIGHT)
    assert x1 == pytest.approx((x0 + x2) / 2, abs=0.1)
    assert y1 == pytest.approx((y0 + y2) / 2, abs=0.1)  # equal factors are equal ways
    assert y0 > y2


def test_long_lines_are_thinned_and_keep_their_ends():
    points = [(step, 1.0 + step) for step in range(5000)]
    kept = curves._kept(curves.dressed([("loss", points)])[0], log=False).points
    assert len(kept) <= curves.POINTS + 1
    assert (kept[0], kept[-1]) == (points[0], points[-1])


def test_nothing_is_drawn_of_nothing_and_of_what_cannot_be_drawn():
    assert curves.draw([], "title", "loss") == ""
    lines = curves.dressed([("a", [(1, float("nan"))]), ("b", [(1, 0.0)])])
    assert curves.draw(lines, "title", "loss", log=True) == ""


def test_names_at_the_ends_never_lie_over_each_other():
    heights = curves._apart([100.0, 101.0, 99.0, 300.0])
    ordered = sorted(heights)
    assert all(b - a >= curves.LETTER_HEIGHT for a, b in itertools.pairwise(ordered))
    assert heights[3] == 300.0


def test_a_run_without_a_loss_above_zero_has_no_curve_of_losses(shipped):
    run = api.find_run(DEFAULT_RUN)
    step = next(event for event in api.events(run) if isinstance(event, StepDone))
    still = replace(step, hidden=0.0, attention=0.0, logits=0.0, labels=0.0)
    html = of_runs.of_run(run, [still], "", "", "The rest of <the events> cannot be read.")
    assert html.count("<svg") == 0
    assert "The rest of <the events> cannot be read." in read(html)


def test_a_table_and_a_note_hold_text():
    assert (
        read(frame.page("<t>", frame.table(["a<b"], [["&"]]) + frame.note("<i>"))).count("<") == 3
    )
