"""What many share: the queue's forecast, limits of a run, room on the disk, the teacher's PIN."""

import threading
import time
from contextlib import ExitStack
from dataclasses import replace
from types import SimpleNamespace

import pytest
from filelock import FileLock

from core import api
from core.errors import InputError
from core.events import StepDone
from core.paths import shipped
from core.runs import forecast, pin, retention, run_limits, runner
from core.runs.run_store import Run, list_runs, next_ticket, read_folder, run_folder, runs_folder
from core.training.checkpoint_header import FILE
from tests.conftest import compute, with_quant, with_train


def prepared(experiment) -> Run:
    runner.prepare_folder(run_folder(experiment.run_id), experiment)
    return read_folder(run_folder(experiment.run_id))


def step_done(step: int, seconds: float) -> StepDone:
    zeros = dict.fromkeys(("loss", "hidden", "attention", "logits", "labels", "learning_rate"), 0.0)
    return StepDone(step=step, total_steps=100, tokens=1, seconds=seconds, **zeros)


# Forecasts


def test_a_run_is_paced_by_its_own_last_steps(lab):
    experiment = with_train(lab.experiment, steps=100)
    slow_start = [step_done(1, 9.0), *(step_done(step, 0.5) for step in range(2, 41))]
    assert forecast.seconds_left(experiment, slow_start, []) == 60 * 0.5
    assert forecast.seconds_left(experiment, [], []) is None


def test_a_run_that_has_not_begun_is_paced_by_one_of_its_kind(finished_run, lab):
    def timed(run, seconds, total):
        result = replace(run.result, steps=50, train_seconds=seconds, total_seconds=total)
        return replace(run, result=result)

    experiment = with_train(lab.experiment, steps=100)
    twn = timed(finished_run, 10.0, 13.0)
    lat = replace(timed(finished_run, 20.0, 24.0), experiment=with_quant(experiment, method="lat"))
    assert forecast.seconds_left(experiment, [], [lat, twn]) == 100 * 0.2 + 3.0
    assert forecast.seconds_left(with_quant(experiment, method="lsq"), [], [lat, twn]) == 44.0
    for other in (
        replace(experiment, task="cola"),
        with_train(experiment, batch_size=4),
        with_train(experiment, precision="bf16"),
    ):
        assert forecast.seconds_left(other, [], [lat, twn]) is None
    assert forecast.seconds_left(experiment, [], [replace(twn, shipped=True)]) is None


@pytest.mark.parametrize(
    ("slots", "running", "queued", "expected"),
    [
        (1, [], [], 0.0),
        (1, [30.0], [], 30.0),
        (1, [30.0], [10.0, 5.0], 45.0),
        (2, [30.0], [], 0.0),
        (2, [30.0, 8.0], [], 8.0),
        (2, [30.0, 8.0], [10.0], 18.0),
        (2, [30.0, 8.0], [40.0], 30.0),
        (1, [None], [], None),
        (1, [5.0], [None], None),
        (2, [None], [], 0.0),
    ],
)
def test_the_wait_is_until_a_slot_is_free(slots, running, queued, expected):
    assert forecast.wait_seconds(slots, running, queued) == expected


def test_the_forecast_of_a_queued_run_counts_who_is_before(finished_run, lab, monkeypatch):
    monkeypatch.setenv("TERNARY_LAB_SLOTS", "1")
    first, second, third = (prepared(replace(lab.experiment, seed=seed)) for seed in (1, 2, 3))
    locks = [FileLock(run.folder / "worker.lock") for run in (first, second, third)]
    (first.folder / "began").touch()
    with locks[0], locks[1], locks[2]:
        told = [api.forecast_of(read_folder(run.folder)) for run in (first, second, third)]
    assert [each.before for each in told] == [0, 1, 2]
    alone = told[0].seconds
    assert alone == pytest.approx(finished_run.result.total_seconds)
    assert told[1].wait_seconds == pytest.approx(alone)
    assert told[2].wait_seconds == pytest.approx(2 * alone)


# Limits


def test_limits_speak_in_sentences():
    some = run_limits.Limits(memory_mib=2000.0, minutes=30.0)
    assert some.broken(1999.0, 29.0) == ""
    assert "took 2,001 MiB of memory" in some.broken(2001.0, 29.0)
    assert "the 30 minutes that this server allows" in some.broken(1.0, 30.1)
    assert run_limits.Limits(memory_mib=None, minutes=None).broken(1e9, 1e9) == ""


@pytest.mark.parametrize("text", ["many", "-5", "0", "nan", "1e99"])
def test_a_limit_that_is_no_number_starts_nothing(lab, monkeypatch, text):
    monkeypatch.setenv("TERNARY_LAB_RUN_MINUTES", text)
    with pytest.raises(InputError, match="TERNARY_LAB_RUN_MINUTES is"):
        runner.submit(lab.experiment)
    assert list_runs() == []


def test_resident_memory_is_what_is_there():
    """It grows with what is written to, and gives back what is let go."""
    before = run_limits.resident_mib()
    ballast = bytearray(b"x") * (200 * 2**20)
    grown = run_limits.resident_mib() - before
    del ballast
    left = run_limits.resident_mib() - before
    assert 190 < grown < 260
    assert left < 60


def test_the_watch_gives_up_in_the_middle_of_a_block(monkeypatch):
    monkeypatch.setattr(run_limits, "WATCH_SECONDS", 0.01)
    monkeypatch.setenv("TERNARY_LAB_RUN_MINUTES", "0.001")
    said, heard = [], threading.Event()

    def give_up(sentence):
        said.append(sentence)
        if len(said) == 3:  # said until the block has ended
            heard.set()

    with run_limits.watched(give_up):
        assert heard.wait(10.0)
    assert len(set(said)) == 1
    assert "goes on" not in said[0]
    assert "to go on from its last checkpoint" in said[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variable", "value", "word"),
    [
        ("TERNARY_LAB_RUN_MEMORY_MIB", "64", "of memory"),
        ("TERNARY_LAB_RUN_MINUTES", "0.05", "minutes"),
    ],
)
def test_a_worker_beyond_its_limit_ends_with_a_sentence(lab, monkeypatch, variable, value, word):
    monkeypatch.setenv(variable, value)
    run = runner.submit(with_train(lab.experiment, steps=100_000, evaluate_every=100_000))
    (child,) = runner._children
    assert child.wait(60) == 2
    runner._children.clear()
    ended = read_folder(run.folder)
    assert ended.state == "failed"
    assert word in ended.message


# Room


def test_without_a_limit_nothing_is_removed(finished_run, lab):
    retention.make_room("0" * 12)
    assert list_runs() == [finished_run]


def test_the_oldest_runs_that_are_over_make_room(finished_run, lab, monkeypatch):
    stopped = prepared(replace(lab.experiment, seed=1))
    (stopped.folder / "STOP").touch()
    (stopped.folder / FILE).write_bytes(b"0" * 500_000)
    (stopped.folder / "ticket").write_text("5")
    (finished_run.folder / "ticket").write_text("7")
    waiting = prepared(replace(lab.experiment, seed=2))
    (waiting.folder / "ticket").write_text("1")
    with FileLock(waiting.folder / "worker.lock"):
        monkeypatch.setattr(retention, "quota_bytes", lambda: 400_000)
        retention.make_room("0" * 12)
        assert [run.run_id for run in list_runs()] == [finished_run.run_id, waiting.run_id]
        monkeypatch.setattr(retention, "quota_bytes", lambda: 1000)
        with pytest.raises(InputError, match="none of them is over"):
            retention.make_room("0" * 12)
        assert [run.run_id for run in list_runs()] == [waiting.run_id]
    noted = (runs_folder() / "removed.txt").read_text().splitlines()
    assert [line.split()[2] for line in noted] == [stopped.run_id, finished_run.run_id]


def test_what_ships_and_what_is_wanted_stays(finished_run, lab, monkeypatch):
    monkeypatch.setattr(retention, "quota_bytes", lambda: 10)
    with pytest.raises(InputError, match="none of them is over"):
        retention.make_room(finished_run.run_id)
    sent = shipped() / "runs" / finished_run.run_id
    sent.parent.mkdir(parents=True)
    finished_run.folder.rename(sent)
    retention.make_room("0" * 12)
    assert [run.shipped for run in list_runs()] == [True]


def test_a_start_without_room_is_refused(lab, monkeypatch):
    waiting = prepared(replace(lab.experiment, seed=2))
    monkeypatch.setattr(retention, "quota_bytes", lambda: 10)
    with FileLock(waiting.folder / "worker.lock"), pytest.raises(InputError, match="they may"):
        runner.submit(lab.experiment)
    assert [run.run_id for run in list_runs()] == [waiting.run_id]


@pytest.mark.parametrize("run_id", ["..", "../home", "a" * 12, "", "A" * 12])
def test_only_runs_can_be_removed(finished_run, run_id):
    with pytest.raises(InputError):
        api.remove_runs([run_id])
    assert list_runs() == [finished_run]


def test_a_damaged_run_can_be_removed_and_one_that_computes_cannot(finished_run, lab):
    (finished_run.folder / "result.json").write_text("{")
    with FileLock(finished_run.folder / "worker.lock"), pytest.raises(InputError, match="not over"):
        api.remove_runs([finished_run.run_id])
    api.remove_runs([finished_run.run_id])
    assert list_runs() == []
    assert not [path for path in runs_folder().iterdir() if path.is_dir()]


# The PIN


@pytest.fixture
def waits(monkeypatch):
    """Nobody tried yet; the seconds that each check waited, on a clock that nothing else moves."""
    clock, waited = [100.0], []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        clock[0] += seconds

    monkeypatch.setattr(pin, "_counts", {})
    monkeypatch.setattr(pin, "time", SimpleNamespace(sleep=sleep, monotonic=lambda: clock[0]))
    return waited


def guess(times: int, address: str = "") -> None:
    for _ in range(times):
        with pytest.raises(InputError, match="not the teacher's PIN"):
            pin.check_pin("1", "2", address)


def test_the_pin_is_asked_for_where_there_is_one(waits):
    pin.check_pin("", "")
    pin.check_pin("anything", "")
    pin.check_pin("é-4711", "é-4711")
    for wrong in ("", "4711", "é-4711 "):
        with pytest.raises(InputError, match="not the teacher's PIN"):
            pin.check_pin(wrong, "é-4711")


@pytest.mark.parametrize("address", ["", "192.0.2.7"])
def test_guessing_gets_slower_and_nobody_is_locked_out(waits, address):
    guess(pin.FREE_TRIES, address)
    assert waits == [0.0] * pin.FREE_TRIES
    guess(100, address)
    assert waits[pin.FREE_TRIES :][:3] == pytest.approx([2.0, 2.4, 2.8])
    assert max(waits) == waits[-1] == pin.LONGEST_SECONDS
    pin.check_pin("2", "2", address)
    assert waits[-1] == pin.LONGEST_SECONDS


def test_guessing_for_a_day_is_no_faster_than_four_a_minute(waits):
    guess(24 * 60 * 4, "192.0.2.7")
    assert sum(waits) > 0.95 * 24 * 3600


def test_wrong_pins_slow_down_only_the_address_that_they_come_from(waits):
    guess(50, "192.0.2.7")
    for other in ("", "192.0.2.8", "2001:db8::1"):
        pin.check_pin("2", "2", other)
        assert waits[-1] == 0.0


def test_other_spellings_and_neighbours_of_an_address_count_as_it(waits):
    guess(6, "2001:db8:1:2::1")
    guess(1, "2001:db8:1:2:ffff::7")
    assert waits[-1] == pytest.approx(2.4)
    pin.check_pin("2", "2", "2001:db8:1:3::1")
    assert waits[-1] == 0.0
    guess(6, "192.0.2.7")
    guess(1, "::ffff:192.0.2.7")
    assert waits[-1] == pytest.approx(2.4)


def test_wrong_pins_are_forgotten_after_a_while(waits):
    guess(10)
    pin.time.sleep(pin.WINDOW_SECONDS)
    pin.check_pin("2", "2")
    assert waits[-1] == 0.0


def test_of_many_who_try_at_once_from_one_address_only_a_few_may_wait(waits):
    """More would hold a thread of the server each."""
    with ExitStack() as stack:
        stack.enter_context(pin._in_turn("192.0.2.7"))
        pin._counts["192.0.2.7"].waiting = pin.MOST_WAITING
        with pytest.raises(InputError, match="Too many PINs"):
            pin.check_pin("2", "2", "192.0.2.7")
        pin.check_pin("2", "2", "192.0.2.8")
        pin._counts["192.0.2.7"].waiting = 1
    assert pin._counts["192.0.2.7"].waiting == 0
    pin.check_pin("2", "2", "192.0.2.7")


def test_addresses_are_not_remembered_without_end(waits, monkeypatch):
    monkeypatch.setattr(pin, "MOST_ADDRESSES", 20)
    for number in range(200):
        guess(1, f"192.0.2.{number}")
        assert len(pin._counts) <= 20


# The clock


def test_a_clock_that_goes_back_changes_no_place_in_the_queue(lab, monkeypatch):
    now = [time.time() + 7200.0]
    monkeypatch.setattr(time, "time", lambda: now[0])
    first = prepared(lab.experiment)
    with FileLock(first.folder / "worker.lock"):
        now[0] -= 7200.0
        second = prepared(replace(lab.experiment, seed=1))
        with FileLock(second.folder / "worker.lock"):
            assert next_ticket() > now[0] + 7000
            assert [api.waiting_before(run) for run in (first, second)] == [0, 1]
            assert read_folder(second.folder).state == "queued"
    assert read_folder(second.folder).state == "interrupted"


def test_a_fresh_run_counts_from_now_again(finished_run, lab):
    (finished_run.folder / "ticket").write_text(str(time.time() + 1e6))
    assert next_ticket() < time.time() + 10  # what is over is not waited for
    assert compute(replace(lab.experiment, seed=1)).state == "finished"
