"""What every target keeps to: labels, losses, predictions, scores and words belong together."""

import subprocess
import sys
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from core.errors import InputError
from core.families.registry import find_family
from core.metrics import Metric, score
from core.modules import modules_in
from core.targets import find_target, metric_of, targets
from core.training.batches import evaluation_batches, training_batches
from core.training.evaluate import answers_of, scores_of, split_predictions
from tests.conftest import tiny_model, tiny_tokenizer
from tests.core.small_tasks import SAMPLES, Sample

BERT = find_family("bert")
LIMIT = 64  # what the tiny model reads


@pytest.fixture(params=targets())
def target(request):
    return find_target(request.param)


@pytest.fixture
def sample(target) -> Sample:
    assert target.name in SAMPLES, f"add a sample of {target.name} to tests/core/small_tasks.py"
    return SAMPLES[target.name]


@pytest.fixture
def encoded(target, sample):
    return target.encode(BERT, tiny_tokenizer(), sample.dataset, sample.task, LIMIT)


def finish(generator):
    """The return value of a generator."""
    while True:
        try:
            next(generator)
        except StopIteration as end:
            return end.value


def predictions_of(target, encoded, seed: int = 0) -> np.ndarray:
    forward = partial(answers_of, BERT, tiny_model(seed, target.name))
    return finish(split_predictions(forward, BERT, target, encoded, "Scoring"))


# The registry


def test_every_target_is_found_by_its_own_name():
    for name, target in targets().items():
        assert find_target(name) is target
        assert target.name == name
        assert target.words
        assert target.pipeline_tag
    assert len({target.words for target in targets().values()}) == len(targets())


def test_an_unknown_target_is_refused_naming_the_known_ones():
    with pytest.raises(InputError, match="Target 'poem' is not known") as refused:
        find_target("poem")
    assert all(name in str(refused.value) for name in targets())


def test_a_metrics_name_means_the_same_wherever_it_stands():
    """Two targets may share a metric, but not a name for two metrics."""
    for target in targets().values():
        assert len({metric.name for metric in target.metrics}) == len(target.metrics) > 0
        for metric in target.metrics:
            assert metric_of(metric.name) is metric
            assert (metric.of_example is None) != (metric.of_all is None)
            if metric.right_or_wrong:  # 1 is right, so more is better, and each example counts
                assert metric.of_example is not None
                assert metric.higher_is_better
            assert metric.title
            assert metric.unit


def test_more_is_better_unless_a_metric_says_otherwise():
    assert Metric(name="x", title="x", of_all=lambda p, r: 0.0).higher_is_better


def test_pages_read_targets_without_waiting_for_torch():
    program = "import sys; from core.targets import targets; targets(); print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "core.targets.span" in found.stdout.split(), found.stderr
    assert "torch" not in found.stdout.split()


# Rows and labels


def test_rows_hold_the_examples_in_their_order_with_their_labels(target, sample, encoded):
    assert len(encoded) >= len(sample.rows)
    assert encoded.units.max() <= LIMIT
    for column in encoded.inputs.values():
        assert [len(row) for row in column] == encoded.units.tolist()
    assert encoded.labels
    for labels in encoded.labels.values():
        assert len(labels) == len(encoded)
        assert np.isfinite(labels).all()
    backwards = sample.dataset.select(range(len(sample.rows) - 1, -1, -1))
    turned = target.encode(BERT, tiny_tokenizer(), backwards, sample.task, LIMIT)
    for name, rows in encoded.inputs.items():
        assert sorted(turned.inputs[name]) == sorted(rows)
    assert turned.inputs != encoded.inputs


def test_texts_without_labels_become_the_same_rows(target, sample, encoded):
    columns = sample.columns(sample.dataset)
    found = target.encode_texts(BERT, tiny_tokenizer(), columns, sample.task, LIMIT)
    assert found.inputs == encoded.inputs
    assert found.units.tolist() == encoded.units.tolist()


def test_the_head_has_an_output_for_what_is_asked(target, sample):
    head = target.head(sample.task.labels)
    assert len(set(head.outputs)) == len(head.outputs) > 0
    config = tiny_model(kind=target.name).config
    assert len(head.outputs) == config.num_labels


# Losses


def some_outputs(target, encoded, seed: int):
    """(student's answers, teacher's, labels) of one batch of the training."""
    batch = next(training_batches(BERT, encoded, 8, seed))
    student, teacher = (tiny_model(each, target.name).train() for each in (seed, seed + 1))
    ours = BERT.forward(student, batch)
    with torch.no_grad():
        theirs = BERT.forward(teacher, batch)
    return student, ours.answers, theirs.answers, batch.labels


@pytest.mark.parametrize("seed", [0, 1])
def test_every_loss_is_a_finite_number_with_a_gradient(target, encoded, seed):
    student, ours, theirs, labels = some_outputs(target, encoded, seed)
    losses = {
        "labels": target.label_loss(ours, labels),
        "teacher": target.teacher_loss(ours, theirs, labels, 1.0),
        "softened": target.teacher_loss(ours, theirs, labels, 2.5),
    }
    losses |= {name: loss(ours, theirs, labels) for name, loss in target.more_losses.items()}
    weights = [weight for weight in student.parameters() if weight.requires_grad]
    for name, loss in losses.items():
        assert loss.shape == (), name
        assert torch.isfinite(loss), name
        gradients = torch.autograd.grad(loss, weights, retain_graph=True, allow_unused=True)
        there = [gradient for gradient in gradients if gradient is not None]
        assert all(torch.isfinite(gradient).all() for gradient in there), name
        assert any((gradient != 0).any() for gradient in there), name


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_no_student_is_nearer_to_the_teacher_than_the_teacher(target, encoded, temperature):
    _, ours, theirs, labels = some_outputs(target, encoded, 3)
    losses = [lambda *pair: target.teacher_loss(*pair, labels, temperature)]
    losses += [lambda *pair, loss=loss: loss(*pair, labels) for loss in target.more_losses.values()]
    for loss in losses:
        copies = {
            name: replace(answer, value=answer.value.clone().requires_grad_())
            for name, answer in theirs.items()
        }
        least = loss(copies, theirs)
        gradients = torch.autograd.grad(least, [copy.value for copy in copies.values()])
        assert max(float(gradient.abs().max()) for gradient in gradients) < 1e-5
        assert loss(ours, theirs).item() > least.item()


def test_following_the_gradient_of_the_truth_finds_it(target, encoded):
    """The label loss falls when the answers go its way: it is a loss and not a score."""
    _, ours, _, labels = some_outputs(target, encoded, 4)
    answers = {
        name: replace(answer, value=answer.value.detach().requires_grad_())
        for name, answer in ours.items()
    }
    before = target.label_loss(answers, labels)
    gradients = torch.autograd.grad(before, [answer.value for answer in answers.values()])
    moved = {
        name: replace(answer, value=answer.value - 0.01 * gradient)
        for (name, answer), gradient in zip(answers.items(), gradients, strict=True)
    }
    assert target.label_loss(moved, labels).item() < before.item()


# Predictions and scores


def test_predictions_have_one_row_for_each_example(target, sample, encoded):
    model = tiny_model(0, target.name)
    for batch in evaluation_batches(BERT, encoded, 7):
        rows = batch.examples.numpy()
        assert len(target.of_rows(answers_of(BERT, model, batch), rows, encoded)) == len(rows)
    found = predictions_of(target, encoded)
    assert found.shape == sample.shape
    assert not np.isinf(found).any()
    assert np.isfinite(found).any(axis=1).all()  # ragged ones are padded with NaN
    kept = target.kept_labels(encoded)
    assert kept is None or len(kept) == len(sample.rows)


def test_predictions_do_not_depend_on_the_order_of_the_split(target, sample, encoded):
    order = np.random.default_rng(0).permutation(len(sample.rows))
    shuffled = target.encode(
        BERT, tiny_tokenizer(), sample.dataset.select(order), sample.task, LIMIT
    )
    expected = predictions_of(target, encoded)[order]
    np.testing.assert_allclose(predictions_of(target, shuffled), expected, atol=1e-4)


def test_the_truth_itself_has_the_best_score_of_every_metric(target, sample, encoded):
    task = replace(sample.task, metrics=tuple(metric.name for metric in target.metrics))
    perfect, poor = sample.perfect(sample.dataset), predictions_of(target, encoded, seed=2)
    assert perfect.shape == sample.shape
    threshold = target.threshold(task, perfect, encoded)
    assert np.isfinite(threshold)
    best = scores_of(task, target, perfect, encoded, threshold)
    others = scores_of(task, target, poor, encoded, target.threshold(task, poor, encoded))
    assert [each.metric for each in best] == list(task.metrics)
    for found, other in zip(best, others, strict=True):
        metric = metric_of(found.metric)
        assert found.examples == other.examples == len(sample.rows)
        assert found.standard_error == pytest.approx(0.0, abs=1e-12)
        assert metric.is_better(other.value, found.value)
        assert metric.best([other.value, found.value]) == found.value
        if metric.higher_is_better:
            assert found.value == pytest.approx(1.0)
        else:
            assert found.value == pytest.approx(0.0)


def test_a_run_keeps_what_its_answers_are_judged_by(target, sample, encoded):
    """Predictions and labels that are saved, with the examples, give the score again."""
    who = {"student": 0, "teacher": 1}
    saved = {f"dev.{name}": predictions_of(target, encoded, seed) for name, seed in who.items()}
    labels = target.kept_labels(encoded)
    if labels is not None:
        saved["dev.labels"] = labels
    truth = target.kept_truth(saved, "dev", {"dev": sample.dataset}.__getitem__)
    for name in who:
        found = saved[f"dev.{name}"]
        threshold = target.threshold(sample.task, found, encoded)
        answers, references = target.judged(found, encoded, threshold)
        again = target.kept_answers(
            sample.task, saved, "dev", name, {"dev": sample.dataset}.__getitem__
        )
        for metric in target.metrics:
            assert score(metric, again, truth) == score(metric, answers, references)


def test_answers_have_words_and_a_goodness_each(target, sample, encoded):
    saved = {"teacher": sample.perfect(sample.dataset), "student": predictions_of(target, encoded)}
    found = target.in_words(sample.task, sample.dataset, saved)
    count = len(sample.rows)
    assert len(found.truth) == count
    for who in saved:
        assert len(found.said[who]) == len(found.goodness[who]) == count
        assert all(isinstance(text, str) and text for text in found.said[who])
        assert found.numbers is None or len(found.numbers[who]) == count
    assert (found.goodness["teacher"] >= found.goodness["student"]).all()
    assert (found.goodness["teacher"] > found.goodness["student"]).any()


def test_one_example_is_answered_as_among_all(target, sample, encoded):
    """One at a time, as on the Predict page, each has the answer that it has in the evaluation; of
    a group of rows each row has its number."""
    model, found = tiny_model(0, target.name), predictions_of(target, encoded)
    threshold = target.threshold(sample.task, found, encoded)
    words = target.in_words(sample.task, sample.dataset, {"student": found}).said["student"]
    if encoded.groups is not None:
        words = [f"{number:.2f}" for number in found[~np.isnan(found)]]
    examples = zip(*sample.columns(sample.dataset), strict=True)
    for texts, expected in zip(examples, words, strict=True):
        columns = [[text] for text in texts]
        one = target.encode_texts(BERT, tiny_tokenizer(), columns, sample.task, LIMIT)
        logits = {
            int(batch.examples[0]): answers_of(BERT, model, batch)["logits"][0]
            for batch in evaluation_batches(BERT, one, 1)
        }
        assert target.answered(sample.task, one, logits, threshold).answer == expected


def test_the_truth_of_a_row_is_the_truth_among_all(target, sample, encoded):
    saved = {"student": predictions_of(target, encoded)}
    truth = target.in_words(sample.task, sample.dataset, saved).truth
    assert [target.truth(sample.task, row) for row in sample.rows] == truth


def test_a_model_agrees_with_itself_more_than_with_another(target, sample, encoded):
    one, other = (predictions_of(target, encoded, seed) for seed in (0, 5))
    assert target.agreement(one, one) == pytest.approx(1.0)
    assert target.agreement(one, other) < 0.99


def test_a_file_without_a_target_is_one_of_the_tools():
    """A new target that forgets its `TARGET` would be missing without a word."""
    without = {m.__name__ for m in modules_in("core.targets") if not hasattr(m, "TARGET")}
    tools = ("answer_match", "target", "ranks", "registry", "windows")
    assert without == {f"core.targets.{name}" for name in tools}
