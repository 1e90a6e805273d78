"""Start's list of good and bad settings: what it says is what the shipped runs say."""

from dataclasses import replace

import pytest

from core import api
from pages.ui.start import good_and_bad_list
from tests.pages.conftest import as_read, open_page, texts_of


@pytest.fixture
def found(tmp_path, monkeypatch) -> list[api.Shows]:
    monkeypatch.setenv("TERNARY_LAB_HOME", str(tmp_path))
    return api.good_and_bad()


def test_eight_links_with_score_interval_and_reason(found):
    app = open_page("start")
    said = texts_of(app)
    assert "Good and bad settings, with the reason" in [header.value for header in app.header]
    links = [each.proto for each in app.main if each.type == "page_link"]
    for one in found:
        gap, (ours, theirs) = one.difference, (one.result.mean, one.other.mean)
        assert f"{100 * ours:.1f} % against {100 * theirs:.1f} %" in said
        assert f"{100 * gap.difference:+.1f} points (95 %: {100 * gap.low:+.1f} to" in said
        assert one.setting.reason in said
        (link,) = [each for each in links if one.setting.title in as_read(each.label)]
        assert link.query_string.lstrip("?") == f"run={one.run.run_id}"
    assert said.count("**Worse** than") == sum(one.found == "worse" for one in found) == 5
    assert said.count("**Better** than") == 1
    assert said.count("**No difference shown** to") == 2


def test_the_link_leads_to_that_run(found):
    said = texts_of(open_page("train", run=found[0].run.run_id))
    assert found[0].run.title in said


def test_a_reason_is_not_told_where_the_runs_do_not_show_it(found, monkeypatch):
    changed = replace(found[0], setting=replace(found[0].setting, claim="better"))
    monkeypatch.setattr(api, "good_and_bad", lambda: [changed])
    said = texts_of(open_page("start"))
    assert changed.setting.reason not in said
    assert "chosen because they had shown: better" in said
    assert good_and_bad_list.what_came_out(changed) in said


def test_there_is_no_list_where_nothing_ships(finished_run):
    assert "Good and bad" not in texts_of(open_page("start"))
