"""Ways in which the folder of a finished run can be wrong."""

import shutil
from dataclasses import replace

from safetensors.numpy import save_file

from core.records import canonical_json
from core.runs import store


def damage_experiment(run) -> None:
    (run.folder / "experiment.json").write_text("{")


def damage_result(run) -> None:
    (run.folder / "result.json").write_bytes(b"\xff")


def damage_record(run) -> None:
    (run.folder / "events.jsonl").write_bytes(b"\xff\0[]\n{}")


def damage_model(run) -> None:
    path = run.folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1])


def damage_predictions(run) -> None:
    save_file({}, run.folder / "predictions.safetensors")


def empty_folder(run) -> None:
    shutil.rmtree(run.folder)
    run.folder.mkdir()


def unknown_task(run) -> None:
    """A run of a task that this version does not have."""
    experiment = replace(run.experiment, task="poetry")
    result = replace(run.result, task="poetry", run_id=experiment.run_id)
    (run.folder / "experiment.json").write_text(canonical_json(experiment))
    (run.folder / "result.json").write_text(canonical_json(result))
    run.folder.rename(store.run_folder(experiment.run_id))


def hopeless_teacher(run) -> None:
    result = replace(run.result, teacher_score=0.0, score=0.0)
    (run.folder / "result.json").write_text(canonical_json(result))


DAMAGES = (
    damage_experiment,
    damage_result,
    damage_record,
    damage_model,
    damage_predictions,
    empty_folder,
    unknown_task,
    hopeless_teacher,
)
