"""What is learned, and by which model: the first two choices of every form.

Both go by their names: the address carries what a widget shows.

A student needs a teacher. Where there is one for task and model, the form trains a student; where
there is none (a new task, a person's own model), it makes the teacher first.
"""

from dataclasses import dataclass, replace

import streamlit as st

from core import api
from core.experiment import Teaching
from core.options import find_option
from core.results import TeacherCard
from pages.ui import state, url_state
from pages.ui.formatting import METRICS, plain

NO_TEACHER = "There is no teacher yet. Make one on the Train page, or: python -m core teach"
ROLES = ("student", "teacher")
TEACHER_RATES = (1e-5, 2e-5, 3e-5, 5e-5, 1e-4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Task and model; `card` is their teacher's, if there is one; `role` what is to be trained."""

    task: str
    model: str
    card: TeacherCard | None
    role: str


def taught() -> TeacherCard:
    """Choose task and model among the teachers that there are."""
    cards = api.teachers()
    if not cards:
        st.error(NO_TEACHER)
        st.stop()
    tasks = api.tasks()
    cards = [card for card in cards if card.task in tasks] or cards
    names = list(dict.fromkeys(card.task for card in cards))
    task = st.selectbox("Task", names, **url_state.bound("task"))
    if task in tasks:
        st.caption(plain(tasks[task].description))
    models = [card.model for card in cards if card.task == task]
    model = st.selectbox("Model", models, **url_state.bound("model"))
    return next(card for card in cards if (card.task, card.model) == (task, model))


def choose() -> Subject:
    """Choose any task and any model, and whether a student or a teacher is trained."""
    tasks = api.tasks()
    task = st.selectbox("Task", list(tasks), **url_state.bound("task"))
    st.caption(task_facts(task))
    cards = {card.model: card for card in api.teachers() if card.task == task}
    models = list(dict.fromkeys([*cards, *api.embedded_models()]))
    model = st.selectbox(
        "Model",
        models,
        accept_new_options=True,
        help="An embedded one, or type a folder with a BERT (safetensors) or a hub id.",
        **url_state.bound("model"),
    )
    model = model or models[0]
    card = cards.get(model)
    role = url_state.segments(
        "Train",
        ROLES,
        "student" if card else "teacher",
        "role",
        "A student learns from the teacher of this task and model.",
    )
    return Subject(task=task, model=model, card=card, role=role)


def teaching(subject: Subject) -> Teaching | None:
    """How the teacher is made; None (and a sentence on the page) when the engine refuses it."""
    usual = state.attempt(_usual, subject)
    if usual is None:
        return None
    if _as_it_is(subject):
        return replace(usual, fine_tune=False)
    count = _steps(usual.train.steps)
    rate = st.select_slider(
        "Learning rate",
        TEACHER_RATES,
        value=usual.train.learning_rate,
        format_func="{:g}".format,
        **url_state.bound("teacher_rate"),
    )
    return state.attempt(
        lambda: replace(usual, train=replace(usual.train, steps=count, learning_rate=rate))
    )


def _steps(usual: int) -> int:
    bounds = find_option("steps").about.bounds
    url_state.follow("teacher_steps", usual)
    return st.number_input(
        "Steps",
        int(bounds.low),
        int(bounds.high),
        usual,
        10,
        help="The default is about three epochs; more where there are few examples.",
        **url_state.bound_number("teacher_steps"),
    )


def _usual(subject: Subject) -> Teaching:
    """The default teaching. Raises InputError for a folder that this session may not name."""
    state.check_local_path(subject.model)
    return api.default_teaching(subject.task, subject.model)


def _as_it_is(subject: Subject) -> bool:
    """Whether to take the checkpoint as it is; an embedded backbone has no head to be taken."""
    if subject.model in api.embedded_models():
        return False
    ready = api.has_trained_head(subject.task, subject.model)
    if ready:
        st.caption("This checkpoint has a trained head of the right size.")
    how = url_state.segments(
        "How",
        ("fine-tune", "as it is"),
        "as it is" if ready else "fine-tune",
        "how",
        "A checkpoint that was fine-tuned for this task elsewhere can be taken as it is.",
    )
    return how == "as it is"


def task_facts(name: str) -> str:
    """Description, metric, and what must be downloaded before it can be learned."""
    task = api.tasks()[name]
    metrics = " and ".join(METRICS[metric] for metric in task.metrics)
    facts = f"**{plain(task.title)}.** {plain(task.description)} Scored by {metrics}."
    if not api.is_prepared(name) and task.source.size_bytes:
        facts += (
            f" :material/download: {task.source.size_bytes / 2**20:.1f} MiB from "
            f"{plain(task.source.place)} are fetched when you press Start."
        )
    return facts
