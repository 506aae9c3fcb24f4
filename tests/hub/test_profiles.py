"""The recipe of docs/hub.md by which people choose an application, run as it stands there, but for what is started."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hub import Browser, Hub

DOCUMENT = Path(__file__).parents[2] / "docs" / "hub.md"


@pytest.fixture(scope="module")
def hub(start_hub: Callable[..., Hub]) -> Hub:
    text = DOCUMENT.read_text(encoding="utf-8").partition("### Choosing an application")[2]
    [recipe] = re.findall(r"```python\n(APPS = .*?)```", text, re.DOTALL)
    ours = '\nAPPS["sales"] = ("Sales", [*STANDALONE, "--", *ECHO])\n'
    hub: Hub = start_hub(recipe + ours)
    return hub


def test_the_form_offers_the_applications_and_starts_the_chosen_one(hub: Hub) -> None:
    browser = Browser(hub, "ann")
    page = browser.open("hub/spawn/ann")
    assert re.findall(r'<option value="(\w+)"', page.text) == ["lab", "files", "sales"]
    hub.spawn("ann", app="sales")
    assert browser.open("user/ann/x").json()["target"] == "/x"
    hub.spawn("ann", "second", app="files")
    assert "Directory listing" in browser.open("user/ann/second/").text


def test_what_is_not_offered_is_not_started(hub: Hub) -> None:
    hub.api("POST", "users/ben")
    answer = hub.api("POST", "users/ben/server", json={"app": "/bin/sh"})
    assert answer.status_code >= 400
    assert not hub.user("ben")["servers"]
