"""Streamlit helpers: state, forms, charts, the live panel, and words. Never torch."""
