"""The settings of the environment: one list, checked at the door, and read nowhere else."""

import ast
import re
from pathlib import Path

import pytest

from core import settings
from core.__main__ import main
from core.errors import InputError
from core.runs import local, ray_cluster, runner
from core.runs.run_store import list_runs
from core.settings import PROJECT, SETTINGS

SOURCES = [
    PROJECT / "app.py",
    *sorted((PROJECT / "core").rglob("*.py")),
    *sorted((PROJECT / "pages").rglob("*.py")),
]
WRITTEN = [*SOURCES, PROJECT / "README.md", PROJECT / "CONTRIBUTING.md"]
NAMES = {setting.name for setting in SETTINGS}
SLIPS = [
    ("TERNARY_LAB_SLOTS", "many", "must be a whole number"),
    ("TERNARY_LAB_SLOTS", "²", "must be a whole number"),
    ("TERNARY_LAB_SLOTS", " ", "must be a whole number"),
    ("TERNARY_LAB_SLOTS", "1_0", "must be a whole number"),
    ("TERNARY_LAB_SLOTS", "0", "TERNARY_LAB_SLOTS is 0; it must lie between 1 and 256"),
    ("TERNARY_LAB_THREADS", "2000", "must lie between 1 and 1024"),
    ("TERNARY_LAB_RAY_CPUS", "many", "must be a whole number"),
    ("TERNARY_LAB_RUN_MINUTES", "nan", "must lie between"),
    ("TERNARY_LAB_RUNS_GIB", "much", "TERNARY_LAB_RUNS_GIB is 'much'; it must be a number"),
    ("TERNARY_LAB_RUN_MEMORY_MIB", "-1", "must lie between 64 and 1e+08"),
    ("TERNARY_LAB_RAY", "ray://127.0.0.1:10001", "events cannot come through Ray's client"),
    ("TERNARY_LAB_RAY", "atuo", "must be auto, or host:port"),
    ("TERNARY_LAB_HOME", "~nobody-of-that-name/lab", "there is no such home folder"),
    ("TERNARY_LAB_SLOT", "2", "Did you mean TERNARY_LAB_SLOTS?"),
    ("ternary_lab_slots", "2", "Did you mean TERNARY_LAB_SLOTS?"),
    ("TERNARY_LAB_RUN_MINUTE", "2", "Did you mean TERNARY_LAB_RUN_MINUTES?"),
    ("TERNARY_LAB_CASH", "2", "Did you mean TERNARY_LAB_CACHE?"),
]


def test_every_setting_says_what_it_is():
    assert len(NAMES) == len(SETTINGS) == 16
    for setting in SETTINGS:
        assert setting.name.startswith("TERNARY_LAB_")
        assert setting.may_be
        assert setting.default
        assert setting.purpose.endswith(".")


@pytest.mark.parametrize(("name", "text", "sentence"), SLIPS)
def test_a_slip_of_the_pen_is_refused_in_a_sentence(lab, monkeypatch, capsys, name, text, sentence):
    """Whoever asks first: a command, a run that is started, or the doctor."""
    monkeypatch.setenv(name, text)
    with pytest.raises(InputError, match=re.escape(sentence)):
        settings.check()
    assert main(["tasks"]) == 2
    heard = capsys.readouterr()
    assert heard.err.startswith(f"error: {name} is ")
    assert sentence in heard.err
    assert heard.out == ""
    with pytest.raises(InputError, match=re.escape(sentence)):
        runner.submit(lab.experiment)
    assert main(["doctor"]) == 1
    (wrong,) = [s for s in capsys.readouterr().out.splitlines() if not s.startswith("ok")]
    assert wrong.startswith("WRONG")
    assert sentence in wrong


def test_a_run_that_is_refused_leaves_nothing_behind(lab, monkeypatch):
    monkeypatch.setenv("TERNARY_LAB_SLOT", "2")
    with pytest.raises(InputError):
        runner.submit(lab.experiment)
    assert list_runs() == []


def test_all_that_is_wrong_is_said_at_once(lab, monkeypatch):
    monkeypatch.setenv("TERNARY_LAB_SLOTS", "many")
    monkeypatch.setenv("TERNARY_LAB_THREADS", "few")
    with pytest.raises(InputError, match=r"SLOTS is 'many'.* TERNARY_LAB_THREADS is 'few'"):
        settings.check()


def test_whoever_reads_a_setting_is_told_of_its_slip(lab, monkeypatch):
    monkeypatch.setenv("TERNARY_LAB_SLOTS", "many")
    with pytest.raises(InputError, match="TERNARY_LAB_SLOTS is 'many'"):
        local.slots()
    monkeypatch.setenv("TERNARY_LAB_RAY_CPUS", "many")
    with pytest.raises(InputError, match="TERNARY_LAB_RAY_CPUS is 'many'"):
        ray_cluster.cpus()


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_an_empty_variable_counts_as_none(monkeypatch, setting):
    monkeypatch.setenv(setting.name, "")
    assert setting.value() is None
    monkeypatch.delenv(setting.name)
    assert setting.value() is None


def test_a_setting_can_be_set_for_this_process_and_its_children(monkeypatch):
    monkeypatch.setenv("TERNARY_LAB_RUN_MINUTES", "5")
    settings.RUN_MINUTES.set(2.5)
    assert settings.RUN_MINUTES.value() == 2.5
    settings.RUN_MINUTES.set(None)
    assert settings.RUN_MINUTES.value() is None


# The doctor prints all of them


def lines_of_doctor(capsys) -> dict[str, str]:
    assert main(["doctor"]) == 0
    lines = [line[9:].split(": ", 1) for line in capsys.readouterr().out.splitlines()]
    return {name: rest for name, rest in lines if name in NAMES}


def test_the_doctor_prints_every_setting_and_where_it_came_from(lab, monkeypatch, capsys):
    monkeypatch.setenv("TERNARY_LAB_SLOTS", "3")
    monkeypatch.setenv("TERNARY_LAB_RUNS_GIB", "")
    lines = lines_of_doctor(capsys)
    assert lines.keys() == NAMES
    assert lines["TERNARY_LAB_SLOTS"] == "3 (environment; default: one per two cores)"
    assert lines["TERNARY_LAB_RUNS_GIB"] == "no limit (default)"
    home = f"{lab.home} (environment; default: cached_models/local)"
    assert lines["TERNARY_LAB_HOME"] == home


def test_no_pin_is_printed(lab, monkeypatch, capsys):
    monkeypatch.setenv("TERNARY_LAB_PIN", "4711")
    assert main(["doctor"]) == 0
    said = capsys.readouterr()
    assert "4711" not in said.out + said.err
    assert "TERNARY_LAB_PIN: set, not shown (environment" in said.out


def test_the_doctor_reads_streamlits_secrets_and_prints_no_pin_of_them(
    lab, monkeypatch, capsys, tmp_path
):
    monkeypatch.delenv("TERNARY_LAB_PIN", raising=False)
    monkeypatch.setattr(settings, "PROJECT", tmp_path)
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "nowhere")
    secrets = tmp_path / ".streamlit" / "secrets.toml"
    secrets.parent.mkdir()
    secrets.write_text('TERNARY_LAB_PIN = "0815"\n')
    said = lines_of_doctor(capsys)["TERNARY_LAB_PIN"]
    assert said.startswith("set, not shown (Streamlit's secrets")
    secrets.write_text("TERNARY_LAB_PIN = ")
    assert main(["doctor"]) == 1
    assert "WRONG    secrets: " in capsys.readouterr().out


# Nobody else reads them


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(PROJECT).as_posix())
def test_only_one_file_reads_a_setting_of_ours_from_the_environment(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    if path.name == "settings.py" and path.parent.name == "core":
        assert "environ" in ast.unparse(tree)
        return
    spoken = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}  # docstrings
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            alone = re.fullmatch(r"TERNARY_LAB_\w+", node.value)
            assert not alone or id(node) in spoken, f"{node.value} in line {node.lineno}"
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv"):
            assert path.name in MAY_READ, f"line {node.lineno} reads the environment"


# What these read is no setting of ours: what libraries read when a process starts, and what a child
# is given.
MAY_READ = ("machine.py", "__main__.py", "busy_machine.py", "runner.py", "archives.py")


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: path.relative_to(PROJECT).as_posix())
def test_every_name_that_is_written_anywhere_is_a_setting(path):
    written = set(re.findall(r"TERNARY_LAB_[A-Z_]+\b", path.read_text(encoding="utf-8")))
    assert written <= NAMES


def test_readme_has_the_table_of_all_settings():
    rows = re.findall(
        r"^\| `(TERNARY_LAB_\w+)` \| (.*) \| (.*) \| (.*) \|$",
        (PROJECT / "README.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    assert rows == [(one.name, one.may_be, one.default, one.purpose) for one in SETTINGS]
