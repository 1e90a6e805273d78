"""Compute the record: `python -m tests.recorded.compute`; with a path, write it there.

Sums of floats depend on the order of their terms, and libraries choose that order by the processor.
So everything runs on one thread and with the instructions that every x86-64 processor has
(`PORTABLE`, which must be in the environment before torch is imported). With them the losses have
the same bits wherever this runs; without them the record would be that of one machine.
"""

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

PORTABLE = {
    "ATEN_CPU_CAPABILITY": "default",
    "MKL_CBWR": "COMPATIBLE",
    "MKL_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "NUMBA_CPU_NAME": "x86-64",
    "NUMBA_CPU_FEATURES": "",
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA,-FMA4,-AVX512F",
}
STEPS = 20
TEXT_LENGTHS = (5, 23, 12)


def record() -> dict[str, Any]:
    """The whole record; plain values, floats as hexadecimal text."""
    import torch

    torch.set_num_threads(1)
    torch.backends.mkldnn.set_flags(False)
    return {
        "run ids": _run_ids(),
        "grids": _grid_ids(),
        "answers": _answers(),
        "losses": _losses(),
    }


def _run_ids() -> dict[str, str]:
    """Folder of each shipped run -> the id that its experiment has today."""
    from core.paths import shipped
    from core.runs.run_store import read_job

    folders = sorted((shipped() / "runs").iterdir())
    return {folder.name: read_job(folder).run_id for folder in folders}


def _grid_ids() -> dict[str, list[str]]:
    """Name of each shipped grid -> the ids of its runs, in order."""
    from core.runs.grids import grid_files, read_grid

    return {
        path.stem: [planned.experiment.run_id for planned in read_grid(path).runs]
        for path in grid_files()
    }


def _answers() -> dict[str, list[list[str]]]:
    """Run id of each shipped packed student -> its logits for three made-up texts."""
    import torch

    from core.packed import file
    from core.paths import shipped

    answers = {}
    for path in sorted((shipped() / "runs").glob("*/model.safetensors")):
        model = file.assembled(file.read_contents(path))
        rows = []
        for length in TEXT_LENGTHS:
            words = torch.arange(length) * 1999 % 29_000 + 1000
            words[0], words[-1] = 101, 102
            with torch.no_grad():
                logits = model(input_ids=words[None]).logits[0]
            rows.append([value.hex() for value in logits.tolist()])
        answers[path.parent.name] = rows
    return answers


def _losses() -> dict[str, list[dict[str, str]]]:
    """Losses of 20 steps, by recipe: teachers and students of each kind of task."""
    import pytest

    with tempfile.TemporaryDirectory() as root, pytest.MonkeyPatch.context() as patch:
        return dict(_trainings(Path(root), patch))


def _trainings(root: Path, patch: Any) -> Iterator[tuple[str, list[dict[str, str]]]]:
    from core.experiment import DistillRecipe, Experiment, QuantRecipe, Teaching, TrainRecipe
    from core.tasks.prepare import prepare
    from core.tasks.registry import find_task
    from core.training.student_training import train
    from core.training.teacher_training import teach
    from tests.conftest import move_to, save_tiny_model, tiny_model
    from tests.core import hub_files

    move_to(root, patch)
    patch.setenv("TERNARY_LAB_HUB", str(root / "hub"))
    hub_files.write_glue(root / "hub", "sst2", "stsb")
    hub_files.write_squad(root / "hub", hub_files.SQUAD)
    # The model's path is part of the run's name, not of its numbers.
    save_tiny_model(root / "tiny", tiny_model())
    model = str(root / "tiny")
    recipe = TrainRecipe(steps=STEPS, batch_size=8, evaluate_every=10, max_tokens=32)
    students = {
        "sst2": Experiment(
            task="sst2",
            model=model,
            distill=DistillRecipe(attention_maps=0.5, attention_outputs=0.25, labels=0.5),
            train=replace(recipe, clip=1.0, averaging=0.3),
        ),
        "stsb": Experiment(
            task="stsb",
            model=model,
            quant=QuantRecipe(method="lat", weight_granularity="row", activation="symmetric"),
            distill=DistillRecipe(labels=1.0),
            train=replace(recipe, dropout=0.1),
        ),
        "squad": Experiment(
            task="squad",
            model=model,
            quant=QuantRecipe(method="lsq", weight_bits=4, embedding_bits=4, activation="lsq"),
            distill=DistillRecipe(labels=1.0, temperature=2.0),
            train=recipe,
        ),
    }
    for name, student in students.items():
        list(prepare(find_task(name)))
        teaching = Teaching(task=name, model=model, train=replace(recipe, learning_rate=1e-3))
        yield f"teacher of {name}", _steps(teach(teaching))
        yield f"student of {name}", _steps(train(student))


LOSSES = ("loss", "hidden", "attention", "logits", "labels", "attention_maps", "attention_outputs")


def _steps(events: Any) -> list[dict[str, str]]:
    from core.events import StepDone

    return [
        {name: float(getattr(event, name)).hex() for name in LOSSES}
        for event in events
        if isinstance(event, StepDone)
    ]


if __name__ == "__main__":
    assert all(os.environ.get(name) == value for name, value in PORTABLE.items()), PORTABLE
    text = json.dumps(record(), indent=1, sort_keys=True) + "\n"
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)
