"""Data: what should it learn?"""

import streamlit as st

from pages.ui.data import own_data_form, task_list

st.title("What should it learn?")
st.markdown(
    "Every task is text with something to learn from it: **classes**, **a number**, **an answer "
    "in a passage**, or **which passage answers**. Some come with this program, some from the "
    "hub, and some can be yours."
)
tasks = st.container()  # drawn last: what is kept or deleted below is a task or none at once

st.header("Your own text", divider="gray")
st.markdown(
    "A table with one or two columns of text and one with the label (CSV, TSV, JSON Lines, "
    "Parquet), a table of questions and the passages that answer them, or both in the JSON form of "
    "SQuAD. It stays on the computer that runs this program; everybody who uses that computer's "
    "Ternary Lab sees it."
)
own_data_form.upload()
own_data_form.kept()

with tasks:
    task_list.table()
    st.header("Look inside a task", divider="gray")
    task_list.look_inside()
