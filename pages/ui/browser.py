"""What only the browser knows: whether its window is narrow; and one step back for one page.

On a narrow window Streamlit hides the menu and the sidebar behind an arrow without a word. So
there the menu is a button that says "Menu", and the settings are a box that says so, in the page.

Streamlit adds two steps to the browser's history where a page with settings in its address is
left: first the address without them, then the other page. The script here takes the first one
back, so that "Back" leads to the page as it was left. Without it nothing else changes.
"""

from collections.abc import Sequence
from typing import Any

import streamlit as st
from streamlit.components import v2
from streamlit.delta_generator import DeltaGenerator
from streamlit.navigation.page import StreamlitPage

from pages.ui import state
from pages.ui.formatting import plain

KEY = "browser"

SCRIPT = """
const SOON_MS = 2000, SETTLE_MS = 1000
const NARROW = "(max-width: 768px)", ARROW = "[data-testid=stExpandSidebarButton]"
const AT_REST = "[data-test-script-state=notRunning]"

function oneStepAPage() {
    if (window.ternaryLabHistory) return
    window.ternaryLabHistory = true
    const push = history.pushState.bind(history)
    const place = () => location.pathname + location.search
    let left = null  // where the page was before its address lost settings, and when
    history.pushState = (state, title, url) => {
        const to = new URL(url, location.href)
        if (to.pathname === location.pathname) {
            const had = new URLSearchParams(location.search)
            const hadIt = ([name, value]) => had.getAll(name).includes(value)
            const dropped = to.search !== location.search && [...to.searchParams].every(hadIt)
            left = dropped ? {place: place(), path: location.pathname, at: Date.now()} : null
            return history.replaceState(state, title, url)
        }
        if (left && left.path === location.pathname && Date.now() - left.at < SOON_MS)
            history.replaceState(state, title, left.place)
        left = null
        return push(state, title, url)
    }
}

// The arrow of a sidebar that has become empty goes only with a redraw after it is empty.
function untilSettled(setStateValue, tries) {
    setTimeout(() => {
        if (!tries || !document.querySelector(ARROW)) return
        if (document.querySelector(AT_REST)) setStateValue("settled", Date.now())
        untilSettled(setStateValue, tries - 1)
    }, SETTLE_MS)
}

export default function ({data, setStateValue}) {
    oneStepAPage()
    const narrow = window.matchMedia(NARROW)
    const tell = () => {
        if (narrow.matches !== data.narrow) {
            window.ternaryLabMoved = true
            setStateValue("narrow", narrow.matches)
        } else if (window.ternaryLabMoved) {
            window.ternaryLabMoved = false
            untilSettled(setStateValue, 30)
        }
    }
    tell()
    narrow.addEventListener("change", tell)
    return () => narrow.removeEventListener("change", tell)
}
"""


@st.cache_resource
def _component() -> Any:
    return v2.component("ternary_lab_browser", js=SCRIPT)


def listen() -> bool:
    """Have the browser say what it knows, once a page; whether its window is narrow."""
    narrow = is_narrow()
    _component()(
        key=KEY, data={"narrow": narrow}, on_narrow_change=_noted, on_settled_change=_noted
    )
    return narrow


def is_narrow() -> bool:
    """Whether the window is as narrow as a phone's. Until it has said so: what its name tells."""
    narrow = state.told_by(KEY).get("narrow")
    return "Mobi" in (st.context.headers.get("User-Agent") or "") if narrow is None else narrow


def _noted() -> None:
    """Streamlit keeps a component's state only where somebody listens to it."""


def menu(pages: Sequence[StreamlitPage], current: StreamlitPage) -> None:
    """The way through the app as a button that says so, for a narrow window."""
    with st.popover(f"Menu: {plain(current.title)}", icon=":material/menu:", width="stretch"):
        for page in pages:
            st.page_link(page)


def settings(label: str = "Settings") -> DeltaGenerator:
    """Where a page's knobs go: the sidebar, or on a narrow window a box in the page."""
    if is_narrow():
        return st.expander(label, icon=":material/tune:")
    return st.sidebar
