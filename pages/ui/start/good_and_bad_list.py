"""Eight settings, good and bad, with the reason: each leads to a run that ships. What came out, and
whether that is a difference at all, is read from the runs whenever the list is drawn again."""

import streamlit as st

from core import api
from pages.ui.formatting import percent, plain

SECONDS = 600.0  # shipped runs do not change, so nobody waits for them twice
ICONS = {"worse": ":material/thumb_down:", "better": ":material/thumb_up:"}
NEITHER = ":material/drag_handle:"


@st.cache_resource(ttl=SECONDS, show_spinner=False)
def _found() -> list[api.Shows]:
    return api.good_and_bad()


def panel() -> None:
    """The list; nothing where nothing ships."""
    found = _found()
    if not found:
        return
    st.header("Good and bad settings, with the reason", divider="gray")
    st.markdown("Each of these is a training that ships. The title leads to it.")
    columns = st.columns(2)
    for number, one in enumerate(found):
        with columns[number % len(columns)].container(border=True):
            _card(one)
    st.caption(
        "Mean score on test over the seeds; the difference pairs the same seeds and the same test "
        "examples, and its 95 % interval holds the luck of both."
    )


def _card(one: api.Shows) -> None:
    st.page_link(
        "pages/train.py",
        label=f"**{plain(one.setting.title)}**",
        query_params={"run": one.run.run_id},
    )
    st.markdown(f"{ICONS.get(one.found, NEITHER)} {what_came_out(one)}")
    if one.holds:
        st.caption(plain(one.setting.reason))
    else:
        st.caption(f"These runs were chosen because they had shown: {plain(one.setting.claim)}.")


def what_came_out(one: api.Shows) -> str:
    """ "**worse** than TWN's threshold: 55.4 % against 87.1 %, -31.7 points (95 %: ...)"."""
    gap, other = one.difference, plain(one.setting.other)
    what = {"worse": f"**Worse** than {other}", "better": f"**Better** than {other}"}
    return (
        f"{what.get(one.found, f'**No difference shown** to {other}')}: "
        f"{percent(one.result.mean)} against {percent(one.other.mean)}, "
        f"{100 * gap.difference:+.1f} points (95 %: {100 * gap.low:+.1f} to "
        f"{100 * gap.high:+.1f}, {gap.seeds:d} seeds)."
    )
