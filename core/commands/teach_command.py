"""`teach`: fine-tune a full-precision teacher, or take a fine-tuned checkpoint as it is.

It is a run like those of the app: listed, kept in checkpoints, and resumed by the same command.
Only a teacher that is to ship is made on the spot, where nobody looks for runs.
"""

import argparse
from dataclasses import replace

from core import api
from core.lines import print_json, print_line

CHANGES = (
    "steps",
    "learning_rate",
    "batch_size",
    "max_tokens",
    "precision",
    "evaluate_every",
)


def add(commands) -> None:
    """Add the command to a parser's commands."""
    text = "fine-tune a full-precision teacher"
    parser = commands.add_parser("teach", help=text, description=text)
    parser.set_defaults(command=teach_teacher)
    parser.add_argument("--task", default="movie-sentiment")
    parser.add_argument("--model", default="minilm-l3", help="embedded name, folder or hub id")
    parser.add_argument("--steps", type=int, help="without it three epochs, at least 800 steps")
    parser.add_argument("--learning-rate", type=float)
    parser.add_argument("--batch-size", type=int, help="without it the task's")
    parser.add_argument("--max-tokens", type=int, help="without it the task's")
    parser.add_argument("--precision", help="fp32 or bf16; without it the faster one")
    parser.add_argument("--evaluate-every", type=int, help="steps between scores on dev")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--as-it-is", action="store_true", help="take a fine-tuned checkpoint without training"
    )
    parser.add_argument("--ship", action="store_true", help="write it where shipped teachers are")
    parser.add_argument("--json", action="store_true", help="print one event per line as JSON")


def teach_teacher(parsed: argparse.Namespace) -> None:
    """Make the teacher in this process. Raises InputError as `teach` does."""
    teaching = api.default_teaching(parsed.task, parsed.model, not parsed.as_it_is)
    changes = {name: getattr(parsed, name) for name in CHANGES if getattr(parsed, name) is not None}
    train = replace(teaching.train, **changes)
    teaching = replace(teaching, train=train, seed=parsed.seed)
    show = print_json if parsed.json else print_line
    if parsed.ship:
        from core.paths import shipped
        from core.training.teacher_training import teach

        for event in teach(teaching, shipped()):
            show(event)
        return
    from core.runs import runner

    runner.work_here(teaching, show)
