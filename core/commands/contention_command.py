"""`bench contention`: what another busy program costs a training step."""

import argparse
import json
import sys
from dataclasses import asdict

from core import api
from core.bench.busy_machine import Shared, measure
from core.machine import cores, describe
from core.options import build
from core.serialization import to_plain


def run(parsed: argparse.Namespace) -> None:
    """Measure in the precision that was asked for, else in the fastest of this machine."""
    given = {"task": parsed.task, "model": parsed.model}
    if parsed.precision:
        given["precision"] = parsed.precision
    experiment = build(given, api.default_experiment())
    rows = measure(experiment, parsed.rounds, _show)
    for row in rows:
        print(_line(row))
    machine = describe(cores())
    if parsed.json:
        print(
            json.dumps(
                {
                    "machine": to_plain(machine),
                    "model": experiment.model,
                    "precision": experiment.train.precision,
                    "rows": [asdict(row) for row in rows],
                }
            )
        )
    else:
        print(f"{machine.processor}, {machine.cores} cores")


def _show(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _line(row: Shared) -> str:
    where = "beside a busy process" if row.beside else "alone"
    whose = "as from the app" if row.gives_way else "as from the command line"
    return (
        f"{row.way:<8} {where:<21} {whose:<24} {row.seconds:.3f} s a step, {row.threads} thread(s) "
        f"at the end: {row.ratio:.2f} x usual alone"
    )
