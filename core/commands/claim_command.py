"""`claim`: is one value of an option better than another, on all tasks together?

python -m core claim method twn lat
python -m core claim weight_granularity layer row --where steps=300 --json

Compared are finished runs that differ in nothing else, seed by seed. The last line says what so
many test examples could have shown.
"""

import argparse
import json

from core import api
from core.errors import InputError
from core.serialization import to_plain


def add(commands) -> None:
    """Register the command."""
    text = "compare two values of an option over all finished runs that differ in nothing else"
    parser = commands.add_parser("claim", help=text, description=text)
    parser.add_argument("option", help="e.g. method, weight_granularity, activation_bits")
    parser.add_argument("first")
    parser.add_argument("second")
    parser.add_argument(
        "--where", action="append", default=[], metavar="OPTION=VALUE", help="only such runs"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(command=run)


def run(parsed: argparse.Namespace) -> None:
    """Print the parts and the whole. Raises InputError as `api.claim` does."""
    pairs = [each.partition("=") for each in parsed.where]
    if wrong := [name for name, sign, _ in pairs if not sign]:
        raise InputError(f"--where takes OPTION=VALUE, not {wrong[0]!r}.")
    where = {name: value for name, _, value in pairs}
    found = api.claim(parsed.option, parsed.first, parsed.second, where)
    if parsed.json:
        print(json.dumps(to_plain(found) | {"sentence": found.together.sentence}))
        return
    print(f"{found.option}: {found.second} minus {found.first}, points (95 %)")
    for part in found.parts:
        one = part.difference
        points = _points(one.difference, one.low, one.high)
        who = f"{part.task:<20} {part.split:<10} {part.metric:<10}"
        print(f"  {who} {points}, {one.seeds} seeds, {one.examples:,} examples")
    all_of_it = found.together
    points = _points(all_of_it.difference, all_of_it.low, all_of_it.high)
    print(f"  together {points}, {all_of_it.examples:,} examples. {all_of_it.sentence}")
    if all_of_it.is_small:
        print("  Fewer than 5,000 test examples: add runs on other tasks before it is a claim.")


def _points(difference: float, low: float, high: float) -> str:
    return f"{100 * difference:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"
