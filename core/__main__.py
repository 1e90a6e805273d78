"""The command line: the same functions as the app.

python -m core run --method lat --steps 300 --json
python -m core predict --run RUN_ID "a quiet, lovely film"
python -m core --help
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from core import api, settings
from core.commands import (
    claim_command,
    class_command,
    gate_command,
    import_command,
    ladder_command,
    lessons_command,
    packed_command,
    plan_command,
    predict_command,
    results_command,
    sample_command,
    ship_command,
    sweep_command,
    teach_command,
)
from core.errors import InputError
from core.lines import percent, print_json, print_line
from core.machine import waiting_environment
from core.options import as_text, build, options
from core.recipes.presets import PRESETS, options_of
from core.serialization import to_plain

if TYPE_CHECKING:
    from core.experiment import Experiment
    from core.runs.run_store import Run

EXAMPLE = """examples:
  python -m core tasks
  python -m core run --task movie-sentiment --model minilm-l3 --method twn --steps 300 --json
  python -m core predict --run RUN_ID "A quiet film that stays with you."

on Linux, commands that train are some percent faster with large pages, which runs of the app have:
  GLIBC_TUNABLES=glibc.malloc.hugetlb=1 python -m core run ...
"""

COMMANDS = (
    *(teach_command, sweep_command, ship_command, sample_command, gate_command, claim_command),
    *(ladder_command, lessons_command, class_command, results_command, import_command),
    plan_command,
)
TENTHS = 10  # of a download: so often its progress is a line


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code (2: what was asked cannot be done)."""
    parsed = _parser().parse_args(arguments)
    try:
        if parsed.command is not _doctor:  # which says what is wrong of each
            settings.check()
        return parsed.command(parsed) or 0
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m core",
        description="Ternary Lab without the app: quantize, distil, pack and score BERT.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="command")
    run = _add(commands, "run", _run, "train the student of one experiment")
    run.add_argument("--run-dir", help="compute the run of this folder (used by the app)")
    run.add_argument("--lock-fd", type=int, help=argparse.SUPPRESS)  # the lock it inherits
    run.add_argument("--fresh", action="store_true", help="compute again what is already there")
    run.add_argument("--json", action="store_true", help="print one event per line as JSON")
    run.add_argument("--preset", default="", help=f"a paper's recipe: {', '.join(PRESETS)}")
    for option in options():
        flag, usual = "--" + option.name.replace("_", "-"), as_text(option.default)
        run.add_argument(flag, help=f"{option.help} (default: {usual or 'none'})")
    runs = _add(commands, "runs", _runs, "list the runs of this computer and those that ship")
    runs.add_argument("--json", action="store_true", help="print one run per line as JSON")
    predict_command.add(
        _add(commands, "predict", predict_command.run, "answer texts with a run, or with a teacher")
    )
    _add(commands, "tasks", _tasks, "list the tasks")
    for each in COMMANDS:
        each.add(commands)
    prefetch = _add(commands, "prefetch", _prefetch, "bring a task's text (and a backbone) here")
    prefetch.add_argument("task")
    prefetch.add_argument("model", nargs="?", default="")
    _add_bench(commands)
    packed_command.add(commands, _add)
    _add(commands, "doctor", _doctor, "say what works on this computer and what is missing")
    return parser


def _add_bench(commands) -> None:
    bench = _add(commands, "bench", _bench, "measure: what quantizing or a training step costs")
    bench.add_argument("what", choices=("quantize", "train", "contention", *packed_command.BENCHES))
    bench.add_argument("--task", default="movie-sentiment")
    bench.add_argument("--model", default="minilm-l6")
    bench.add_argument("--precision", default=None, help="fp32 or bf16 (train; else both)")
    bench.add_argument("--steps", type=int, default=20, help="steps of each arm (train)")
    bench.add_argument("--rounds", type=int, default=3, help="turns of each way (contention)")
    bench.add_argument("--json", action="store_true", help="print one JSON object at the end")
    packed_command.add_bench_options(bench)


def _add(commands, name: str, function, text: str) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=text, description=text)
    parser.set_defaults(command=function)
    return parser


def _run(parsed: argparse.Namespace) -> None:
    from pathlib import Path

    from core.runs import locks, run_store, runner
    from core.runs.preparing import LOCK_FILE

    show = print_json if parsed.json else print_line
    if parsed.run_dir:
        folder, lock = Path(parsed.run_dir).resolve(), None
        if parsed.lock_fd is not None:
            lock = locks.inherited(folder / LOCK_FILE, parsed.lock_fd)
        runner.work(folder, lock=lock)
        return
    experiment = _experiment(parsed)
    api.check(experiment)
    run = run_store.find_run(experiment.run_id)
    if run is not None and run.state == "finished" and not parsed.fresh:
        _say(
            f"Run {run.run_id} is already finished; this is its record. --fresh computes it again."
        )
        for event in api.events(run):
            show(event)
        return
    runner.work_here(experiment, show, parsed.fresh)


def _experiment(parsed: argparse.Namespace) -> "Experiment":
    """What the flags say, on top of what is usual for the task. Raises InputError."""
    given = {option.name: getattr(parsed, option.name) for option in options()}
    said = {name: text for name, text in given.items() if text is not None}
    said = options_of(parsed.preset) | said
    return build(said, api.default_experiment(parsed.task or ""))


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _runs(parsed: argparse.Namespace) -> None:
    for run in api.runs():
        if parsed.json:
            print(json.dumps(_run_record(run)))
            continue
        title = run.message if run.state == "damaged" else run.title
        print(f"{run.run_id}  {run.state:<11}  {_outcome(run):>7}  {title}")


def _outcome(run: "Run") -> str:
    if run.card:
        return percent(run.card.test.value)
    return percent(run.result.score) if run.result else ""


def _run_record(run: "Run") -> dict:
    return {
        "run_id": run.run_id,
        "state": run.state,
        "shipped": run.shipped,
        "message": run.message,
        "experiment": to_plain(run.experiment) if run.experiment else None,
        "result": to_plain(run.result) if run.result else None,
        "teaching": to_plain(run.teaching) if run.teaching else None,
        "teacher": to_plain(run.card) if run.card else None,
    }


def _tasks(parsed: argparse.Namespace) -> None:
    for task in api.tasks().values():
        size = f"{task.source.size_bytes / 2**20:.1f} MiB to fetch"
        here = "here" if api.is_prepared(task.name) else size
        print(f"{task.name:<20} {task.metric:<10} {here:<18} {task.description}")


def _prefetch(parsed: argparse.Namespace) -> None:
    said = ""
    for progress in api.prefetch(parsed.task, parsed.model):
        part = progress.done * TENTHS // progress.total if progress.total else 0
        if (now := f"{progress.text} {part}") == said:
            continue  # a download tells four times a second where it is
        said = now
        size = f"{progress.done / 2**20:.1f} of {progress.total / 2**20:.1f} MiB"
        _say(f"{progress.text}: {size}" if progress.total else progress.text)
    print(f"{parsed.task} is on this computer.")


def _bench(parsed: argparse.Namespace) -> None:
    if parsed.what in packed_command.BENCHES:
        packed_command.bench(parsed)
        return
    if parsed.what in ("train", "contention"):
        from core.commands import bench_train_command, contention_command

        {"train": bench_train_command, "contention": contention_command}[parsed.what].run(parsed)
        return
    from core.bench import quantize
    from core.machine import cores, describe

    machine, rows = describe(cores()), list(quantize.measure(parsed.task, parsed.model))
    print(quantize.table(rows))
    if parsed.json:
        print(json.dumps({"machine": to_plain(machine), "rows": [to_plain(r) for r in rows]}))
    else:
        print(f"{machine.processor}, {machine.cores} cores, torch {machine.torch}")


def _doctor(parsed: argparse.Namespace) -> int:
    from core.doctor import examine

    findings = examine()
    for finding in findings:
        print(f"{'ok' if finding.ok else finding.word:<7}  {finding.what}: {finding.detail}")
    return 0 if all(finding.ok for finding in findings if finding.needed) else 1


if __name__ == "__main__":
    # Read by OpenMP when torch loads it: threads that wait sleep soon (see `machine`).
    os.environ.update(waiting_environment())
    sys.exit(main())
