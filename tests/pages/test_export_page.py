"""The Export page: sizes follow the format, ticks are computed, downloads are what they say."""

import json
import re

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from streamlit.testing.v1 import AppTest

from core import api
from core.packed import engine, file
from pages.ui.export import export_charts, gate_panel
from tests.pages.conftest import open_page, press, texts_of


def metric(app: AppTest, label: str) -> str:
    (found,) = [one.value for one in app.metric if one.label == label]
    return found


def test_the_size_follows_the_format(finished_run):
    contents = api.packed_contents(finished_run)
    for codes in api.LAYOUTS:
        for leftovers in api.LEFTOVERS:
            app = open_page("export", codes=codes, leftovers=leftovers)
            size = len(file.contents_to_bytes(contents, codes, leftovers))
            assert metric(app, "Packed file") == f"{size / 2**20:.2f} MiB"
            assert metric(app, "Times smaller") == f"{4 * contents.numbers / size:.1f}x"
            (table,) = [frame.value for frame in app.dataframe if "leftovers" in frame.value]
            (row,) = table[table[""] == "●"].to_dict("records")
            assert (row["codes"], row["leftovers"], row["bytes"]) == (codes, leftovers, size)


def test_the_areas_sum_to_the_file(finished_run):
    contents = api.packed_contents(finished_run)
    seen = api.inspect_format(contents, api.ExportKind(codes="base-3"))
    (drawn,) = json.loads(export_charts.treemap(seen, dark=False).to_json())["data"]
    tops = [v for v, owner in zip(drawn["values"], drawn["parents"], strict=True) if not owner]
    assert sum(tops) == seen.size_bytes
    table = export_charts.arithmetic_table(seen).set_index("part")
    assert table.loc["all", "in the file (MiB)"] * 2**20 == pytest.approx(seen.size_bytes)
    for part in ("word embedding", "pooler", "kept in float", "scales"):
        row = table.loc[part]
        assert row["in the file (MiB)"] == pytest.approx(row["by arithmetic (MiB)"])


def test_ticks_are_shown_for_what_was_compared(finished_run):
    text = texts_of(open_page("export"))
    assert text.count("check_circle") == 3
    assert "16 logits of 8 texts, compared bit for bit" in text


def test_a_file_that_does_not_come_back_gets_no_tick(finished_run, monkeypatch):
    found = [api.Check(what="codes", ok=False, detail="3 codes differ")]
    monkeypatch.setattr(api, "check_read_back", lambda run, kind: found)
    app = open_page("export")
    assert "3 codes differ" in "".join(error.value for error in app.error)
    assert "check_circle" not in texts_of(app)


def test_a_damaged_run_is_said_in_a_sentence(finished_run):
    path = finished_run.folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-10])
    app = open_page("export")
    assert "is not a readable packed model" in "".join(error.value for error in app.error)


def test_without_the_engine_the_page_says_how_to_install_it(finished_run, monkeypatch):
    monkeypatch.setattr(engine, "is_available", lambda: False)
    app = open_page("export")
    assert "requirements-engine.txt" in texts_of(app)
    assert not [button for button in app.button if "Measure" in button.label]


@pytest.mark.slow
def test_the_race_shows_times_and_memory(finished_run):
    app = press(open_page("export"), "Measure on this machine")
    tables = [frame.value for frame in app.dataframe]
    assert any("against torch" in table.columns for table in tables)
    assert any("memory" in table.columns for table in tables)


@pytest.mark.parametrize(
    ("right", "limit", "badge", "words"),
    [
        (20, "20.0", "passed", "Shown to lose at most 20 points."),
        (5, "20.0", "failed", "Shown to lose more than 20 points."),
        (18, "1.0", "not shown", "Not shown to lose more than 1 point"),
    ],
)
def test_the_gate_has_a_badge_and_says_what_it_rests_on(finished_run, right, limit, badge, words):
    file = finished_run.folder / "predictions.safetensors"
    saved = load_file(file)
    labels = saved["test.labels"]
    saved["test.teacher"] = np.eye(2, dtype=np.float32)[labels]
    answers = np.where(np.arange(20) < right, labels, 1 - labels)
    saved["test.student"] = np.eye(2, dtype=np.float32)[answers]
    save_file(saved, file)
    app = open_page("export", may_lose=limit)
    text = texts_of(app)
    assert re.search(rf":{badge_colour(badge)}-badge\[:material/\w+: {badge}\]", text)
    assert words in text
    assert f"Accuracy on 20 test examples: teacher 100.0 %, student {5 * right}.0 %" in text
    commands = [each.value for each in app.code]
    assert f"python -m core gate {finished_run.run_id} --may-lose {float(limit):g}" in commands


def badge_colour(badge: str) -> str:
    return {title: colour for _, colour, title in gate_panel.LOOKS.values()}[badge]
