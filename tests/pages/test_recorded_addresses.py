"""Every address means what it meant when it was recorded (tests/recorded/addresses.json).

The record names each page's address and, for addresses full of settings, what their widgets show
and what Start then asks for. RUN and MODEL stand for the lab's run and its tiny BERT. An address
that somebody saved or shared must go on meaning the same; new ones are added, old ones stay.
"""

import json
from typing import Any
from urllib.parse import parse_qs

import pytest
import streamlit as st

from core import machine
from core.experiment import Experiment, Job, Teaching
from core.runs.runner import PROJECT
from core.serialization import to_plain
from tests.pages.conftest import button, open_page, press

RECORD: dict[str, Any] = json.loads(
    (PROJECT / "tests" / "recorded" / "addresses.json").read_text(encoding="utf-8")
)


@pytest.fixture
def names(lab, finished_run, monkeypatch) -> dict[str, str]:
    """What stands for the lab's own names; and the precision is nobody's processor's."""
    monkeypatch.setattr(machine, "fastest_precision", lambda: "fp32")
    return {"RUN": finished_run.run_id, "MODEL": lab.model}


def decoded(address: str, names: dict[str, str], submitted: list) -> dict[str, Any]:
    """What the page of this address shows for each parameter, and what its Start asks for."""
    page, _, query = address.partition("?")
    parameters = {
        name: [names.get(text, text) for text in texts]
        for name, texts in parse_qs(query, keep_blank_values=True).items()
    }
    app = open_page(page, **parameters)
    found = {"shows": {name: shown(app, name) for name in parameters}}
    if page == "train":
        start = button(app, "Start")
        if not start.disabled:
            press(app, "Start")
        found["asks for"] = asked(submitted[0]) if submitted else None
    words = {name: word for word, name in names.items()}
    return json.loads(json.dumps(found), object_hook=lambda plain: named(plain, words))


def shown(app, name: str) -> Any:
    is_read = name in app.session_state
    return app.session_state[name] if is_read else "not read"


def asked(job: Job) -> dict[str, Any]:
    """What differs from the record's own default."""
    usual = (
        Experiment() if isinstance(job, Experiment) else Teaching(task="a task", model="a model")
    )
    return {type(job).__name__: difference(to_plain(job), to_plain(usual))}


def difference(plain: dict[str, Any], usual: dict[str, Any]) -> dict[str, Any]:
    found = {}
    for name, value in plain.items():
        if isinstance(value, dict):
            value = difference(value, usual[name])
            if value:
                found[name] = value
        elif value != usual[name]:
            found[name] = value
    return found


def named(plain: dict[str, Any], words: dict[str, str]) -> dict[str, Any]:
    def word(value):
        if isinstance(value, list):
            return [word(one) for one in value]
        return words.get(value, value) if isinstance(value, str) else value

    return {name: word(value) for name, value in plain.items()}


def pages_of_the_app(monkeypatch) -> dict[str, str]:
    """Address and title of every page that `app.py` knows."""
    found, navigation = {}, st.navigation

    def heard(pages, **options):
        found.update({page.url_path: page.title for page in pages})
        return navigation(pages, **options)

    monkeypatch.setattr(st, "navigation", heard)
    open_page("start")
    return found


def test_every_page_has_the_address_that_it_had(lab, monkeypatch):
    assert RECORD["pages"].items() <= pages_of_the_app(monkeypatch).items()
    assert len(RECORD["pages"]) == 7


@pytest.mark.parametrize("address", RECORD["addresses"])
def test_an_address_means_what_it_meant(names, submitted, address):
    assert len(RECORD["addresses"]) >= 10
    found, wanted = decoded(address, names, submitted), RECORD["addresses"][address]
    assert found == wanted
