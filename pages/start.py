"""Start: what is this?"""

import streamlit as st

from core import api
from pages.ui import glossary, result_panels, state
from pages.ui.formatting import plain, size
from pages.ui.predict import answer_panels
from pages.ui.run_choice import title as run_title
from pages.ui.start import good_and_bad_list

st.title("How small can a language model get?")
st.markdown(
    "BERT's weights are 32-bit numbers. Here they become **-1, 0 or +1** times a scale: two bits "
    "each. Rounded like that, a model forgets much of what it knew; trained *while* quantized, "
    "with the original as its teacher, it learns nearly all of it again. This is TernaryBERT "
    "(Zhang et al., 2020), with a real transformer, real text and real bytes."
)

finished = api.finished_runs()
shown = api.showcase(finished)
if shown is None or shown.result is None:
    st.info("There is no finished run yet. Train one: it takes about two minutes.")
else:
    st.header("What came out", divider="gray")
    before, after = shown.result.size_bytes_float32, shown.result.size_bytes_packed
    title = plain(run_title(shown))
    st.markdown(f"A model of {size(before)} became a file of {size(after, before)} ({title}).")
    glossary.explain_bits()
    result_panels.outcome(shown, shown.result)
    st.header("Try it", divider="gray")
    texts = answer_panels.ask(api.tasks()[shown.result.task])
    with state.explained():
        answer_panels.table(texts, answer_panels.models_of(shown))
    st.caption(
        "The same sentence through the full-precision teacher, through the teacher quantized "
        "without training, and through the trained student, read from its packed file. Teachers "
        "are stored in half precision and computed in float32."
    )

good_and_bad_list.panel()
st.header("The way through", divider="gray")
ways = (
    ("pages/weights.py", "Weights", "What does quantizing do to one weight matrix?"),
    ("pages/train.py", "Train", "Can a ternary student learn from its teacher?"),
    ("pages/data.py", "Data", "What should it learn?"),
    ("pages/compare.py", "Compare", "What does each bit cost?"),
    ("pages/predict.py", "Predict", "Where do they disagree?"),
    ("pages/export.py", "Export", "How many bytes is it really?"),
    ("pages/lessons.py", "Lessons", "What do you expect?"),
    ("pages/theory.py", "Theory", "What do the words mean?"),
)
for column, (page, title, question) in zip(st.columns(len(ways)), ways, strict=True):
    with column.container(border=True):
        st.page_link(page, label=f"**{title}**")
        st.caption(question)
