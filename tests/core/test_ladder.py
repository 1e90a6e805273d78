"""The ladder: every rung is computed once, kept, and told beside what was trained."""

import json
import re
from dataclasses import replace

import pytest

from core import api
from core.__main__ import main
from core.calibrate import ladder_records
from core.calibrate.calibration import Calibration
from core.calibrate.ladder_records import WAYS, Way
from core.errors import InputError
from core.experiment import QuantRecipe
from core.paths import local
from tests.conftest import with_quant

FEW = {name: WAYS[name] for name in ("rounded", "best", "gptq-bias")}
FEW["adaround"] = Way(title="AdaRound", calibration=Calibration(rounding="adaround", iterations=20))


@pytest.fixture
def short(lab, monkeypatch):
    """Four rungs, one of them in a few iterations."""
    monkeypatch.setattr("core.calibrate.ladder.WAYS", FEW)
    monkeypatch.setattr("core.machine.cores", lambda: 1)  # more only wait for each other
    return ["ladder", "--model", lab.model, "--texts", "16"]


def ladders(capsys) -> list[dict]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_every_rung_has_a_score_seconds_and_bytes_and_is_kept(lab, short, capsys):
    assert main([*short, "--bits", "3,2", "--json"]) == 0
    three, two = ladders(capsys)
    assert [three["question"]["quant"][f"{part}_bits"] for part in ("weight", "embedding")] == [
        3,
        3,
    ]
    for found in (three, two):
        assert [row["way"] for row in found["rows"]] == list(FEW)
        for row in found["rows"]:
            assert row["seconds"] > 0
            assert 0 <= row["score"]["value"] <= 1
            assert row["score"]["examples"] == 20
    assert three["rungs"][0]["size_bytes"] > two["rungs"][0]["size_bytes"]
    assert len(list((local() / "ladders").iterdir())) == 2
    assert main([*short, "--bits", "2", "--json"]) == 0
    assert ladders(capsys) == [two]  # to the last digit: it was not computed again
    assert main([*short, "--bits", "2", "--json", "--fresh"]) == 0
    (again,) = ladders(capsys)
    assert again["rungs"][1]["seconds"] != two["rungs"][1]["seconds"]
    for old, new in zip(two["rungs"], again["rungs"], strict=True):
        assert old["score"] == new["score"]  # the same texts, the same student


def test_fewest_bits_and_static_ranges_have_rungs_too(lab, short, capsys, monkeypatch):
    bits = min(api.LADDER_BITS)
    ways = {name: FEW[name] for name in ("rounded", "gptq-bias")}
    monkeypatch.setattr("core.calibrate.ladder.WAYS", ways)
    assert main([*short, "--bits", str(bits), "--activation-scope", "static", "--json"]) == 0
    (found,) = ladders(capsys)
    assert found["question"]["quant"]["activation_scope"] == "static"
    expected = list(ways) if bits > 1 else ["gptq-bias"]  # max-abs has no single bit
    assert [rung["way"] for rung in found["rungs"]] == expected


def test_what_was_trained_stands_beside(lab, short, finished_run, capsys):
    assert main([*short, "--bits", "2"]) == 0
    said = capsys.readouterr().out
    result = finished_run.result
    assert result is not None
    assert re.search(rf"distilled +{100 * result.score:.1f} %", said)
    assert finished_run.run_id in said
    question = api.ladder_question(lab.experiment.task, lab.model, 4)
    assert question.quant == QuantRecipe(method="optimal", weight_bits=4, embedding_bits=4)


def test_another_question_has_another_file(lab):
    usual = api.ladder_question("movie-sentiment", lab.model, 2)
    names = {usual.name}
    names.add(api.ladder_question("movie-sentiment", lab.model, 3).name)
    names.add(api.ladder_question("movie-sentiment", lab.model, 2, texts=64).name)
    names.add(api.ladder_question("news-topic", lab.model, 2).name)
    names.add(api.ladder_question("movie-sentiment", lab.model, 2, QuantRecipe()).name)
    assert len(names) == 5
    assert api.known_ladder(usual) is None


def test_a_file_under_a_wrong_name_is_refused(lab, short, capsys):
    main([*short, "--bits", "2", "--json"])
    (kept,) = (local() / "ladders").iterdir()
    other = api.ladder_question("movie-sentiment", lab.model, 4)
    kept.rename(kept.with_name(other.name))
    with pytest.raises(InputError, match="another ladder"):
        api.known_ladder(other)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--bits", "2,x"], "numbers with commas"),
        (["--bits", "5"], "5"),
        (["--method", "absmean", "--bits", "4"], "absmean"),
        (["--texts", "0"], "1 to 1,024 texts"),
        (["--model", "nobody"], "nobody"),
    ],
)
def test_what_cannot_be_asked_is_a_sentence(lab, short, capsys, arguments, words):
    assert main([*short, *arguments]) == 2
    assert words in capsys.readouterr().err


def test_a_run_of_other_bits_or_parts_is_no_rung(lab, finished_run):
    question = api.ladder_question(lab.experiment.task, lab.model, 2)
    from core.api.ladders import _is_rung

    assert _is_rung(finished_run, question)
    for changes in ({"weight_bits": 4}, {"activation_bits": 32}, {"layers": (0,)}):
        other = replace(finished_run, experiment=with_quant(lab.experiment, **changes))
        assert not _is_rung(other, question)


def test_the_records_say_what_they_hold():
    assert set(ladder_records.WAYS) >= {"rounded", "best", "bias", "smoothing", "gptq", "adaround"}
    assert len({way.title for way in ladder_records.WAYS.values()}) == len(ladder_records.WAYS)
