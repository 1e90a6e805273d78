"""The cluster's settings and refusals, as far as they need no cluster (and no Ray)."""

import sys

import pytest

from core.doctor import examine
from core.errors import InputError
from core.experiment import Teaching
from core.runs import local, ray_cluster
from core.runs.backend import chosen
from tests.conftest import with_train


def test_an_address_chooses_the_cluster(lab, monkeypatch):
    assert chosen() is local.compute
    monkeypatch.setenv("TERNARY_LAB_RAY", "auto")
    assert chosen() is ray_cluster.compute


@pytest.mark.parametrize(("text", "count"), [("", 2), ("4", 4)])
def test_processors_of_a_run_come_from_the_environment(monkeypatch, text, count):
    monkeypatch.setenv("TERNARY_LAB_RAY_CPUS", text)
    assert ray_cluster.cpus() == count


def test_a_run_without_processors_is_refused(monkeypatch):
    monkeypatch.setenv("TERNARY_LAB_RAY_CPUS", "0")
    with pytest.raises(InputError, match="TERNARY_LAB_RAY_CPUS is 0"):
        ray_cluster.cpus()


def test_without_ray_the_doctor_says_what_to_install(lab, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setenv("TERNARY_LAB_RAY", "auto")
    (finding,) = [finding for finding in examine() if finding.what == "ray"]
    assert finding.needed
    assert not finding.ok
    assert "pip install -r requirements-ray.txt" in finding.detail


def test_models_in_folders_are_named(lab):
    asked = with_train(lab.experiment, augment=True, augment_model=lab.model)
    assert ray_cluster._folders(asked) == (lab.model,)
    assert ray_cluster._folders(lab.experiment) == ()  # its teacher is sent
    assert ray_cluster._folders(Teaching(task="movie-sentiment", model=lab.model)) == (lab.model,)
    assert ray_cluster._folders(Teaching(task="movie-sentiment", model="minilm-l3")) == ()
