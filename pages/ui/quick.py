"""Altair without its waiting: half of what a click cost was altair checking charts.

Three habits of altair take tens of milliseconds each time a page is drawn: it finds the class of
an encoding that is given as a mere string by hashing the schemas of all candidates; it validates
every object when it is made; and it validates the whole chart against the schema of Vega-Lite when
it is handed over. So encodings are written as objects in all charts, and the checks are left to the
tests, which draw every page with them on.
"""

from functools import partial
from typing import TypeVar

import altair as alt
from altair.utils import schemapi

Chart = TypeVar("Chart", bound=alt.TopLevelMixin)


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
