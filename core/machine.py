"""Which machine this is: a time is only worth something with its processor and threads."""

import contextlib
import ctypes
import gc
import importlib.metadata
import os
import platform
import sys
import time
from functools import cache
from pathlib import Path

from core.errors import InputError
from core.results import Machine

_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8  # of glibc's malloc.h
_TUNABLES, _HUGE_PAGES = "GLIBC_TUNABLES", "glibc.malloc.hugetlb"


def describe(threads: int) -> Machine:
    """This machine, computing with `threads` threads."""
    return Machine(
        processor=_processor(),
        cores=cores(),
        threads=threads,
        torch=importlib.metadata.version("torch"),
        transformers=importlib.metadata.version("transformers"),
    )


def cores() -> int:
    """Cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        return os.cpu_count() or 1


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


def huge_pages() -> dict[str, str]:
    """Environment variables that make glibc from 2.35 on use pages of 2 MiB for large tensors;
    ignored elsewhere. A process reads them when it starts, so they belong into the environment of
    the process that is to train; a command in the foreground has them where its shell sets them.

    A training step fills hundreds of megabytes anew, and pages of 4 KiB are handed over one at a
    time: quantizing, which fills most, is a third slower with them (LOG.md)."""
    found = os.environ.get(_TUNABLES, "")
    if sys.platform != "linux":
        return {}
    return {_TUNABLES: found if _HUGE_PAGES in found else f"{found}:{_HUGE_PAGES}=1".lstrip(":")}


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
