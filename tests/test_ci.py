"""What is asked of a commit is said once: `.ci/run` and the hook of pre-commit run one file."""

import os
import re
import tomllib

from core.runs.runner import PROJECT


def text_of(name: str) -> str:
    return (PROJECT / name).read_text(encoding="utf-8")


def test_the_hook_and_the_whole_run_ask_the_same():
    assert os.access(PROJECT / ".ci" / "lint", os.X_OK)
    assert re.search(r"^\.ci/lint$", text_of(".ci/run"), re.MULTILINE)
    assert re.findall(r"entry: (.+)", text_of(".pre-commit-config.yaml")) == [".ci/lint"]
    for tool in ("ruff", "pyright"):
        assert re.search(rf"^{tool}\b", text_of(".ci/lint"), re.MULTILINE)
        assert not re.search(rf"^{tool}\b", text_of(".ci/run"), re.MULTILINE)


def test_the_whole_run_has_every_marker():
    settings = tomllib.loads(text_of("pyproject.toml"))["tool"]["pytest"]["ini_options"]
    markers = {marker.partition(":")[0] for marker in settings["markers"]}
    run = set(
        re.findall(r"\w+", " ".join(re.findall(r"^pytest .*-m (.+)", text_of(".ci/run"), re.M)))
    )
    assert markers <= run


def test_only_the_whole_run_measures_coverage_and_it_has_a_floor():
    settings = tomllib.loads(text_of("pyproject.toml"))["tool"]
    assert settings["coverage"]["report"]["fail_under"] >= 90
    assert {"core", "pages"} <= set(settings["coverage"]["run"]["source"])
    assert "--cov" not in settings["pytest"]["ini_options"]["addopts"]
    assert re.search(r"^pytest --cov\b", text_of(".ci/run"), re.MULTILINE)
