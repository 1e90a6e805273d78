"""Lessons: what do you expect?"""

import streamlit as st

from pages.ui import glossary
from pages.ui.classroom import joining
from pages.ui.lessons import asking, challenge, given, shelf, showing, takeaway
from pages.ui.words import prose

st.title("What do you expect?")

lessons = shelf.read()
me = joining.me(lessons)
answers = given.read(lessons, me)
lesson = shelf.choose(lessons)

if lesson is None:
    st.markdown(
        "Each step asks for a guess **and** a reason, and locks them. Then the program computes "
        "the answer, or replays it from trainings with three seeds. Nothing is graded, nobody "
        "needs an account, and the page's address keeps your answers."
    )
    glossary.explain_bits()
    shelf.cards(lessons, answers)
    st.header("The challenge", divider="gray")
    challenge.panel(me)
else:
    mine = given.of_lesson(answers, lesson)
    number, step = shelf.step_of(lesson, list(mine))
    if number == 1:
        st.markdown(f"**Aim:** {prose(lesson.aim)}")
        st.markdown(prose(lesson.text))
    st.header(f"{number:d}. {prose(step.title)}", divider="gray")
    st.markdown(prose(step.text))
    if step.name in mine:
        showing.panel(step, mine[step.name])
        joining.class_guesses(me, lesson, step)
        shelf.onward(lesson, number)
    else:
        asking.panel(lesson, step, lambda answer: given.lock(lessons, answers, answer, me))
    if len(mine) == len(lesson.steps):
        st.header("My sheet", divider="gray")
        takeaway.panel(lessons, answers, lesson)
