"""The sheets of a run and of two, taken home from their pages."""

from pathlib import Path

import pytest

from tests.core.test_sheets import DEFAULT_RUN, OTHER_RUN, read

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(
    ("place", "button", "words"),
    [
        (f"train?run={DEFAULT_RUN}", "Download this run as a sheet", "Student minus teacher"),
        (
            f"compare?view=Two+models&first={DEFAULT_RUN}&second={OTHER_RUN}",
            "Download this comparison as a sheet",
            "Settings that differ",
        ),
    ],
    ids=["run", "pair"],
)
def test_a_sheet_is_whole_and_leads_back(visitor, tmp_path, place, button, words):
    visitor.open(place)
    with visitor.page.expect_download() as download:
        visitor.press(button)
    file = Path(tmp_path / "sheet.html")
    download.value.save_as(file)
    html = file.read_text(encoding="utf-8")
    assert words in read(html)
    assert f'href="{visitor.address}/' in html
