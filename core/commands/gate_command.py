"""`gate`: may this run's student be shipped? An exit code for a job of continuous integration.

python -m core gate RUN --may-lose 1.0
python -m core gate RUN --may-lose 1.0 --split dev --json

0: shown to lose at most that. 1: shown to lose more. 2: not shown; the line says about how many
more examples it takes. 3: it could not be asked (no such run, no answers kept, no such split), so
that nobody takes a mistyped name for a verdict.
"""

import argparse
import json
import sys

from core import api
from core.analysis.gate import FAILED, OPEN, PASSED
from core.errors import InputError
from core.lines import percent

EXIT_CODES = {PASSED: 0, FAILED: 1, OPEN: 2}
NOT_ASKED = 3


def add(commands) -> None:
    """Register the command."""
    text = "say whether a student is shown to lose at most so many points to its teacher"
    ends = (
        "exit codes: 0 shown to lose at most that, 1 shown to lose more, 2 not shown (the line "
        "says about how many more examples it takes), 3 it could not be asked"
    )
    parser = commands.add_parser("gate", help=text, description=text, epilog=ends)
    parser.add_argument("run", help="run id; `python -m core runs` lists them")
    parser.add_argument(
        "--may-lose", type=float, default=1.0, metavar="POINTS", help="the limit (default: 1.0)"
    )
    parser.add_argument("--split", default="test", help="test (default), dev or another test")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(command=run)


def run(parsed: argparse.Namespace) -> int:
    """Print the verdict; its exit code."""
    try:
        found = api.gate(api.find_run(parsed.run), parsed.may_lose, parsed.split)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return NOT_ASKED
    code = EXIT_CODES[found.verdict]
    if parsed.json:
        print(json.dumps(_record(parsed, found, code), allow_nan=False))
        return code
    pairs = found.pairs
    print(f"{found.verdict}: {found.sentence}")
    print(
        f"{pairs.metric} on {pairs.examples:,} examples of {parsed.split}: teacher "
        f"{percent(pairs.first)}, student {percent(pairs.second)}; {found.numbers}"
    )
    return code


def _record(parsed: argparse.Namespace, found: api.Gate, code: int) -> dict:
    pairs = found.pairs
    return {
        "run_id": parsed.run,
        "split": parsed.split,
        "verdict": found.verdict,
        "exit_code": code,
        "more_examples": found.more,
        "may_lose_points": parsed.may_lose,
        "metric": pairs.metric,
        "examples": pairs.examples,
        "teacher": pairs.first,
        "student": pairs.second,
        "change_points": 100 * pairs.change,
        "low_points": 100 * pairs.low,
        "high_points": 100 * pairs.high,
        "only_teacher_right": pairs.losses,
        "only_student_right": pairs.gains,
        "sentence": found.sentence,
    }
