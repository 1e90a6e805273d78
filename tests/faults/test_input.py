"""Whatever is typed, pasted or uploaded: an answer or a sentence, never a traceback.

The corpus is what people and scanners send; hypothesis adds what nobody thinks of. The default
run takes a part of it, `-m slow` a thousand addresses. Files of any content are in
tests/core/test_own_data.py, which counts their rows too.
"""

import pickle
import re
import string
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings, strategies

from core import api
from core.errors import InputError
from core.options import options
from core.results import TeacherCard
from core.runs.run_store import find_run, run_folder
from core.serialization import canonical_json, from_json
from tests.conftest import compute
from tests.pages.conftest import ADDRESS_NAMES, PAGES, errors_of, keep_file, open_page, whole

NASTY = [
    "", " ", "\0", "../../etc/passwd", "..%2f..%2fetc%2fpasswd", "'; drop table runs; --", "-1",
    "<script>alert(1)</script>", "${jndi:ldap://a}", "{{7*7}}", "nan", "inf", "-inf", "1e999",
    "9" * 400, "0x10", "1_000", "٣", "½", "\u202e\u0000abc", "🙂" * 50, "é", "a" * 5000, "[]", "{}",
    "null", "true", "2,2", "2;2", "NaN%00", "%", "%%%", "\ud7ff", "\uffff", "file:///etc/passwd",
    "http://169.254.169.254/", "~root", "/dev/zero", "C:\\con", "aux", ".", "..", "a" * 12,
]  # fmt: skip
NAMES = sorted({*(option.name for option in options()), *ADDRESS_NAMES, "__proto__"})


@pytest.mark.parametrize("page", PAGES)
def test_a_page_opens_whatever_its_address_says(finished_run, page):
    for part in (NASTY[::4], NASTY[1::4], NASTY[2::4], NASTY[3::4]):
        parameters = {name: part[i % len(part)] for i, name in enumerate(NAMES)}
        opens_without_a_trace(page, parameters)


def opens_without_a_trace(page: str, parameters: dict) -> None:
    app = open_page(page, **parameters)
    assert [title.value for title in app.title] == [PAGES[page]]
    for warning in app.warning:
        assert not re.search(r"Traceback|Error\b", warning.value)


@pytest.mark.many
@pytest.mark.parametrize("page", PAGES)
@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(
    parameters=strategies.dictionaries(
        strategies.sampled_from(NAMES),
        strategies.one_of(
            strategies.sampled_from(NASTY),
            strategies.text(max_size=30),
            strategies.lists(strategies.text(max_size=8), max_size=4),
            strategies.floats().map(str),
        ),
        max_size=6,
    )
)
def test_a_thousand_addresses(finished_run, page, parameters):
    opens_without_a_trace(page, parameters)


def test_a_sentence_of_ten_megabytes_is_refused_in_a_sentence(finished_run):
    app = open_page("predict")
    app.text_area[0].set_value("a good film " * 850_000)
    assert "characters; at most 20,000 can be read here" in errors_of(whole(app.run()))
    app.text_area[0].set_value("a good film")
    assert not whole(app.run()).error


@pytest.mark.parametrize("run_id", [*NASTY, "../" + "a" * 9, "a" * 12 + "/", "a" * 11 + "\n"])
def test_no_run_id_leads_out_of_the_folder_of_runs(lab, run_id):
    if run_id == "a" * 12:
        assert run_folder(run_id).parent == lab.home / "runs"
        assert find_run(run_id) is None
        return
    for ask in (run_folder, find_run, api.find_run, api.stop, lambda one: api.remove_runs([one])):
        with pytest.raises(InputError):
            ask(run_id)


ROWS = "text,label\n" + "".join(f"a film {n},{n % 2}\n" for n in range(60))


@pytest.mark.parametrize(
    "name", ["../../x.csv", "/etc/passwd.csv", "..\\..\\x.csv", "a/b/c.csv", "~.csv", "con.csv"]
)
def test_no_upload_leads_out_of_the_folder_of_tasks(lab, name):
    before = set(lab.home.parent.rglob("*"))
    task = keep_file(name, ROWS.encode())
    assert set(task.name) <= set(string.ascii_lowercase + string.digits + "-_.")
    allowed = (lab.home / "tasks" / task.name, lab.cache)
    for path in set(lab.home.parent.rglob("*")) - before:
        assert any(path == a or a in path.parents or path in a.parents for a in allowed), path


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was opened",))


@pytest.mark.parametrize("suffix", ["pkl", "csv", "jsonl", "parquet", "json", "bin", "pt", ""])
def test_a_pickle_is_refused_whatever_it_is_called(lab, suffix):
    with pytest.raises(InputError):
        api.guess_plan(api.read_table(f"data.{suffix}", pickle.dumps([Bomb()] * 50)), "data")


def test_a_backbone_that_is_gone_fails_with_a_sentence(lab):
    path = next((lab.home / "teachers").glob("*/teacher.json"))
    card = from_json(TeacherCard, path.read_text())
    path.write_text(canonical_json(replace(card, shared_embedding="minilm-l6")))
    with pytest.raises(InputError, match="The word embedding of minilm-l6 is missing"):
        compute(lab.experiment)
    app = open_page("train", run=lab.experiment.run_id)
    assert "The word embedding of minilm-l6 is missing" in errors_of(app)
