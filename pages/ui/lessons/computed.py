"""Reveals, computed once for all visitors: thirty who lock an answer wait for one computation."""

import numpy as np
import streamlit as st

from core import api
from core.lessons.catalogue import Words
from core.lessons.inputs import input_of
from core.lessons.language_words import words_in
from core.lessons.lesson import Settings, Use
from core.lessons.one_step import OneStep, one_step
from core.lessons.revealing import Revealed, find_reveal
from pages.ui import cached


def revealed(use: Use, words: Words | None = None) -> Revealed:
    """What a step reveals, in these words, else in English. Raises InputError where it cannot be
    had."""
    words = words or words_in()
    with st.spinner(words.shown.computing):
        return _revealed(use.name, use.settings.pairs, words)


@st.cache_resource(max_entries=400, show_spinner=False, hash_funcs={Words: hash})
def _revealed(name: str, pairs: tuple[tuple[str, str], ...], words: Words) -> Revealed:
    return find_reveal(name).compute(Settings(pairs=pairs), cached.model, words)


def step(source: api.Source, words: Words) -> OneStep:
    """One training step of a model's usual matrix. Raises InputError."""
    with st.spinner(words.shown.computing):
        return _step(source)


@st.cache_resource(max_entries=4, show_spinner=False)
def _step(source: api.Source) -> OneStep:
    return one_step(cached.model(source))


def inputs(source: api.Source, matrix: str, sentence: str, words: Words) -> np.ndarray:
    """What comes into a matrix for a sentence, as one row of numbers. Raises InputError."""
    with st.spinner(words.shown.computing):
        return _inputs(source, matrix, sentence)


@st.cache_resource(max_entries=16, show_spinner=False)
def _inputs(source: api.Source, matrix: str, sentence: str) -> np.ndarray:
    return input_of(cached.model(source), matrix, sentence).flatten().numpy()
