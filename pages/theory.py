"""Theory: what do the words mean?"""

import streamlit as st

from pages.ui import glossary, state
from pages.ui.theory import matrix_panel, papers, rules, step_panel, words_list

st.title("What do the words mean?")
st.markdown(
    "The formulas with **the numbers of a matrix that you choose**, every rule with its text and "
    "its code, and every term of the field."
)
glossary.explain_bits()

chosen = matrix_panel.choose()
if chosen:
    st.header("One matrix, number by number", divider="gray")
    with state.explained():
        matrix_panel.panel(chosen)

st.header("All rules", divider="gray")
rules.panel()

st.header("Activations", divider="gray")
st.markdown(
    "Activations change with every text, so their range is measured while computing, or learned."
)
found = state.attempt(step_panel.numbers, chosen)
step_panel.ranges(found)

st.header("Distillation", divider="gray")
st.markdown(
    "The student is trained to answer as its teacher does, and to get there in the same way."
)
step_panel.losses(found)

if chosen:
    st.header("Bytes", divider="gray")
    with state.explained():
        matrix_panel.sizes(chosen)

st.header("The paper's figures beside ours", divider="gray")
papers.panel()

st.header("Glossary", divider="gray")
words_list.panel()
