"""The contract of the options: each is on the form, in the address and on the command line, from
one list, and the same choice means the same experiment on all three."""

import typing
from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from core import __main__ as command_line
from core import api, machine
from core.experiment import Experiment, QuantRecipe
from core.option_fields import Among, Box, Range
from core.options import as_text, build, find_option, flatten, options
from core.teachers.teacher_store import save_teacher
from tests.conftest import card_of, save_tiny_model, tiny_model
from tests.core.test_experiment import OTHER
from tests.pages.conftest import errors_of, open_page, press, whole
from tests.pages.test_url_state import address_of, copied

# Values that the lab can offer, where those of the other test are names that it does not have.
OTHERS = OTHER | {"task": "movie-sentiment", "learning_rate": "5e-05", "precision": "bf16"}
GIVEN = [option.name for option in options() if option.widget == "given"]  # by another choice
KINDS = {  # of the widgets as AppTest names them
    "name": "selectbox",
    "segments": "segmented_control",
    "several": "multiselect",
    "number": "number_input",
    "slider": "slider",
    "marks": "select_slider",
    "switch": "toggle",
    "text": "text_input",
}
EACH = pytest.mark.parametrize("option", options(), ids=lambda option: option.name)


@pytest.fixture(autouse=True)
def _nobodys_processor(monkeypatch):
    """The usual precision is not that of the machine that runs the tests."""
    monkeypatch.setattr(machine, "fastest_precision", lambda: "fp32")


@pytest.fixture
def texts(lab, tmp_path) -> dict[str, str]:
    """For every option another value than the usual one, as it is typed; there is a second teacher
    of the same task."""
    second = tiny_model(seed=1)
    save_tiny_model(tmp_path / "second", second)
    save_teacher(second, card_of(second, str(tmp_path / "second")))
    return OTHERS | {"model": str(tmp_path / "second"), "family": "bert"}


def on_the_command_line(texts: dict[str, str]) -> Experiment:
    flags = [word for name, text in texts.items() for word in (flag_of(name), text)]
    return command_line._experiment(command_line._parser().parse_args(["run", *flags]))


def flag_of(name: str) -> str:
    return "--" + name.replace("_", "-")


def turn(app: AppTest, name: str, text: str) -> None:
    """Set the option's widget as a person would, to what is typed on the command line."""
    option = find_option(name)
    value: typing.Any = text
    if option.widget == "several":
        value = text.split(",")
    elif option.widget == "switch":
        value = text == "True"
    elif option.kind in (int, float):
        value = option.kind(text)
    getattr(app, KINDS[option.widget])(key=name).set_value(value)


@EACH
def test_an_option_says_all_that_the_form_needs(option):
    about = option.about
    assert about.label
    assert about.label[0].isupper()
    assert about.help.endswith(".")
    assert about.box in typing.get_args(Box)
    assert option.widget in (*KINDS, "given")
    if option.widget in ("segments", "several"):
        assert isinstance(about.check, Among)
    if option.widget in ("number", "slider"):
        assert isinstance(about.check, Range)
    if option.widget == "marks":
        assert min(about.marks) >= about.bounds.low
        assert max(about.marks) <= about.bounds.high


def test_no_two_options_have_one_label():
    labels = [option.about.label for option in options()]
    assert len(set(labels)) == len(labels)


def test_help_stands_on_the_command_line_too(capsys):
    with pytest.raises(SystemExit):
        command_line.main(["run", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    for option in options():
        assert f"{flag_of(option.name)} " in said
        # argparse breaks lines at hyphens
        assert option.help.replace(" ", "").replace("-", "") in said.replace(" ", "").replace(
            "-", ""
        )


def test_the_form_the_address_and_the_command_line_mean_the_same(lab, texts, submitted):
    """One visitor turns every knob; another follows his address; a third types it all."""
    app = open_page("train", task="movie-sentiment", model=lab.model, role="student")
    turn(app, "model", texts["model"])
    turn(app, "augment", texts["augment"])
    whole(app.run())
    assert not errors_of(app)
    for name, text in texts.items():
        if name not in GIVEN:
            turn(app, name, text)
    press(app, "Start")
    typed = on_the_command_line(texts)
    (chosen,) = submitted
    assert flatten(chosen) == flatten(typed) == texts
    assert chosen.run_id == typed.run_id

    address = address_of(app)
    for name, text in texts.items():
        if name not in GIVEN and text != as_text(find_option(name).default):
            assert spelled(name, address[name]) == text, name
    again = copied(app, "train")
    assert not again.warning
    del again.query_params["run"]
    press(again, "Start")
    assert submitted[1] == typed


def spelled(name: str, found: typing.Any) -> str:
    """What an address says, in the spelling of the command line."""
    option = find_option(name)
    each = found if isinstance(found, list) else [found]
    if option.kind in (int, float):
        each = [str(option.kind(float(one))) for one in each]
    return ",".join(each)


@EACH
def test_a_flag_alone_changes_that_option_alone(lab, option):
    usual = api.default_experiment()
    found = on_the_command_line({option.name: OTHERS[option.name]})
    differing = {name for name, text in flatten(found).items() if text != flatten(usual)[name]}
    assert differing == {option.name} - {"task"}


def test_a_form_that_nobody_touched_is_the_usual_experiment(submitted, lab):
    press(open_page("train", model=lab.model), "Start")
    assert submitted == [replace(api.default_experiment("movie-sentiment"), model=lab.model)]


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("stages", "8,5", "The bits of a stage 5 is not known"),
        ("stages", "eight", "stages must be a comma separated list"),
        ("language_steps", "400", "Steps that distil language is 400; it must lie between 0 and"),
        ("student_model", "x" * 600, "The model needs a name of 1 to 500 characters"),
    ],
)
def test_rare_settings_that_cannot_be_had_are_refused_in_a_sentence(
    lab, submitted, name, value, sentence
):
    app = open_page("train", **{name: value})
    assert sentence in errors_of(app)
    assert submitted == []


def test_what_the_task_decides_goes_along_with_the_task(school, submitted):
    """A length of texts that nobody chose is that of the task chosen last; a chosen one stays."""
    pair, span = (school.experiments[kind].task for kind in ("pair", "span"))
    tokens = [api.default_experiment(task).train.max_tokens for task in (pair, span)]
    assert tokens[0] != tokens[1]
    app = open_page("train", task=pair)
    assert app.number_input(key="max_tokens").value == tokens[0]
    app.selectbox(key="task").set_value(span).run()
    assert app.number_input(key="max_tokens").value == tokens[1]
    app.number_input(key="max_tokens").set_value(40).run()
    app.selectbox(key="task").set_value(pair).run()
    assert app.number_input(key="max_tokens").value == 40
    press(app, "Start")
    assert submitted[0].train.max_tokens == 40


def test_one_click_brings_the_papers_recipe_back(submitted, lab):
    app = open_page("train", model=lab.model, stages="8,4", weight_bits="4", layers="1")
    press(press(app, "Back to the paper's recipe"), "Start")
    assert submitted[0].quant == QuantRecipe()


def test_an_empty_flag_is_not_passed_over(lab):
    assert on_the_command_line({"parts": ""}).quant.parts == ()
    assert build({"parts": ""}).quant.parts == ()
