"""`bench train`: what a training step costs, as lines for people and one line of JSON."""

import argparse
import json
from dataclasses import asdict

from core import api
from core.bench.training_step import Memory, StepCost, measure, memory
from core.experiment import Experiment
from core.machine import cores, describe, has_bf16
from core.options import build
from core.serialization import to_plain

MIB = 2**20


def run(parsed: argparse.Namespace) -> None:
    """Measure the precision that was asked for, or every one that this machine has."""
    usual = api.default_experiment()
    experiment = build({"task": parsed.task, "model": parsed.model}, usual)
    given = [parsed.precision] if parsed.precision else ["bf16", "fp32"][not has_bf16() :]
    costs, memories = [], []
    for precision in given:
        changed = build({"precision": precision}, experiment)
        found = measure(changed, parsed.steps)
        used = memory(changed)
        for cost in found:
            print(_line(cost), flush=True)
        print(
            f"{precision} memory {used.size_bytes / MIB:.0f} MiB at its peak, "
            f"{used.over_floor:.2f} x floor",
            flush=True,
        )
        costs += found
        memories.append(used)
    if parsed.json:
        print(json.dumps(_record(experiment, costs, memories)))


def _line(cost: StepCost) -> str:
    return (
        f"{cost.precision} {cost.method:<4} {cost.seconds:.3f} s a step: {cost.over_floor:.3f} x "
        f"floor, {cost.over_twn:.3f} x twn, released {cost.released_over_ours:.2f} times as long"
    )


def _record(
    experiment: Experiment, costs: list[StepCost], memories: list[Memory]
) -> dict[str, object]:
    """Everything, with the two ratios of the default recipe on top."""
    wanted = experiment.quant.method, experiment.train.precision
    usual = next((c for c in costs if (c.method, c.precision) == wanted), costs[0])
    return {
        "machine": to_plain(describe(cores())),
        "task": experiment.task,
        "model": experiment.model,
        "method": usual.method,
        "precision": usual.precision,
        "over_floor": usual.over_floor,
        "released_over_ours": usual.released_over_ours,
        "rows": [asdict(cost) for cost in costs],
        "memory": [asdict(each) | {"over_floor": each.over_floor} for each in memories],
    }
