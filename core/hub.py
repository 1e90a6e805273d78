"""The hub: files of a model or a data set, from the network, from its own cache, or from a folder.

`snapshot` gives a folder with the files of one repository and the revision they belong to. It
asks the hub only when the hub answers within three seconds; otherwise it takes what was downloaded
before (HF_HOME says where, HF_HUB_OFFLINE forbids asking at all). A class without internet can
share a folder instead: with TERNARY_LAB_HUB=/some/folder, `owner/name` is read from
/some/folder/owner/name and nothing is ever downloaded.
"""

import re
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from core import settings
from core.errors import InputError, shown

ANSWER_SECONDS = 3.0
REMEMBERED_SECONDS = 30.0
REPOSITORY = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?", re.ASCII)
LONGEST_NAME = 96  # the hub's own limit
_last_probe: list[tuple[float, bool]] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Files of a repository; `revision` is the commit, or "" where a folder stands in."""

    folder: Path
    revision: str


def is_repository(name: str) -> bool:
    """Whether this could be the name of a repository: "owner/name" or "name"."""
    fits = len(name) <= LONGEST_NAME and ".." not in name
    return fits and bool(REPOSITORY.fullmatch(name))


def snapshot(
    repository: str, kind: str, patterns: tuple[str, ...], instead: str, revision: str = ""
) -> Snapshot:
    """The files of `repository` (kind "model" or "dataset") that match the patterns.

    Raises InputError with a reason, followed by `instead`: what else the person can do.
    """
    if not is_repository(repository):
        raise InputError(f"{shown(repository)} is not the name of a hub repository. {instead}")
    stand_in = settings.HUB.value()
    if stand_in:
        folder = stand_in / repository
        if not folder.is_dir():
            raise InputError(f"{repository} is not in the folder of TERNARY_LAB_HUB. {instead}")
        return Snapshot(folder=folder, revision="")
    return _download(repository, kind, patterns, instead, revision)


def _download(
    repository: str, kind: str, patterns: tuple[str, ...], instead: str, revision: str
) -> Snapshot:
    from huggingface_hub import snapshot_download

    online = is_reachable()
    try:
        folder = snapshot_download(
            repository,
            repo_type=kind,
            revision=revision or None,
            allow_patterns=list(patterns),
            etag_timeout=ANSWER_SECONDS,
            local_files_only=not online,
        )
    except Exception as error:  # the library's own, its network's, a full disk
        reason = _reason(error) if online else "the hub does not answer"
        raise InputError(
            f"{repository} could not be had from the hub: {reason}. {instead}"
        ) from error
    return Snapshot(folder=Path(folder), revision=Path(folder).name)


def _reason(error: Exception) -> str:
    from huggingface_hub.errors import RepositoryNotFoundError

    if isinstance(error, RepositoryNotFoundError):
        return "it has no public repository of that name"
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")


def is_reachable() -> bool:
    """Whether the hub answers within three seconds; remembered for half a minute."""
    now = time.monotonic()
    if not _last_probe or now - _last_probe[0][0] > REMEMBERED_SECONDS:
        _last_probe[:] = [(now, _probe())]
    return _last_probe[0][1]


def _probe() -> bool:
    """Ask in a thread of its own: looking up a name has no time limit that could be set."""
    from huggingface_hub import constants, get_session

    if constants.is_offline_mode():
        return False
    answered = []

    def ask() -> None:
        try:
            get_session().head(constants.ENDPOINT, timeout=ANSWER_SECONDS)
            answered.append(True)
        except Exception:  # any failure to reach it is the answer "no"
            return

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(ANSWER_SECONDS)
    return bool(answered)
