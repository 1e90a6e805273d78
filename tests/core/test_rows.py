"""A table updated row by row ends where torch's AdamW ends, which moves every row at every step."""

import pytest
import torch

from core.events import StepDone
from core.experiment import QuantRecipe, TrainRecipe
from core.families.registry import find_family
from core.models.student import build_student
from core.teachers.teacher_store import load_teacher
from core.training import optimizer
from core.training.rows import Decay, RowAdamW
from core.training.student_training import train
from tests.conftest import with_quant, with_train

BERT = find_family("bert")

ROWS, HIDDEN, STEPS = 40, 8, 120
RATE = 3e-3
CLOSE = {"rtol": 1e-5, "atol": RATE / 200}  # half a per cent of one step, after 120 of them


def rate_at(step: int) -> float:
    return RATE * min(step / 12, (STEPS - step + 1) / STEPS)


def batches(seed: int):
    """Which rows each step reads (some of them never), and their gradients."""
    source = torch.Generator().manual_seed(seed)
    for _ in range(STEPS):
        count = int(torch.randint(1, 6, (1,), generator=source))
        rows = torch.randperm(ROWS - 3, generator=source)[:count].sort().values
        size = 10.0 ** -float(torch.randint(0, 6, (1,), generator=source))
        yield rows, size * torch.randn(count, HIDDEN, generator=source)


@pytest.mark.parametrize("weight_decay", [0.0, 0.01, 0.5])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_it_ends_where_the_dense_optimizer_ends(seed, weight_decay):
    start = torch.randn(ROWS, HIDDEN, generator=torch.Generator().manual_seed(seed))
    dense = torch.nn.Parameter(start.clone())
    adam = torch.optim.AdamW([dense], weight_decay=weight_decay)
    sparse = RowAdamW(start.clone(), Decay(weight_decay=weight_decay))
    for step, (rows, gradient) in enumerate(batches(seed), start=1):
        # What the step reads is what the dense optimizer would give it to read.
        torch.testing.assert_close(sparse.read(rows), dense[rows], **CLOSE)
        dense.grad = torch.zeros_like(dense)
        dense.grad[rows] = gradient
        adam.param_groups[0]["lr"] = rate_at(step)
        adam.step()
        sparse.step(rows, gradient, rate_at(step))
    sparse.finish()
    torch.testing.assert_close(sparse.table, dense.detach(), **CLOSE)
    state = adam.state[dense]
    torch.testing.assert_close(sparse.first_moment, state["exp_avg"], rtol=1e-4, atol=1e-9)
    torch.testing.assert_close(sparse.second_moment, state["exp_avg_sq"], rtol=1e-4, atol=1e-12)
    assert (sparse.table != start).any(dim=1)[: ROWS - 3].all()


@pytest.mark.parametrize("method", ["twn", "lat"])
def test_training_by_rows_gives_what_training_the_whole_table_gives(lab, monkeypatch, method):
    experiment = with_quant(with_train(lab.experiment, steps=12, warmup=0.3), method=method)

    def losses() -> list[float]:
        return [event.loss for event in train(experiment) if isinstance(event, StepDone)]

    by_rows = losses()
    monkeypatch.setattr(optimizer, "_is_read_by_rows", lambda module: False)
    whole = losses()
    assert by_rows[0] == whole[0]
    assert by_rows == pytest.approx(whole, rel=1e-3)
    assert by_rows[-1] != by_rows[0]


def test_no_gradient_of_the_whole_table_is_made(lab):
    student = build_student(load_teacher("movie-sentiment", lab.model), QuantRecipe(), BERT).train()
    adam = optimizer.Optimizer(student, TrainRecipe())
    ids = torch.tensor([[2, 7, 9, 3]])
    student(input_ids=ids, attention_mask=torch.ones_like(ids)).logits.sum().backward()
    table = student.get_submodule("bert.embeddings.word_embeddings").weight
    before = table.clone()
    assert table.grad is None
    adam.step(1e-3)
    moved = (table != before).any(dim=1).nonzero().flatten().tolist()
    assert moved == [2, 3, 7, 9]
    adam.finish()
    assert (
        (table != before).any(dim=1)[1:].all()
    )  # [PAD] is zero; the decay that the others had missed


def test_a_row_that_nobody_reads_only_decays():
    table = RowAdamW(torch.ones(3, 2), Decay(weight_decay=0.1))
    for _ in range(5):
        table.step(torch.tensor([0]), torch.ones(1, 2), 0.01)
    assert table.table[2].tolist() == [1.0, 1.0]  # not yet
    table.finish()
    assert table.table[2].tolist() == pytest.approx([0.999**5] * 2)


def test_finishing_twice_changes_nothing():
    table = RowAdamW(torch.ones(3, 2), Decay(weight_decay=0.1))
    table.step(torch.tensor([0]), torch.ones(1, 2), 0.01)
    table.finish()
    before = table.table.clone()
    table.finish()
    assert torch.equal(table.table, before)
