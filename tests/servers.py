"""The real server: on a free port, ready when it says so, killed when it is no longer needed."""

import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from core.runs import runner
from tests.conftest import wait_for


@dataclass(frozen=True, kw_only=True)
class Server:
    """Where it is, and its process."""

    port: int
    process: int

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def served(*options: str, **environment: str) -> Iterator[Server]:
    """A server with these further options; afterwards it is killed, not asked to stop."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    usual = ["--server.headless=true", "--server.address=127.0.0.1", f"--server.port={port}"]
    command = [sys.executable, "-m", "streamlit", "run", "app.py", *usual, *options]
    world = os.environ | {"HF_HUB_OFFLINE": "1"} | environment
    process = subprocess.Popen(command, cwd=runner.PROJECT, env=world, stdout=subprocess.DEVNULL)
    try:
        wait_for(lambda: is_healthy(port), every=0.1)
        yield Server(port=port, process=process.pid)
    finally:
        process.kill()
        process.wait()


def is_healthy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=2) as answer:
            return answer.read() == b"ok"
    except (urllib.error.URLError, OSError):
        return False


def end_trainings(home: Path) -> None:
    """Kill every training of this home: they outlive their server."""
    for record in home.glob("runs/*/worker.pid"):
        process = int(record.read_text() or 0)
        try:
            command = Path(f"/proc/{process}/cmdline").read_text()
            if str(record.parent) in command:  # never another process of a reused number
                os.killpg(process, signal.SIGKILL)
        except OSError:
            pass  # gone
