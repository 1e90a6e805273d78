"""What a process that trains may use and how it is set up: large pages for large tensors, threads
that sleep while they wait, and no more processors than a container allows."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from core import machine
from core.machine import (
    SPINS,
    WAITING,
    cores,
    peak_resident_bytes,
    training_environment,
    waiting_environment,
)
from core.runs import runner
from core.runs.runner import PROJECT
from tests.conftest import end_worker, idle_worker

linux = pytest.mark.skipif(sys.platform != "linux", reason="glibc's setting")


@linux
def test_settings_of_others_are_kept(monkeypatch):
    monkeypatch.delenv("GLIBC_TUNABLES", raising=False)
    assert training_environment()["GLIBC_TUNABLES"] == "glibc.malloc.hugetlb=1"
    for told, wanted in (
        ("glibc.malloc.check=0", "glibc.malloc.check=0:glibc.malloc.hugetlb=1"),
        ("glibc.malloc.hugetlb=2", "glibc.malloc.hugetlb=2"),
    ):
        monkeypatch.setenv("GLIBC_TUNABLES", told)
        assert training_environment()["GLIBC_TUNABLES"] == wanted
        monkeypatch.setenv("GLIBC_TUNABLES", wanted)
        assert training_environment()["GLIBC_TUNABLES"] == wanted


@linux
def test_a_run_has_large_pages_from_its_start(lab, tmp_path, monkeypatch):
    monkeypatch.delenv("GLIBC_TUNABLES", raising=False)
    for name in (WAITING, SPINS):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(runner.sys, "executable", idle_worker(tmp_path))
    run = runner.submit(lab.experiment)
    child = runner._children.pop()
    given = Path(f"/proc/{child.pid}/environ").read_bytes().split(b"\0")
    end_worker(run.folder)
    child.wait()
    assert b"GLIBC_TUNABLES=glibc.malloc.hugetlb=1" in given
    assert b"GOMP_SPINCOUNT=30000" in given
    assert "GLIBC_TUNABLES" not in os.environ


@linux
def test_peak_memory_is_that_of_this_process_alone():
    """A small process started by one that holds much."""
    held = bytearray(b"x" * 2**28)
    program = "from core.machine import peak_resident_bytes as peak; print(peak())"
    found = subprocess.run(
        [sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert 2**22 < int(found.stdout) < len(held) < peak_resident_bytes()


@pytest.mark.parametrize(
    ("chosen", "wanted"),
    [
        ({}, {SPINS: "30000"}),
        ({SPINS: "7"}, {SPINS: "7"}),
        ({WAITING: "active"}, {}),
        ({WAITING: "passive", SPINS: "7"}, {}),
    ],
)
def test_threads_that_wait_sleep_soon_unless_the_person_chose_otherwise(
    monkeypatch, chosen, wanted
):
    for name in (WAITING, SPINS):
        monkeypatch.delenv(name, raising=False)
    for name, value in chosen.items():
        monkeypatch.setenv(name, value)
    assert waiting_environment() == wanted
    assert training_environment().items() >= wanted.items()


@linux
@pytest.mark.parametrize(
    ("files", "limit"),
    [
        ({"cpu.max": "50000 100000\n"}, 1),
        ({"cpu.max": "150000 100000\n"}, 2),
        ({"cpu.max": "max 100000\n"}, 64),
        ({"cpu.max": "torn"}, 64),
        ({"cpu/cpu.cfs_quota_us": "300000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 3),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 64),
        ({"cpu/cpu.cfs_quota_us": "300000\n", "cpu/cpu.cfs_period_us": "0\n"}, 64),
        ({}, 64),
    ],
)
def test_a_container_has_the_processors_that_its_limit_allows(tmp_path, monkeypatch, files, limit):
    (tmp_path / "cpu").mkdir()
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(machine, "_GROUP", tmp_path)
    monkeypatch.setattr(machine.os, "sched_getaffinity", lambda process: set(range(64)))
    assert cores() == limit
