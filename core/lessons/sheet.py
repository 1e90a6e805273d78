"""My sheet: one standalone HTML file with what was guessed, what came out, and why.

Pictures are inside as SVG, nothing is fetched, nothing runs: a browser without a network shows it,
a mail carries it, a printer prints it. Links are the settings of the app's pages, which only work
where the app runs.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from urllib.parse import urlencode

from core.lessons.catalogue import Words
from core.lessons.drawing import draw
from core.lessons.judging import Judged, judge
from core.lessons.language_words import words_in
from core.lessons.lesson import BOTH, CHOICE, REASON, Lesson, Link, Step
from core.lessons.lesson_answers import Answer, number_of
from core.lessons.revealing import REPLAYED, Revealed, find_reveal
from core.sheets.frame import note, page
from core.version import PROGRAM


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """One answered step with what came out."""

    step: Step
    answer: Answer
    revealed: Revealed


def sheet(lesson: Lesson, taken: Sequence[Taken], address: str = "") -> str:
    """The file, in the lesson's language. `address` is where the app was, for its links."""
    words = words_in(lesson.language)
    parts = [_step(number, one, address, words) for number, one in enumerate(taken, 1)]
    about = words.sheet.about.format(number=lesson.number, version=lesson.version)
    about += f", {PROGRAM}"
    answered = words.sheet.answered.format(done=len(taken), steps=len(lesson.steps))
    body = (
        f"<h1>{_inline(lesson.title)}</h1>\n<p>{_inline(lesson.aim)}</p>\n"
        f"{note(f'{about}. {answered}')}{''.join(parts)}"
    )
    return page(lesson.title, body, lesson.language)


def judgement(judged: Judged, words: Words) -> str:
    """What is said about guess and reason."""
    said = words.shown
    if judged.outcome == BOTH:
        return said.both_right
    if judged.outcome == REASON:
        return said.reason_right
    return said.guess_right if judged.guess_right else said.none_right


def _step(number: int, taken: Taken, address: str, words: Words) -> str:
    step, answer, revealed = taken.step, taken.answer, taken.revealed
    judged = judge(step, answer, revealed)
    mine = None if step.question.kind == CHOICE else number_of(answer.guess)
    came = revealed.said(revealed.value)
    if revealed.low is not None and revealed.high is not None:
        low, high = revealed.bare(revealed.low), revealed.bare(revealed.high)
        came = words.sheet.interval.format(value=came, low=low, high=high)
    return (
        f"<h2>{number}. {_inline(step.title)}</h2>\n{_paragraphs(step.question.text)}<dl>"
        f"<dt>{escape(words.sheet.guess)}</dt><dd>{_inline(judged.guess)}</dd>"
        f"<dt>{escape(words.sheet.reason)}</dt><dd>{_inline(judged.reason)}</dd>"
        f"<dt>{escape(words.sheet.came_out)}</dt><dd>{escape(came)}</dd></dl>\n"
        f"{draw(revealed, mine, step.title, words)}\n"
        f'<p class="verdict">{escape(judgement(judged, words))}</p>\n{_paragraphs(judged.text)}'
        f'<p class="note">{escape(_source(step, revealed, words))}</p>\n'
        f"{_link(step.link, address)}\n"
    )


def _source(step: Step, revealed: Revealed, words: Words) -> str:
    if find_reveal(step.reveal.name).kind == REPLAYED:
        return words.sheet.replayed.format(runs=", ".join(revealed.runs), how=revealed.how)
    return words.sheet.computed.format(how=revealed.how)


def _link(link: Link, address: str) -> str:
    place = "" if link.page == "start" else link.page
    found = f"{address.rstrip('/')}/{place}"
    if link.settings.pairs:
        found += f"?{urlencode(link.settings.pairs)}"
    if not address.startswith(("http://", "https://")):
        return f"<p>{_inline(link.text)}: <code>{escape(found)}</code></p>"
    return f'<p><a href="{escape(found)}">{_inline(link.text)}</a></p>'


def _paragraphs(markdown: str) -> str:
    """Paragraphs and lists of a lesson's Markdown."""
    blocks = [block for block in re.split(r"\n\s*\n", markdown.strip()) if block.strip()]
    return "".join(_block(block.splitlines()) for block in blocks)


def _block(lines: Sequence[str]) -> str:
    if all(line.startswith("- ") for line in lines):
        return "<ul>" + "".join(f"<li>{_inline(line[2:])}</li>" for line in lines) + "</ul>\n"
    return f"<p>{_inline(' '.join(lines))}</p>\n"


def _inline(markdown: str) -> str:
    """Bold, emphasis and code of a lesson's Markdown; everything else as it is."""
    text = escape(markdown)
    text = re.sub(r"`([^`]+)`", r"<code>\1</code>", text)
    text = re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", text)
    return re.sub(r"\*([^*\s][^*]*)\*", r"<em>\1</em>", text)
