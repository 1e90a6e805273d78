"""The Data page: the tasks that there are, a look inside, and a person's own file."""

import gzip
import io
import json
import pickle
import re
import shutil
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from streamlit.runtime.scriptrunner import RerunData, get_script_run_ctx
from streamlit.testing.v1 import AppTest

from core import api
from core.errors import InputError
from core.events import Preparing
from core.tasks.kept import find_kept
from core.tasks.plans import Plan
from core.tasks.task import Task
from tests.pages.conftest import (
    button,
    csv_of,
    errors_of,
    open_page,
    pair_rows,
    press,
    squad_of,
    texts_of,
    value_rows,
    whole,
)

PLAIN = ("premise", "label")  # of the pairs: an ordinary table of one text and a class
KEEP = "Use this text"


def reviews(count: int = 60) -> list[dict]:
    return [{name: row[name] for name in PLAIN} for row in pair_rows(count)]


def bad_csv(bad: int, good: int = 60, name: str = "label") -> bytes:
    """The first rows have no label; they stand on lines 2, 3, ..."""
    broken = [{"premise": f"without a label {number}", name: ""} for number in range(bad)]
    return csv_of(broken + [{"premise": r["premise"], name: r["label"]} for r in reviews(good)])


def upload(app: AppTest, filename: str, data: bytes, place: int = 0) -> AppTest:
    return whole(app.file_uploader[place].set_value((filename, data, "")).run())


def uploaded(filename: str, data: bytes) -> AppTest:
    return upload(open_page("data"), filename, data)


def own_tasks() -> list[Task]:
    return [task for name, task in api.tasks().items() if name.startswith("own-")]


def bad_rows(app: AppTest) -> list[str]:
    (table,) = [each.value for each in app.dataframe if "row" in each.value.columns]
    return table["row"].tolist()


def plan_of(app: AppTest) -> Plan:
    """Press the button, and look at what was kept."""
    press(app, KEEP)
    assert "is now a task" in texts_of(app), errors_of(app)
    (task,) = own_tasks()
    kept = find_kept(task.name)
    assert kept
    return kept.plan


def widget(app: AppTest, kind: str, end: str):
    """A widget of the form; its key begins with the hash of the file."""
    (found,) = [each for each in getattr(app, kind) if f"{each.key}".endswith(end)]
    return found


# The tasks that there are


def test_the_table_has_every_task_and_what_must_be_fetched(school):
    table = open_page("data").dataframe[0].value.set_index("task")
    assert table.index.tolist() == list(api.tasks())
    assert table.loc["movie-sentiment", "here"]
    assert table.loc["movie-sentiment", "MiB to fetch"] == 0
    assert not table.loc["stsb", "here"]
    assert table.loc["stsb", "MiB to fetch"] > 0
    learns = {kind: table.loc[school.task(kind).name, "learns"] for kind in school.experiments}
    assert learns == {"pair": "2 classes", "value": "a number", "span": "an answer in a passage"}
    assert table.loc[[task.name for task in own_tasks()], "here"].all()


@pytest.mark.parametrize("kind", ["pair", "value", "span"])
def test_some_examples_of_a_task_are_shown(school, kind):
    task = school.task(kind)
    examples = open_page("data", task=task.name).dataframe[-1].value
    assert examples.columns.tolist() == [*task.texts, "truth"]
    assert tuple(examples.loc[0, list(task.texts)]) == task.examples[0]
    assert examples["truth"].str.len().min() > 0
    if kind == "pair":
        assert set(examples["truth"]) <= {"different", "same"}


def test_text_that_is_not_here_is_fetched_by_a_button_that_names_the_size(lab, monkeypatch):
    stored = lab.cache.rename(lab.cache.with_name("stored"))

    def prefetch(task):
        yield Preparing(text=f"Fetching {task}", done=1, total=2)
        shutil.copytree(stored, lab.cache)

    monkeypatch.setattr(api, "prefetch", prefetch)
    app = open_page("data", task="movie-sentiment")
    assert len(app.dataframe) == 1
    app = press(app, "Fetch 2.4 MiB from the package vaderSentiment==3.3.2")
    assert app.dataframe[-1].value.columns.tolist() == ["text", "truth"]
    assert app.dataframe[0].value.set_index("task").loc["movie-sentiment", "here"]


def test_a_task_of_the_hub_without_a_network_names_the_tasks_that_work(lab):
    app = press(open_page("data", task="stsb"), "Fetch 0.7 MiB from the hub's nyu-mll/glue (stsb)")
    assert "the hub does not answer" in errors_of(app)
    assert "these tasks work: movie-sentiment, sentiment-strength, news-topic" in errors_of(app)


def test_own_text_that_was_cleared_from_the_cache_is_there_again(school):
    shutil.rmtree(school.lab.cache)
    app = open_page("data", task=school.task("value").name)
    assert app.dataframe[-1].value.columns.tolist() == ["text", "truth"]
    assert not [each.label for each in app.button if "Fetch" in each.label]
    table = app.dataframe[0].value.set_index("task")
    assert table.loc[[task.name for task in own_tasks()], "here"].all()
    assert not table.loc["movie-sentiment", "here"]


# A person's own file


def test_a_file_becomes_a_task_that_can_be_trained(lab):
    app = uploaded("My reviews.csv", csv_of(reviews()))
    assert "**60 rows** to learn from" in texts_of(app)
    assert own_tasks() == []
    app = press(app, KEEP)
    (task,) = own_tasks()
    assert (task.title, task.texts, task.labels) == ("My reviews", PLAIN[:1], ("different", "same"))
    assert "My reviews is now a task" in texts_of(app)
    assert task.name in app.dataframe[0].value["task"].tolist()  # at once
    assert api.is_prepared(task.name)
    assert app.selectbox(key="task").value == task.name  # looked into, and chosen for training
    assert app.get("page_link")[-1].proto.page == "train"
    app = open_page("train", **app.query_params)  # what a browser takes along
    assert app.selectbox(key="task").options == list(api.tasks())
    assert app.selectbox(key="task").value == task.name
    assert app.segmented_control(key="role").value == "teacher"


def test_the_same_file_twice_is_one_task(lab):
    for _ in range(2):
        press(uploaded("reviews.csv", csv_of(reviews())), KEEP)
    assert len(own_tasks()) == 1


@pytest.mark.parametrize("bad", [3, 25])
def test_bad_rows_are_listed_and_left_out_only_when_it_is_agreed(lab, bad):
    app = uploaded("reviews.csv", bad_csv(bad))
    assert f"{bad} rows cannot be used" in texts_of(app)
    listed = bad_rows(app)
    assert listed[:2] == ["line 2: the label is missing", "line 3: the label is missing"]
    assert len(listed) == min(bad, 21)
    assert (listed[-1] == "and 5 more") == (bad == 25)
    assert KEEP not in [each.label for each in app.button]
    assert own_tasks() == []

    (agree,) = app.checkbox
    assert agree.label == f"Leave these {bad} rows out"
    app = press(agree.check().run(), KEEP)
    (task,) = own_tasks()
    assert task.description == "Your own data: 60 rows."


def test_who_agreed_for_one_file_has_not_agreed_for_the_next(lab):
    app = uploaded("reviews.csv", bad_csv(3))
    app.checkbox[0].check().run()
    button(app, KEEP)
    upload(app, "other.csv", bad_csv(4))
    assert not app.checkbox[0].value
    assert KEEP not in [each.label for each in app.button]


def test_who_agreed_for_some_columns_has_not_agreed_for_others(lab):
    """What is a class for all rows is a number only for some."""
    rows = [{"text": f"number {i}", "stars": i % 5, "mood": i % 3 or "?"} for i in range(90)]
    rows[0] |= {"stars": ""}
    app = uploaded("stars.csv", csv_of(rows))
    widget(app, "selectbox", "-label").set_value("stars").run()
    app.checkbox[0].check().run()
    button(app, KEEP)
    widget(app, "selectbox", "-label").set_value("mood").run()
    widget(app, "button_group", "-kind-mood").set_value("value").run()
    assert "30 rows cannot be used" in texts_of(whole(app))
    assert not app.checkbox[0].value


def test_questions_and_passages_of_squad_can_be_a_ranking(lab):
    app = uploaded("questions.json", squad_of())
    assert widget(app, "button_group", "-kind").value == "span"
    widget(app, "button_group", "-kind").set_value("ranking").run()
    plan = plan_of(app)
    assert (plan.kind, plan.texts) == ("ranking", ("question", "context"))
    (task,) = own_tasks()
    assert api.examples(task.name, 1)[0]["candidates"] == "20 passages"


def test_pairs_with_a_label_can_be_a_ranking(lab):
    app = uploaded("pairs.csv", csv_of(pair_rows()))
    widget(app, "button_group", "-kind-label").set_value("ranking").run()
    assert "the label column is not used" in texts_of(app)
    assert plan_of(app).kind == "ranking"


def test_repeated_texts_are_left_out_and_counted(lab):
    rows = reviews()
    again = [
        rows[0],
        rows[1] | {"label": "same" if rows[1]["label"] == "different" else "different"},
    ]
    app = uploaded("reviews.csv", csv_of(rows + again))
    assert "**60 rows** to learn from" in texts_of(app)
    assert "2 repeated texts are left out, 1 of them with another label" in texts_of(app)


def test_corrected_title_columns_and_kind_reach_the_plan(lab):
    rows = [
        {"text": f"a text {i}", "remark": f"and some more words of remark {i}", "stars": i % 5}
        for i in range(60)
    ]
    app = uploaded("stars.csv", csv_of(rows))
    guessed = widget(app, "multiselect", "-texts").value
    assert guessed == ["text"]
    widget(app, "text_input", "-title").set_value("Corrected")
    widget(app, "multiselect", "-texts").set_value(["remark"]).run()
    assert widget(app, "button_group", "-kind-stars").value == "classes"
    assert "5 classes: 0, 1, 2, 3, 4" in texts_of(app)
    widget(app, "button_group", "-kind-stars").set_value("value").run()
    assert "5 classes" not in texts_of(app)
    plan = plan_of(app)
    assert (plan.title, plan.kind, plan.texts, plan.label) == (
        "Corrected",
        "value",
        ("remark",),
        "stars",
    )
    assert plan.labels == ()


def test_two_text_columns_are_a_pair(lab):
    app = uploaded("pairs.csv", csv_of(pair_rows()))
    plan = plan_of(app)
    assert (plan.texts, plan.label) == (("premise", "hypothesis"), "label")
    assert own_tasks()[0].texts == ("premise", "hypothesis")


def test_numbers_are_a_value(lab):
    plan = plan_of(uploaded("values.tsv", csv_of(value_rows()).replace(b",", b"\t")))
    assert (plan.kind, plan.texts, plan.label) == ("value", ("text",), "score")


def test_questions_in_the_form_of_squad(lab):
    app = uploaded("questions.json.gz", gzip.compress(squad_of()))
    assert "**60 rows** to learn from" in texts_of(app)
    assert not app.multiselect  # nothing to choose
    plan = plan_of(app)
    assert (plan.title, plan.kind, plan.texts) == ("questions", "span", ("question", "context"))
    assert own_tasks()[0].may_have_no_answer


def test_a_test_file_is_checked_like_the_other(lab):
    app = uploaded("train.csv", csv_of(reviews(80)[:60]))
    upload(app, "test.csv", csv_of([{"premise": "?", "label": ""}, *reviews(80)[60:]]), place=1)
    assert "**20 rows** to test on" in texts_of(app)
    assert bad_rows(app) == ["line 2: the label is missing"]
    assert KEEP not in [each.label for each in app.button]
    app.checkbox[0].check().run()
    press(app, KEEP)
    (task,) = own_tasks()
    assert task.description == "Your own data: 60 rows and 20 for the test."


def test_a_test_file_with_other_columns_gives_a_sentence(lab):
    app = uploaded("train.csv", csv_of(reviews()))
    upload(app, "test.csv", csv_of(value_rows()), place=1)
    assert "test.csv has no column 'premise'" in errors_of(app)
    assert KEEP not in [each.label for each in app.button]


USELESS = (
    ("empty.csv", b"", "empty.csv is empty"),
    ("header.csv", b"text,label\n", "names its columns but has no rows"),
    ("latin.csv", ("text,label\n" + "\xe4rger,1\n" * 60).encode("latin-1"), "UTF-8"),
    ("pickle.csv", pickle.dumps({"text": ["a"] * 60}), "pickle.csv"),
    ("pickle.parquet", pickle.dumps({"text": ["a"] * 60}), "pickle.parquet"),
    ("notes.txt.gz", gzip.compress(b"a"), "has a format that cannot be read here"),
    ("broken.csv.gz", b"not gzip", "broken.csv.gz"),
    (
        "one.csv",
        b"text\n" + b"\n".join(b"words %d" % i for i in range(60)),
        "none for the label",
    ),
    ("scalar.json", b"7", "scalar.json"),
    ("lines.jsonl", b"[" * 60, "lines.jsonl"),
)


@pytest.mark.parametrize(
    ("filename", "data", "sentence"), USELESS, ids=[filename for filename, *_ in USELESS]
)
def test_a_file_that_is_of_no_use_gives_a_sentence(lab, filename, data, sentence):
    app = uploaded(filename, data)
    assert sentence in errors_of(app)
    assert KEEP not in [each.label for each in app.button]
    upload(app, "reviews.csv", csv_of(reviews()))  # and the next file is read
    button(app, KEEP)
    assert not app.error


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (reviews(20), "has 20 usable rows; at least 50 are needed"),
        ([row | {"label": "same"} for row in reviews()], "fewer than two classes"),
        ([row | {"label": f"class {i}"} for i, row in enumerate(reviews(150))], "more than 100"),
    ],
    ids=["few rows", "one class", "many classes"],
)
def test_rows_that_cannot_be_learned_give_a_sentence(lab, rows, sentence):
    app = uploaded("reviews.csv", csv_of(rows))
    if not app.error:
        press(app, KEEP)
    assert sentence in errors_of(app)
    assert own_tasks() == []


@pytest.mark.parametrize(
    ("kind", "end", "value", "sentence"),
    [
        ("multiselect", "-texts", [], "Choose one or two text columns"),
        ("multiselect", "-texts", ["premise", "label"], "is chosen twice"),
        ("text_input", "-title", " ", "needs a title"),
        ("text_input", "-title", "x" * 101, "needs a title of 1 to 100"),
    ],
)
def test_a_wrong_correction_gives_a_sentence(lab, kind, end, value, sentence):
    app = uploaded("reviews.csv", csv_of(reviews()))
    widget(app, kind, end).set_value(value).run()
    assert sentence in errors_of(whole(app))
    assert KEEP not in [each.label for each in app.button]


def test_what_is_left_out_of_a_table_as_a_whole_is_said(lab):
    rows = [row | {"*vector*": [0.5, 1.5]} for row in reviews()]
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), buffer)
    app = uploaded("reviews.parquet", buffer.getvalue())
    assert "neither text nor number: '*vector*' (list<element" in texts_of(app)
    button(app, KEEP)


def test_a_value_of_a_million_characters_is_not_sent_to_the_browser(lab):
    rows = reviews()
    rows[0]["premise"] = "a film " * 200_000
    rows[1]["premise"] = ["a film"] * 200_000
    lines = "\n".join(json.dumps(row) for row in rows).encode()
    app = uploaded("reviews.jsonl", lines)
    (first,) = [each.value["premise"] for each in app.dataframe if "premise" in each.value]
    assert first.str.len().tolist()[0] == 1000
    assert first.tolist()[1].startswith("['a film', 'a film'")
    assert first.str.len().max() == 1000


@pytest.mark.parametrize("work", ["read_table", "guess_plan", "label_kind", "check_rows"])
@pytest.mark.parametrize("leave", ["request_stop", "request_rerun"])
def test_work_for_a_visitor_ends_with_the_visitor(lab, monkeypatch, work, leave):
    """The tab is closed, or another file is chosen, while a file is looked at."""
    done: list[str] = []
    really = getattr(api, work)

    def slow(*arguments):
        *_, tick = arguments
        tick()
        if done:  # the redraw that was asked for
            return really(*arguments)
        asked_by: Any = get_script_run_ctx()
        script = asked_by.yield_check.__self__
        if leave == "request_stop":
            script.request_stop()
        else:
            script.request_rerun(RerunData(page_script_hash=asked_by.page_script_hash))
        for step in range(5):
            done.append(f"step {step}")
            tick()
        return really(*arguments)

    monkeypatch.setattr(api, work, slow)
    app = uploaded("reviews.csv", csv_of(reviews()))
    assert done == ["step 0"]
    if leave == "request_stop":  # what was half done is not kept
        app = whole(app.run())
    assert "**60 rows** to learn from" in texts_of(app)


def test_the_browser_offers_the_formats_that_are_read(lab):
    """Anything else it refuses by itself, with a sentence of its own."""
    with pytest.raises(InputError) as refused:
        api.read_table("table", b"text,label")
    read = set(re.findall(r"\.\w+", str(refused.value)))
    assert ".csv" in read
    for box in open_page("data").file_uploader:
        assert set(box.allowed_type) == read


def test_markup_in_a_file_is_shown_as_it_is(lab):
    """Everybody on the server sees the titles of the data that is kept."""
    rows = [row | {"label": f"*{row['label']}*"} for row in reviews()]
    app = uploaded("![x](http:--x.y).csv", csv_of(rows))
    assert "2 classes: *different*, *same*" in texts_of(app)
    assert r"\*different\*" in "".join(caption.value for caption in app.caption)
    press(app, KEEP)
    assert not [part for part in (*app.markdown, *app.caption, *app.success) if "![" in part.value]
    shown = [part.value for part in open_page("data").markdown if r"own\-" in part.value]
    assert len(shown) == 1
    assert shown[0].startswith(r"**\!\[x\]\(http")


# Deleting


def test_deleted_data_is_gone_at_once(school):
    names = [task.name for task in own_tasks()]
    app = open_page("data", task=names[0])
    app = whole(app.button(key=f"delete-{names[0]}").click().run())
    assert [task.name for task in own_tasks()] == names[1:]
    assert names[0] not in app.dataframe[0].value["task"].tolist()
    assert names[0] not in app.selectbox(key="task").options
    assert names[0] not in texts_of(app)


def test_two_visitors_delete_the_same_data(school, monkeypatch):
    name = school.task("pair").name
    app = open_page("data")
    tasks = api.tasks()
    api.delete_data(name)
    monkeypatch.setattr(api, "tasks", lambda: tasks)  # the other was faster, just now
    app = whole(app.button(key=f"delete-{name}").click().run())
    assert f"'{name}' is not the name of own data" in errors_of(app)


def test_a_disk_that_refuses_gives_a_sentence(lab, monkeypatch):
    def full(*_):
        raise InputError("The data could not be kept: the disk is full.")

    monkeypatch.setattr(api, "keep_data", full)
    app = press(uploaded("reviews.csv", csv_of(reviews())), KEEP)
    assert "the disk is full" in errors_of(app)
    assert "is now a task" not in texts_of(app)
