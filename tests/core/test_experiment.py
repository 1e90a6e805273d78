"""An experiment is checked when it is made, has one spelling, and survives JSON and the URL."""

import hashlib
import json
import re
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InputError
from core.experiment import (
    ACTIVATION_BITS,
    ACTIVATIONS,
    GRANULARITIES,
    PARTS,
    PRECISIONS,
    WEIGHT_BITS,
    DistillRecipe,
    Experiment,
    QuantRecipe,
    Teaching,
    TrainRecipe,
)
from core.options import build, changed, flatten, options
from core.serialization import canonical_json, from_json, to_plain

OTHER = {  # for every option, a value that is not its default
    "task": "a task",
    "model": "owner/name, with a comma",
    "method": "lat",
    "weight_bits": "4",
    "embedding_bits": "8",
    "activation_bits": "32",
    "weight_granularity": "row",
    "embedding_granularity": "layer",
    "activation": "symmetric",
    "parts": "embedding,attention",
    "layers": "0,2",
    "hidden": "0.5",
    "attention": "0.0",
    "logits": "2.0",
    "labels": "1.0",
    "attention_maps": "0.5",
    "attention_outputs": "2.0",
    "margins": "0.25",
    "schedule": "cosine",
    "clip": "1.0",
    "dropout": "0.1",
    "averaging": "0.25",
    "examples": "500",
    "stages": "8,4",
    "activation_scope": "token",
    "calibration": "kl",
    "calibration_texts": "16",
    "learned_as": "clip",
    "learned_start": "kl",
    "learned_gradient": "plain",
    "weight_gradient": "straight",
    "activation_step_learning_rate": "0.03",
    "step_decay": "2e-05",
    "activation_step_decay": "0.0001",
    "matrix_bits": "bert.pooler.dense=8/row/twn",
    "temperature": "4.0",
    "language_steps": "5",
    "student_model": "owner/small",
    "family": "seq2seq",
    "steps": "10",
    "batch_size": "16",
    "learning_rate": "1e-05",
    "step_learning_rate": "0.001",
    "warmup": "0.25",
    "weight_decay": "0.1",
    "evaluate_every": "5",
    "max_tokens": "128",
    "precision": "bf16",
    "augment": "True",
    "augment_model": "owner/masked",
    "augment_probability": "0.25",
    "augment_candidates": "5",
    "augment_copies": "3",
    "seed": "7",
}


def share(high: float, low: float = 0.0):
    return st.floats(low, high)


def quant_recipe(**options) -> QuantRecipe:
    """Only an elastic range has levels of one bit."""
    if options["activation_bits"] == 1:
        options["activation"] = "elastic"
    return QuantRecipe(**options)


experiments = st.builds(
    Experiment,
    task=st.text(min_size=1, max_size=20).filter(lambda s: s.strip() and "\0" not in s),
    model=st.text(min_size=1, max_size=20).filter(lambda s: s.strip() and "\0" not in s),
    quant=st.builds(
        quant_recipe,
        method=st.text(max_size=10),
        weight_bits=st.sampled_from(WEIGHT_BITS),
        embedding_bits=st.sampled_from(WEIGHT_BITS),
        activation_bits=st.sampled_from(ACTIVATION_BITS),
        weight_granularity=st.sampled_from(GRANULARITIES),
        embedding_granularity=st.sampled_from(GRANULARITIES),
        activation=st.sampled_from(ACTIVATIONS),
        parts=st.lists(st.sampled_from(PARTS)).map(tuple),
        layers=st.lists(st.integers(0, 999)).map(tuple),
    ),
    distill=st.builds(
        DistillRecipe,
        hidden=share(1000.0, low=0.5),
        attention=share(1000.0),
        logits=share(1000.0),
        labels=share(1000.0),
        temperature=share(100.0, low=0.1),
    ),
    train=st.builds(
        TrainRecipe,
        steps=st.integers(1, 1_000_000),
        batch_size=st.integers(1, 1024),
        learning_rate=share(1.0, low=1e-8),
        warmup=share(1.0),
        weight_decay=share(1.0),
        evaluate_every=st.integers(1, 1_000_000),
        max_tokens=st.integers(8, 512),
        precision=st.sampled_from(PRECISIONS),
        augment=st.booleans(),
        augment_model=st.text(max_size=10),
        augment_probability=share(1.0),
        augment_candidates=st.integers(1, 100),
        augment_copies=st.integers(1, 100),
    ),
    seed=st.integers(0, 2**31 - 1),
)


def test_the_run_id_is_a_hash_of_the_content_alone():
    plain = to_plain(Experiment())
    for kind, record in (
        ("quant", QuantRecipe),
        ("distill", DistillRecipe),
        ("train", TrainRecipe),
    ):
        for field in fields(record):
            if field.metadata.get("later"):  # at its default it says nothing new
                del plain[kind][field.name]
    del plain["student_model"], plain["family"]
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"))
    assert Experiment().run_id == hashlib.sha256(text.encode()).hexdigest()[:12]
    assert Experiment().run_id == Experiment().run_id != Experiment(seed=1).run_id
    assert re.fullmatch("[0-9a-f]{12}", Experiment(seed=1).run_id)


@pytest.mark.parametrize("name", OTHER)
def test_every_option_changes_the_run_id(name):
    assert build({name: OTHER[name]}).run_id != Experiment().run_id


def test_order_and_repetition_of_parts_and_layers_carry_no_meaning():
    one = QuantRecipe(parts=("pooler", "attention", "pooler"), layers=(2, 0, 2))
    other = QuantRecipe(parts=("attention", "pooler"), layers=(0, 2))
    assert one == other
    assert one.parts == ("attention", "pooler")
    assert canonical_json(one) == canonical_json(other)


def test_equal_experiments_have_equal_names():
    whole = Experiment(distill=DistillRecipe(hidden=1, labels=0, temperature=1))
    assert whole.run_id == Experiment().run_id
    assert build({"labels": "-0.0"}).run_id == Experiment().run_id
    assert from_json(Experiment, canonical_json(whole)).run_id == whole.run_id


@given(experiments)
def test_json_both_ways(experiment):
    again = from_json(Experiment, canonical_json(experiment))
    assert again == experiment
    assert again.run_id == experiment.run_id


@given(experiments, st.booleans())
def test_a_teaching_has_json_both_ways_and_a_name_of_its_own(experiment, fine_tune):
    """Whatever is trained and from which seed, teacher and student are different runs."""
    teaching = Teaching(
        task=experiment.task,
        model=experiment.model,
        fine_tune=fine_tune,
        train=experiment.train,
        seed=experiment.seed,
    )
    again = from_json(Teaching, canonical_json(teaching))
    assert again == teaching
    assert again.run_id == teaching.run_id != experiment.run_id
    assert re.fullmatch("[0-9a-f]{12}", teaching.run_id)
    assert replace(teaching, fine_tune=not fine_tune).run_id != teaching.run_id


@given(experiments)
def test_options_both_ways(experiment):
    assert build(flatten(experiment)) == experiment
    assert build(changed(experiment)) == experiment


def test_a_file_from_before_an_option_existed_reads():
    assert from_json(Experiment, '{"quant": {"method": "lat"}}') == build({"method": "lat"})


@pytest.mark.parametrize(
    ("kind", "values", "sentence"),
    [
        (QuantRecipe, {"weight_bits": 5}, "Weight bits 5 .* Choose one of: 1, 2, 3, 4, 8, 32"),
        (QuantRecipe, {"embedding_bits": 6}, "Embedding bits 6 .* Choose one of"),
        (QuantRecipe, {"activation_bits": 2}, "Activation bits 2 .* Choose one of: 8, 4, 1, 32"),
        (QuantRecipe, {"weight_granularity": "block"}, "'block' .* Choose one of: layer, row"),
        (QuantRecipe, {"embedding_granularity": ""}, "Choose one of: layer, row"),
        (QuantRecipe, {"activation": "max"}, "Choose one of: minmax, symmetric"),
        (QuantRecipe, {"parts": ("head",)}, "Part 'head' .* feed-forward"),
        (QuantRecipe, {"layers": (-1,)}, "Layer number is -1; .* between 0 and"),
        (QuantRecipe, {"weight_bits": 2.0}, "must be int, not 2.0"),
        (DistillRecipe, {"hidden": -1.0}, "hidden loss is -1.0; .* between 0 and 1000"),
        (DistillRecipe, {"labels": float("inf")}, "labels loss is inf"),
        (DistillRecipe, {"temperature": 0.0}, "temperature is 0.0"),
        (DistillRecipe, {"hidden": 0, "attention": 0, "logits": 0}, "All losses are off"),
        (TrainRecipe, {"learning_rate": float("nan")}, "Learning rate is nan; it must lie"),
        (TrainRecipe, {"learning_rate": 0.0}, "Learning rate is 0.0"),
        (TrainRecipe, {"steps": 0}, "Steps is 0; it must lie between 1 and 1e"),
        (TrainRecipe, {"steps": 2.5}, "TrainRecipe.steps must be int, not 2.5"),
        (TrainRecipe, {"steps": True}, "must be int, not True"),
        (TrainRecipe, {"batch_size": 10**6}, "Batch size"),
        (TrainRecipe, {"warmup": 1.5}, "Warm-up"),
        (TrainRecipe, {"weight_decay": -0.1}, "Weight decay"),
        (TrainRecipe, {"evaluate_every": 0}, "between evaluations"),
        (TrainRecipe, {"max_tokens": 4}, "Tokens per text is 4; .* between 8 and 512"),
        (TrainRecipe, {"precision": "fp16"}, "Choose one of: fp32, bf16"),
        (TrainRecipe, {"augment": 1}, "TrainRecipe.augment must be bool, not 1"),
        (TrainRecipe, {"augment_model": None}, "augment_model must be str, not None"),
        (TrainRecipe, {"augment_probability": 1.1}, "share of replaced words is 1.1; .* 0 and 1"),
        (TrainRecipe, {"augment_candidates": 0}, "Candidates per word is 0; .* 1 and 100"),
        (TrainRecipe, {"augment_copies": 101}, "Copies per example is 101; .* 1 and 100"),
        (Experiment, {"seed": -1}, "Seed is -1"),
        (Experiment, {"seed": 10**400}, "Seed is 10000.*; it must lie between"),
        (Experiment, {"task": " "}, "task needs a name"),
        (Experiment, {"task": 5}, "Experiment.task must be str, not 5"),
        (Experiment, {"model": "x" * 501}, "model needs a name of 1 to 500"),
        (Experiment, {"model": "a\0b"}, "model needs a name"),
        (Teaching, {"task": "t", "model": ""}, "model needs a name of 1 to 500"),
        (Teaching, {"task": "", "model": "m"}, "task needs a name of 1 to 500"),
        (Teaching, {"task": "t", "model": "m", "seed": -1}, "Seed is -1"),
        (Teaching, {"task": "t", "model": "m", "fine_tune": 1}, "fine_tune must be bool, not 1"),
    ],
)
def test_what_cannot_be_done_is_refused_with_a_sentence(kind, values, sentence):
    with pytest.raises(InputError, match=sentence) as refused:
        kind(**values)
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize(
    ("texts", "sentence"),
    [
        ({"bits": "2"}, "Option 'bits' is not known. Choose one of: task, model"),
        ({"steps": "many"}, "steps must be a whole number, not 'many'"),
        ({"weight_bits": "2.0"}, "weight_bits must be a whole number"),
        ({"learning_rate": "fast"}, "learning_rate must be a number"),
        ({"learning_rate": "1e999"}, "Learning rate is inf"),
        ({"layers": "one,two"}, "layers must be a comma separated list"),
        ({"augment": "yes"}, "augment must be true or false"),
        ({"augment_copies": "none"}, "augment_copies must be a whole number"),
        ({"seed": "9" * 5000}, "seed must be a whole number, not '999"),
        ({"seed": "9" * 400}, "Seed is 999"),
        ({"steps": 2.5}, "must be int"),
    ],
)
def test_options_of_the_wrong_kind_are_refused_with_a_sentence(texts, sentence):
    with pytest.raises(InputError, match=sentence) as refused:
        build(texts)
    assert len(str(refused.value)) < 1200


def test_every_option_is_listed_once_and_reaches_its_place():
    names = [option.name for option in options()]
    assert set(names) == set(flatten(Experiment())) == set(OTHER)
    assert len(names) == len(set(names))
    assert flatten(build(OTHER)) == changed(build(OTHER)) == OTHER
    assert changed(Experiment()) == {}


def test_options_build_on_a_base():
    base = build({"seed": "3", "method": "lat"})
    assert changed(build({"steps": "5"}, base)) == {"seed": "3", "method": "lat", "steps": "5"}


def test_lists_may_be_typed_with_blanks():
    assert build({"parts": " pooler, attention ", "layers": "2, 0,"}).quant.layers == (0, 2)


def test_the_title_names_what_differs_between_runs():
    title = "movie-sentiment, minilm-l3, twn 2-2-8 layer, 300 steps, seed 3"
    assert build({"seed": "3"}).title == title


def test_the_title_of_a_teaching_says_how_its_teacher_is_made():
    teaching = Teaching(task="rte", model="minilm-l3", seed=2)
    assert teaching.title == "teacher minilm-l3 for rte, 760 steps, seed 2"
    as_it_is = replace(teaching, fine_tune=False)
    assert as_it_is.title == "teacher minilm-l3 for rte, as it is"
