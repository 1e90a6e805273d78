"""`ladder`: what each way of quantizing without training gives, bit-width by bit-width.

python -m core ladder --task movie-sentiment --model minilm-l6 --bits 4,3,2 --json

What was computed before is answered from the lab's folder; `--fresh` computes it again. Beside it
stand the runs of the same teacher and bits that were trained.
"""

import argparse
import json
import sys

from core import api
from core.errors import InputError
from core.experiment import QuantRecipe
from core.lines import percent
from core.serialization import to_plain


def add(commands) -> None:
    """Register the command."""
    text = "score a model rounded, calibrated and trained, at several bit-widths"
    parser = commands.add_parser("ladder", help=text, description=text)
    parser.add_argument("--task", default="movie-sentiment")
    parser.add_argument("--model", default="minilm-l3")
    parser.add_argument("--bits", default="4,3,2", help="with commas (default: 4,3,2)")
    parser.add_argument("--method", default=api.SCALES, help="the rule that gives the scales")
    parser.add_argument("--weight-granularity", default="layer")
    parser.add_argument("--activation-bits", type=int, default=8)
    parser.add_argument("--activation-scope", default="tensor")
    parser.add_argument("--texts", type=int, help="how many training texts calibrate (128)")
    parser.add_argument("--fresh", action="store_true", help="compute again what is already there")
    parser.add_argument("--json", action="store_true", help="print one ladder per line as JSON")
    parser.set_defaults(command=run)


def run(parsed: argparse.Namespace) -> None:
    """Print one ladder for each bit-width. Raises InputError before any is computed."""
    import torch

    from core.machine import cores

    torch.set_num_threads(cores())
    quant = QuantRecipe(
        method=parsed.method,
        weight_granularity=parsed.weight_granularity,
        activation_bits=parsed.activation_bits,
        activation_scope=parsed.activation_scope,
    )
    questions = [
        api.ladder_question(parsed.task, parsed.model, bits, quant, parsed.texts)
        for bits in _numbers(parsed.bits)
    ]
    for question in questions:
        ladder = None if parsed.fresh else api.known_ladder(question)
        if ladder is None:
            ladder = _computed(question)
        rows = api.ladder_rows(ladder)
        if parsed.json:
            plain = to_plain(ladder) | {"rows": [to_plain(row) for row in rows]}
            print(json.dumps(plain), flush=True)
            continue
        print(f"{question.quant.label}: teacher {percent(ladder.teacher.value)}")
        for row in rows:
            print(
                f"  {row.title:<20} {percent(row.score.value):>7} +- "
                f"{percent(row.score.standard_error)}  {row.size_bytes / 2**20:6.2f} MiB  "
                f"{row.seconds:7.1f} s  {row.run_id}"
            )


def _computed(question: api.LadderQuestion) -> api.Ladder:
    said, computing = "", api.compute_ladder(question)
    try:
        while True:
            step = next(computing)
            if step.text != said:
                print(step.text, file=sys.stderr, flush=True)
            said = step.text
    except StopIteration as end:
        return end.value


def _numbers(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError as error:
        raise InputError(f"--bits takes numbers with commas, as in 4,3,2; not {text}.") from error
