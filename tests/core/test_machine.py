"""What a process is given (large pages for large tensors) and what it takes (peak memory)."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.machine import huge_pages, peak_resident_bytes
from core.runs import runner
from core.runs.runner import PROJECT
from tests.conftest import end_worker, idle_worker

linux = pytest.mark.skipif(sys.platform != "linux", reason="glibc's setting")


@linux
def test_settings_of_others_are_kept(monkeypatch):
    monkeypatch.delenv("GLIBC_TUNABLES", raising=False)
    assert huge_pages() == {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}
    for told, wanted in (
        ("glibc.malloc.check=0", "glibc.malloc.check=0:glibc.malloc.hugetlb=1"),
        ("glibc.malloc.hugetlb=2", "glibc.malloc.hugetlb=2"),
    ):
        monkeypatch.setenv("GLIBC_TUNABLES", told)
        assert huge_pages() == {"GLIBC_TUNABLES": wanted}
        monkeypatch.setenv("GLIBC_TUNABLES", wanted)
        assert huge_pages() == {"GLIBC_TUNABLES": wanted}


@linux
def test_a_run_has_large_pages_from_its_start(lab, tmp_path, monkeypatch):
    monkeypatch.delenv("GLIBC_TUNABLES", raising=False)
    monkeypatch.setattr(runner.sys, "executable", idle_worker(tmp_path))
    run = runner.submit(lab.experiment)
    child = runner._children.pop()
    given = Path(f"/proc/{child.pid}/environ").read_bytes().split(b"\0")
    end_worker(run.folder)
    child.wait()
    assert b"GLIBC_TUNABLES=glibc.malloc.hugetlb=1" in given
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
