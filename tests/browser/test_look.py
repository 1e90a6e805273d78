"""Every page, light and dark, on a laptop and on a phone: nothing runs over the edge, and nothing
stands in the way of a person who hears the page or needs contrast.

The pictures are kept as artifacts; look at them.
"""

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser.conftest import PAGES

pytestmark = pytest.mark.browser

# Findings in Streamlit's own markup, which we cannot change; the page's own parts have none.
# (rule, a part of the selector): what it is, and since when it is let through.
ALLOWED: dict[tuple[str, str], str] = {}

OVERFLOW = """() => [document.scrollingElement, document.querySelector('[data-testid=stMain]')]
    .map(one => one.scrollWidth - one.clientWidth)"""


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page or "start")
def test_it_fits_and_can_be_used_by_everybody(tab, page, width, theme):
    visitor = tab(width=width, theme=theme).open(page)
    visitor.picture(f"{page or 'start'}-{width}-{theme}")
    assert visitor.page.evaluate(OVERFLOW) == [0, 0]
    assert grave(visitor.page) == []


def grave(page) -> list[str]:
    """Findings (heading order is a moderate one) that are not on the list."""
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [
        f"{rule['id']}: {node['target']} {node['html'][:200]} {node['failureSummary'][:200]}"
        for rule in found
        if rule["impact"] in ("moderate", "serious", "critical")
        for node in rule["nodes"]
        if not any(rule["id"] == name and part in str(node["target"]) for name, part in ALLOWED)
    ]
