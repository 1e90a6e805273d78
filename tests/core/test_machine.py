"""A process that trains has large pages for large tensors, and starts anew for that only once."""

import subprocess
import sys

import pytest

from core.__main__ import trains
from core.machine import huge_pages, peak_resident_bytes
from core.runs.runner import PROJECT

linux = pytest.mark.skipif(sys.platform != "linux", reason="glibc's setting")
PROGRAM = """
import os, sys
from core.machine import with_huge_pages
print("started", sys.argv[1], flush=True)
with_huge_pages()
print("goes on", os.environ["GLIBC_TUNABLES"])
"""


@pytest.mark.parametrize("command", [["run"], ["teach", "--task", "x"], ["bench", "train"]])
def test_what_trains(command):
    assert trains(command)


@pytest.mark.parametrize("command", [[], ["runs"], ["bench", "inference"], ["predict", "run"]])
def test_what_does_not(command):
    assert not trains(command)


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
def test_a_program_starts_anew_once_with_its_arguments(tmp_path, monkeypatch):
    monkeypatch.delenv("GLIBC_TUNABLES", raising=False)
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    told = subprocess.run(
        [sys.executable, program, "two words"], capture_output=True, text=True, check=True
    )
    lines = ["started two words", "started two words", "goes on glibc.malloc.hugetlb=1"]
    assert told.stdout.splitlines() == lines


@linux
def test_peak_memory_is_that_of_this_process_alone():
    """A small process started by one that holds much."""
    held = bytearray(b"x" * 2**28)
    program = "from core.machine import peak_resident_bytes as peak; print(peak())"
    found = subprocess.run(
        [sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert 2**22 < int(found.stdout) < len(held) < peak_resident_bytes()
