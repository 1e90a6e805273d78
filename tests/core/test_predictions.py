"""Answers of all kinds of tasks: one text at a time, and where teacher and student differ."""

import json
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from datasets import Dataset

from core import api
from core.__main__ import main
from core.api.answering import MAX_CHARACTERS
from core.errors import InputError
from core.experiment import Experiment, QuantRecipe, TrainRecipe
from core.runs.run_store import Run
from core.targets.answer_match import word_f1
from core.targets.target import NO_ANSWER
from core.targets.windows import Answers
from core.tasks.prepare import folder, load
from core.tasks.registry import find_task
from core.tasks.splits import save_splits
from core.tasks.task import Task
from core.teachers.teacher_store import load_teacher, save_teacher
from core.training.evaluate import answers_of, split_predictions
from tests.conftest import card_of, compute, move_to, save_tiny_model, tiny_model, tiny_tokenizer
from tests.core.hub_files import SQUAD_V2, glue_rows, squad_rows

WHO = ("teacher", "untrained", "student")
TASKS = {"classes": "rte", "value": "stsb", "span": "squad-v2"}
DEV_ROWS = {"classes": 30, "value": 60, "span": 30}
RECIPE = TrainRecipe(steps=2, batch_size=8, evaluate_every=2, max_tokens=64)
QUESTION, PASSAGE = (
    "was it good ?",
    "the film was great and the cast was dull but the plot was warm",
)


@dataclass(frozen=True, kw_only=True)
class Pupil:
    """A finished run of one kind of task, and its teacher."""

    task: Task
    model: str
    run: Run

    def open(self, who: str) -> api.OpenModel:
        if who == "student":
            return api.open_model(api.source_of_run(self.run))
        return api.open_model(api.source_of_teacher(self.task.name, self.model))


@pytest.fixture(scope="module")
def school(tmp_path_factory):
    """A teacher and a student for a pair, a value and a span."""
    root = tmp_path_factory.mktemp("school")
    with pytest.MonkeyPatch.context() as patch:
        move_to(root, patch)
        yield {kind: pupil_of(kind, str(root / kind)) for kind in TASKS}


def pupil_of(kind: str, model: str) -> Pupil:
    task = find_task(TASKS[kind])
    splits = {"train": 60, "dev": DEV_ROWS[kind], "test": 10}
    tables = {split: Dataset.from_list(rows_of(kind, split, n)) for split, n in splits.items()}
    save_splits(folder(task), tables)
    network = tiny_model(seed=6, kind=kind, initializer_range=0.4)
    save_tiny_model(Path(model), network)
    save_teacher(network, card_of(network, model, task.name, labels=task.labels, threshold=0.5))
    run = compute(Experiment(task=task.name, model=model, train=RECIPE))
    return Pupil(task=task, model=model, run=run)


def rows_of(kind: str, split: str, count: int) -> list[dict]:
    if kind == "span":
        rows = squad_rows(SQUAD_V2, split, count)
        answers = [row.pop("answers") for row in rows]
        return [
            {**row, "answers": each["text"], "starts": each["answer_start"]}
            for row, each in zip(rows, answers, strict=True)
        ]
    rows = glue_rows(TASKS[kind], split.replace("test", "validation"), count)
    return [{name: row[name] for name in ("sentence1", "sentence2", "label")} for row in rows]


def finish(generator):
    """The return value of a generator."""
    try:
        while True:
            next(generator)
    except StopIteration as end:
        return end.value


# One text at a time


def test_a_pair_is_answered_with_the_probabilities_of_its_two_texts(school):
    pupil = school["classes"]
    found = api.predict(pupil.open("teacher"), " the film was good", "it was great ")
    inputs = tiny_tokenizer()("the film was good", "it was great", return_tensors="pt")
    assert inputs["token_type_ids"].sum() > 0
    model = load_teacher(pupil.task.name, pupil.model)
    with torch.no_grad():
        shares = model(**inputs).logits[0].double().softmax(dim=0).tolist()
    assert found.probabilities == pytest.approx(shares, abs=1e-6)
    assert found.labels == ("entailment", "not entailment")
    assert found.answer == found.labels[int(np.argmax(shares))]
    assert found.margin == pytest.approx(abs(shares[0] - shares[1]), abs=1e-6)
    assert found.tokens == inputs["input_ids"].shape[1]
    assert (found.value, found.spans) == (None, ())
    assert found.milliseconds > 0
    swapped = api.predict(pupil.open("teacher"), "it was great", "the film was good")
    assert swapped.probabilities != found.probabilities


def test_a_value_is_answered_with_the_number_itself(school):
    pupil = school["value"]
    found = api.predict(pupil.open("teacher"), "the film was good", "it was great")
    inputs = tiny_tokenizer()("the film was good", "it was great", return_tensors="pt")
    with torch.no_grad():
        value = load_teacher(pupil.task.name, pupil.model)(**inputs).logits.item()
    assert found.value == pytest.approx(value, abs=1e-5)
    assert found.answer == f"{found.value:.2f}"
    assert (found.labels, found.probabilities, found.spans) == ((), (), ())


def test_a_question_is_answered_as_the_evaluation_answers_it(school):
    """Passages of several windows, one at a time and all at once."""
    pupil = school["span"]
    opened, dev = pupil.open("teacher"), load(pupil.task).dev
    family, target = opened.family, opened.target
    encoded = target.encode(family, opened.tokenizer, dev, pupil.task, 64)
    assert len(encoded) > len(dev)
    forward = partial(answers_of, family, opened.model)
    said = finish(split_predictions(forward, family, target, encoded, "Scoring"))
    for threshold in (0.5, -0.5):
        wanted = Answers(table=said).texts(list(dev["context"]), threshold)
        chosen = replace(opened, threshold=threshold)
        found = [api.predict(chosen, row["question"], row["context"]) for row in dev]
        assert [each.answer for each in found] == [text or NO_ANSWER for text in wanted]
    assert any(np.diff(encoded.about.example) == 0)


def test_spans_are_pieces_of_the_passage_the_likeliest_first(school):
    for who in ("teacher", "student"):
        opened = school["span"].open(who)
        found = api.predict(opened, QUESTION, f"  {PASSAGE}\n")
        assert len(found.spans) == 5
        for span in found.spans:
            assert PASSAGE[span.start : span.end] == span.text != ""
        shares = [span.share for span in found.spans]
        assert shares == sorted(shares, reverse=True)
        assert 0 < sum(shares) <= 1 + 1e-9
        assert len({(span.start, span.end) for span in found.spans}) == 5
        assert found.margin == pytest.approx(shares[0] - shares[1])
        assert (found.value, found.probabilities) == (None, ())


def test_the_threshold_decides_between_the_best_span_and_no_answer(school):
    opened = school["span"].open("teacher")
    always = api.predict(replace(opened, threshold=1e9), QUESTION, PASSAGE)
    never = api.predict(replace(opened, threshold=-1e9), QUESTION, PASSAGE)
    assert always.answer == always.spans[0].text
    assert never.answer == NO_ANSWER
    assert never.spans == always.spans


def test_a_passage_without_a_word_has_no_answer(school):
    opened = replace(school["span"].open("teacher"), threshold=1e9)
    assert api.predict(opened, QUESTION, "\u200b\u200b").answer == NO_ANSWER


def test_every_model_answers_with_its_own_threshold(school):
    pupil = school["span"]
    assert pupil.open("teacher").threshold == 0.5
    assert pupil.open("student").threshold == pupil.run.result.threshold != 0.5


@pytest.mark.parametrize("kind", TASKS)
@pytest.mark.parametrize("texts", [(), ("one",), ("one", "two", "three")])
def test_the_wrong_number_of_texts_is_named(school, kind, texts):
    opened = school[kind].open("teacher")
    wanted = {"span": "question and context"}.get(kind, "sentence1 and sentence2")
    with pytest.raises(InputError, match=rf"takes 2 text\(s\): {wanted}\."):
        api.predict(opened, *texts)


@pytest.mark.parametrize("kind", TASKS)
def test_an_empty_and_an_endless_text_are_refused_whichever_it_is(school, kind):
    opened = school[kind].open("teacher")
    for texts in (("", "film"), ("film", " \n")):
        with pytest.raises(InputError, match="There is no text"):
            api.predict(opened, *texts)
    with pytest.raises(InputError, match="at most 20,000 can be read"):
        api.predict(opened, "film", "a" * (MAX_CHARACTERS + 1))


def test_a_passage_as_long_as_is_read_is_answered(school):
    opened = school["span"].open("teacher")
    found = api.predict(opened, QUESTION, "it was " * 700)
    assert found.tokens > 1400
    assert found.spans[0].text


# Where they differ


def test_what_a_run_saved_of_its_predictions(school):
    whole = {f"{split}.{who}" for split in ("dev", "test") for who in ("teacher", "student")}
    whole |= {"dev.untrained", "test.untrained"}
    for kind, pupil in school.items():
        labels = set() if kind == "span" else {"dev.labels", "test.labels"}
        found = api.predictions(pupil.run)
        assert set(found) == whole | labels
        shape = {"classes": (30, 2), "value": (60, 1), "span": (30, 4)}[kind]
        assert found["dev.student"].shape == shape


def test_disagreements_of_classes_are_those_of_the_saved_logits(school):
    pupil = school["classes"]
    said, dev = api.predictions(pupil.run), load(pupil.task).dev
    names = pupil.task.labels
    expected = []
    for row in range(len(dev)):
        answer = {who: names[int(said[f"dev.{who}"][row].argmax())] for who in WHO}
        truth = names[dev[row]["label"]]
        if answer["teacher"] != answer["student"]:
            better = "teacher" if answer["teacher"] == truth else "student"
            texts = (dev[row]["sentence1"], dev[row]["sentence2"])
            expected.append(api.Disagreement(texts=texts, truth=truth, better=better, **answer))
    assert api.disagreements(pupil.run) == expected != []


def test_disagreements_of_values_are_the_fifty_largest(school):
    pupil = school["value"]
    said, dev = api.predictions(pupil.run), load(pupil.task).dev
    found = api.disagreements(pupil.run)
    assert len(found) == 50 < len(dev)
    rows = {f"{row['sentence1']} / {row['sentence2']}": n for n, row in enumerate(dev)}
    everywhere = np.abs(said["dev.teacher"] - said["dev.student"])[:, 0].astype(float)
    gaps = [everywhere[rows[each.text]] for each in found]
    assert gaps == sorted(everywhere, reverse=True)[:50]
    for each, gap in zip(found, gaps, strict=True):  # in words they are rounded
        assert abs(float(each.teacher) - float(each.student)) == pytest.approx(gap, abs=0.011)
    for each in found:
        row = rows[each.text]
        label = dev[row]["label"]
        off = {who: abs(float(said[f"dev.{who}"][row, 0]) - label) for who in WHO}
        assert each.truth == f"{label:.2f}"
        assert each.better == min(("teacher", "student"), key=lambda who: off[who])
        assert each.untrained == f"{said['dev.untrained'][row, 0]:.2f}"


def test_disagreements_of_spans_are_answers_in_words(school):
    pupil = school["span"]
    dev = load(pupil.task).dev
    rows = {f"{row['question']} / {row['context']}": row for row in dev}
    found = api.disagreements(pupil.run)
    assert found
    for each in found:
        row = rows[each.text]
        assert each.teacher != each.student
        said = {who: "" if (text := getattr(each, who)) == NO_ANSWER else text for who in WHO}
        assert all(text in row["context"] for text in said.values())
        assert each.truth == (row["answers"][0] if row["answers"] else NO_ANSWER)
        good = {who: word_f1(said[who], tuple(row["answers"])) for who in WHO}
        if good["teacher"] == good["student"]:
            assert each.better == ""
        else:
            assert each.better == max(("teacher", "student"), key=lambda who: good[who])


@pytest.mark.parametrize("kind", TASKS)
def test_disagreements_need_the_dev_examples_of_the_run(school, kind, monkeypatch, tmp_path):
    pupil = school[kind]
    monkeypatch.setenv("TERNARY_LAB_CACHE", str(tmp_path))
    with pytest.raises(InputError, match=f"python -m core prefetch {pupil.task.name}"):
        api.disagreements(pupil.run)
    other = Dataset.from_list(rows_of(kind, "other", 7))
    save_splits(folder(pupil.task), dict.fromkeys(("train", "dev", "test"), other))
    with pytest.raises(InputError, match="are not those of the run"):
        api.disagreements(pupil.run)


# The Weights page and the command line


@pytest.mark.parametrize("kind", TASKS)
def test_weights_of_every_kind_can_be_looked_into(school, kind):
    opened = school[kind].open("teacher")
    shapes = api.matrix_shapes(opened)
    weights = {name: few.whole() for name, few in finish(api.importances(opened)).items()}
    assert {name: tuple(weight.shape) for name, weight in weights.items()} == shapes
    assert all(torch.isfinite(weight).all() and (weight > 0).all() for weight in weights.values())
    errors = finish(api.rank_matrices(opened, QuantRecipe()))
    assert [error.name for error in errors] == list(shapes)
    found = finish(api.untrained_score(opened, QuantRecipe()))
    assert (found.metric, found.examples) == (opened.task.metric, DEV_ROWS[kind])


@pytest.mark.parametrize("kind", TASKS)
def test_the_command_line_answers_with_teacher_and_student(school, kind, capsys):
    pupil, texts = school[kind], (QUESTION, PASSAGE)
    who = (["--task", pupil.task.name, "--model", pupil.model], ["--run", pupil.run.run_id])
    for arguments, name in zip(who, ("teacher", "student"), strict=True):
        assert main(["predict", *arguments, *texts]) == 0
        out = capsys.readouterr().out
        expected = api.predict(pupil.open(name), *texts)
        assert out.startswith(expected.answer)
        assert out == out.rstrip() + "\n"
        assert out.count("=") == len(expected.labels)
    assert main(["predict", *who[0], "one"]) == 2
    assert "takes 2 texts each time" in capsys.readouterr().err


def test_the_command_line_makes_a_teacher_of_every_kind(school, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("TERNARY_LAB_HOME", str(tmp_path))
    for pupil in school.values():
        options = ["--task", pupil.task.name, "--model", pupil.model, "--steps", "2"]
        options += ["--max-tokens", "32", "--batch-size", "4", "--precision", "fp32"]
        assert main(["teach", *options, "--json"]) == 0
        last = json.loads(capsys.readouterr().out.splitlines()[-1])
        assert last["type"] == "Taught"
        assert last["teacher"]["task"] == pupil.task.name
        metrics = [measured["score"]["metric"] for measured in last["teacher"]["scores"]]
        assert metrics == [*pupil.task.metrics] * 2  # on dev, then on test
    assert {card.task for card in api.teachers()} == set(TASKS.values())
