"""The glossary as a list, by what its terms belong to: the same entries as the tooltips."""

import streamlit as st

from pages.ui.formatting import plain
from pages.ui.glossary import GLOSSARY


def panel() -> None:
    """Every term with its meaning and where it comes from."""
    for group in dict.fromkeys(term.group for term in GLOSSARY.values()):
        st.subheader(plain(group))
        lines = [
            f"- **{plain(term.name)}**: {plain(term.text)} *({plain(term.source)})*"
            for term in GLOSSARY.values()
            if term.group == group
        ]
        st.markdown("\n".join(lines))
