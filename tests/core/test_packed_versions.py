"""Packed files of earlier times: each is still read, still computes, and still passes `verify`.

`tests/data` holds one file of each version of the format, written by the code of that time from
the tests' tiny BERT; what ships was written by several versions of this code.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import torch

from core.__main__ import main
from core.errors import InputError
from core.export.checks import examine
from core.packed import file
from core.packed.container import read_container, write_container
from core.paths import CACHED_MODELS
from core.serialization import canonical_json, canonical_json_as, from_json
from core.tasks.own_data import _digest
from core.tasks.plans import Plan

DATA = Path(__file__).parent.parent / "data"
VERSIONS = {path.stem.rpartition("-")[2]: path for path in DATA.glob("packed-version-*")}
SHIPPED = sorted(CACHED_MODELS.glob("shipped/runs/*/model.safetensors"))
IDS = torch.tensor([[2, 5, 6, 7, 17, 3], [2, 8, 22, 9, 10, 3]])
# What the students said when their files were written; version 3 came with groups, and its student
# is a wider one that has some.
LOGITS = dict.fromkeys("12", torch.tensor([[1.0624831, 0.1708674], [0.9048213, 0.0450062]]))
LOGITS["3"] = torch.tensor([[0.1242377, 2.4607797], [0.5320458, 1.8036048]])


def test_there_is_a_file_of_every_version_and_there_are_shipped_ones():
    assert sorted(VERSIONS) == sorted(file.READABLE)
    assert len(SHIPPED) >= 5


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.parent.name)
def test_every_shipped_file_passes_verify(path, capsys):
    assert main(["verify", str(path)]) == 0
    said = capsys.readouterr().out
    assert "FAILED" not in said
    assert "writing it again gives the same bytes" in said


@pytest.mark.parametrize("version", VERSIONS)
def test_a_file_of_each_version_computes_what_it_did_and_passes_verify(version):
    findings = {what: (ok, said) for what, ok, said in examine(VERSIONS[version])}
    assert all(ok for ok, _ in findings.values())
    assert findings["file"][1].startswith(f"version {version}, ")
    with torch.no_grad():
        found = file.read(VERSIONS[version]).model(IDS).logits
    torch.testing.assert_close(
        found, LOGITS[version], atol=0.02, rtol=0
    )  # a level may fall the other way


def test_a_file_that_is_spelled_in_no_known_way_fails(tmp_path):
    """Equal in meaning, but not as any version wrote it."""
    old = read_container(VERSIONS["2"])
    metadata = {**old.metadata, "sha256": file.NO_DIGEST}
    for changed in ({"experiment": metadata["experiment"].replace(":", ": ")}, {"more": "x"}):
        path = tmp_path / "model.safetensors"
        path.write_bytes(file.signed(write_container(old.tensors, {**metadata, **changed})))
        assert {what: ok for what, ok, _ in examine(path)} == {
            "file": True,
            "model": True,
            "bytes": False,
            "tokenizer": True,
        }


@dataclass(frozen=True)
class Inner:
    """A record with a field that came later."""

    a: int = 1
    later: float = 0.5


@dataclass(frozen=True)
class Outer:
    """A record that holds another."""

    inner: Inner = field(default_factory=Inner)
    names: tuple[str, ...] = ()
    also_later: str = "x"


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        '{"inner":{"a":2}}',
        '{"inner":{"a":2,"later":0.25},"names":["b","a"]}',
        '{"also_later":"y","inner":{"a":1,"later":0.5},"names":[]}',
    ],
)
def test_a_record_is_written_in_the_spelling_of_the_text_it_was_read_from(text):
    record = from_json(Outer, text)
    assert canonical_json_as(record, text) == text
    assert from_json(Outer, canonical_json(record)) == record


def test_what_is_no_json_has_no_spelling():
    with pytest.raises(InputError, match="not JSON"):
        canonical_json_as(Outer(), "{")


def test_own_data_is_named_as_it_always_was():
    plan = Plan(title="Reviews", texts=("text",), label="label", labels=("a", "b"))
    rows = {"train": [{"text": "one", "label": 0}]}
    known = _digest(plan, rows)
    assert known == "1692fbc5c677508b1a36523778d5d9c68b28d5f14c7621ee286ac32e346bf686"
    assert _digest(replace(plan, max_tokens=128), rows) != known
