"""Lessons never say what the code does not do: every step of every lesson against what it reveals.

The reveals are computed with the shipped models and replayed from the shipped runs, so what a file
claims to be right is held against numbers that nobody wrote down.
"""

import functools
import re
from pathlib import Path

import pytest

from core import api, paths
from core.errors import InputError
from core.lessons import lesson_answers as records
from core.lessons import lesson_list
from core.lessons.judging import facts, in_words, is_right, judge
from core.lessons.lesson import BOTH, CHOICE, DRAG, OUTCOMES, REASON, TRAP, Lesson, Settings, Step
from core.lessons.lesson_answers import Answer, check_answer, decode, encode
from core.lessons.lesson_parser import read_lesson
from core.lessons.revealing import REPLAYED, Item, Revealed, find_reveal, holds, range_of
from core.lessons.sheet import Taken, sheet

LESSONS, WRONG = lesson_list.lessons()
STEPS = [(lesson, step) for lesson in LESSONS for step in lesson.steps]
# A figure with its unit. The 95 % of an interval is no result.
FIGURE = re.compile(r"\d[\d.,]*\s?(%|points|dB|MiB|KiB|times|x\b)")
PLACEHOLDER = re.compile(r"\{(\w*)\}")


@pytest.fixture(autouse=True)
def _shipped(monkeypatch):
    """What ships, and nothing of this computer's own."""
    for name in ("TERNARY_LAB_SHIPPED", "TERNARY_LAB_GRIDS", "TERNARY_LAB_LESSONS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERNARY_LAB_HOME", str(paths.CACHED_MODELS / "no-such-folder"))


@functools.cache
def model(source: api.Source) -> api.OpenModel:
    return api.open_model(source, lean=True)


@functools.cache
def revealed(name: str, settings: Settings) -> Revealed:
    return find_reveal(name).compute(settings, model)


def of_step(step: Step) -> Revealed:
    return revealed(step.reveal.name, step.reveal.settings)


def each_step(names=None):
    ids = [f"{lesson.number}-{step.name}" for lesson, step in STEPS]
    return pytest.mark.parametrize(("lesson", "step"), STEPS, ids=ids)


# The lessons that ship


def test_all_are_read():
    assert WRONG == []
    assert [lesson.number for lesson in LESSONS] == [
        f"{number:02d}" for number in range(1, len(LESSONS) + 1)
    ]
    assert all(3 <= len(lesson.steps) <= 5 for lesson in LESSONS)


@each_step()
def test_what_is_claimed_to_be_right_is_what_comes_out(lesson: Lesson, step: Step):
    found, question = of_step(step), step.question
    if question.kind == CHOICE:
        right = [option.key for option in question.options if holds(option.key, found)]
        assert right == [question.right], (found.holds, found.value)
    else:
        assert question.low <= found.value <= question.high
        assert not is_right(question, f"{question.low:g}", found)
        assert not is_right(question, f"{question.high:g}", found)


@each_step()
def test_explanations_quote_what_the_reveal_has(lesson: Lesson, step: Step):
    guess = step.question.right or f"{step.question.low:g}"
    known = facts(step.question, guess, of_step(step))
    for outcome in OUTCOMES:
        text = step.explanations.of(outcome)
        quoted = {*PLACEHOLDER.findall(text)}
        assert quoted, f"{outcome} says nothing of what came out"
        assert quoted <= {*known}, outcome


@each_step()
def test_no_result_is_written_into_a_lesson(lesson: Lesson, step: Step):
    said = (step.explanations.of(outcome) for outcome in OUTCOMES)
    options = (option.text for option in (*step.question.options, *step.reason.options))
    for text in (step.text, step.question.text, *options, *said):
        assert not FIGURE.findall(text.replace("95 %", "")), text


@each_step()
def test_what_is_replayed_rests_on_runs_that_are_here(lesson: Lesson, step: Step):
    found = of_step(step)
    if find_reveal(step.reveal.name).kind != REPLAYED:
        assert not found.runs
        return
    runs = [api.find_run(run_id) for run_id in found.runs]
    assert runs
    assert all(run.result is not None and run.shipped for run in runs)
    seeds = {run.experiment.seed for run in runs if run.experiment}
    # Nothing in a model that is only rounded depends on a seed.
    assert len(seeds) >= 3 or step.reveal.settings.text("grid") == "untrained-bits"


@each_step()
def test_a_picture_has_one_value_that_was_asked_for(lesson: Lesson, step: Step):
    found = of_step(step)
    main = [item for item in found.items if item.main]
    assert len(main) == 1
    for item in found.items:
        assert (item.low is None) == (item.high is None)
        if item.low is not None and item.high is not None:
            assert item.low <= item.value <= item.high


@each_step()
def test_each_answer_gets_its_explanation(lesson: Lesson, step: Step):
    found, question = of_step(step), step.question
    right = question.right or f"{found.value:.6g}"
    wrong_reason = next(o.key for o in step.reason.options if o.key != step.reason.right)
    wrong = f"{question.low:g}"
    if question.kind == CHOICE:
        wrong = next(option.key for option in question.options if option.key != right)

    def outcome(guess: str, reason: str) -> str:
        answer = answer_to(lesson, step, guess, reason)
        check_answer(lesson, answer)
        judged = judge(step, answer, found)
        assert "{" not in judged.text
        return judged.outcome

    assert outcome(right, step.reason.right) == BOTH
    assert outcome(wrong, step.reason.right) == REASON
    assert outcome(right, wrong_reason) == outcome(wrong, wrong_reason) == TRAP


def answer_to(lesson: Lesson, step: Step, guess: str, reason: str = "") -> Answer:
    return Answer(
        lesson=lesson.name,
        version=lesson.version,
        step=step.name,
        guess=guess,
        reason=reason or step.reason.right,
    )


def any_guess(step: Step) -> str:
    question = step.question
    return question.options[-1].key if question.kind == CHOICE else f"{question.high:g}"


# Short codes


def test_answers_come_back_from_their_code():
    given = [answer_to(lesson, step, any_guess(step)) for lesson, step in STEPS]
    code = encode(LESSONS, given)
    assert decode(LESSONS, code) == (given, [])
    assert re.fullmatch(r"[\w.~-]+", code)  # nothing that an address would have to escape
    assert decode(LESSONS, encode(LESSONS, given[::2])) == (given[::2], [])
    assert len(code) < 1500


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("99.1_aa", "no lesson '99'"),
        ("01.9_44a", "has changed since it was answered"),
        ("01.1_44z", "no reason 'z'"),
        ("01.1_4444a", "must lie between"),
        ("01.1_nana", "no answer here|not a number"),
        ("01.1_xa", "not a number"),
        ("01.1_a", "not a number"),
        ("01.1_____________1a", "It has"),
    ],
)
def test_a_code_that_cannot_be_used_is_said(code, said):
    answers, wrong = decode(LESSONS, code)
    assert answers == []
    assert re.search(said, "\n".join(wrong))


def test_an_answer_is_held_against_its_lesson():
    lesson, step = STEPS[0]
    good = answer_to(lesson, step, any_guess(step))
    assert check_answer(lesson, good) == step
    with pytest.raises(InputError, match="version 7"):
        check_answer(lesson, Answer(lesson=lesson.name, version=7, step="x", guess="1", reason="a"))
    with pytest.raises(InputError, match="no reason 'nothing'"):
        check_answer(lesson, answer_to(lesson, step, good.guess, "nothing"))
    with pytest.raises(InputError):
        records.number_of("inf")


def test_ranges_are_half_open():
    here = Revealed(value=5.0, unit="", items=(Item(label="x", value=5.0),), how="")
    assert [key for key in ("..5", "1..5", "5..9", "5..") if holds(key, here)] == ["5..9", "5.."]
    assert range_of("row") is None
    for wrong in ("5..1", "a..b"):
        with pytest.raises(InputError):
            range_of(wrong)


# Files

FILE = (lesson_list.OURS / "en" / "01-three-numbers.md").read_text(encoding="utf-8")


def replaced(old: str, new: str) -> str:
    assert old in FILE
    return FILE.replace(old, new, 1)


def line_of(text: str) -> int:
    return next(n for n, line in enumerate(FILE.splitlines(), 1) if line.startswith(text))


def test_the_file_as_it_is_can_be_read():
    lesson = read_lesson("01-three-numbers", "en", FILE)
    assert lesson.number == "01"
    assert lesson.step("zeros").question.unit == "%"
    assert in_words(lesson.step("zeros").question, "44") == "44 %"


@pytest.mark.parametrize(
    ("text", "line", "cure"),
    [
        (FILE.replace("---\n", "", 1), 1, "begins with a line ---"),
        (FILE[: FILE.index("---\n", 4)], 1, "Close it with a line ---"),
        (replaced("aim: ", "goal: "), 3, "Use: title, aim"),
        (replaced("minutes: 10", "minutes: ten"), 4, "whole number from 1 to 90"),
        (replaced("version: 1\n", ""), 1, "lacks version"),
        (replaced("## zeros: How", "## Zeros How"), line_of("## zeros"), "begins with ## name"),
        (replaced("### reason\n", ""), line_of("### instrument") - 1, "### reason is expected"),
        (
            replaced("### question: number", "### question: essay"),
            line_of("### question"),
            "one of",
        ),
        (replaced("- within: 7\n", ""), line_of("### question"), "lacks - within"),
        (replaced("- within: 7", "- within: some"), line_of("- within"), "must be a number"),
        (replaced("- right: hill", "- right: hall"), line_of("- right"), "Use: hill, third, few"),
        (replaced("- (third)", "- third"), line_of("- (third)"), "neither an option"),
        (replaced("- (third)", "- (hill)"), line_of("- (third)"), "Leave one out"),
        (replaced("### reveal: zeros", "### reveal: zeroes"), line_of("### reveal"), "no reveal"),
        (replaced("- column: twn", "- colum: twn"), line_of("- column:"), "Use: matrix, column"),
        (
            replaced("### instrument: weights", "### instrument: w"),
            line_of("### instr"),
            "no instr",
        ),
        (replaced("- page: weights", "- page: weigths"), line_of("- page"), "no such page"),
        (replaced("Yes: ", "![p](http://x) "), line_of("Yes: "), "have no place in a lesson"),
        (replaced("Yes: ", "<b>"), line_of("Yes: "), "have no place in a lesson"),
        (replaced("- (better)", "- (perhaps)"), line_of("- (better)"), "never answers"),
        (replaced("## direction:", "## zeros:"), line_of("## direction"), "Rename one"),
    ],
)
def test_a_broken_file_is_refused_with_line_and_cure(text, line, cure):
    with pytest.raises(InputError) as refused:
        read_lesson("01-three-numbers", "en", text)
    assert str(refused.value).startswith(f"01-three-numbers.md, line {line}: ")
    assert cure in str(refused.value)


def test_a_broken_file_takes_nothing_from_the_others(tmp_path: Path, monkeypatch):
    folder = tmp_path / "en"
    folder.mkdir()
    (folder / "01-three-numbers.md").write_text(FILE, encoding="utf-8")
    (folder / "02-broken.md").write_text("nothing", encoding="utf-8")
    (folder / "01-again.md").write_text(FILE, encoding="utf-8")
    monkeypatch.setenv("TERNARY_LAB_LESSONS", str(tmp_path))
    found, wrong = lesson_list.lessons()
    assert len(found) == 1
    assert any("02-broken.md, line 1" in sentence for sentence in wrong)
    assert any("there is a lesson 01 already" in sentence for sentence in wrong)
    assert lesson_list.languages() == ("en",)


# Sheets


def test_a_sheet_stands_alone():
    lesson = LESSONS[1]
    taken = [
        Taken(step=step, answer=answer_to(lesson, step, any_guess(step)), revealed=of_step(step))
        for step in lesson.steps
    ]
    page = sheet(lesson, taken)
    assert page.count("<svg") == len(lesson.steps)
    assert not re.search(r"<script|src=|href=|@import|url\(", page)
    assert re.findall(r"https?://[^\"<]+", page) == ["http://www.w3.org/2000/svg"] * len(taken)
    for one in taken:
        judged = judge(one.step, one.answer, one.revealed)
        assert one.revealed.how.replace("'", "&#x27;") in page
        assert judged.guess in page
    linked = sheet(lesson, taken, "http://lab.example:8501")
    assert 'href="http://lab.example:8501/weights?' in linked


def test_a_sheet_shows_hostile_text_as_text():
    lesson, step = next((one, step) for one, step in STEPS if step.question.kind == DRAG)
    odd = Revealed(
        value=1.0,
        unit="<b>",
        items=(Item(label="<script>x</script>", value=1.0, main=True),),
        how="<img src=x>",
    )
    page = sheet(lesson, [Taken(step=step, answer=answer_to(lesson, step, "0.1"), revealed=odd)])
    assert "<script" not in page
    assert "<img" not in page
    assert "<b>" not in page
