"""Heads: each kind's teacher and student keep every number on their way through files."""

import shutil
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from core.api.models import source_of_teacher
from core.errors import InputError
from core.experiment import Experiment, QuantRecipe
from core.families.bert.heads import class_of, head_class
from core.families.bert.outputs import NOT_A_TOKEN
from core.families.registry import find_family
from core.family import Batch, Trace
from core.models.student import build_student, weight_quantizers
from core.packed import file
from core.targets.registry import targets
from core.teachers.model_loading import load_model
from core.teachers.teacher_store import (
    list_teachers,
    load_card,
    load_teacher,
    save_teacher,
    teacher_tokenizer,
)
from tests.conftest import card_of, save_tiny_model, tiny_head, tiny_model

BERT = find_family("bert")

KINDS = tuple(targets())
TASKS = {"classes": "rte", "value": "stsb", "ranking": "passage-ranking", "span": "squad-v2"}
IDS = torch.randint(5, 26, (3, 8), generator=torch.Generator().manual_seed(0))
MASK = torch.tensor([[1] * 8, [1] * 5 + [0] * 3, [1] * 2 + [0] * 6])


@torch.no_grad()
def answer(model) -> Trace:
    inputs = {"input_ids": IDS, "attention_mask": MASK}
    batch = Batch(inputs=inputs, units=MASK.sum(dim=1), labels={}, examples=torch.arange(3))
    return BERT.forward(model, batch).answers["logits"]


def logits(model) -> torch.Tensor:
    return answer(model).value


@pytest.fixture
def own(tmp_path):
    """A folder of a person's own, with a model of each kind."""
    for kind in KINDS:
        save_tiny_model(tmp_path / "own" / kind, tiny_model(kind=kind))
    return tmp_path / "own"


# Logits


@pytest.mark.parametrize(("kind", "shape"), [("classes", (3, 2)), ("value", (3, 1))])
def test_logits_of_a_text_are_the_heads(kind, shape):
    model = tiny_model(kind=kind)
    assert logits(model).shape == shape
    assert answer(model).axes == ()  # nothing of it runs along tokens
    with torch.no_grad():
        assert torch.equal(logits(model), model(IDS, attention_mask=MASK).logits)


def test_logits_of_a_span_are_starts_and_ends_with_padding_ruled_out():
    model = tiny_model(kind="span")
    found = logits(model)
    assert found.shape == (3, 2, 8)
    with torch.no_grad():
        out = model(IDS, attention_mask=MASK)
    real = MASK.bool()
    assert torch.equal(found[:, 0][real], out.start_logits[real])
    assert torch.equal(found[:, 1][real], out.end_logits[real])
    assert (found[:, 0][~real] == NOT_A_TOKEN).all()
    assert (found[:, 1][~real] == NOT_A_TOKEN).all()
    assert (answer(model).axes, answer(model).padding) == ((2,), NOT_A_TOKEN)
    assert torch.equal(answer(model).mask[:, 0], MASK.float())
    for kind in (torch.float32, torch.bfloat16):
        assert (found.to(kind).softmax(dim=2)[:, 0][~real] == 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_the_names_of_the_weights_tell_the_head(kind):
    names = tiny_model(kind=kind).state_dict()
    assert head_class(names) is class_of(tiny_head(kind))
    headless = [name for name in names if name.startswith("bert.")]
    with pytest.raises(InputError, match=r"no head among the weights \(classifier.weight or qa_"):
        head_class(headless)


# Teachers


@pytest.mark.parametrize("kind", KINDS)
def test_a_teacher_comes_back_as_what_was_stored(lab, own, kind):
    model, task = tiny_model(seed=3, kind=kind), TASKS[kind]
    model.set_attn_implementation("eager")
    card = card_of(model, str(own / kind), task, fine_tuned=False, threshold=1.5)
    folder = save_teacher(model, card)
    again = load_teacher(task, str(own / kind))
    assert type(again) is class_of(tiny_head(kind))
    kept = again.state_dict()  # float32, as it is
    assert all(torch.equal(kept[name], value) for name, value in model.state_dict().items())
    torch.testing.assert_close(logits(again), logits(model))
    assert not again.training
    assert not any(parameter.requires_grad for parameter in again.parameters())
    assert load_card(task, str(own / kind)) == card
    assert card in list_teachers()

    save_teacher(model, replace(card, fine_tuned=True))  # made here: stored in float16
    stored = load_file(folder / "model.safetensors")
    assert {value.dtype for value in stored.values()} == {torch.float16}
    for name, value in load_teacher(task, str(own / kind)).state_dict().items():
        assert torch.equal(value, model.state_dict()[name].half().float()), name


def are_aligned(weights) -> list[bool]:
    return [weight.data_ptr() % 64 == 0 for weight in weights]


def test_loaded_weights_lie_where_torch_would_lay_them(lab, own):
    """In the file they do not: there a product may take its sums in another order."""
    kind, task = "value", TASKS["value"]
    folder = save_teacher(
        tiny_model(kind=kind),
        card_of(tiny_model(kind=kind), str(own / kind), task, fine_tuned=False),
    )
    weights = folder / "model.safetensors"
    save_file(load_file(weights), weights, {"shift": "x" * 7})
    assert not all(are_aligned(load_file(weights).values()))
    assert all(are_aligned(load_teacher(task, str(own / kind)).parameters()))
    mine = own / kind / "model.safetensors"
    save_file(load_file(mine), mine, {"format": "pt", "shift": "x" * 7})
    assert not all(are_aligned(load_file(mine).values()))
    assert all(are_aligned(load_model(str(own / kind), kind, (), seed=0).model.parameters()))


def test_a_teacher_keeps_its_tokenizer_when_its_model_goes_away(lab, own):
    model, name = tiny_model(kind="span"), str(own / "span")
    save_teacher(model, card_of(model, name, "squad-v2"))
    before = teacher_tokenizer("squad-v2", name)("was the film good", "it was great")
    shutil.rmtree(own)
    after = teacher_tokenizer("squad-v2", name)
    assert after("was the film good", "it was great").data == before.data
    assert after.cls_token_id == 2
    with pytest.raises(InputError, match="There is no folder"):
        teacher_tokenizer("squad", name)  # nobody has that one


def test_a_teacher_that_is_replaced_is_opened_again(lab, own):
    model, name = tiny_model(kind="value"), str(own / "value")
    first = save_teacher(model, card_of(model, name, "stsb"))
    before = source_of_teacher("stsb", name)
    (first / "model.safetensors").unlink()
    save_teacher(tiny_model(seed=9, kind="value"), card_of(model, name, "stsb"))
    assert source_of_teacher("stsb", name) != before


def test_a_teacher_whose_head_is_gone_is_explained(lab, own):
    model, name = tiny_model(kind="span"), str(own / "span")
    folder = save_teacher(model, card_of(model, name, "squad-v2"))
    weights = folder / "model.safetensors"
    kept = {k: v for k, v in load_file(weights).items() if not k.startswith("qa_")}
    save_file(kept, weights)
    with pytest.raises(InputError, match=r"is damaged .*no head among the weights"):
        load_teacher("squad-v2", name)


# Students


@pytest.mark.parametrize("kind", KINDS)
def test_a_student_without_quantization_is_its_teacher(kind):
    off = QuantRecipe(weight_bits=32, embedding_bits=32, activation_bits=32)
    teacher = tiny_model(kind=kind)
    torch.testing.assert_close(logits(build_student(teacher, off, BERT)), logits(teacher))


def test_all_matrices_of_a_question_answerer_but_its_head_are_quantized():
    student = build_student(tiny_model(kind="span"), QuantRecipe(), BERT)
    parts = [quantizer.matrix.part for _, _, quantizer in weight_quantizers(student)]
    assert parts.count("embedding") == 1
    assert parts.count("attention") == 2 * 4
    assert parts.count("feed-forward") == 2 * 2
    assert "pooler" not in parts  # it has none
    assert isinstance(student.get_submodule("qa_outputs"), torch.nn.Linear)


@pytest.mark.parametrize("activation", ["minmax", "lsq"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_packed_student_gives_the_same_logits_bit_for_bit(tmp_path, kind, activation):
    quant = QuantRecipe(method="lat", activation=activation)
    experiment = Experiment(task=TASKS[kind], quant=quant)
    student = build_student(tiny_model(seed=5, kind=kind), quant, BERT)
    if activation == "lsq":
        logits(student.train())  # sets the learned steps
        student.eval()
    file.write(file.to_bytes(student, experiment), tmp_path / "model.safetensors")
    packed = file.read(tmp_path / "model.safetensors")
    assert type(packed.model) is class_of(tiny_head(kind))
    assert torch.equal(logits(packed.model), logits(student))
    assert not torch.equal(logits(packed.model), logits(tiny_model(seed=5, kind=kind)))
    assert packed.experiment == experiment
