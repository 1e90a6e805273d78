"""What augmentation does to a few examples, before anything is trained on them."""

import pandas as pd
import streamlit as st

from core import api
from core.experiment import Job
from pages.ui import cached, state


def preview(job: Job | None) -> None:
    """Some examples of the experiment beside their copies; nothing when augmentation is off."""
    if job is None or not job.train.augment:
        return
    st.header("What the copies look like", divider="gray")
    key = ("copies", job.task, job.model, job.train, job.seed)
    asked = st.button("Make some copies", icon=":material/content_copy:")
    with state.explained():
        found = cached.on_demand(
            asked, key, lambda: api.augmented_examples(job.task, job.model, job.train)
        )
        if found is None:
            return
        rows = [
            {"example": original, **{f"copy {i + 1}": text for i, text in enumerate(copies)}}
            for original, copies in found
        ]
        st.dataframe(pd.DataFrame(rows), hide_index=True)
        st.caption(
            "The label stays the same. Words that hold a sentence together, and words that are not "
            "one piece of the vocabulary, are never replaced."
        )
