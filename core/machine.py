"""Which machine this is: a time is only worth something with its processor and threads."""

import contextlib
import ctypes
import gc
import importlib.metadata
import math
import os
import platform
import sys
import time
from functools import cache
from pathlib import Path

from core.errors import InputError
from core.results import Machine
from core.version import VERSION

_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8  # of glibc's malloc.h
_TUNABLES, _HUGE_PAGES = "GLIBC_TUNABLES", "glibc.malloc.hugetlb"
_GROUP = Path("/sys/fs/cgroup")
# Read by the OpenMP library when torch loads it. A turn of its loop takes some 50 nanoseconds.
WAITING, SPINS, USUAL_SPINS = "OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "30000"


def describe(threads: int) -> Machine:
    """This machine, computing with `threads` threads."""
    return Machine(
        processor=_processor(),
        cores=cores(),
        threads=threads,
        torch=importlib.metadata.version("torch"),
        transformers=importlib.metadata.version("transformers"),
        ternary_lab=VERSION,
    )


def cores() -> int:
    """Cores that this process may use: those it is bound to, and no more than a container's limit
    gives."""
    try:
        bound = len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        bound = os.cpu_count() or 1
    return min(bound, _limit_of_container() or bound)


def _limit_of_container() -> int | None:
    """Processors that a Linux control group allows, rounded up; None where it sets no limit."""
    try:
        if (_GROUP / "cpu.max").exists():  # version 2: "200000 100000", or "max 100000"
            quota, period = (_GROUP / "cpu.max").read_text().split()
        else:
            names = ("cpu.cfs_quota_us", "cpu.cfs_period_us")
            quota, period = ((_GROUP / "cpu" / name).read_text() for name in names)
        return max(1, math.ceil(int(quota) / int(period))) if int(quota) > 0 else None
    except (OSError, ValueError, ZeroDivisionError):
        return None


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


@cache
def fastest_precision() -> str:
    """ "bf16" if this processor has it natively and a matrix product is at least 1.2 times faster
    in it (timed once per process, alternating, fastest of 7), else "fp32"."""
    if not has_bf16():
        return "fp32"
    import torch

    seconds: dict[torch.dtype, float] = {}
    left, right = torch.randn(800, 384), torch.randn(384, 1536)
    for attempt in range(8):
        for kind in (torch.float32, torch.bfloat16):
            a, b = left.to(kind), right.to(kind)
            began = time.perf_counter()
            torch.matmul(a, b)
            passed = time.perf_counter() - began
            if attempt:  # the first is a warm-up
                seconds[kind] = min(passed, seconds.get(kind, passed))
    return "bf16" if seconds[torch.float32] > 1.2 * seconds[torch.bfloat16] else "fp32"


def check_precision(precision: str) -> None:
    """Raise InputError when this processor cannot compute in that precision."""
    if precision == "bf16" and not has_bf16():
        raise InputError("This processor has no native bfloat16. Choose the precision fp32.")


def has_bf16() -> bool:
    """Whether the processor multiplies bfloat16 matrices natively (AVX-512 BF16 or AMX)."""
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


def training_environment() -> dict[str, str]:
    """Settings for the environment of a process that trains; it reads them when it starts.

    Large tensors lie in pages of 2 MiB (glibc from 2.35 on Linux; ignored elsewhere): a training
    step fills hundreds of megabytes again, and pages of 4 KiB are handed over one at a time.
    Quantizing, which fills most, is a third slower with them (docs/log). A command in the
    foreground has them where its shell sets them."""
    settings = waiting_environment()
    if sys.platform == "linux":
        found = os.environ.get(_TUNABLES, "")
        pages = found if _HUGE_PAGES in found else f"{found}:{_HUGE_PAGES}=1".lstrip(":")
        settings[_TUNABLES] = pages
    return settings


def waiting_environment() -> dict[str, str]:
    """A thread that waits for another looks for it in a loop for a millisecond or two and then
    sleeps, unless the person chose otherwise (OpenMP reads it when torch is imported).

    Its usual loop is ten times as long: beside another busy program it takes the processor from
    the very thread that it waits for. Sleeping at once costs a quarter of a step on an idle
    machine. What the loop still costs beside another program is gone once the training has
    followed with its number of threads (`core.training.threads`; figures in docs/log)."""
    if WAITING in os.environ:
        return {}
    return {SPINS: os.environ.get(SPINS, USUAL_SPINS)}


def peak_resident_bytes() -> int:
    """The most memory that this process has had, as Linux tells it (elsewhere: InputError). Not
    `ru_maxrss`: that begins with what the process had that started this one."""
    try:
        status = Path("/proc/self/status").read_text()
        return 1024 * int(status.partition("VmHWM:")[2].split()[0])
    except (OSError, IndexError) as error:
        raise InputError(
            "This system does not tell a process's peak memory; Linux does."
        ) from error


def tidy_memory() -> None:
    """Collect all garbage (a part of a second), and `give_back_memory`.

    What is left is not looked through again until the next call: torch and transformers bring a
    million objects, 300 ms each time that Python looks for garbage among all that is old."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    give_back_memory()


def give_back_memory() -> None:
    """Hand what is free to the system: torch leaves hundreds of megabytes with glibc, which keeps
    them. From then on it keeps less: tensors are mapped one by one, and the threads of the
    sessions share two heaps. (That on Linux with glibc.)"""
    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL("libc.so.6")
        library.mallopt(_M_MMAP_THRESHOLD, 2**20)
        library.mallopt(_M_ARENA_MAX, 2)
        library.malloc_trim(0)
