"""Predict for rankers: a search box, and the same passages in three lists."""

import pytest

from core import api
from tests.conftest import compute
from tests.pages.conftest import errors_of, open_page, texts_of, whole


@pytest.fixture
def run(ranking_lab):
    return compute(ranking_lab.experiment)


def lists_of(app) -> list[str]:
    """The HTML of each list."""
    return [each.proto.body for each in app.get("html") if "class='ranked'" in each.proto.body]


def test_three_lists_of_the_same_passages(run):
    app = whole(open_page("predict"))
    asked = api.sample().questions[0]
    assert app.selectbox(key="asked").value == asked.text
    bm25, teacher, student = lists_of(app)
    for name, found in (("BM25", bm25), ("teacher (full", teacher), ("trained student", student)):
        assert f"<strong>{name}" in found
        assert found.count("role='listitem'") == 10
        assert "the right passage on rank" in found
    assert "▲" not in bm25
    assert "▼" not in bm25
    assert teacher.count("▲") + teacher.count("▼") > 0


def test_arrows_and_the_mark_are_those_of_the_ranking(run):
    app = whole(open_page("predict"))
    asked = api.sample().questions[0]
    first = api.find_candidates(asked.text)
    ranking = api.rank(api.open_model(api.source_of_run(run)), asked.text, first.numbers)
    shown = lists_of(app)[2]
    rank = ranking.numbers.index(asked.relevant[0]) + 1
    assert f"the right passage on rank {rank}" in shown
    assert shown.count("✓") == (rank <= 10)
    for moved in ranking.moved(first)[:10]:
        assert not moved or f"{'▲' if moved > 0 else '▼'} {abs(moved)}" in shown


def test_titles_and_passages_are_shown_as_text(run):
    for shown in lists_of(whole(open_page("predict"))):
        assert "<b>title</b>" not in shown
        assert "A &amp; &lt;b&gt;title&lt;/b&gt;" in shown


def test_the_ceiling_is_the_recall_of_the_first_stage(run):
    sample = api.sample()
    text = texts_of(whole(open_page("predict")))
    assert f"BM25 finds {100 * sample.recall(20):.1f} % of the right passages" in text


def test_own_words_are_searched_for(run):
    app = open_page("predict")
    app.selectbox(key="asked").set_value("(your own words)").run()
    whole(app.text_input(key="query").set_value("good film").run())
    assert len(lists_of(app)) == 3
    assert not any("the right passage" in found for found in lists_of(app))
    whole(app.text_input(key="query").set_value("  ").run())
    assert "There is no text" in errors_of(app)
    whole(app.text_input(key="query").set_value("x" * 501).run())
    assert "501 characters" in errors_of(app)
    assert not lists_of(app)


def test_questions_on_which_they_part_are_found_on_demand(run):
    app = whole(open_page("predict"))
    (button,) = [each for each in app.button if each.label.startswith("Rank the first 10")]
    app = whole(button.click().run())
    (told,) = [each.value for each in app.markdown if "have another passage on top" in each.value]
    opened = [api.open_model(api.source_of_teacher(run.experiment.task, run.experiment.model)),
              api.open_model(api.source_of_run(run))]  # fmt: skip
    apart = 0
    for asked in api.sample().questions[:10]:
        numbers = api.find_candidates(asked.text).numbers
        tops = {api.rank(model, asked.text, numbers).numbers[0] for model in opened}
        apart += len(tops) == 2
    assert told.startswith(f"**{apart} of 10 questions**")


def test_passages_that_are_not_there_give_a_sentence(run):
    from core.tasks.sample_passages import sample_file

    sample_file().unlink()
    assert "Restore the folder" in errors_of(whole(open_page("predict")))


def test_without_a_run_bm25_and_the_teachers_search(ranking_lab, lab):
    compute(lab.experiment)  # of another kind of task
    app = whole(open_page("predict"))
    assert not lists_of(app)
    app = whole(app.toggle(key="search").set_value(True).run())
    bm25, teacher = lists_of(app)
    assert "<strong>BM25" in bm25
    assert f"<strong>teacher on {ranking_lab.experiment.model}" in teacher
    assert "▲" in teacher


def test_a_teacher_whose_data_were_deleted_searches_nothing(ranking_lab, lab, monkeypatch):
    compute(lab.experiment)
    known = {name: task for name, task in api.tasks().items() if task.kind != "ranking"}
    monkeypatch.setattr(api, "tasks", lambda: known)
    app = whole(open_page("predict"))
    app = whole(app.toggle(key="search").set_value(True).run())
    assert len(lists_of(app)) == 1  # BM25
