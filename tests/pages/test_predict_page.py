"""The Predict page (and the boxes of Start): one example through several models, and where they
disagree."""

import html
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from streamlit.testing.v1 import AppTest

from core import api
from core.errors import InputError
from core.events import Preparing
from core.runs.run_store import Run
from core.serialization import canonical_json
from pages.ui import browser
from tests.conftest import compute, with_train
from tests.pages.conftest import School, errors_of, go_to, open_page, texts_of, whole

TEN_MEGABYTES = "x" * 10_000_000
BOX = "text_movie-sentiment"
MODELS = ["teacher (full precision)", "quantized without training", "trained student"]


def predict(school: School, kind: str) -> AppTest:
    """The page with the school's run of that kind chosen."""
    app = open_page("predict")
    run = school.run(kind)
    return whole(app.selectbox(key="student").set_value(run.run_id).run())


def boxes(app: AppTest, school: School, kind: str) -> list:
    name = f"text_{school.task(kind).name}"
    keys = [name, f"{name}_2"][: len(school.task(kind).texts)]
    return [app.text_area(key=key) for key in keys]


def answers(app: AppTest):
    """The table of models and their answers."""
    return next(each.value for each in app.dataframe if "answer" in each.value.columns)


# A task with classes


@pytest.mark.parametrize("page", ["start", "predict"])
def test_one_text_through_three_models(finished_run, page):
    app = open_page(page)
    box = app.text_area(key=BOX)
    table = answers(whole(box.set_value("a good film").run()))
    assert table["model"].tolist() == MODELS
    assert (table["negative"] + table["positive"]).tolist() == pytest.approx([1.0] * 3)
    other = answers(whole(box.set_value("a bad plot").run()))
    assert table["positive"].tolist() != other["positive"].tolist()


@pytest.mark.parametrize("page", ["start", "predict"])
@pytest.mark.parametrize(
    ("text", "sentence"),
    [("", "There is no text"), (" \n ", "There is no text"), (TEN_MEGABYTES, "10,000,000")],
    ids=["empty", "blank", "ten megabytes"],
)
def test_a_text_that_cannot_be_read_gives_a_sentence(finished_run, page, text, sentence):
    box = open_page(page).text_area(key=BOX)
    assert sentence in errors_of(whole(box.set_value(text).run()))


def test_the_sentence_is_kept_from_page_to_page(finished_run):
    app = open_page("start")
    app.text_area(key=BOX).set_value("a good film").run()
    assert go_to(app, "predict").text_area(key=BOX).value == "a good film"


def test_predict_compares_with_more_runs(lab, finished_run):
    other = compute(with_train(lab.experiment, steps=2))
    app = open_page("predict")
    assert app.selectbox(key="student").value == other.run_id
    app.multiselect(key="more").set_value([finished_run.run_id]).run()
    assert len(answers(whole(app))) == 4


def test_more_runs_are_only_those_of_the_same_task(school):
    other = compute(replace(school.experiments["pair"], seed=1))
    app = predict(school, "pair")
    more = app.multiselect(key="more")
    assert len(more.options) == 1
    whole(more.set_value([other.run_id]).run())
    assert len(answers(app)) == 4
    app.selectbox(key="student").set_value(school.run("value").run_id).run()
    assert app.multiselect(key="more").options == []
    assert len(answers(whole(app))) == 3


# Pairs and values


def test_a_pair_has_two_boxes_and_both_count(school):
    app = predict(school, "pair")
    first, second = boxes(app, school, "pair")
    assert (first.label, second.label) == ("Premise", "Hypothesis")
    assert (first.value, second.value) == school.task("pair").examples[0]
    before = answers(app)
    assert before["model"].tolist() == MODELS
    assert (before["different"] + before["same"]).tolist() == pytest.approx([1.0] * 3)
    second.set_value("the plot was dull").run()
    after = answers(whole(app))
    assert (before["same"] != after["same"]).all()


@pytest.mark.parametrize("empty", [0, 1])
def test_a_pair_with_an_empty_box_gives_a_sentence(school, empty):
    app = predict(school, "pair")
    boxes(app, school, "pair")[empty].set_value("").run()
    assert "There is no text" in errors_of(whole(app))
    assert not [each for each in app.dataframe if "answer" in each.value.columns]


def test_a_value_is_a_number_without_probabilities(school):
    app = predict(school, "value")
    (box,) = boxes(app, school, "value")
    table = answers(app)
    assert table.columns.tolist() == ["model", "answer", "ms", "size", "computed by"]
    expected = api.predict(api.open_model(api.source_of_run(school.run("value"))), box.value).value
    assert table["answer"].tolist()[2] == f"{expected:.2f}"
    box.set_value("a lovely warm film").run()
    assert (answers(whole(app))["answer"].astype(float) != table["answer"].astype(float)).any()


@pytest.mark.parametrize("kind", ["pair", "value", "span"])
def test_start_tries_whatever_kind_of_task_it_tells_of(school, kind):
    for run in api.runs():
        if run.run_id != school.experiments[kind].run_id:
            shutil.rmtree(run.folder)
    app = open_page("start")
    assert [box.value for box in boxes(app, school, kind)] == [*school.task(kind).examples[0]]
    assert answers(app)["model"].tolist() == MODELS
    assert len(passages(app)) == (3 if kind == "span" else 0)


# Passages


def set_threshold(school: School, run: Run, value: float) -> None:
    """How far "no answer" must be ahead, for teacher and student."""
    assert run.result
    result = replace(run.result, threshold=value)
    (run.folder / "result.json").write_text(canonical_json(result))
    card = next(card for card in api.teachers() if card.task == result.task)
    (file,) = (school.lab.home / "teachers").glob(f"{result.task}--*/teacher.json")
    file.write_text(canonical_json(replace(card, threshold=value)))


def passages(app: AppTest) -> list[str]:
    return [each.proto.body for each in app.get("html")]


def plain(body: str) -> list[str]:
    """The lines of the HTML as they are read."""
    return [html.unescape(re.sub("<.*?>", "", line)) for line in body.split("</p>")[:-1]]


def test_each_model_marks_its_answer_in_the_passage(school):
    set_threshold(school, school.run("span"), 1e9)  # always answer
    app = predict(school, "span")
    question, context = boxes(app, school, "span")
    assert (question.label, context.label) == ("Question", "Context")
    table = answers(app)
    assert table["model"].tolist() == MODELS
    assert len(passages(app)) == 3
    for body, model, answer in zip(passages(app), MODELS, table["answer"], strict=True):
        says, passage, others = plain(body)
        assert says == f"{model}: {answer}"
        assert passage == context.value
        assert f"<mark>{answer}</mark>" in body
        assert re.fullmatch(r"Next: (\S.* \(0\.\d\d\)( · )?){4}", others)


def test_a_passage_without_an_answer_is_said_to_have_none(school):
    set_threshold(school, school.run("span"), -1e9)  # never answer
    app = predict(school, "span")
    assert answers(app)["answer"].tolist() == ["(no answer)"] * 3
    for body, model in zip(passages(app), MODELS, strict=True):
        says, others = plain(body)
        assert says == f"{model}: (no answer)"
        assert "<mark>" not in body
        assert others.count("·") == 4  # the best one is now among the candidates
    assert "The models disagree" not in texts_of(app)


@pytest.mark.parametrize(
    "passage",
    [
        "film *was* _good_ [plot](http://x.y) $a$ :red[cast] `the` <b>bad</b> & &amp; -- -> # it",
        "<script>alert(1)</script> story",
        "the film:was:good",
    ],
)
def test_a_passage_is_shown_as_it_is(school, passage):
    set_threshold(school, school.run("span"), 1e9)
    app = predict(school, "span")
    boxes(app, school, "span")[1].set_value(passage).run()
    assert passages(whole(app))
    for body, answer in zip(passages(app), answers(app)["answer"], strict=True):
        says, shown, _ = plain(body)
        assert shown == passage
        assert says.endswith(f": {answer}")
        assert set(re.findall("<(.*?)>", body)) <= {
            *("p", "/p", "strong", "/strong", "mark", "/mark", "small", "/small")
        }
    assert not [each for each in app.markdown if passage[:8] in each.value]


def test_a_passage_of_one_word_has_no_other_candidates(school):
    set_threshold(school, school.run("span"), 1e9)
    app = predict(school, "span")
    boxes(app, school, "span")[1].set_value("film").run()
    assert [plain(body) for body in passages(whole(app))] == [
        [f"{model}: film", "film"] for model in MODELS
    ]


def test_a_passage_longer_than_the_model_is_read_in_windows(school):
    set_threshold(school, school.run("span"), 1e9)
    app = predict(school, "span")
    long = "the film was dull . " * 200 + "a lovely story"
    boxes(app, school, "span")[1].set_value(long).run()
    assert plain(passages(whole(app))[0])[1] == long
    boxes(app, school, "span")[1].set_value(long * 10).run()
    assert "at most 20,000 can be read here" in errors_of(whole(app))


# Disagreements


def rewrite(run: Run, **columns: np.ndarray) -> None:
    """Let the models have said this on dev."""
    file = run.folder / "predictions.safetensors"
    said = {f"dev.{who}": table.astype(np.float32) for who, table in columns.items()}
    save_file(load_file(file) | said, file)


def dev_labels(run: Run) -> np.ndarray:
    return load_file(run.folder / "predictions.safetensors")["dev.labels"]


def opposite_classes(run: Run) -> None:
    """The student is right on the first example only, the teacher on all others."""
    right = np.eye(2)[dev_labels(run).astype(int)]
    first = np.arange(len(right))[:, None] == 0
    rewrite(
        run, teacher=np.where(first, 1 - right, right), student=np.where(first, right, 1 - right)
    )


def other_values(run: Run) -> None:
    truth = dev_labels(run).reshape(-1, 1)
    off = np.where(np.arange(len(truth))[:, None] == 0, 2.0, 0.1)
    rewrite(run, teacher=truth + off, student=truth + 1)


def other_spans(run: Run) -> None:
    """Both find that some passages have no answer. Of the others the student finds the answer of
    the first one only, and the teacher all but this."""
    assert run.experiment
    from core.tasks.prepare import load
    from core.tasks.registry import find_task

    dev = load(find_task(run.experiment.task)).dev
    teacher, student = [], []
    found = False
    for answers_, starts in zip(dev["answers"], dev["starts"], strict=True):
        if not answers_:
            teacher.append([0, 3, 0, 50])
            student.append([0, 3, 0, 50])
            continue
        right = [starts[0], starts[0] + len(answers_[0]), 50, 0]
        wrong = [0, starts[0] - 1, 50, 0]
        teacher.append(right if found else wrong)
        student.append(wrong if found else right)
        found = True
    rewrite(run, teacher=np.array(teacher), student=np.array(student))


DISAGREEMENTS = {"pair": opposite_classes, "value": other_values, "span": other_spans}


def listed(app: AppTest):
    """The table of dev examples."""
    return app.dataframe[-1].value


def choose(app: AppTest, who: str = "all", truth: str = "all") -> AppTest:
    next(box for box in app.segmented_control if box.label == "Show").set_value(who)
    next(box for box in app.selectbox if box.label == "True label").set_value(truth)
    return whole(app.run())


@pytest.mark.parametrize("kind", DISAGREEMENTS)
def test_disagreements_are_listed_and_filtered(school, kind):
    run = school.run(kind)
    DISAGREEMENTS[kind](run)
    app = predict(school, kind)
    every = listed(app)
    assert every.columns.tolist() == ["text", "truth", "teacher", "untrained", "student"]
    assert (
        len(every) == {"pair": 6, "value": 6, "span": (every["truth"] != "(no answer)").sum()}[kind]
    )
    assert (every["teacher"] != every["student"]).all()
    assert f"**{len(every)} dev examples**" in texts_of(app)

    student = listed(choose(app, "student better"))
    teacher = listed(choose(app, "teacher better"))
    assert (len(student), len(teacher)) == (1, len(every) - 1)
    assert {*student["text"], *teacher["text"]} == {*every["text"]}
    if kind != "value":
        assert (student["student"] == student["truth"]).all()
        assert (teacher["teacher"] == teacher["truth"]).all()

    truth = teacher["truth"].iloc[0]
    of_truth = listed(choose(app, truth=truth))
    assert len(of_truth) == (every["truth"] == truth).sum() < len(every)
    assert set(of_truth["truth"]) == {truth}
    assert len(listed(choose(app, "teacher better", truth))) == (teacher["truth"] == truth).sum()
    assert f"{len(listed(app))} shown" in texts_of(app)


def test_values_that_differ_most_come_first(school):
    other_values(school.run("value"))
    table = listed(predict(school, "value"))
    gaps = (table["teacher"].astype(float) - table["student"].astype(float)).abs()
    assert gaps.tolist() == pytest.approx([1.0, 0.9, 0.9, 0.9, 0.9, 0.9], abs=0.011)
    assert "are those on which teacher and student differ most" in texts_of(
        predict(school, "value")
    )


def test_models_that_agree_leave_an_empty_list(school):
    run = school.run("pair")
    right = np.eye(2)[dev_labels(run).astype(int)]
    rewrite(run, teacher=right, student=right)
    app = predict(school, "pair")
    assert len(listed(app)) == 0
    assert "**0 dev examples**" in texts_of(app)


def test_text_that_was_cut_differently_since_gives_a_sentence(school):
    run = school.run("pair")
    answers = {who: np.zeros((2, 2)) for who in ("teacher", "untrained", "student")}
    rewrite(run, labels=np.zeros(2, dtype=np.int64), **answers)
    assert "are not those of the run" in errors_of(predict(school, "pair"))


# Text that is not here


def test_missing_text_is_a_button_that_fetches_it(finished_run, monkeypatch, tmp_path):
    """The answers do not need it, so they are there already."""
    here = api.is_prepared
    fetched: list[str] = []
    monkeypatch.setattr(api, "is_prepared", lambda task: task in fetched and here(task))

    def prefetch(task, model=""):
        yield Preparing(text="Fetching", done=1, total=2)
        fetched.append(task)

    monkeypatch.setattr(api, "prefetch", prefetch)
    app = open_page("predict")
    assert answers(app)["model"].tolist() == MODELS
    assert not app.error
    assert len(app.dataframe) == 1
    (fetch,) = [button for button in app.button if button.label.startswith("Fetch 2.4 MiB from")]
    app = whole(fetch.click().run())
    assert fetched == ["movie-sentiment"]
    assert len(app.dataframe) == 2


def test_text_that_cannot_be_fetched_gives_a_sentence(finished_run, monkeypatch):
    monkeypatch.setattr(api, "is_prepared", lambda task: False)

    def prefetch(task, model=""):
        raise InputError("The hub does not answer.")
        yield

    monkeypatch.setattr(api, "prefetch", prefetch)
    app = open_page("predict")
    (fetch,) = [button for button in app.button if button.label.startswith("Fetch")]
    assert errors_of(whole(fetch.click().run())) == "The hub does not answer."


# A narrow window


def test_on_a_narrow_window_the_answers_stand_below_each_other(finished_run, monkeypatch):
    monkeypatch.setattr(browser, "is_narrow", lambda: True)
    app = open_page("predict")
    said = texts_of(app)
    for model in MODELS:
        assert f"**{model}**: " in said
    assert not [table for table in app.dataframe if "answer" in table.value.columns]
    shares = [bar.proto.text for bar in app.get("progress")]
    assert len(shares) == 6
    assert sum(float(text.split()[-1]) for text in shares[:2]) == pytest.approx(1.0, abs=0.002)
