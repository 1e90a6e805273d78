"""The real server, its real workers, and nothing lost when it is gone.

Driven over HTTP through Streamlit's agent interface, which runs the pages as for a browser.
"""

import json
import os
import re
import signal
import urllib.request
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from core.events import Resumed, StepDone
from core.runs import run_store
from core.runs.event_reading import read_events
from core.runs.run_store import is_alive, read_folder, run_folder
from core.training.checkpoint_header import step_kept
from tests.conftest import is_running, wait_for
from tests.servers import Server, served

# As long as a test may take on a machine that trains and tests at the same time.
PATIENCE_SECONDS = 300.0


class Visitor:
    """One session of the app: what is on its page, and what can be done there."""

    def __init__(self, port: int, page: str, **parameters: str) -> None:
        self.port, self.session = port, {}
        self.shown = self.ask(page=page, query_params={k: [v] for k, v in parameters.items()})

    def ask(self, **request) -> dict:
        address = f"http://127.0.0.1:{self.port}/_stcore/agent/interact"
        body = json.dumps({**self.session, **request}).encode()
        headers = {"Content-Type": "application/json"}
        sent = urllib.request.Request(address, data=body, headers=headers)
        with urllib.request.urlopen(sent, timeout=PATIENCE_SECONDS) as answer:
            self.shown = json.load(answer)
        assert self.shown["status"] == "ready", self.text
        self.session = {"session_id": self.shown["session_id"]}
        return self.shown

    @property
    def text(self) -> str:
        """All that the page says."""
        return json.dumps(self.shown["tree"], ensure_ascii=False)

    def press(self, label: str) -> None:
        keys = [a["key"] for a in self.shown["actions"] if a.get("label") == label]
        assert len(keys) == 1, f"{label} is there {len(keys)} times"
        self.ask(trigger={"key": keys[0]})

    def wait_for(self, words: str) -> None:
        wait_for(lambda: self.ask() and words in self.text, PATIENCE_SECONDS, every=0.3)


def titles_of_the_app() -> list[str]:
    """What app.py calls its pages, in order."""
    titles = re.findall(r'st\.Page\(".+?", title="(.+?)"', Path("app.py").read_text())
    assert titles[0] == "Start"
    return titles


def agents() -> AbstractContextManager[Server]:
    """A server that takes visitors of this kind."""
    return served("--server.enableAgentApi=true")


@pytest.mark.slow
def test_a_machine_that_fell_over_offers_its_run_again(lab):
    with agents() as server:
        visitor = Visitor(server.port, "train", steps="5000", seed="3")
        visitor.press("Start")
        (run_id,) = visitor.shown["query_params"]["run"]
        folder = run_folder(run_id)
        wait_for(lambda: step_kept(folder) > 0)
        os.killpg(int((folder / "worker.pid").read_text()), signal.SIGKILL)
    wait_for(lambda: not is_alive(folder))
    assert read_folder(folder).state == "interrupted"
    with agents() as server:
        visitor = Visitor(server.port, "train")
        assert "saved after step" in visitor.text
        visitor.press("Watch")
        visitor.press("Resume")
        wait_for(lambda: any(isinstance(event, Resumed) for event in read_events(folder)))
        visitor.wait_for("s a step")
        visitor.press("Stop")
        assert ":material/stop: stopped" in visitor.text
    told = read_events(folder)
    (resumed,) = [event for event in told if isinstance(event, Resumed)]
    steps = [event.step for event in told if isinstance(event, StepDone)]
    assert resumed.step > 0
    assert steps == list(range(1, len(steps) + 1))
    # A stop between two steps keeps the last; one in the middle of a long step comes harder.
    assert step_kept(folder) in (resumed.step, len(steps))


@pytest.mark.slow
def test_train_stop_and_read_after_a_restart(lab):
    with agents() as server:
        visitor = Visitor(server.port, "train", steps="10", seed="1")
        # Also the very first visitor has every page of the app.
        assert [page["title"] for page in visitor.shown["pages"]] == titles_of_the_app()
        visitor.press("Start")
        (run_id,) = visitor.shown["query_params"]["run"]
        visitor.wait_for(":material/check: finished")
        assert "trained student" in visitor.text.lower()
        assert read_folder(run_folder(run_id)).result.steps == 10

        other = Visitor(server.port, "train", steps="2000", seed="2")
        other.press("Start")
        (other_id,) = other.shown["query_params"]["run"]
        other.wait_for("s a step")
        worker = int((run_folder(other_id) / "worker.pid").read_text())

    assert is_running(worker)  # it does not need the server
    with agents() as server:
        visitor = Visitor(server.port, "train", run=run_id)
        assert ":material/check: finished" in visitor.text
        assert "Also on this server" in visitor.text
        visitor.press("Watch")
        assert visitor.shown["query_params"]["run"] == [other_id]
        visitor.press("Stop")
        visitor.wait_for(":material/stop: stopped")
        wait_for(lambda: not is_running(worker), PATIENCE_SECONDS)
        assert run_id in Visitor(server.port, "compare").text
    assert {run.run_id: run.state for run in run_store.list_runs()} == {
        run_id: "finished",
        other_id: "stopped",
    }
