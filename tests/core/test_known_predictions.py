"""What a model that does not learn says is computed once, and again where anything differs."""

import dataclasses
import shutil

import numpy as np
import pytest
from datasets import Dataset

from core.tasks.prepare import folder
from core.tasks.registry import find_task
from core.training import known_predictions, scores
from tests.conftest import RANKING, compute, made_up_rankings, with_quant


@pytest.fixture
def read_rows(monkeypatch) -> list[str]:
    """Which splits a model reads, by the text that says so; every split is large enough."""
    monkeypatch.setattr(known_predictions, "FEWEST_ROWS", 1)
    read: list[str] = []

    def watched(original):
        def predictions_of(model, data, encoded, text):
            read.append(text)
            return original(model, data, encoded, text)

        return predictions_of

    for module in (known_predictions, scores):
        monkeypatch.setattr(module, "predictions_of", watched(module.predictions_of))
    return read


def test_teacher_and_untrained_read_once_and_the_student_always(ranking_lab, read_rows):
    first = compute(ranking_lab.experiment)
    assert len([text for text in read_rows if "student" not in text]) == 6
    before = list(read_rows)
    second = compute(dataclasses.replace(ranking_lab.experiment, seed=1))
    new = read_rows[len(before) :]
    assert new
    assert all("student" in text for text in new)
    for who in ("teacher", "untrained"):
        assert [each for each in first.result.scores if each.who == who] == [
            each for each in second.result.scores if each.who == who
        ]


def test_another_rule_is_computed_anew(ranking_lab, read_rows):
    compute(ranking_lab.experiment)
    read_rows.clear()
    compute(with_quant(ranking_lab.experiment, weight_bits=8))
    assert sorted({text.split()[2] for text in read_rows}) == ["student", "untrained"]


def test_other_rows_are_computed_anew(ranking_lab, read_rows):
    compute(ranking_lab.experiment)
    read_rows.clear()
    where = folder(find_task(RANKING)) / "squad"
    shutil.rmtree(where)
    Dataset.from_list(made_up_rankings(10, 99)).save_to_disk(where)
    compute(dataclasses.replace(ranking_lab.experiment, seed=1))
    assert [text for text in read_rows if "student" not in text] == [
        "Scoring the teacher on squad",
        "Scoring the untrained on squad",
    ]


def test_a_damaged_file_is_computed_anew(ranking_lab, read_rows):
    first = compute(ranking_lab.experiment)
    for file in (ranking_lab.cache / "predictions").iterdir():
        file.write_bytes(b"nothing")
    second = compute(dataclasses.replace(ranking_lab.experiment, seed=1))
    assert first.result.teacher_score == second.result.teacher_score
    assert np.isfinite(second.result.score)


def test_few_rows_are_not_kept(ranking_lab):
    compute(ranking_lab.experiment)
    assert not (ranking_lab.cache / "predictions").exists()
