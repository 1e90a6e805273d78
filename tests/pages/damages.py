"""Ways in which the folder of a finished run can be wrong."""

import shutil
from dataclasses import replace

from safetensors.numpy import save_file

from core.runs import run_store
from core.serialization import canonical_json


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
    run.folder.rename(run_store.run_folder(experiment.run_id))


def hopeless_teacher(run) -> None:
    result = replace(run.result, teacher_score=0.0, score=0.0)
    (run.folder / "result.json").write_text(canonical_json(result))


def another_run(run):
    """The folder of another finished run, made from this one: the same but for its seed."""
    experiment = replace(run.experiment, seed=run.experiment.seed + 1)
    folder = run_store.run_folder(experiment.run_id)
    shutil.copytree(run.folder, folder)
    (folder / "experiment.json").write_text(canonical_json(experiment))
    result = replace(run.result, run_id=experiment.run_id)
    (folder / "result.json").write_text(canonical_json(result))
    return run_store.read_folder(folder)


def foreign_experiment(run) -> None:
    shutil.move(another_run(run).folder / "experiment.json", run.folder / "experiment.json")


def foreign_files(run) -> None:
    """Student, predictions, latent weights and events are those of another run."""
    another_run(run)


def empty_result(run) -> None:
    result = replace(run.result, size_bytes_packed=0, steps=0)
    (run.folder / "result.json").write_text(canonical_json(result))


def no_number(run) -> None:
    text = (run.folder / "result.json").read_text()
    score = f'"score":{run.result.score}'
    assert score in text
    (run.folder / "result.json").write_text(text.replace(score, '"score":NaN'))


def unknown_metric(run) -> None:
    result = replace(run.result, metric="poetry")
    (run.folder / "result.json").write_text(canonical_json(result))


def endless_record(run) -> None:
    with (run.folder / "events.jsonl").open("a") as file:
        file.truncate(2**30)


DAMAGES = (
    foreign_experiment,
    foreign_files,
    empty_result,
    no_number,
    unknown_metric,
    endless_record,
    damage_experiment,
    damage_result,
    damage_record,
    damage_model,
    damage_predictions,
    empty_folder,
    unknown_task,
    hopeless_teacher,
)
