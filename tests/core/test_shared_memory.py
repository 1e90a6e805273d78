"""What is in memory once however many models are loaded, and computes what it did before."""

import gc
import threading
import weakref
from dataclasses import replace

import pytest
import torch

from core import api
from core.analysis.sensitivity import few_rows
from core.experiment import Experiment, QuantRecipe
from core.families.registry import find_family
from core.models.layers import CodeEmbedding
from core.models.student import become_student
from core.models.tokenizing import tokenized
from core.packed import engine
from core.packed.contents import contents_of
from core.quantizers.importance import FLOOR
from core.teachers import teacher_store
from core.teachers.teacher_store import load_teacher, teacher_tokenizer

BERT = find_family("bert")

WORDS = "bert.embeddings.word_embeddings.weight"


@pytest.fixture
def shipped_teachers(monkeypatch, tmp_path):
    """The shipped teachers of two tasks on the same backbone."""
    monkeypatch.delenv("TERNARY_LAB_SHIPPED", raising=False)
    monkeypatch.setenv("TERNARY_LAB_HOME", str(tmp_path))
    return [("movie-sentiment", "minilm-l3"), ("sentiment-strength", "minilm-l3")]


def test_teachers_of_a_backbone_share_its_word_embedding(shipped_teachers):
    one, other = (load_teacher(*each) for each in shipped_teachers)
    assert one.get_parameter(WORDS) is other.get_parameter(WORDS)
    assert not one.get_parameter(WORDS).requires_grad
    layer = "bert.encoder.layer.0.output.dense.weight"
    assert not torch.equal(one.get_parameter(layer), other.get_parameter(layer))


def test_the_shared_table_goes_with_the_last_teacher(shipped_teachers, monkeypatch):
    tables = weakref.WeakValueDictionary()  # other tests may hold models of their own
    monkeypatch.setattr(teacher_store, "_tables", tables)
    models = [load_teacher(*each) for each in shipped_teachers]
    gc.collect()
    assert len(tables) == 1
    models.clear()
    gc.collect()
    assert len(tables) == 0


def test_an_untrained_student_shares_the_teachers_words_and_leaves_them_alone(shipped_teachers):
    task, model = shipped_teachers[0]
    teacher = load_teacher(task, model)
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    opened = api.open_model(api.source_of_teacher(task, model, QuantRecipe()), lean=True)
    assert api.predict(opened, "a quiet film").tokens
    student = become_student(load_teacher(task, model), QuantRecipe(), BERT)
    assert student.get_parameter(WORDS) is teacher.get_parameter(WORDS)
    contents_of(student, Experiment(task=task, model=model))
    after = teacher.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert not any(parameter.requires_grad for parameter in teacher.parameters())


def test_latent_weights_do_not_reach_the_teacher(lab, finished_run):
    teacher = load_teacher(lab.experiment.task, lab.model)
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    latent = api.open_model(api.source_of_run(finished_run, "latent")).model
    after = teacher.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert not torch.equal(latent.get_parameter(WORDS), before[WORDS])


def test_a_lean_student_keeps_codes_and_answers_the_same(lab, finished_run, monkeypatch):
    monkeypatch.setattr(engine, "is_available", lambda: False)
    source = api.source_of_run(finished_run)
    whole, lean = api.open_model(source), api.open_model(source, lean=True)
    kept = [each for each in lean.model.modules() if isinstance(each, CodeEmbedding)]
    assert len(kept) == 1
    assert kept[0].table.codes.dtype == torch.int8
    assert WORDS in whole.model.state_dict()
    assert WORDS not in lean.model.state_dict()
    for text in ("the film was good", "an awful story", "it"):
        first, second = api.predict(whole, text), api.predict(lean, text)
        assert first.probabilities == second.probabilities


def test_a_student_without_quantized_words_stays_as_it_is(lab, monkeypatch):
    monkeypatch.setattr(engine, "is_available", lambda: False)
    quant = replace(lab.experiment.quant, parts=("attention",))
    source = api.source_of_teacher(lab.experiment.task, lab.model, quant)
    assert WORDS in api.open_model(source, lean=True).model.state_dict()


def test_a_tokenizer_is_shared_and_read_by_many_threads(lab):
    tokenizers = [teacher_tokenizer(lab.experiment.task, lab.model) for _ in range(3)]
    assert len({id(each) for each in tokenizers}) == 1
    wrong: list[object] = []

    def read(limit: int) -> None:
        try:
            for _ in range(200):
                ids = tokenized(
                    tokenizers[0], ["the film was good"], truncation=True, max_length=limit
                )["input_ids"]
                if len(ids[0]) != limit:
                    wrong.append(ids)
        except Exception as error:
            wrong.append(error)

    threads = [threading.Thread(target=read, args=(limit,)) for limit in (3, 4, 5, 6)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert wrong == []


def test_an_importance_keeps_the_rows_that_gradients_reached():
    values = torch.zeros(50, 8)
    values[[3, 17]] = torch.rand(2, 8)
    values[17, 2] = 0.0
    whole = values.sqrt_().add_(FLOOR)
    kept = few_rows(whole)
    assert kept.index.tolist() == [3, 17]
    assert torch.equal(kept.whole(), whole)
    assert torch.equal(few_rows(torch.full((5, 8), FLOOR)).whole(), torch.full((5, 8), FLOOR))
