"""Skip Altair's schema validation, which takes most of a chart's time.

Half of what a click cost was altair checking charts.

Three habits of altair take tens of milliseconds each time a page is drawn: it finds the class of
an encoding that is given as a mere string by hashing the schemas of all candidates; it validates
every object when it is made; and it validates the whole chart against the schema of Vega-Lite when
it is handed over. So encodings are written as objects in all charts, and the checks are left to the
tests, which draw every page with them on.

And thirty who watch one training would have the same charts made thirty times a second: what a
`drawn_once` function draws is made for the first of them and sent again to the others.
"""

from functools import partial
from typing import TypeVar

import altair as alt
import streamlit as st
from altair.utils import schemapi

Chart = TypeVar("Chart", bound=alt.TopLevelMixin)

# Decorates a function that draws and returns nothing: Streamlit keeps what was drawn for its
# arguments, for all sessions. Those whose names begin with an underscore do not count, so the
# others must tell what is drawn, the theme too. No widgets in it: they belong to a session.
drawn_once = st.cache_data(max_entries=200, show_spinner=False)


def trust_charts() -> None:
    """From now on altair's objects are not validated when they are made."""
    schemapi.disable_debug_mode()


def unchecked(chart: Chart) -> Chart:
    """The same chart; once charts are trusted, handing it to the browser does not validate it."""
    if not schemapi.DEBUG_MODE:
        object.__setattr__(chart, "to_dict", partial(chart.to_dict, validate=False))
    return chart


def tips(*fields: str | alt.Tooltip) -> list[alt.Tooltip]:
    """What is shown under the pointer: fields such as "step:Q", or with a title or format."""
    return [field if isinstance(field, alt.Tooltip) else alt.Tooltip(field) for field in fields]
