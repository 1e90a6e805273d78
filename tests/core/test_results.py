"""docs/results.md says what the shipped runs, grids and benches say, and a stale table is found."""

import json
import re
from pathlib import Path

import pytest

from core.__main__ import main
from core.commands import result_tables, results_command
from core.errors import InputError
from core.paths import shipped
from core.runs.grids import find_grid, grid_files, read_grid
from core.runs.runner import PROJECT

FILE = PROJECT / results_command.FILE
NAMES = re.findall(r"<!-- table: (.+) -->", FILE.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def tables() -> dict[str, str]:
    """Every table of the file, as it is computed today."""
    return {name: result_tables.table(name) for name in NAMES}


@pytest.fixture
def _computed_once(tables, monkeypatch):
    monkeypatch.setattr(results_command, "table", tables.__getitem__)


def test_every_grid_and_every_bench_has_its_table():
    benches = sorted(path.stem for path in (PROJECT / "docs" / "bench").iterdir())
    wanted = [f"grid {path.stem}" for path in grid_files()] + [f"bench {name}" for name in benches]
    assert sorted(NAMES) == sorted([*wanted, "students", "teachers"])


@pytest.mark.usefixtures("_computed_once")
def test_the_tables_are_those_of_today(capsys):
    assert main(["results", "--check"]) == 0
    assert f"{len(NAMES)} tables" in capsys.readouterr().out


@pytest.mark.usefixtures("_computed_once")
def test_a_stale_table_is_named_and_written_anew(tmp_path):
    text = FILE.read_text(encoding="utf-8")
    place = text.index("<!-- table: grid ablation-bits -->")
    stale = text[:place] + re.sub(r"\d\.\d", "0.0", text[place:], count=1)
    (tmp_path / "results.md").write_text(stale, encoding="utf-8")
    with pytest.raises(InputError, match=r"stale tables: grid ablation-bits\. Write them again"):
        results_command.check(tmp_path / "results.md")
    assert results_command.renewed(stale) == text


def test_a_table_that_is_not_closed_or_not_known_is_refused():
    with pytest.raises(InputError, match="not closed"):
        results_command.renewed("<!-- table: students -->\n| run |\n")
    with pytest.raises(InputError, match="nonsense"):
        results_command.renewed("<!-- table: nonsense -->\n<!-- end -->")


def test_the_students_are_those_whose_file_ships(tables):
    """Read here from the JSON itself."""
    lines = tables["students"].splitlines()[2:]
    folders = [path.parent for path in (shipped() / "runs").glob("*/model.safetensors")]
    assert len(lines) == len(folders) > 0
    for folder in folders:
        (line,) = [each for each in lines if folder.name in each]
        result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        score, error = 100 * result["score"], 100 * result["score_standard_error"]
        assert f"| {score:.1f} ± {error:.1f} |" in line
        assert f"| {result['size_bytes_packed']:,} |" in line


def test_a_case_is_the_mean_of_its_seeds(tables):
    """Of the results' own JSON, and with the formula written out."""
    grid = read_grid(find_grid("ablation-bits"))
    ids = [one.experiment.run_id for one in grid.runs if one.case == "2-2-4"]
    found = [json.loads((shipped() / "runs" / i / "result.json").read_text()) for i in ids]
    scores = [100 * result["score"] for result in found]
    mean = sum(scores) / 3
    error = (sum((score - mean) ** 2 for score in scores) / 2 / 3) ** 0.5
    dev = sum(100 * result["dev_score"] for result in found) / 3
    lines = tables["grid ablation-bits"].splitlines()
    (line,) = [each for each in lines if each.startswith("| 2-2-4 |")]
    assert line.startswith(f"| 2-2-4 | 3 | {dev:.1f} | {mean:.1f} ± {error:.1f} | ")


def bench(folder: Path, **changes: object) -> str:
    """The table of a bench's file of this content."""
    plain = {"command": "bench x", "date": "2026-11-26", "machine": "a machine"}
    plain |= {"rows": [{"way": "a|b", "ms": 1.5, "bytes": 2000, "met": True}]} | changes
    (folder / "docs" / "bench").mkdir(parents=True, exist_ok=True)
    (folder / "docs" / "bench" / "x.json").write_text(json.dumps(plain))
    return result_tables.table("bench x")


def test_a_bench_is_a_table_under_its_command(tmp_path, monkeypatch):
    monkeypatch.setattr(result_tables, "PROJECT", tmp_path)
    rows = [
        {"way": "a|b", "ms": 1.5, "bytes": 2000, "met": True},
        {"way": "c", "ms": 0.125, "bytes": 3, "met": None},
    ]
    assert bench(tmp_path, rows=rows) == (
        "`bench x`, 2026-11-26, a machine.\n\n"
        "| way | ms | bytes | met |\n| --- | --- | --- | --- |\n"
        "| a\\|b | 1.500 | 2,000 | yes |\n| c | 0.125 | 3 |  |"
    )
    machine = {"processor": "P", "cores": 2, "threads": 1, "torch": "2", "transformers": "5"}
    assert bench(tmp_path, machine=machine).startswith("`bench x`, 2026-11-26, P, 2 cores, torch 2")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"command": None}, "needs 'command'"),
        ({"date": 2026}, "needs 'date'"),
        ({"machine": {"processor": "P"}}, "lacks the field 'cores'"),
        ({"rows": []}, "do not all have the same names"),
        ({"rows": [{"a": 1}, {"b": 1}]}, "do not all have the same names"),
        ({"rows": [{"a": [1]}]}, "a number or a text"),
    ],
)
def test_a_bench_that_says_too_little_is_refused(tmp_path, monkeypatch, changes, said):
    monkeypatch.setattr(result_tables, "PROJECT", tmp_path)
    with pytest.raises(InputError, match=said):
        bench(tmp_path, **changes)
