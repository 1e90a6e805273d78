"""What is read from a file is checked field by field; any text is an event or a sentence."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import events
from core.errors import InputError
from core.events import (
    Evaluated,
    Finished,
    MatrixState,
    Preparing,
    Resumed,
    Started,
    StepDone,
    Taught,
    ThreadsChanged,
    WeightsSeen,
)
from core.experiment import Experiment, TrainRecipe
from core.results import LayerReport, Machine, Result, Score, TeacherCard
from core.serialization import canonical_json, from_json, from_plain, to_plain

SCORE = Score(metric="accuracy", value=0.847, standard_error=0.011, examples=1000)
MACHINE = Machine(processor="a", cores=2, threads=2, torch="2.13.0", transformers="5.23.0")
LAYER = LayerReport(
    name="bert.pooler.dense",
    part="pooler",
    rows=32,
    cols=32,
    bits=2,
    granularity="layer",
    zeros=0.4,
    mse=1e-3,
    sqnr_db=7.2,
    cosine=0.9,
)
RESULT = Result(
    run_id="0123456789ab",
    task="movie-sentiment",
    model="minilm-l3",
    metric="accuracy",
    score=0.85,
    score_standard_error=0.01,
    teacher_score=0.87,
    teacher_standard_error=0.01,
    untrained_score=0.5,
    untrained_standard_error=0.02,
    test_examples=1000,
    dev_score=0.86,
    teacher_dev_score=0.88,
    size_bytes_float32=1000,
    size_bytes_packed=100,
    steps=10,
    train_seconds=1.5,
    total_seconds=2.5,
    machine=MACHINE,
    layers=(LAYER,),
)
CARD = TeacherCard(
    task="movie-sentiment",
    model="minilm-l3",
    labels=("negative", "positive"),
    train=TrainRecipe(),
    seed=0,
    dev=SCORE,
    test=SCORE,
    parameters=10,
    shared_embedding="minilm",
    train_seconds=1.0,
    machine=MACHINE,
)
STEP = StepDone(
    step=1,
    total_steps=10,
    loss=1.0,
    hidden=0.5,
    attention=0.25,
    logits=0.25,
    labels=0.7,
    learning_rate=2e-4,
    tokens=300,
    seconds=0.1,
)
EVENTS = (
    Preparing(text="Fetching é\u2028\n", done=1, total=2),
    Started(
        run_id="0123456789ab",
        total_steps=10,
        train_examples=8070,
        teacher_dev=SCORE,
        untrained_dev=SCORE,
    ),
    STEP,
    Resumed(step=5, text="It begins again."),
    ThreadsChanged(step=7, threads=1, text="Computing with 1 of 2 threads from here on."),
    WeightsSeen(
        step=10,
        matrices=(
            MatrixState(
                name="pooler",
                part="pooler",
                changed=0.1,
                zeros=0.4,
                scale=0.5,
                threshold=None,
                low=-1.0,
                high=1.0,
                counts=(1, 2),
            ),
        ),
    ),
    Evaluated(step=10, split="dev", score=SCORE),
    Finished(result=RESULT),
    Taught(teacher=CARD),
)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


def without(record, *path: str) -> str:
    plain = to_plain(record)
    owner = plain
    for name in path[:-1]:
        owner = owner[name]
    del owner[path[-1]]
    return json.dumps(plain)


def test_every_kind_of_event_is_tried_here():
    assert {type(event) for event in EVENTS} == set(events.KINDS.values())


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_an_event_is_one_line_and_comes_back(event):
    line = events.to_json(event)
    assert line.splitlines() == [line]
    assert line.startswith(f'{{"type": "{type(event).__name__}"')
    assert events.from_json(line) == event


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("", "not an event"),
        ("[]", "not a JSON object"),
        ("{}", "Event None is not known. Choose one of: Preparing"),
        ('{"type": ["Preparing"]}', "is not known"),
        ('{"type": "Preparing"}', "Preparing lacks the field 'text'"),
        ('{"type": "Preparing", "text": "a", "done": NaN}', "Preparing.done must be int"),
        (events.to_json(STEP)[:-9], "not an event"),
    ],
)
def test_a_line_that_is_no_event_is_refused_with_a_sentence(line, sentence):
    with pytest.raises(InputError, match=sentence):
        events.from_json(line)


@pytest.mark.parametrize(
    ("kind", "text", "sentence"),
    [
        (Score, "nonsense", "not the JSON of a Score"),
        (Score, '"text"', "Score must be a JSON object, not 'text'"),
        (Score, without(SCORE, "value"), "Score lacks the field 'value'"),
        (Result, without(RESULT, "machine", "cores"), "Result.machine lacks the field 'cores'"),
        (Experiment, '{"sead": 1}', "Experiment has no field 'sead'. It has: task, model"),
        (Experiment, '{"quant": {"bits": 1}}', "Experiment.quant has no field 'bits'"),
        (Experiment, '{"quant": null}', "Experiment.quant must be a JSON object, not None"),
        (Experiment, '{"quant": {"parts": "pooler"}}', "quant.parts must be a list, not 'pooler'"),
        (Experiment, '{"quant": {"layers": [1.0]}}', "quant.layers must be int, not 1.0"),
        (Experiment, '{"seed": true}', "Experiment.seed must be int, not True"),
        (Experiment, '{"seed": 1.0}', "Experiment.seed must be int, not 1.0"),
        (Experiment, '{"seed": "1"}', "Experiment.seed must be int, not '1'"),
        (Experiment, '{"task": 1}', "Experiment.task must be str, not 1"),
        (Experiment, '{"train": {"augment": 1}}', "train.augment must be bool, not 1"),
        (Experiment, '{"distill": {"hidden": false}}', "distill.hidden must be float, not False"),
        (Experiment, '{"distill": {"hidden": 1%s}}' % ("0" * 400), "hidden is far too large"),
        (Experiment, '{"seed": %s}' % ("1" * 5000), "not the JSON of a Experiment"),
        (Experiment, "[" * 100_000, "not the JSON of a Experiment"),
        (Experiment, "[" * 900 + "]" * 900, "must be a JSON object"),
        (Experiment, '{"seed": %s}' % ("[" * 900 + "]" * 900), r"seed must be int, not \[\["),
        (Experiment, '{"%s": 1}' % ("x" * 10_000), r"has no field 'xxx.*\.\.\.\. It has"),
    ],
)
def test_a_wrong_file_is_refused_naming_the_field(kind, text, sentence):
    with pytest.raises(InputError, match=sentence) as refused:
        from_json(kind, text)
    assert len(str(refused.value)) < 300


def test_a_whole_number_serves_as_a_float():
    again = from_json(Score, '{"metric": "a", "value": 1, "standard_error": 0, "examples": 3}')
    assert again == Score(metric="a", value=1.0, standard_error=0.0, examples=3)
    assert '"value":1.0' in canonical_json(again)


def test_equal_records_have_equal_json():
    again = from_plain(Result, to_plain(RESULT))
    assert again == RESULT
    assert canonical_json(again) == canonical_json(RESULT)


@given(st.text() | ANY_JSON.map(json.dumps))
def test_any_text_is_an_event_or_a_sentence(text):
    with suppress(InputError):
        assert type(events.from_json(text)) in events.KINDS.values()


@given(st.sampled_from(EVENTS), st.data())
def test_a_spoiled_event_is_an_event_or_a_sentence(event, data):
    plain = json.loads(events.to_json(event))
    owner = plain
    while True:
        name = data.draw(st.sampled_from(sorted(owner)))
        if not isinstance(owner[name], dict) or data.draw(st.booleans()):
            break
        owner = owner[name]
    owner[name] = data.draw(ANY_JSON)
    with suppress(InputError):
        assert type(events.from_json(json.dumps(plain))) in events.KINDS.values()
