"""See inside: attention, hidden states and activations on Predict, and the way there from a
disagreement."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from core import api
from core.family import Unit
from core.teachers.teacher_store import save_teacher
from pages.ui import cached
from pages.ui.inside.attention_charts import HeadPair, _label, difference, one
from tests.conftest import card_of, compute, save_tiny_model, tiny_model
from tests.pages.conftest import School, button, errors_of, open_page, texts_of, whole
from tests.pages.test_predict_page import DISAGREEMENTS, answers, boxes

SENTENCE = "the film was good and the plot was dull"
MAPS = 3


def look(text: str = SENTENCE, **parameters: str) -> AppTest:
    app = open_page("predict", view="see inside", **parameters)
    return whole(app.text_area(key="text_movie-sentiment").set_value(text).run())


def table(app: AppTest, column: str):
    """The one table that has this column."""
    (found,) = [each.value for each in app.dataframe if column in each.value.columns]
    return found


def maps_of(app: AppTest) -> list[dict]:
    return [json.loads(each.proto.spec) for each in app.get("plotly_chart")]


def inside(school: School, kind: str) -> AppTest:
    return open_page("predict", view="see inside", student=school.run(kind).run_id)


# Nothing before it is asked for


def test_nothing_is_looked_into_before_it_is_asked_for(finished_run, monkeypatch):
    asked: list[str] = []
    look_inside, open_to_look = api.look_inside, api.open_to_look
    monkeypatch.setattr(
        api, "look_inside", lambda *a, **k: (asked.append("look"), look_inside(*a, **k))[1]
    )
    monkeypatch.setattr(
        api, "open_to_look", lambda source: (asked.append(source.kind), open_to_look(source))[1]
    )
    app = open_page("predict")
    assert asked == []
    assert not app.get("plotly_chart")
    app = whole(app.segmented_control(key="view").set_value("see inside").run())
    assert asked.count("look") == 3
    assert len(maps_of(app)) == MAPS
    whole(app.run())
    assert asked.count("look") == 3  # kept


def test_what_is_large_can_be_let_go(finished_run):
    look()
    source = api.source_of_run(finished_run)
    first = cached.inside(source, 0, SENTENCE)
    assert cached.inside(source, 0, SENTENCE) is first
    cached.let_go()
    assert cached.inside(source, 0, SENTENCE) is not first


# What is seen


def test_every_head_is_listed_the_most_changed_first(finished_run):
    app = open_page("predict", view="see inside")
    heads = table(app, "moved (%)")
    assert len(heads) == 8
    assert heads["moved (%)"].tolist() == sorted(heads["moved (%)"], reverse=True)
    first = heads.iloc[0]
    assert app.selectbox(key="head").value == f"{first['layer']:.0f}.{first['head']:.0f}"
    assert (
        f"layer {first['layer']:.0f}, head {first['head']:.0f}:"
        in (app.selectbox(key="head").options[0])
    )


def test_the_head_stays_while_the_sentence_is_edited(finished_run):
    app = look(head="0.3")
    for text in ("a bad film", "a lovely warm story"):
        app.text_area(key="text_movie-sentiment").set_value(text).run()
        assert whole(app).selectbox(key="head").value == "0.3"
        assert "Layer 0, head 3:" in texts_of(app)


def test_the_chosen_head_is_two_maps_and_their_difference(finished_run, lab):
    app = look()
    whole(app.selectbox(key="head").set_value("1.2").run())
    sources = (
        api.source_of_teacher(lab.experiment.task, lab.model),
        api.source_of_run(finished_run),
    )
    theirs, ours = (
        api.look_inside(api.open_to_look(source), SENTENCE).look.attention[1][2]
        for source in sources
    )
    pairs = table(app, "difference")
    assert len(pairs) == 121
    assert pairs["difference"].abs().tolist() == sorted(pairs["difference"].abs(), reverse=True)
    top = pairs.iloc[0]
    row, column = (int(top[name].split()[0]) - 1 for name in ("from", "to"))
    assert top["teacher (full precision) (%)"] == pytest.approx(100 * theirs[row, column], abs=0.06)
    assert top["trained student (%)"] == pytest.approx(100 * ours[row, column], abs=0.06)
    teacher, student, apart = (figure["data"][0] for figure in maps_of(app))
    assert (teacher["zmin"], teacher["zmax"]) == (student["zmin"], student["zmax"])
    assert apart["zmin"] == -apart["zmax"]
    names = [word.split()[1] for word in teacher["x"]]
    assert names == ["[CLS]", *SENTENCE.split(), "[SEP]"]
    assert "Layer 1, head 2:" in texts_of(app)


def test_hidden_states_of_both_students_start_at_the_embedding(finished_run):
    lines = table(look(), "cosine")
    assert lines["model"].value_counts().to_dict() == {
        "quantized without training": 3,
        "trained student": 3,
    }
    assert set(lines["hidden state"]) == {"embedding", "layer 0", "layer 1"}
    assert lines["cosine"].between(-1, 1).all()
    assert (lines["norm"] > 0).all()


def test_what_enters_each_matrix_is_told_for_both(finished_run):
    app = look()
    every = table(app, "beyond 6 deviations")
    assert len(every) == 2 * 4 * 2  # models, inputs of a layer, layers
    assert set(every["model"]) == {"teacher (full precision)", "trained student"}
    assert every["into"].iloc[0] == "layer 0, query, key, value"
    whole(app.selectbox(key="into").set_value(3).run())
    bins = table(app, "values")
    assert bins.groupby("model")["values"].sum().tolist() == [11 * 64] * 2


def test_the_rival_can_be_the_untrained_one(finished_run):
    app = look()
    before = table(app, "moved (%)")
    assert app.selectbox(key="rival").value == finished_run.run_id
    whole(app.selectbox(key="rival").set_value("untrained").run())
    after = table(app, "moved (%)")
    assert before["moved (%)"].tolist() != after["moved (%)"].tolist()
    assert "quantized without training (%)" in table(app, "difference").columns


def test_everything_follows_the_sentence(finished_run):
    app = look()
    before = table(app, "cosine")["cosine"].tolist()
    box = app.text_area(key="text_movie-sentiment")
    whole(box.set_value("a lovely warm story").run())
    assert table(app, "cosine")["cosine"].tolist() != before
    assert "6 tokens are read here, 4 of them of the text" in texts_of(app)


def test_charts_say_what_they_show(finished_run):
    app = look()
    charts = [*app.get("plotly_chart"), *app.get("vega_lite_chart")]
    assert len(charts) == MAPS + 1 + 2 + 2 + 4
    assert all(each.proto.alt for each in charts)


# Any task of the family


@pytest.mark.parametrize("kind", ["pair", "value", "span"])
def test_every_kind_of_task_can_be_seen(school, kind):
    app = inside(school, kind)
    assert not app.error
    names = [word.split()[1] for word in maps_of(app)[0]["data"][0]["x"]]
    assert names.count("[SEP]") == len(boxes(app, school, kind))
    assert len(table(app, "cosine")) == 6


def test_a_student_of_fewer_layers_says_which_it_is_compared_with(lab, tmp_path):
    save_tiny_model(tmp_path / "shallow", tiny_model(1, num_hidden_layers=1))
    run = compute(replace(lab.experiment, student_model=str(tmp_path / "shallow")))
    assert run.state == "finished", run.message
    app = open_page("predict", view="see inside", student=run.run_id)
    assert not app.error
    assert "as in distillation: layer 0 with 1." in texts_of(app)
    assert "layer 0 (teacher's layer 1), head" in app.selectbox(key="head").options[0]
    heads, lines = table(app, "moved (%)"), table(app, "cosine")
    assert set(heads["teacher's layer"]) == {1}
    states = lines[lines["model"] == "trained student"]
    assert states["teacher state"].tolist() == ["embedding", "layer 1"]
    assert table(app, "beyond 6 deviations")["into"].str.contains("layer 0").any()


def test_a_run_of_another_model_is_said_to_have_other_insides(finished_run, lab, tmp_path):
    """Of the same task, so it can be added; its teacher has more heads."""
    network, other = tiny_model(2, num_attention_heads=2), str(tmp_path / "other")
    save_tiny_model(tmp_path / "other", network)
    save_teacher(network, card_of(network, other))
    run = compute(replace(lab.experiment, model=other))
    app = open_page("predict", view="see inside", student=finished_run.run_id, more=run.run_id)
    assert "is not as wide as the teacher or has other heads" in errors_of(app)
    assert len(table(app, "cosine")) == 6  # the others are there
    whole(app.selectbox(key="rival").set_value(run.run_id).run())
    assert not app.get("plotly_chart")
    assert len(table(app, "cosine")) == 6


def test_a_ranking_is_seen_for_the_query_and_one_passage(ranking_lab):
    compute(ranking_lab.experiment)
    app = open_page("predict", view="see inside")
    assert not app.error
    passage = api.sample().passages[app.selectbox(key="passage").value]
    names = [word.split()[1] for word in maps_of(app)[0]["data"][0]["x"]]
    query = app.selectbox(key="asked").value
    assert names == ["[CLS]", *query.split(), "[SEP]", *passage.split(), "[SEP]"]


def test_a_long_passage_is_seen_piece_by_piece(school):
    app = inside(school, "span")
    boxes(app, school, "span")[1].set_value("the film was dull . " * 30 + "a lovely story").run()
    piece = whole(app).selectbox(key="piece")
    assert len(piece.options) > 2
    first = maps_of(app)[0]["data"][0]["x"]
    whole(piece.set_value(len(piece.options) - 1).run())
    last = maps_of(app)[0]["data"][0]["x"]
    assert first != last
    assert last[-2].endswith("story")


def test_a_long_text_says_how_much_of_it_is_seen(finished_run, monkeypatch):
    monkeypatch.setattr("core.api.see_inside.MOST_UNITS", 12)
    monkeypatch.setattr(api, "MOST_UNITS", 12)
    text = texts_of(look("the film was dull " * 5))
    assert "12 tokens are read here, 10 of them of the text" in text
    assert "the model reads 20 tokens of the text; inside, at most 12 are looked at" in text
    assert "the 144" not in text


def test_a_text_that_cannot_be_read_is_said_once(finished_run):
    app = look("")
    assert errors_of(app).count("There is no text") == 1
    assert not app.get("plotly_chart")


# Pictures


def pair_of(*texts: str) -> HeadPair:
    count = len(texts)
    even = [[1 / count] * count] * count
    first = [[1.0 if place == 0 else 0.0 for place in range(count)]] * count
    return HeadPair(
        units=tuple(Unit(text=text, is_mark=text.startswith("[")) for text in texts),
        teacher=np.array(even),
        student=np.array(first),
        names=("teacher", "student"),
    )


def test_a_difference_is_centred_on_zero_and_its_largest_have_numbers():
    pair = pair_of("[CLS]", "a", "b", "[SEP]")
    heat = difference(pair, dark=False).data[0]
    assert (heat.zmin, heat.zmax) == (-75, 75)
    numbers = difference(pair, dark=False).data[1]
    assert list(numbers.text) == ["+75"] * 4 + ["-25"] * 2
    assert list(numbers.x) == ["1 [CLS]"] * 4 + ["2 a", "3 b"]
    assert list(numbers.textfont.color) == ["#FFFFFF"] * 4 + ["#000000"] * 2
    assert heat.z.sum() == pytest.approx(0)
    assert pair.on_marks(pair.teacher) == 0.5
    assert pair.on_marks(pair.student) == 1.0


@pytest.mark.parametrize("dark", [False, True])
def test_tokens_are_shown_as_they_are_however_they_look(dark):
    """Plotly makes links and bold text of some HTML; the same token may stand in several places."""
    texts = ("[CLS]", "<a href='http://evil.example'>x</a>", "same", "same", "<b>", "[SEP]")
    figure = one(pair_of(*texts), pair_of(*texts).teacher, "#0072B2", dark)
    names = list(figure.data[0].x)
    assert len(set(names)) == 6
    ticks = list(figure.layout.xaxis.ticktext)
    assert ticks[0] == "<b>[CLS]</b>"
    assert ticks[4] == "&lt;b&gt;"
    assert all("<a" not in text for text in (*names, *ticks))
    assert len(_label(Unit(text="x" * 500))) < 20


def test_an_axis_of_many_tokens_names_only_some_of_them():
    pair = pair_of(*("word" for _ in range(100)))
    figure = difference(pair, dark=True)
    assert len(figure.layout.xaxis.ticktext) == math.ceil(100 / 4)
    assert len(pair.table(50)) == 50


# From a disagreement


@pytest.mark.parametrize("kind", DISAGREEMENTS)
def test_a_disagreement_is_taken_into_the_boxes_and_both_answers_change(school, kind):
    DISAGREEMENTS[kind](school.run(kind))
    app = open_page("predict", student=school.run(kind).run_id)
    before = answers(app)
    found = api.disagreements(school.run(kind))
    whole(app.selectbox(key="disagreement").set_value(1).run())
    label = "Edit this sentence" if kind == "value" else "Edit these texts"
    whole(button(app, label).click().run())
    assert tuple(box.value for box in boxes(app, school, kind)) == found[1].texts
    after = answers(app)
    assert before["answer"].tolist() != after["answer"].tolist() or (
        before.drop(columns="ms").to_dict() != after.drop(columns="ms").to_dict()
    )
    assert "It stands in the box at the top now" in texts_of(app)
    box = boxes(app, school, kind)[0]
    whole(box.set_value(f"{box.value} dull").run())
    assert "It stands in the box" not in texts_of(app)


def test_a_query_on_which_they_part_is_taken_into_the_search(ranking_lab):
    compute(ranking_lab.experiment)
    app = open_page("predict")
    run = api.find_run(ranking_lab.experiment.run_id)
    found = api.disagreements(run)
    assert found
    whole(button(app, "Edit this query").click().run())
    assert app.text_input(key="query").value == found[0].texts[0]


def test_every_range_says_what_it_cuts_off(finished_run):
    app = open_page("predict", view="see inside")
    ranges = table(app, "cut off (%)")
    assert len(ranges) == 2 * 5
    assert {*ranges["range"]} == {"per tensor", "per token", "percentile", "least error", "KL"}
    wide = ranges.set_index(["model", "range"])["one step"]
    coarse = whole(app.segmented_control(key="range_bits").set_value(4).run())
    narrow = table(coarse, "cut off (%)").set_index(["model", "range"])["one step"]
    whole_range = [key for key in wide.index if key[1] == "per tensor"]
    for key in whole_range:
        assert narrow[key] == pytest.approx(wide[key] * 255 / 15)
    assert "tokens with outliers" in {c for each in app.dataframe for c in each.value.columns}
