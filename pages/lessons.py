"""Lessons: what do you expect?"""

import streamlit as st

from core.lessons.language_words import words_in
from pages.ui.classroom import joining
from pages.ui.formatting import prose
from pages.ui.lessons import asking, challenge_panel, given, lesson_picker, showing, takeaway

heading = st.empty()  # the title needs the language, which is asked for below it
language = lesson_picker.language()
words = words_in(language)
heading.title(words.page.title)

lessons = lesson_picker.read(language, words)
me = joining.me(lessons, words)
answers = given.read(lessons, me)
lesson = lesson_picker.choose(lessons, words)

if lesson is None:
    st.markdown(words.page.intro)
    st.caption(words.page.bits)
    lesson_picker.cards(lessons, answers, words, language)
    st.header(words.page.challenge, divider="gray")
    challenge_panel.panel(words, me)
else:
    lesson_picker.translated(lesson, words, language)
    words = words_in(lesson.language)  # from here on the lesson's own
    mine = given.of_lesson(answers, lesson)
    number, step = lesson_picker.step_of(lesson, list(mine), words)
    if number == 1:
        st.markdown(f"**{words.page.aim}:** {prose(lesson.aim)}")
        st.markdown(prose(lesson.text))
    st.header(f"{number:d}. {prose(step.title)}", divider="gray")
    st.markdown(prose(step.text))
    if step.name in mine:
        showing.panel(step, mine[step.name], words)
        joining.class_guesses(me, lesson, step, words)
        lesson_picker.onward(lesson, number, words)
    else:
        asking.panel(lesson, step, words, lambda answer: given.lock(lessons, answers, answer, me))
    if len(mine) == len(lesson.steps):
        st.header(words.page.sheet, divider="gray")
        takeaway.panel(lessons, answers, lesson, words)
