"""Backbone, attention and student: equal to the library where nothing is quantized."""

import re

import pytest
import torch
from torch import nn

from core.errors import InputError
from core.experiment import QuantRecipe
from core.families.registry import find_family
from core.models.student import (
    become_student,
    build_student,
    quantized_weights,
    weight_quantizers,
)
from core.quantizers import quantize
from core.quantizers.importance import importance
from core.teacher_folders import slug, teacher_folder
from core.teachers.teacher_store import load_teacher
from core.training.student_training import train
from tests.conftest import tiny_config, tiny_model, with_quant, with_train

BERT = find_family("bert")

OFF = QuantRecipe(weight_bits=32, embedding_bits=32, activation_bits=32)
IDS = torch.randint(5, 26, (3, 8), generator=torch.Generator().manual_seed(0))
MASK = torch.tensor([[1] * 8, [1] * 5 + [0] * 3, [1] * 2 + [0] * 6])


@torch.no_grad()
def logits(model: nn.Module, ids: torch.Tensor = IDS, mask: torch.Tensor = MASK) -> torch.Tensor:
    return model(input_ids=ids, attention_mask=mask).logits


def test_our_attention_gives_exactly_the_numbers_of_the_librarys():
    eager = tiny_model()
    eager.set_attn_implementation("eager")
    assert torch.equal(logits(build_student(eager, OFF, BERT)), logits(eager))


def test_scores_are_those_before_the_softmax():
    eager = tiny_model()
    eager.set_attn_implementation("eager")
    ours = build_student(eager, OFF, BERT)
    probabilities = eager(IDS, attention_mask=MASK, output_attentions=True).attentions
    scores = ours(IDS, attention_mask=MASK, output_attentions=True).attentions
    blocked = (1 - MASK[:, None, None, :].float()) * torch.finfo(torch.float32).min
    for p, s in zip(probabilities, scores, strict=True):
        assert torch.equal(torch.softmax(s + blocked, dim=-1), p)


def test_padding_changes_nothing_without_activation_quantization():
    model = build_student(tiny_model(), QuantRecipe(activation_bits=32), BERT)
    alone = logits(model, IDS[2:, :2], MASK[2:, :2])
    torch.testing.assert_close(logits(model)[2:], alone, rtol=1e-5, atol=1e-5)


def test_building_a_student_leaves_its_teacher_alone():
    teacher = tiny_model()
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    student = build_student(teacher, QuantRecipe(), BERT)
    with torch.no_grad():
        for parameter in student.parameters():
            parameter.add_(1.0)
    assert all(torch.equal(value, before[name]) for name, value in teacher.state_dict().items())


@pytest.mark.parametrize("method", ["twn", "lat", "lsq"])
def test_a_model_that_becomes_a_student_computes_as_its_copy_would(method):
    recipe = QuantRecipe(method=method)
    copied, model = build_student(tiny_model(), recipe, BERT), tiny_model()
    weights = {name: value.data_ptr() for name, value in model.state_dict().items()}
    became = become_student(model, recipe, BERT)
    assert torch.equal(logits(became), logits(copied))
    found = {name: value.data_ptr() for name, value in became.state_dict().items()}
    assert {name: found[name] for name in weights} == weights


def test_what_is_quantized_is_what_the_paper_quantizes():
    student = build_student(tiny_model(), QuantRecipe(), BERT)
    parts = [quantizer.matrix.part for _, _, quantizer in weight_quantizers(student)]
    assert parts.count("embedding") == parts.count("pooler") == 1
    assert parts.count("attention") == 2 * 4
    assert parts.count("feed-forward") == 2 * 2
    assert len(parts) == 14


@pytest.mark.parametrize(
    ("change", "count"),
    [
        ({"parts": ("embedding",)}, 1),
        ({"parts": ("attention",)}, 8),
        ({"parts": ("feed-forward", "pooler")}, 5),
        ({"layers": (0,)}, 1 + 6 + 1),
        ({"parts": ("attention",), "layers": (1,)}, 4),
        ({"weight_bits": 32}, 1),
        ({"embedding_bits": 32}, 13),
    ],
)
def test_parts_and_layers_can_be_switched_off(change, count):
    student = build_student(tiny_model(), QuantRecipe(**change), BERT)
    assert len(list(weight_quantizers(student))) == count
    assert len(quantized_weights(student)) == count


def test_a_layer_that_is_not_there_is_refused():
    with pytest.raises(InputError, match=r"no layer 2: .* 0 to 1"):
        build_student(tiny_model(), QuantRecipe(layers=(2,)), BERT)


@pytest.mark.parametrize("activation", ["minmax", "symmetric", "lsq"])
@pytest.mark.parametrize("bits", [4, 8])
def test_activation_bits_change_the_answer_a_little(activation, bits):
    recipe = QuantRecipe(
        weight_bits=32, embedding_bits=32, activation_bits=bits, activation=activation
    )
    exact, rounded = (
        logits(build_student(tiny_model(), OFF, BERT)),
        logits(build_student(tiny_model(), recipe, BERT)),
    )
    moved = (exact - rounded).abs().max()
    assert 0 < moved < exact.abs().max() * (0.3 if bits == 8 else 3.0)


def test_lat_uses_adams_second_moment_of_the_step_before(lab, monkeypatch):
    """The codes at step t equal those computed by hand from the optimizer after step t - 1."""
    from core.training import student_step as one_step
    from core.training import student_training as module

    experiment = with_quant(lab.experiment, method="lat", embedding_bits=32)
    # Scoring on the way would leave another start behind, and with it other last bits.
    experiment = with_train(experiment, evaluate_every=experiment.train.steps)
    seen: dict = {}
    original_build, original_descend = module.Optimizer, one_step.descend

    def build(model, recipe):
        seen.update(model=model, optimizer=original_build(model, recipe), checked=0)
        return seen["optimizer"]

    def descend(optimizer, loss, step, recipe):
        if step >= 2:  # forward of this step is over, the optimizer still stands at step t - 1
            by_hand(seen)
        rate = original_descend(optimizer, loss, step, recipe)
        keep_scales(seen)
        return rate

    def by_hand(seen):
        moments = seen["optimizer"].second_moments()
        for name, weight, quantizer in weight_quantizers(seen["model"]):
            state = seen["optimizer"].dense.state[weight]["exp_avg_sq"]
            assert quantizer.second_moment is state is moments[weight]
            expected = quantize(
                weight,
                method="lat",
                bits=2,
                granularity="layer",
                importance=importance(state),
                start_scale=seen["scales"][name],
            )
            assert torch.equal(quantizer.start_scale, expected.scale)
            plain = quantize(weight, method="twn", bits=2, granularity="layer")
            seen["checked"] += int(not torch.equal(plain.codes, expected.codes))

    def keep_scales(seen):
        seen["scales"] = {n: q.start_scale for n, _, q in weight_quantizers(seen["model"])}

    monkeypatch.setattr(module, "Optimizer", build)
    monkeypatch.setattr(one_step, "descend", descend)
    list(train(experiment))
    assert seen["checked"] > 10  # and the importance made a difference


def test_keeping_layers_gives_the_same_as_skipping_the_others():
    model = tiny_model(num_hidden_layers=3)
    skipped = tiny_model(num_hidden_layers=3)
    skipped.bert.encoder.layer[1] = Through()
    BERT.keep_layers(model, (0, 2))
    assert model.config.num_hidden_layers == 2
    assert torch.equal(logits(model), logits(skipped))


class Through(nn.Module):
    """A layer that changes nothing."""

    def forward(self, hidden_states, *_arguments, **_options):
        return hidden_states


# Loading -----------------------------------------------------------------------------------------


def test_a_teacher_is_stored_in_half_and_computed_in_float(lab):
    teacher = load_teacher("movie-sentiment", lab.model)
    halved = tiny_model()
    with torch.no_grad():
        for parameter in halved.parameters():
            parameter.copy_(parameter.half().float())
    assert all(p.dtype == torch.float32 and not p.requires_grad for p in teacher.parameters())
    assert not teacher.training
    torch.testing.assert_close(logits(teacher), logits(halved))


def test_a_damaged_teacher_is_explained(lab):
    folder = lab.home / "teachers" / teacher_folder("movie-sentiment", lab.model)
    (folder / "model.safetensors").write_bytes(b"not a model")
    with pytest.raises(InputError, match=r"damaged .*python -m core teach"):
        load_teacher("movie-sentiment", lab.model)


def test_weights_of_another_shape_are_explained():
    state = tiny_model(hidden_size=64).state_dict()
    with pytest.raises(InputError, match="do not fit their config"):
        BERT.from_state(tiny_config(), state)


def test_slugs_are_safe_names_of_at_most_80_characters_and_a_digest():
    names = ["../../etc/passwd", "org/model name", "..", "x" * 300, "é", "-", "a/b", "a-b"]
    for name in names:
        assert re.fullmatch(r"[A-Za-z0-9._-]{1,90}", slug(name)), name
        assert slug(name) not in (".", "..")
    assert slug("minilm-l6_v2.0") == "minilm-l6_v2.0"
    assert slug("org/model name").startswith("org-model-name-")
    assert len({slug(name) for name in names}) == len(names)
