"""Every rule that there is: formula, words, source, code. A new rule appears here by itself."""

import streamlit as st

from core import api
from pages.ui import formula
from pages.ui.formatting import plain


def panel() -> None:
    """One fold a rule."""
    st.markdown("Each is one function of one file; what stands here is read from it.")
    for rule in api.rules().values():
        with st.expander(f"{plain(rule.title)} ({plain(rule.name)})"):
            formula.draw(rule.latex)
            st.caption(f"{plain(rule.source)}. Bits: {plain(', '.join(map(str, rule.bits)))}.")
            st.text(rule.doc)
            st.code(rule.code, language="python")
