"""The record holds each step once, whatever was torn, and where a run goes on it goes on."""

import json

import pytest

from core.events import Finished, Resumed, StepDone
from core.runs import runner
from core.runs.event_log import EVENTS_FILE, TORN, Record, lines_until
from core.runs.event_reading import read_events
from core.runs.run_store import read_folder
from core.training import resume
from core.training.checkpoint_header import FILE
from tests.conftest import with_train


@pytest.fixture
def broken(lab, monkeypatch):
    """The folder of a run of six steps that was killed in the fifth, its checkpoint after four."""
    monkeypatch.setattr(resume, "SHARE", 1e9)
    experiment = with_train(lab.experiment, steps=6, evaluate_every=2)
    folder = runner.run_folder(experiment.run_id)
    runner.prepare_folder(folder, experiment)
    whole = Record.write

    class Killed(BaseException):
        pass

    def until_the_fifth(self, event):
        whole(self, event)
        if isinstance(event, StepDone) and event.step == 5:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Record, "write", until_the_fifth)
        with pytest.raises(Killed):
            runner.work(folder)
    assert resume.read(folder, experiment.run_id).step == 4
    assert read_folder(folder).state == "interrupted"
    return folder


def steps_of(folder):
    return [event.step for event in read_events(folder) if isinstance(event, StepDone)]


def go_on(folder):
    runner.prepare_folder(folder, read_folder(folder).experiment)
    assert runner.work(folder).state == "finished"
    assert steps_of(folder) == [1, 2, 3, 4, 5, 6]
    assert not (folder / FILE).exists()
    events = read_events(folder)
    assert isinstance(events[-1], Finished)
    return [event for event in events if isinstance(event, Resumed)]


def test_a_run_goes_on_after_its_checkpoint(broken):
    assert steps_of(broken) == [1, 2, 3, 4, 5]
    assert go_on(broken) == [Resumed(step=4)]


def test_a_fresh_start_keeps_nothing(broken):
    runner.prepare_folder(broken, read_folder(broken).experiment, fresh=True)
    assert not (broken / FILE).exists()
    assert read_events(broken) == []


def test_a_record_torn_at_any_byte_of_its_last_line_goes_on(broken):
    record = broken / EVENTS_FILE
    whole = record.read_bytes()
    last = whole.rstrip(b"\n").rindex(b"\n") + 1
    expected = lines_until(broken, 4)
    for length in range(last, len(whole)):
        record.write_bytes(whole[:length])
        assert lines_until(broken, 4) == expected
        assert steps_of(broken) in ([1, 2, 3, 4], [1, 2, 3, 4, 5])
        assert read_folder(broken).state == "interrupted"
    record.write_bytes(whole[: last + 20])
    assert go_on(broken) == [Resumed(step=4)]


@pytest.mark.parametrize("damage", ["lost", "doubled", "gone", "noise"])
def test_a_record_that_lacks_steps_begins_again_and_says_so(broken, damage):
    record = broken / EVENTS_FILE
    lines = record.read_text().splitlines(keepends=True)
    (third,) = [n for n, line in enumerate(lines) if json.loads(line).get("step") == 3]
    if damage == "noise":
        lines = ["\0\xff[]\n"] * 5
    else:
        lines[third:] = {"lost": lines[third + 1 :], "gone": []}.get(
            damage, [lines[third], *lines[third:]]
        )
    record.write_text("".join(lines))
    assert go_on(broken) == [Resumed(step=0, text=TORN)]


def test_a_damaged_checkpoint_begins_again_and_says_so(broken):
    data = bytearray((broken / FILE).read_bytes())
    data[-5] ^= 1
    (broken / FILE).write_bytes(data)
    (said,) = go_on(broken)
    assert said.step == 0
    assert "damaged" in said.text


def test_files_of_a_killed_writer_are_swept_away(broken):
    torn = broken / ".checkpoint.safetensors.abc123"
    torn.touch()
    go_on(broken)
    assert not torn.exists()
