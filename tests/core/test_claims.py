"""One claim over several tasks: by hand, against a simulation, and from the runs that ship."""

import json
import math

import numpy as np
import pytest

from core import __main__ as command_line
from core import api
from core.analysis.pooled import pooled
from core.analysis.seeds import SeedDifference
from core.errors import InputError


def part(difference: float, reach: float, examples: int) -> SeedDifference:
    return SeedDifference(
        difference=difference,
        low=difference - reach,
        high=difference + reach,
        seeds=3,
        examples=examples,
    )


def test_tasks_weigh_by_their_examples():
    """3,000 examples with +1 point and 1,000 with -1 are +0.5; the errors add in squares."""
    found = pooled([part(0.01, 0.0196, 3000), part(-0.01, 0.0392, 1000)])
    assert found.difference == pytest.approx(0.005)
    error = math.hypot(0.75 * 0.01, 0.25 * 0.02)
    assert found.high - found.difference == pytest.approx(1.96 * error, rel=1e-4)
    assert found.smallest == pytest.approx((1.96 + 0.8416) * error, rel=1e-4)
    assert (found.examples, found.is_small) == (4000, True)
    assert "No difference is shown" in found.sentence
    assert "first is shown" in pooled([part(-0.05, 0.01, 6000)]).sentence


def test_the_smallest_difference_is_found_in_four_of_five():
    draws, errors, counts = np.random.default_rng(3), (0.01, 0.02), (4000, 2000)
    parts = [part(0.0, 1.959964 * error, n) for error, n in zip(errors, counts, strict=True)]
    true, shown = pooled(parts).smallest, 0
    for _ in range(2000):
        sample = [
            part(draws.normal(true, error), 1.959964 * error, n)
            for error, n in zip(errors, counts, strict=True)
        ]
        shown += pooled(sample).low > 0
    assert 0.77 < shown / 2000 < 0.83


def test_shipped_runs_of_three_tasks_make_one_claim():
    found = api.claim("labels", "0.0", "1.0")
    assert {one.task for one in found.parts} >= {
        "movie-sentiment",
        "news-topic",
        "sentiment-strength",
    }
    for one in found.parts:
        assert len(one.run_ids) == 2 * one.difference.seeds >= 6
        first, second = (api.find_run(run_id).experiment for run_id in one.run_ids[:2])
        assert first
        assert second
        assert (first.distill.labels, second.distill.labels) == (0.0, 1.0)
        assert (first.seed, first.quant, first.train) == (second.seed, second.quant, second.train)
    assert api.claim("labels", "0", "1") == found  # however a number is typed
    back = api.claim("labels", "1.0", "0.0")
    assert back.together.difference == pytest.approx(-found.together.difference)


def test_what_cannot_be_compared_is_a_sentence(capsys):
    with pytest.raises(InputError, match="Option 'colour' is not known"):
        api.claim("colour", "red", "blue")
    with pytest.raises(InputError, match="Weight bits 5"):
        api.claim("weight_bits", "2", "5")
    with pytest.raises(InputError, match="two different values"):
        api.claim("method", "twn", "twn")
    with pytest.raises(InputError, match="no two finished runs"):
        api.claim("method", "twn", "lat", {"task": "cola"})
    assert command_line.main(["claim", "method", "twn", "lat", "--where", "task"]) == 2
    assert "OPTION=VALUE" in capsys.readouterr().err


def test_the_command_prints_parts_and_whole(capsys):
    assert (
        command_line.main(["claim", "method", "twn", "lat", "--where", "task=movie-sentiment"]) == 0
    )
    text = capsys.readouterr().out
    assert "method: lat minus twn" in text
    assert "Fewer than 5,000 test examples" in text
    command_line.main(["claim", "method", "twn", "lat", "--json"])
    assert json.loads(capsys.readouterr().out)["together"]["examples"] >= 1000
