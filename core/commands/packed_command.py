"""The commands on packed files: export, inspect, verify, and the measurements of inference.

`__main__` asks `add` to put them beside its own.
"""

import argparse
import json
import sys
from collections.abc import Callable, Generator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from core import api
from core.errors import InputError
from core.events import Preparing
from core.serialization import to_plain

if TYPE_CHECKING:
    from core.packed.contents import Contents

BENCHES = ("inference", "agreement")
Answer = TypeVar("Answer")
MIB = 2**20


def add(commands, add_command: Callable[..., argparse.ArgumentParser]) -> None:
    """Register export, inspect and verify."""
    export = add_command(
        commands, "export", _export, "write a run's student as a file to take away"
    )
    export.add_argument("run", help="run id; `python -m core runs` lists them")
    export.add_argument("kind", choices=api.EXPORT_KINDS, help="what to write")
    export.add_argument("path", help="the file, or for `folder` the folder, to write")
    export.add_argument("--codes", choices=("2-bit", "base-3"), default="2-bit")
    export.add_argument("--leftovers", choices=("float32", "float16"), default="float16")
    inspect = add_command(
        commands, "inspect", _inspect, "say what a packed file holds, byte by byte"
    )
    inspect.add_argument("file")
    inspect.add_argument("--json", action="store_true", help="print one JSON object")
    verify = add_command(commands, "verify", _verify, "check a packed file, and that it computes")
    verify.add_argument("file")


def add_bench_options(bench: argparse.ArgumentParser) -> None:
    """What the measurements of inference can be asked for."""
    bench.add_argument("--run", default="", help="a run's student (inference, agreement)")
    bench.add_argument("--threads", type=int, help="threads of each (inference; default: cores)")


def bench(parsed: argparse.Namespace) -> None:
    """`bench inference` and `bench agreement`."""
    contents = _student(parsed)
    if parsed.what == "agreement":
        _agreement(parsed, contents)
        return
    from core.bench.inference import measure
    from core.machine import cores

    threads = parsed.threads or cores()
    task, model = parsed.task, parsed.model
    if contents is not None:
        task, model = contents.experiment.task, contents.experiment.model
    measured = measure(task, model, contents, threads)
    if parsed.json:
        print(json.dumps(asdict(measured)))
        return
    for shape in measured.shapes:
        print(
            f"{shape.batch} x {shape.tokens} tokens: torch FP32 {shape.torch_ms:.2f} ms, ONNX "
            f"Runtime FP32 {shape.onnx_fp32_ms:.2f} ms, ternary {shape.ternary_ms:.2f} ms: "
            f"{shape.ratio_torch:.2f} and {shape.ratio_onnx:.2f} times faster"
        )
    machine = measured.machine
    print(f"{machine.processor}, {machine.cores} cores, {machine.threads} threads")


def _student(parsed: argparse.Namespace) -> "Contents | None":
    """The run that is asked for, else a finished one of (task, model), else None."""
    if parsed.run:
        return api.packed_contents(api.find_run(parsed.run))
    for run in api.finished_runs():
        assert run.experiment is not None
        if (run.experiment.task, run.experiment.model) == (parsed.task, parsed.model):
            return api.packed_contents(run)
    return None


def _agreement(parsed: argparse.Namespace, contents: "Contents | None") -> None:
    from core.bench.agreement import measure

    if contents is None:
        raise InputError(f"There is no finished run of {parsed.task} on {parsed.model} to look at.")
    rows = _last(measure(contents))
    if parsed.json:
        print(json.dumps({"rows": [to_plain(row) for row in rows]}))
        return
    for row in rows:
        print(
            f"{row.compared}: same answer on {100 * row.same:.1f} % of {row.examples}, logits "
            f"differ by {row.mean:.4f} on average, {row.largest:.4f} at most; where answers "
            f"differ, the two logits lie {row.undecided:.4f} apart at most"
        )


def _last(computing: Generator[Preparing, None, Answer]) -> Answer:
    """The generator's return value; its progress goes to the error stream."""
    try:
        while True:
            step = next(computing)
            if step.done == step.total:
                _say(step.text)
    except StopIteration as end:
        return end.value


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _export(parsed: argparse.Namespace) -> None:
    kind = api.ExportKind(kind=parsed.kind, codes=parsed.codes, leftovers=parsed.leftovers)
    written = api.export(api.find_run(parsed.run), kind, Path(parsed.path))
    print(f"{parsed.path}: {written:,} bytes ({written / MIB:.2f} MiB)")


def _inspect(parsed: argparse.Namespace) -> None:
    seen = api.inspect_file(Path(parsed.file))
    if parsed.json:
        print(json.dumps(to_plain(seen)))
        return
    print(f"{parsed.file}: {seen.title}")
    writer = f"written by Ternary Lab {seen.ternary_lab}, " if seen.ternary_lab else ""
    print(
        f"version {seen.version}, {writer}codes {seen.codes}, leftovers {seen.leftovers}, labels "
        f"{', '.join(seen.labels)}"
    )
    for part in seen.parts:
        print(f"  {part.group:<18} {part.name:<20} {part.size_bytes:>12,} bytes")
    print(f"  {'all':<39} {seen.size_bytes:>12,} bytes")
    print(
        f"{seen.size_bytes / MIB:.3f} MiB; the same weights in float32 take "
        f"{seen.size_bytes_float32 / MIB:.2f} MiB: {seen.size_bytes_float32 / seen.size_bytes:.2f}x"
    )


def _verify(parsed: argparse.Namespace) -> int:
    findings = api.verify_file(Path(parsed.file))
    for finding in findings:
        print(f"{'ok     ' if finding.ok else 'FAILED '}  {finding.what}: {finding.detail}")
    if not all(finding.ok for finding in findings):
        raise InputError(f"{parsed.file} did not pass.")
    return 0
