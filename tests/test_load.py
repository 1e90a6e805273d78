"""The measurement of a class tells the truth about memory and about the processor."""

import os
import subprocess
import sys
import time

import pytest

from tests.load.machine import MIB, memory_of, processor_time, stolen_share

TWINS = """
import os, sys, time
held = bytearray(os.urandom(1)) * (64 * 2**20)
if os.fork():
    print("ready", flush=True)
time.sleep(60)
"""
PARENT = """
import subprocess, sys, time
held = bytearray(64 * 2**20)
inner = "held = b'1' * (64 * 2**20); print('ready', flush=True); input()"
child = subprocess.Popen([sys.executable, "-c", inner, *sys.argv[1:]], stdin=subprocess.PIPE)
time.sleep(60)
"""


def measured(code: str, *arguments: str) -> tuple[float, float]:
    """MiB of the server and of the trainings, for a process that runs this code."""
    command = [sys.executable, "-c", code, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        found = memory_of(process.pid)
        os.killpg(process.pid, 9)
    return found[0] / MIB, found[1] / MIB


def test_a_copy_of_the_server_that_becomes_another_program_is_not_counted_twice():
    served, trainings = measured(TWINS)
    assert 64 < served < 100
    assert trainings == 0


def test_children_count_and_trainings_count_apart():
    served, trainings = measured(PARENT)
    assert served > 128
    assert trainings == 0
    served, trainings = measured(PARENT, "--run-dir")
    assert trainings > 64


def test_what_the_host_took_is_a_share_of_what_was_wanted():
    assert stolen_share((100.0, 10.0), (175.0, 35.0)) == 0.25
    assert stolen_share((100.0, 10.0), (100.0, 10.0)) == 0.0


@pytest.mark.skipif(sys.platform != "linux", reason="told by Linux")
def test_work_is_seen_as_work():
    before, until = processor_time(), time.process_time() + 0.3
    while time.process_time() < until:
        pass
    wanted = sum(processor_time()) - sum(before)
    assert wanted >= 0.2 * os.sysconf("SC_CLK_TCK")
