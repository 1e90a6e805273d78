"""A search box over the passages that ship: BM25, teacher and student rank the same candidates.

Lists are HTML: passages and queries are other people's text, and Markdown would make something of
it. What moved has an arrow and a number of ranks, so that colour never stands alone.
"""

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from core import api
from pages.ui import cached, state, url_state
from pages.ui.formatting import percent, plain, size

if TYPE_CHECKING:
    from core.tasks.sample_passages import Asked, Sample
    from core.tasks.task import Task

OWN = "(your own words)"
SHOWN, MOST_TEACHERS = 10, 2
PARTS = (10, 20, 50)
STYLE = """<style>
.ranked .one {margin: 0 0 .6rem; padding: .3rem .5rem}
.ranked .one {border: 1px solid #9994; border-radius: .3rem}
.ranked .one.right {border: 2px solid #0072B2}
.ranked .bar {height: .35rem; background: #0072B2; border-radius: .2rem; min-width: 1px}
.ranked .head {display: flex; gap: .5rem; font-weight: 600; font-size: .85rem}
.ranked .moved {margin-left: auto; white-space: nowrap}
.ranked details {font-size: .85rem}
</style>"""

Model = tuple[str, api.Source]


def is_ranking(task: "Task") -> bool:
    """Whether the task ranks passages."""
    return task.target.name == "ranking"


def search(models: Sequence[Model]) -> tuple[str, api.Ranking]:
    """The box, and under it the lists side by side; what was asked, and what BM25 found. Raises
    InputError for a bad query."""
    sample = api.sample()
    query = _ask(sample)
    first = api.find_candidates(query)
    asked = api.asked_like(query)
    _say_ceiling(sample, first, asked)
    rankings = [(name, _ranked(source, query, first)) for name, source in models]
    columns = st.columns(1 + len(rankings))
    for column, (name, ranking) in zip(columns, [(api.FIRST_STAGE, first), *rankings], strict=True):
        with column:
            _list(name, ranking, first, sample, asked.relevant if asked else ())
    st.caption(
        "Bars are the scores after a softmax over the twenty candidates. Arrows say by how many "
        "ranks a passage moved from BM25's list. "
        + " · ".join(
            f"{plain(name)}: {size(cached.model(source).size_bytes)}" for name, source in models
        )
    )
    return query, first


def without_a_run() -> None:
    """The search for whoever has chosen no ranker's run: BM25, and the teachers of rankers that are
    here; drawn once somebody wants it."""
    wanted = st.toggle("Search with BM25 and the teachers of rankers", **url_state.bound("search"))
    if not wanted:
        return
    tasks = api.tasks()
    known = (card for card in api.teachers() if card.task in tasks)  # data may be deleted
    cards = [card for card in known if is_ranking(tasks[card.task])]
    models = [
        (f"teacher on {card.model}", api.source_of_teacher(card.task, card.model))
        for card in cards[:MOST_TEACHERS]
    ]
    with state.explained():
        search(models)
    if not models:
        st.caption("No ranker has a teacher here yet: train one for a task that ranks passages.")


def ask_for(query: str) -> None:
    """Have one's own words in the box (from a button's callback)."""
    state.set_all({"asked": OWN, "query": query})


def choose_pair(query: str, first: api.Ranking) -> tuple[str, str]:
    """The query and one of the passages that BM25 found: what a model reads at once."""
    sample = api.sample()
    number = st.selectbox(
        "Passage that is read with the query",
        first.numbers,
        format_func=lambda number: f"{sample.articles[number]}: {sample.passages[number][:80]} ...",
        **url_state.by_id("passage", first.numbers),
    )
    return query, sample.passages[number]


def _ask(sample: "Sample") -> str:
    """A shipped question, or one's own words."""
    about = (
        f"{len(sample.passages)} passages of {len(set(sample.articles))} articles of the English "
        "Wikipedia (CC-BY-SA 4.0, see cached_models/shipped/passages/NOTICE)"
    )
    questions = [OWN, *(asked.text for asked in sample.questions)]
    chosen = st.selectbox("Ask", questions, index=1, help=about, **url_state.bound("asked"))
    if chosen != OWN:
        return chosen
    return st.text_input(
        "Search for", "When was the forest named?", **url_state.bound_text("query")
    )


def _ranked(source: api.Source, query: str, first: api.Ranking) -> api.Ranking:
    return cached.ranking(source, query, first.numbers)


def _say_ceiling(sample: "Sample", first: api.Ranking, asked: "Asked | None") -> None:
    """How far the first stage lets any model come."""
    top = len(first.numbers)
    text = f"BM25 finds {percent(sample.recall(top))} of the right passages in its best {top}"
    text += f" and has {percent(sample.recall(1))} of them on rank 1"
    if asked is not None and not set(asked.relevant) & set(first.numbers):
        st.warning(f"{text}. The right passage of this question is not among them.")
    else:
        st.caption(f"{text}: no model that ranks these can find more than the former.")


def _list(
    name: str,
    ranking: api.Ranking,
    first: api.Ranking,
    sample: "Sample",
    relevant: Sequence[int],
) -> None:
    """One list, the best first, as HTML."""
    moves = ranking.moved(first)
    items = [
        _item(rank, sample, ranking, moves[rank], ranking.numbers[rank] in relevant)
        for rank in range(min(SHOWN, len(ranking.numbers)))
    ]
    about = f"{ranking.milliseconds:.1f} ms, {ranking.computed_by}"
    at = [rank + 1 for rank, number in enumerate(ranking.numbers) if number in relevant]
    about += f" · the right passage on rank {at[0]}" if at else ""
    head = f"<p><strong>{escape(name)}</strong><br><small>{escape(about)}</small></p>"
    st.html(f"{STYLE}{head}<div class='ranked' role='list'>{''.join(items)}</div>")


def _item(rank: int, sample: "Sample", ranking: api.Ranking, moved: int, right: bool) -> str:
    number = ranking.numbers[rank]
    text, title = sample.passages[number], sample.articles[number].replace("_", " ")
    arrow = "" if not moved else f"{'▲' if moved > 0 else '▼'} {abs(moved)}"
    words = text.split()
    start = " ".join(words[:12]) + (" ..." if len(words) > 12 else "")
    width = 100 * ranking.shares[rank]
    return (
        f"<div class='one{' right' if right else ''}' role='listitem'><div class='head'>"
        f"<span>{rank + 1}. {escape(title)}{' ✓' if right else ''}</span>"
        f"<span class='moved'>{arrow}</span></div>"
        f"<div class='bar' style='width:{width:.1f}%' title='score {ranking.scores[rank]:.2f}'>"
        f"</div><details><summary>{escape(start)}</summary>{escape(text)}</details></div>"
    )


def where_they_part(models: Sequence[Model]) -> None:
    """Shipped questions of which two models put different passages on top, computed on demand."""
    sample = api.sample()
    names = [name for name, _ in models]
    count = url_state.segments("Questions to look at", PARTS, PARTS[0], "questions")
    if not st.button(
        f"Rank the first {count:d} questions with {plain(names[0])} and {plain(names[-1])}"
    ):
        return
    rows, bar = [], st.progress(0.0)
    for done, asked in enumerate(sample.questions[:count], start=1):
        first = api.find_candidates(asked.text)
        tops = [_ranked(source, asked.text, first) for _, source in (models[0], models[-1])]
        bar.progress(done / count)
        if tops[0].numbers[0] != tops[1].numbers[0]:
            rows.append(
                {"question": asked.text}
                | {
                    name: _rank_of(asked, ranking)
                    for name, ranking in zip(
                        (api.FIRST_STAGE, names[0], names[-1]), (first, *tops), strict=True
                    )
                }
            )
    bar.empty()
    st.markdown(
        f"**{len(rows)} of {count:d} questions** have another passage on top. "
        "Ranks of the right one:"
    )
    st.dataframe(rows, hide_index=True)


def _rank_of(asked: "Asked", ranking: api.Ranking) -> str:
    ranks = [rank for rank, number in enumerate(ranking.numbers, 1) if number in asked.relevant]
    return str(ranks[0]) if ranks else "not found"
