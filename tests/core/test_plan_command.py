"""`plan` on the command line: the bits of a budget, for people and for programs."""

import json
import shlex

import pytest

from core import __main__ as command_line
from core import api
from core.__main__ import main
from core.experiment import Experiment

POOLER = "bert.pooler.dense"


@pytest.fixture
def budget(lab) -> float:
    """MiB of the lab's student, all at 3 bits."""
    start = api.plan_start("movie-sentiment", lab.model, "twn", (3, 8))
    return api.foreseen_size(start).size_bytes / 2**20


def planned(lab, budget: float, capsys, *more: str) -> dict:
    asked = ["plan", "--model", lab.model, "--budget-mib", str(budget), "--json", *more]
    assert main(asked) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("how", ["predicted", "measured"])
def test_a_plan_for_programs(lab, budget, capsys, how):
    more = ("--measured",) if how == "measured" else ()
    found = planned(lab, budget, capsys, *more, "--keep", f"{POOLER}=8")
    assert found["losses"] == how
    assert found["size_bytes"] <= found["budget_bytes"] == int(budget * 2**20)
    assert found["bits"][POOLER] == 8
    assert len(found["bits"]) == 14
    assert [each["bits"] for each in found["uniform"]] == [2, 3, 4, 8]
    losses = [each["loss"] for each in found["uniform"]]
    assert losses == sorted(losses, reverse=True)


def test_its_command_trains_it(lab, budget, capsys):
    found = planned(lab, budget, capsys, "--bits", "3,8", "--method", "lat")
    words = shlex.split(found["run"])
    assert words[:4] == ["python", "-m", "core", "run"]
    typed: Experiment = command_line._experiment(command_line._parser().parse_args(words[3:]))
    assert typed.run_id == found["run_id"]
    assert list(typed.quant.matrix_bits) == found["matrix_bits"]
    assert api.foreseen_size(typed).size_bytes == found["size_bytes"]


def test_a_plan_for_people(lab, budget, capsys):
    assert main(["plan", "--model", lab.model, "--budget-mib", str(budget)]) == 0
    said = capsys.readouterr().out
    assert "bits  layer 1, feed-forward out" in said
    assert f"of {budget:g} MiB" in said
    assert "To train it: python -m core run --model" in said


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--budget-mib", "0.001"), "No file of these choices is so small"),
        (("--budget-mib", "0"), "The budget in MiB is 0.0; it must lie between"),
        (("--budget-mib", "nan"), "The budget in MiB is nan"),
        (("--budget-mib", "1", "--bits", "two"), "--bits must be whole numbers"),
        (("--budget-mib", "1", "--bits", "2"), "at least two numbers of bits"),
        (("--budget-mib", "1", "--bits", "2,5"), "the number of bits 5 is not known"),
        (("--budget-mib", "1", "--keep", "pooler=8"), "Matrix 'pooler' is not known"),
        (("--budget-mib", "1", "--keep", "pooler"), "The bits of a matrix are written as"),
        (("--budget-mib", "1", "--method", "mine"), "method 'mine' is not known"),
    ],
)
def test_what_cannot_be_planned_ends_with_a_sentence(lab, capsys, arguments, sentence):
    assert main(["plan", "--model", lab.model, *arguments]) == 2
    assert sentence in capsys.readouterr().err
