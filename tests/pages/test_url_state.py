"""The address holds the whole setting of a page, and what is wrong in it is said in a word."""

import pytest
from streamlit.testing.v1 import AppTest

from core import api
from core.options import options
from tests.conftest import compute, with_quant
from tests.pages.conftest import ADDRESS_NAMES, go_to, open_page, texts_of, whole


@pytest.fixture
def other_run(lab, finished_run):
    """A second finished run; the newest is listed first."""
    return compute(with_quant(lab.experiment, weight_bits=4))


def warnings_of(app: AppTest) -> str:
    return "\n".join(warning.value.replace("\\", "") for warning in app.warning)


def address_of(app: AppTest) -> dict:
    """The parameters that a browser shows: the server's, and each bound widget's own."""
    found = dict(app.query_params)
    for widget in app._tree:
        name = getattr(getattr(widget, "proto", None), "query_param_key", "")
        if name and hasattr(widget, "_widget_state"):
            state = widget._widget_state
            if (kind := state.WhichOneof("value")) is None:
                continue  # an empty box
            value = getattr(state, kind)
            found[name] = [str(one) for one in value.data] if hasattr(value, "data") else str(value)
    return found


def copied(app: AppTest, page: str) -> AppTest:
    """The page as somebody sees it who got this visitor's address."""
    return open_page(page, **address_of(app))


# It holds everything


def test_the_address_names_runs_by_their_ids(finished_run, other_run):
    app = open_page("predict")
    first = app.selectbox(key="student").value
    assert "student" not in app.query_params  # the usual choice needs no word
    second = ({finished_run.run_id, other_run.run_id} - {first}).pop()
    app.selectbox(key="student").set_value(second).run()
    app.multiselect(key="more").set_value([first]).run()
    assert app.query_params["student"] == second
    assert app.query_params["more"] == first
    again = copied(app, "predict")
    assert again.selectbox(key="student").value == second
    assert again.multiselect(key="more").value == [first]
    assert copied(app, "export").selectbox(key="student").value == second


def test_a_choice_by_id_stays_on_the_way_through_other_pages(finished_run, other_run):
    app = open_page("export")
    chosen = ({finished_run.run_id, other_run.run_id} - {app.selectbox(key="student").value}).pop()
    app = open_page("export", student=chosen)
    del app.query_params["student"]  # as the way to another page does
    app = go_to(app, "predict")
    assert app.selectbox(key="student").value == chosen
    assert app.query_params["student"] == chosen


def test_the_usual_choice_leaves_the_address(finished_run, other_run):
    usual = open_page("export").selectbox(key="student").value
    other = ({finished_run.run_id, other_run.run_id} - {usual}).pop()
    app = open_page("export", student=other)
    app.selectbox(key="student").set_value(usual).run()
    assert whole(app).selectbox(key="student").value == usual
    assert "student" not in app.query_params


def test_a_sentence_is_in_the_address(finished_run):
    app = open_page("predict")
    app.text_area(key="text_movie-sentiment").set_value("a dull cast & 100 % bad").run()
    again = copied(app, "predict")
    assert again.text_area(key="text_movie-sentiment").value == "a dull cast & 100 % bad"
    assert copied(app, "start").text_area[0].value == "a dull cast & 100 % bad"


def test_both_texts_of_a_pair_are_in_the_address(school):
    app = open_page("predict", student=school.run("pair").run_id)
    for number, box in enumerate(app.text_area):
        box.set_value(f"text number {number}")
    again = copied(whole(app.run()), "predict")
    assert [box.value for box in again.text_area] == ["text number 0", "text number 1"]


def test_matrix_corner_and_what_is_looked_at_are_in_the_address(finished_run):
    app = open_page("weights", corner="true")
    assert len(app.get("plotly_chart")) == 3  # it is open
    experiment = finished_run.experiment
    teacher = api.open_model(api.source_of_teacher(experiment.task, experiment.model))
    name = list(api.matrix_shapes(teacher))[3]
    app.selectbox(key="matrix").set_value(name).run()
    app.segmented_control(key="closer").set_value(1).run()
    assert whole(app).query_params["matrix"] == name
    again = copied(app, "weights")
    assert again.selectbox(key="matrix").value == name
    assert again.segmented_control(key="closer").value == 1
    assert not again.warning


def test_the_whole_form_survives_copy_and_paste(lab, submitted):
    app = open_page("train")
    app.selectbox(key="method").set_value("lat").run()
    app.segmented_control(key="weight_bits").set_value(4)
    app.segmented_control(key="activation").set_value("lsq")
    app.multiselect(key="parts").set_value(["attention", "pooler"])
    app.text_input(key="layers").set_value("1")
    app.number_input(key="steps").set_value(1234)
    app.select_slider(key="learning_rate").set_value(5e-5)
    app.number_input(key="seed").set_value(11)
    app.number_input(key="labels").set_value(0.5)
    app.toggle(key="augment").set_value(True).run()
    app.slider(key="augment_copies").set_value(3)
    again = copied(whole(app.run()), "train")
    for page in (app, again):
        (start,) = [button for button in page.button if button.label == "Start"]
        whole(start.click().run())
    first, second = submitted
    assert first == second
    assert first.quant.layers == (1,)
    assert first.train.augment_copies == 3
    assert not again.warning


# What is wrong is said


@pytest.mark.parametrize(
    ("page", "name", "value", "used"),
    [
        ("train", "weight_bits", "5", "2"),
        ("train", "seed", "-3", "0"),
        ("train", "seed", "nan", "0"),
        ("train", "labels", "many", "0.0"),
        ("train", "steps", "0", "300"),
        ("train", "steps", "1000000000", "300"),
        ("train", "augment", "perhaps", "False"),
        ("train", "task", "poetry", "movie-sentiment"),
        ("weights", "columns", "9", "2"),
        ("weights", "matrix", "embedding.of.nothing", "bert.encoder"),
        ("predict", "student", "0123456789ab", "the id"),
        ("predict", "more", "0123456789ab", "nothing"),
        ("export", "codes", "3-bit", "2-bit"),
        ("compare", "task", "poetry", "movie-sentiment"),
        ("data", "task", "<script>alert(1)</script>", "movie-sentiment"),
    ],
)
def test_a_value_that_cannot_be_had_is_refused_in_a_word(finished_run, page, name, value, used):
    app = open_page(page, **{name: value})
    used = finished_run.run_id if used == "the id" else used
    assert f"The address asks for **{name}** = {value}" in warnings_of(app)
    assert used in warnings_of(app)
    assert len(app.warning) == 1


def test_the_word_goes_when_the_setting_is_changed_or_the_page_is_left(lab):
    app = open_page("train", weight_bits="5", seed="-3")
    assert len(app.warning) == 2
    app.segmented_control(key="weight_bits").set_value(8).run()
    assert "seed" in warnings_of(app)
    assert "weight_bits" not in warnings_of(app)
    assert not go_to(app, "data").warning


def test_one_wrong_value_among_several_is_said_and_the_others_hold(lab, submitted):
    app = open_page("train", parts=["attention", "legs"])
    assert "= attention and legs, which cannot be had here; attention is used" in warnings_of(app)


def test_a_usual_value_in_another_spelling_is_no_mistake(lab):
    app = open_page("train", weight_bits="2", learning_rate="1e-3", augment="FALSE", seed="00")
    assert not app.warning


def test_what_a_page_does_not_read_is_named(finished_run):
    text = texts_of(open_page("predict", weightbits="4", codes="base-3")).replace("\\", "")
    assert "not used on this page as it is: weightbits, codes" in text


def test_no_number_of_wrong_values_buries_the_page(lab):
    app = open_page("train", **dict.fromkeys({*ADDRESS_NAMES} - {"model"}, "x" * 3000))
    assert len(app.warning) == 5
    assert all(len(warning.value) < 300 for warning in app.warning)


WHOLE = [option.name for option in options() if option.widget == "number"]


@pytest.mark.parametrize("text", ["inf", "1e400"])
@pytest.mark.parametrize(
    ("page", "name"),
    [*(("train", name) for name in WHOLE if name != "augment_copies"), ("theory", "row")],
)
def test_a_number_without_end_is_said_and_not_used(finished_run, page, name, text):
    app = open_page(page, **{name: text})
    assert not app.exception
    said = " ".join(each.value for each in [*app.warning, *app.caption])
    assert name in said.replace("\\", "")
