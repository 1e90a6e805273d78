"""A student is asked through the engine where that is installed, and the answer says so."""

from dataclasses import replace

import pytest

from core import api
from core.errors import InputError
from core.packed import engine

TEXT = "the film was a lovely story"


def test_a_student_answers_as_integers_and_says_so(finished_run):
    opened = api.open_model(api.source_of_run(finished_run))
    answer = api.predict(opened, TEXT)
    assert answer.computed_by == "ONNX Runtime, integers"
    assert answer.probabilities == pytest.approx(in_torch(opened).probabilities, abs=0.01)


def in_torch(opened: api.OpenModel) -> api.Prediction:
    return api.predict(replace(opened, engine=None), TEXT)


def test_without_the_extra_torch_answers(finished_run, monkeypatch):
    monkeypatch.setattr(engine, "is_available", lambda: False)
    answer = api.predict(api.open_model(api.source_of_run(finished_run)), TEXT)
    assert answer.computed_by == "torch, float32"


def test_a_model_that_the_engine_does_not_know_is_computed_in_torch(finished_run, monkeypatch):
    def draw(_contents):
        raise InputError("The graph does not know this model.")

    monkeypatch.setattr(engine, "draw", draw)
    answer = api.predict(api.open_model(api.source_of_run(finished_run)), TEXT)
    assert answer.computed_by == "torch, float32"


def test_teachers_are_computed_in_torch(finished_run):
    experiment = finished_run.experiment
    source = api.source_of_teacher(experiment.task, experiment.model)
    assert api.predict(api.open_model(source), TEXT).computed_by == "torch, float32"
