"""Reveals, computed once for all visitors: thirty who lock an answer wait for one computation."""

import numpy as np
import streamlit as st

from core import api
from core.lessons.inputs import input_of
from core.lessons.lesson import Settings, Use
from core.lessons.one_step import OneStep, one_step
from core.lessons.revealing import Revealed, find_reveal
from pages.ui import loaded


def revealed(use: Use) -> Revealed:
    """What a step reveals. Raises InputError where it cannot be had."""
    return _revealed(use.name, use.settings.pairs)


@st.cache_resource(max_entries=200, show_spinner="Computing ...")
def _revealed(name: str, pairs: tuple[tuple[str, str], ...]) -> Revealed:
    return find_reveal(name).compute(Settings(pairs=pairs), loaded.model)


@st.cache_resource(max_entries=4, show_spinner="Taking one step ...")
def step(source: api.Source) -> OneStep:
    """One training step of a model's usual matrix. Raises InputError."""
    return one_step(loaded.model(source))


@st.cache_resource(max_entries=16, show_spinner="Reading the sentence ...")
def inputs(source: api.Source, matrix: str, sentence: str) -> np.ndarray:
    """What comes into a matrix for a sentence, as one row of numbers. Raises InputError."""
    return input_of(loaded.model(source), matrix, sentence).flatten().numpy()
