"""How large the student's file will be, beside the settings that decide it.

It is exact and costs nothing, but the first one of a server waits for the libraries; so a page
draws it last, into a place that it has kept for it.
"""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core import api
from core.errors import InputError, NotHere
from core.experiment import Experiment, Job
from pages.ui.formatting import plain


@st.cache_data(max_entries=500, show_spinner=False)
def _foreseen_size(job: Experiment, stamp: float, kind: tuple[str, ...]) -> api.FileSize:
    return api.foreseen_size(job, *kind)


def foreseen_size(job: Experiment, *kind: str) -> api.FileSize:
    """The size of a student's packed file, of that kind (codes, leftovers) or as a run keeps it.
    Raises InputError where it cannot be told."""
    return _foreseen_size(job, api.source_of_teacher(job.task, job.model).stamp, kind)


def fill(place: DeltaGenerator, job: Job | None) -> None:
    """Say in this place how large the packed file of a student would be; nothing for a teacher."""
    if not isinstance(job, Experiment):
        return
    try:
        place.markdown(in_words(foreseen_size(job)))
    except NotHere as error:
        place.caption(plain(str(error)))
    except InputError as error:
        place.warning(plain(str(error)), icon=":material/straighten:")


def in_words(found: api.FileSize) -> str:
    """ "Packed file: 6.37 MiB, 13.6x smaller than the teacher ..."."""
    return (
        f":material/straighten: **Packed file: {found.size_bytes / 2**20:.2f} MiB**, "
        f"{found.times_smaller:.1f}x smaller than the teacher in float32 "
        f"({found.teacher_bytes / 2**20:.1f} MiB). That is {found.size_bytes:,} bytes, known "
        "before anything is trained."
    )
