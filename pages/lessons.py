"""Lessons: what do you expect?"""

import streamlit as st

from core.lessons.words import words_in
from pages.ui.classroom import joining
from pages.ui.lessons import asking, challenge, given, shelf, showing, takeaway
from pages.ui.words import prose

heading = st.container()
language = shelf.language()
words = words_in(language)
heading.title(words.page.title)

lessons = shelf.read(language, words)
me = joining.me(lessons, words)
answers = given.read(lessons, me)
lesson = shelf.choose(lessons, words)

if lesson is None:
    st.markdown(words.page.intro)
    st.caption(words.page.bits)
    shelf.cards(lessons, answers, words, language)
    st.header(words.page.challenge, divider="gray")
    challenge.panel(words, me)
else:
    shelf.translated(lesson, words, language)
    words = words_in(lesson.language)  # from here on the lesson's own
    mine = given.of_lesson(answers, lesson)
    number, step = shelf.step_of(lesson, list(mine), words)
    if number == 1:
        st.markdown(f"**{words.page.aim}:** {prose(lesson.aim)}")
        st.markdown(prose(lesson.text))
    st.header(f"{number:d}. {prose(step.title)}", divider="gray")
    st.markdown(prose(step.text))
    if step.name in mine:
        showing.panel(step, mine[step.name], words)
        joining.class_guesses(me, lesson, step, words)
        shelf.onward(lesson, number, words)
    else:
        asking.panel(lesson, step, words, lambda answer: given.lock(lessons, answers, answer, me))
    if len(mine) == len(lesson.steps):
        st.header(words.page.sheet, divider="gray")
        takeaway.panel(lessons, answers, lesson, words)
