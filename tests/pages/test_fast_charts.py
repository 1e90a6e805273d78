"""Charts that are not checked are the same charts; in the tests wrong ones are refused."""

import altair as alt
import pandas as pd
import pytest
from altair.utils import schemapi

from core import api
from core.events import StepDone
from pages.ui import state
from pages.ui.fast_charts import tips, unchecked
from pages.ui.train import live_run, training_charts
from tests.conftest import compute, with_train
from tests.pages.conftest import open_page

TABLE = pd.DataFrame({"a": [1, 2], "b": [3.0, 4.0]})


def chart(title: object = "a") -> alt.Chart:
    x = alt.X("a:Q", title=title)  # type: ignore[arg-type]
    return alt.Chart(TABLE).mark_line().encode(x=x, tooltip=tips("b:Q", alt.Tooltip("a:Q")))


def specification(drawn: alt.Chart) -> dict:
    plain = drawn.to_dict()
    plain.pop("name", None)
    return plain


def test_a_trusted_chart_says_the_same(monkeypatch):
    checked = specification(chart())
    monkeypatch.setattr(schemapi, "DEBUG_MODE", False)
    assert specification(unchecked(chart())) == checked
    assert checked["encoding"]["tooltip"][0] == {"field": "b", "type": "quantitative"}


def test_trust_saves_the_check_and_tests_keep_it(monkeypatch):
    with pytest.raises(schemapi.SchemaValidationError):
        unchecked(chart(title=3.5)).to_dict()
    monkeypatch.setattr(schemapi, "DEBUG_MODE", False)
    assert unchecked(chart(title=3.5)).to_dict()["encoding"]["x"]["title"] == 3.5


def test_what_is_drawn_once_is_seen_by_everybody(lab, monkeypatch):
    run, made = compute(lab.experiment), []
    draw = training_charts.losses
    monkeypatch.setattr(
        training_charts, "losses", lambda *given: made.append(given) or draw(*given)
    )
    live_run._curves.clear()

    def drawn() -> list[str]:
        app = open_page("train", run=run.run_id)
        return [each.proto.SerializeToString() for each in app.get("vega_lite_chart")]

    assert drawn() == drawn()
    assert len(drawn()) == 2
    assert len(made) == 1
    record = run.folder / "events.jsonl"
    record.write_text("".join(record.read_text().splitlines(keepends=True)[:-3]))
    drawn()
    monkeypatch.setattr(state, "is_dark", lambda: True)
    drawn()
    assert len(made) == 3


def test_curves_are_drawn_anew_at_a_hundred_moments(lab):
    events = api.events(compute(with_train(lab.experiment, steps=40, evaluate_every=40)))
    told = [live_run.told_so_far(events[:n], 1000) for n in range(1, len(events) + 1)]
    assert told[-1] == events  # the end is always worth it
    drawn = {len(each) for each in told}
    steps = [n for n, event in enumerate(events, 1) if isinstance(event, StepDone)]
    assert [events[n - 1].step for n in steps if n in drawn] == [10, 20, 30, 40]
    assert drawn.issuperset(n for n in range(1, len(events) + 1) if n not in steps)
    assert [len(live_run.told_so_far(events[:n], 40)) for n in steps] == steps
