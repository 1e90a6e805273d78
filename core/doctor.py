"""What works on this computer, and what is missing: the first page of every support answer."""

import importlib.metadata
import importlib.util
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass

from core import api, paths, settings
from core.errors import InputError
from core.machine import cores, has_bf16
from core.runs.local import slots
from core.runs.ray_cluster import reached
from core.version import VERSION

NO_ENGINE = "not installed; run: pip install -r requirements-engine.txt"
NEEDED_BYTES = 500 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line: `needed` ones must be ok for the app to work at all."""

    what: str
    ok: bool
    needed: bool
    detail: str
    word: str = "MISSING"  # what is said of one that is not ok


def examine() -> list[Finding]:
    """All findings, the needed ones first. Where a setting is refused, what depends on settings
    is not looked at."""
    found = [Finding(what="ternary-lab", ok=True, needed=True, detail=VERSION)]
    found += [_package(name) for name in ("streamlit", "torch", "transformers", "datasets")]
    of_settings = _settings()
    if all(finding.ok for finding in of_settings):
        found += _laboratory()
    return [*found, *of_settings]


def _settings() -> list[Finding]:
    """Every setting of the environment: its value, its default, and where the value comes from."""
    try:
        now = settings.found()
    except InputError as error:
        return [_wrong("secrets", str(error))]
    found: list[Finding] = []
    for one in now:
        if one.problem:
            found.append(_wrong(one.setting.name, one.problem))
            continue
        where = f"{one.source}; default: {one.setting.default}"
        detail = f"{one.value} ({'default' if one.source == 'default' else where})"
        found.append(Finding(what=one.setting.name, ok=True, needed=True, detail=detail))
    return found + [_wrong("setting", sentence) for sentence in settings.unknown()]


def _wrong(what: str, sentence: str) -> Finding:
    return Finding(what=what, ok=False, needed=True, detail=sentence, word="WRONG")


def _laboratory() -> list[Finding]:
    found = [_writable("runs and teachers", paths.local()), _writable("cache", paths.cache())]
    found.append(_try("teachers", True, _teachers))
    found.append(
        Finding(
            what="processor",
            ok=True,
            needed=True,
            detail=f"{cores()} cores, {slots()} run(s) at a time, "
            f"{'has' if has_bf16() else 'has no'} native bfloat16",
        )
    )
    if settings.RAY.value():
        found.append(_try("ray", True, reached))
    pip = importlib.util.find_spec("pip") is not None
    detail = "fetches archives" if pip else "missing, so archives cannot be fetched (ensurepip)"
    found.append(Finding(what="pip", ok=pip, needed=False, detail=detail))
    engine = api.engine_is_installed()
    detail = "computes packed students as integers" if engine else NO_ENGINE
    found.append(Finding(what="engine", ok=engine, needed=False, detail=detail))
    return [*found, *_texts()]


def _texts() -> list[Finding]:
    """Which tasks can be trained without a network."""
    names = {True: [], False: []}
    for name in api.tasks():
        names[api.is_prepared(name)].append(name)
    here, missing = ", ".join(names[True]), ", ".join(names[False])
    found = [Finding(what="text here", ok=bool(here), needed=False, detail=here or "none yet")]
    if missing:
        detail = f"{missing}; bring it here with: python -m core prefetch TASK"
        found.append(Finding(what="text to fetch", ok=True, needed=False, detail=detail))
    return found


def _package(name: str) -> Finding:
    try:
        return Finding(what=name, ok=True, needed=True, detail=importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        detail = "not installed; run: pip install -r requirements.txt"
        return Finding(what=name, ok=False, needed=True, detail=detail)


def _writable(what: str, folder) -> Finding:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return Finding(what=what, ok=False, needed=True, detail=f"{folder}: {error.strerror}")
    ok = os.access(folder, os.W_OK) and free > NEEDED_BYTES
    detail = f"{folder}, {free / 2**30:.1f} GiB free"
    return Finding(what=what, ok=ok, needed=True, detail=detail)


def _try(what: str, needed: bool, look: Callable[[], str]) -> Finding:
    try:
        return Finding(what=what, ok=True, needed=needed, detail=look())
    except InputError as error:
        return Finding(what=what, ok=False, needed=needed, detail=str(error))


def _teachers() -> str:
    cards = api.teachers()
    if not cards:
        raise InputError("none; run: python -m core teach")
    return ", ".join(f"{c.task} on {c.model} ({100 * c.test.value:.1f} %)" for c in cards)
