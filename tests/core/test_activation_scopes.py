"""Ranges of each token by itself: by hand, against a slow version, and among other texts."""

import zipfile
from io import BytesIO

import numpy as np
import pytest
import torch

from core import api
from core.errors import InputError
from core.experiment import Experiment, QuantRecipe
from core.families import find_family
from core.family import Batch, Encoded
from core.models.student import build_student
from core.packed import file
from core.packed.contents import contents_of
from core.packed.engine import build_engine
from core.quantizers.activations import activation_range, fake_quantize_activation
from core.training.batches import even_batches
from core.training.evaluate import answers_of
from tests.conftest import compute, tiny_model, with_quant

BERT = find_family("bert")
APART = [
    QuantRecipe(activation_scope="token"),
    QuantRecipe(activation_scope="token", activation="symmetric", activation_bits=4),
    QuantRecipe(
        activation_scope="token", method="uniform", weight_bits=8, parts=("attention", "pooler")
    ),
]
TOKENS = 11


def test_each_token_has_its_own_steps():
    x = torch.tensor([[[-0.99, 0.0, 0.52, 1.56], [-9.9, 0.0, 5.2, 15.6]]])
    found = fake_quantize_activation(x, 8, "minmax", scope="token")
    torch.testing.assert_close(found, x)  # 255 steps of 0.01 for the one, of 0.1 for the other
    together = fake_quantize_activation(x, 8, "minmax")
    torch.testing.assert_close(together[0, 0], torch.tensor([-1.0, 0.0, 0.5, 1.6]))
    symmetric = fake_quantize_activation(x, 4, "symmetric", scope="token")
    step = 15.6 / 7
    torch.testing.assert_close(symmetric[0, 1], torch.tensor([-4 * step, 0, 2 * step, 7 * step]))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("kind", ["minmax", "symmetric"])
def test_it_is_the_rule_of_a_tensor_applied_to_one_token_after_the_other(kind, bits, dtype):
    x = torch.randn(3, 5, 7, generator=torch.Generator().manual_seed(bits)).to(dtype)
    x[1, 2] = 0.0
    x[2] *= 1e4
    found = fake_quantize_activation(x, bits, kind, dtype, scope="token")
    for text in range(3):
        for token in range(5):
            scale, zero, lowest, highest = activation_range(x[text, token].float(), bits, kind)
            codes = (x[text, token].float() / scale).round() + zero
            slow = (codes.clamp(lowest, highest) - zero) * scale
            assert torch.equal(found[text, token], slow.to(dtype))


def test_a_token_that_is_no_number_spoils_itself_alone():
    x = torch.randn(2, 4, 6)
    x[0, 1, 3], x[1, 0, 0] = torch.nan, torch.inf
    is_broken = fake_quantize_activation(x, 8, "minmax", scope="token").isnan()
    assert is_broken.all(dim=2).tolist() == [[False, True, False, False], [True] + [False] * 3]
    assert is_broken.sum() == 12


def test_a_learned_range_has_no_scope_of_tokens():
    with pytest.raises(InputError, match="one for all tokens"):
        QuantRecipe(activation="lsq", activation_scope="token")


def batch_of(lengths: list[int], seed: int) -> Batch:
    """Texts of these lengths, padded to TOKENS."""
    draw = np.random.default_rng(seed)
    rows = [draw.integers(5, 26, length).tolist() for length in [*lengths, TOKENS]]
    encoded = Encoded(
        inputs={"input_ids": rows, "token_type_ids": [[0] * len(row) for row in rows]},
        units=np.array([len(row) for row in rows]),
    )
    return BERT.collate(encoded, np.arange(len(rows)))


def part(batch: Batch, rows: list[int]) -> Batch:
    """Some rows of a batch, still padded as they were."""
    return Batch(
        inputs={name: value[rows] for name, value in batch.inputs.items()},
        units=batch.units[rows],
        labels={},
        examples=batch.examples[rows],
    )


def students(recipe: QuantRecipe, kind: str):
    """The student in torch, and in integers, as functions of a batch."""
    student = build_student(tiny_model(kind=kind, seed=3), recipe, BERT)
    engine = build_engine(contents_of(student, Experiment(quant=recipe)))
    yield lambda batch: answers_of(BERT, student, batch)["logits"]
    yield lambda batch: engine.logits({n: v.numpy() for n, v in batch.inputs.items()})


@pytest.mark.parametrize("threads", [1, pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", ["classes", "span"])
@pytest.mark.parametrize("recipe", APART, ids=["8 bits", "4 bits symmetric", "8-bit weights"])
def test_logits_do_not_depend_on_the_batch_mates(recipe, kind, threads):
    torch.set_num_threads(threads)
    try:
        batch = batch_of([3, 11, 7, 2, 9, 5], seed=0)
        for compute_logits in students(recipe, kind):
            together = compute_logits(batch)
            for rows in ([0], [1], [6], [4, 2], [6, 5, 0]):
                assert np.array_equal(compute_logits(part(batch, rows)), together[rows])
    finally:
        torch.set_num_threads(1)


def test_a_range_of_the_whole_batch_does_depend_on_them():
    batch = batch_of([3, 11, 7, 2, 9, 5], seed=0)
    for compute_logits in students(QuantRecipe(), "classes"):
        assert np.abs(compute_logits(part(batch, [0])) - compute_logits(batch)[:1]).max() > 1e-4


def test_the_packed_file_computes_what_its_student_computes(tmp_path):
    recipe = APART[0]
    student = build_student(tiny_model(), recipe, BERT)
    path = tmp_path / "model.safetensors"
    file.write(file.to_bytes(student, Experiment(quant=recipe)), path)
    batch = batch_of([4, 8], seed=1)
    found = answers_of(BERT, file.read(path).model, batch)["logits"]
    assert np.array_equal(found, answers_of(BERT, student, batch)["logits"])


def test_batches_of_one_length_have_no_padding():
    lengths = [3, 5, 3, 3, 5, 9, 3]
    rows = [[7] * length for length in lengths]
    encoded = Encoded(inputs={"input_ids": rows, "token_type_ids": rows}, units=np.array(lengths))
    found = [batch.examples.tolist() for batch in even_batches(BERT, encoded, batch_size=3)]
    assert found == [[0, 2, 3], [6], [1, 4], [5]]


def test_many_texts_are_answered_in_batches_as_one_by_one(lab, monkeypatch):
    run = compute(with_quant(lab.experiment, activation_scope="token"))
    opened = api.open_model(api.source_of_run(run))
    assert opened.keeps_texts_apart
    from core.api import answering

    sizes = []
    counted = answering._of_batch
    monkeypatch.setattr(
        answering, "_of_batch", lambda o, batch: sizes.append(len(batch.units)) or counted(o, batch)
    )
    texts = ["the film was good", "a dull plot", "the cast was warm", "it was a bad film"]
    together = answering.answers_to(opened, [texts])
    assert max(sizes) > 1
    for row, text in enumerate(texts):
        assert np.array_equal(answering.answers_to(opened, [[text]])[0], together[row])


def test_the_card_tells_of_batch_mates_only_where_they_matter(lab, finished_run):
    def card_of(run):
        with zipfile.ZipFile(BytesIO(api.export_bytes(run, api.ExportKind(kind="folder")))) as held:
            return held.read(next(n for n in held.namelist() if n.endswith("README.md"))).decode()

    assert "one text at a time" in card_of(finished_run)
    apart = compute(with_quant(lab.experiment, activation_scope="token"))
    assert "one text at a time" not in card_of(apart)
