"""The version has one place and stands in whatever is written; files without it read as before."""

import json
import tomllib
from dataclasses import replace

import pytest
import torch

from core.__main__ import main
from core.experiment import Experiment
from core.export.checks import examine
from core.families import find_family
from core.models.student import build_student
from core.packed import file
from core.packed.container import read_container, write_container
from core.runs.run_store import find_run
from core.runs.runner import PROJECT
from core.serialization import to_plain
from core.teachers.teacher_store import list_teachers
from core.training import checkpoints
from core.training.checkpoint_header import FILE, header
from core.version import VERSION
from tests.conftest import tiny_model


def test_the_version_is_the_newest_of_the_changelog_and_stands_in_one_place():
    changelog = (PROJECT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = next(line for line in changelog.splitlines() if line.startswith("## ["))
    assert newest.startswith(f"## [{VERSION}] - ")
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "version" not in project["project"]
    assert project["tool"]["setuptools"]["dynamic"]["version"]["attr"] == "core.version.VERSION"


def test_doctor_says_it(lab, capsys):
    main(["doctor"])
    assert f"ok       ternary-lab: {VERSION}\n" in capsys.readouterr().out


def test_a_new_result_and_a_new_teacher_say_it(finished_run):
    assert finished_run.result.machine.ternary_lab == VERSION
    assert [card.machine.ternary_lab for card in list_teachers()] == [VERSION]


def test_an_older_result_is_read_as_before(finished_run):
    plain = to_plain(finished_run.result)
    assert plain["machine"].pop("ternary_lab") == VERSION
    (finished_run.folder / "result.json").write_text(json.dumps(plain))
    run = find_run(finished_run.run_id)
    machine = replace(finished_run.result.machine, ternary_lab="")
    assert run.state == "finished"
    assert run.result == replace(finished_run.result, machine=machine)


@pytest.mark.parametrize("writer", [VERSION, "0.1.7", ""])
def test_a_checkpoint_says_it_and_is_read_whoever_wrote_it(tmp_path, writer):
    """A version that did not say so yet wrote no name at all."""
    made = checkpoints.Checkpoint(
        run_id="0123456789ab",
        step=3,
        seconds=1.5,
        origin="f" * 64,
        threads=1,
        tensors={"random": torch.arange(4)},
    )
    assert made.ternary_lab == VERSION
    checkpoints.write(tmp_path, replace(made, ternary_lab=writer))
    assert header(tmp_path / FILE).get("ternary_lab", "") == writer
    found = checkpoints.read(tmp_path, made.run_id)
    assert (found.step, found.ternary_lab) == (3, writer)


@pytest.fixture
def packed() -> bytes:
    experiment = Experiment()
    return file.to_bytes(
        build_student(tiny_model(), experiment.quant, find_family("bert")), experiment
    )


def test_a_packed_file_says_it_and_inspect_tells(tmp_path, packed, capsys):
    path = tmp_path / "model.safetensors"
    path.write_bytes(packed)
    assert read_container(path).metadata["ternary_lab"] == VERSION
    assert main(["inspect", str(path)]) == 0
    assert f"version 2, written by Ternary Lab {VERSION}, codes" in capsys.readouterr().out


@pytest.mark.parametrize("writer", ["0.1.7", None])
def test_a_packed_file_of_another_version_passes_verify(tmp_path, packed, writer, capsys):
    path = tmp_path / "model.safetensors"
    path.write_bytes(packed)
    old = read_container(path)
    metadata = old.metadata | {"sha256": file.NO_DIGEST, "ternary_lab": writer}
    named = {name: value for name, value in metadata.items() if value is not None}
    path.write_bytes(file.signed(write_container(old.tensors, named)))
    assert path.read_bytes() != packed
    assert [what for what, ok, _ in examine(path) if not ok] == []
    assert main(["inspect", str(path)]) == 0
    assert (f"written by Ternary Lab {writer}" in capsys.readouterr().out) == (writer is not None)
