"""In Notebook 7: launch from its "New" menu, see and stop in its "Running" tab."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browsing import PATIENCE
from harness import Jupyter, process_gone, wait_until
from installed import lay_out
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, expect

pytest.importorskip("notebook", reason="needs the extra test-apps")

pytestmark = [pytest.mark.apps, pytest.mark.timeout(300)]

SLOW = str(Path(__file__).parent / "apps" / "slow.py")
COMMAND = [sys.executable, SLOW, "--port={port}"]
SERVERS: dict[str, Any] = {
    "app": {"command": COMMAND, "launcher_entry": {"title": "My <i>app</i>"}},
    "tools": {
        "command": COMMAND,
        "launcher_entry": [{"title": "First tool"}, {"title": "Second tool", "path_info": "tools/page?a=1#end"}],
        "new_browser_tab": False,
    },
    "hidden": {"command": COMMAND, "launcher_entry": {"title": "Hidden", "enabled": False}},
}
ENTRIES = ["My <i>app</i>", "First tool", "Second tool"]
NOTEBOOK = {
    "cells": [],
    "metadata": {"kernelspec": {"name": "none", "display_name": "None", "language": "none"}},
    "nbformat": 4,
    "nbformat_minor": 5,
}


@pytest.fixture(scope="module", params=["/", "/base/"])
def jupyter(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jupyter]:
    directory = tmp_path_factory.mktemp("jupyter")
    server = Jupyter(
        directory / "server",
        f"c.JupyterNotebookApp.expose_app_in_browser = True\nc.ServerProxy.servers = {SERVERS!r}\n",
        base_url=request.param,
        extensions=("jupyter_server_proxy", "jupyterlab", "notebook", "jupyter_server_terminals"),
        environment=lay_out(directory / "prefix"),
    )
    yield server.wait_ready()
    server.stop()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """Its pages must not complain about this extension; Notebook complains about itself."""
    context = browser.new_context(viewport={"width": 1280, "height": 860})
    context.set_default_timeout(PATIENCE)
    complaints: list[str] = []

    def note(message: ConsoleMessage) -> None:
        told = f"{message.text} {message.location['url']}"
        if message.type in ("error", "warning") and ("server-proxy" in told or "server_proxy" in told):
            complaints.append(told)

    context.on("console", note)
    yield context
    context.close()
    assert not complaints


@pytest.fixture
def tree(jupyter: Jupyter, context: BrowserContext) -> Page:
    """The list of files."""
    page = context.new_page()
    page.goto(f"{url(jupyter)}tree?token={jupyter.token}")
    expect(page.locator(".jp-DropdownMenu")).to_be_visible()
    return page


def url(jupyter: Jupyter, path: str = "") -> str:
    return f"http://127.0.0.1:{jupyter.port}{jupyter.path(path)}"


def menu(tree: Page) -> Locator:
    """The entries of the "New" menu, which is opened where it is not."""
    if not tree.locator(".lm-Menu").is_visible():
        tree.locator(".jp-DropdownMenu .lm-MenuBar-item").click()
    return tree.locator(".lm-Menu .lm-Menu-item[data-command='server-proxy:open'] .lm-Menu-itemLabel")


def running(tree: Page, title: str) -> Locator:
    """A line of the "Running" tab."""
    tree.bring_to_front()
    tree.get_by_role("tab", name="Running").click()
    return tree.locator(".jp-RunningSessions-item.jp-ServerProxy-running").filter(has_text=title)


def told(jupyter: Jupyter, name: str) -> dict[str, Any]:
    return dict(jupyter.get(f"server-proxy/api/servers/{name}").json())


def click(page: Page, entry: Locator) -> Page:
    """The tab that a click opens."""
    with page.context.expect_page() as opened:
        entry.click()
    return opened.value


def test_the_menu_has_the_enabled_entries(tree: Page) -> None:
    # They come when the servers are known: until then the menu has only those of Notebook.
    expect(menu(tree)).to_have_text(ENTRIES)
    expect(tree.locator(".lm-Menu")).to_contain_text("New Folder")
    expect(tree.locator(".lm-Menu")).not_to_contain_text("Hidden")


def test_an_entry_opens_a_browser_tab(jupyter: Jupyter, tree: Page) -> None:
    app = click(tree, menu(tree).filter(has_text="My <i>app</i>"))
    expect(app.locator("h1")).to_have_text("The application")
    assert app.url == url(jupyter, "app/")


def test_also_one_that_asks_for_a_tab_of_jupyterlab(jupyter: Jupyter, tree: Page) -> None:
    app = click(tree, menu(tree).filter(has_text="Second tool"))
    expect(app.locator("h1")).to_have_text("The application")
    assert app.url == url(jupyter, "tools/page?a=1#end")
    expect(tree).to_have_url(url(jupyter, "tree"))


def test_the_entries_stay_when_the_kernels_change(jupyter: Jupyter, tree: Page) -> None:
    expect(menu(tree)).to_have_text(ENTRIES)
    tree.keyboard.press("Escape")
    kernel = jupyter.directory / "data" / "kernels" / "another" / "kernel.json"
    kernel.parent.mkdir(parents=True, exist_ok=True)
    kernel.write_text(json.dumps({"argv": ["true"], "display_name": "Another", "language": "none"}))
    try:
        tree.evaluate("() => jupyterapp.serviceManager.kernelspecs.refreshSpecs()")
        entries = menu(tree)
        expect(tree.locator(".lm-Menu")).to_contain_text("Another")
        expect(entries).to_have_text(ENTRIES)
    finally:
        kernel.unlink()


def test_the_menu_stays_without_the_api(jupyter: Jupyter, browser: Browser) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.route("**/server-proxy/**", lambda route: route.abort())
    page.goto(f"{url(jupyter)}tree?token={jupyter.token}")
    entries = menu(page)
    expect(page.locator(".lm-Menu")).to_contain_text("New Folder")
    expect(entries).to_have_count(0)
    context.close()


def test_the_running_tab_shows_opens_and_stops(jupyter: Jupyter, tree: Page) -> None:
    assert jupyter.request("POST", "server-proxy/api/servers/tools/start?wait=1").status == 200
    pid = told(jupyter, "tools")["pid"]
    line = running(tree, "First tool")
    expect(line).to_contain_text(re.compile(r"\d (s|min)"))
    app = click(tree, line.locator(".jp-RunningSessions-itemLabel"))
    expect(app.locator("h1")).to_have_text("The application")
    assert app.url == url(jupyter, "tools/")
    app.close()
    tree.bring_to_front()
    line.hover()
    line.locator(".jp-RunningSessions-itemShutdown").click()
    wait_until(lambda: process_gone(pid), "the process to end")
    expect(line).to_have_count(0)
    assert told(jupyter, "tools")["state"] == "stopped"


def test_the_page_of_a_notebook_does_without(jupyter: Jupyter, context: BrowserContext) -> None:
    """It has neither the menu nor the tab; each plugin must be able to live with that."""
    (jupyter.directory / "one.ipynb").write_text(json.dumps(NOTEBOOK))
    page = context.new_page()
    page.goto(f"{url(jupyter)}notebooks/one.ipynb?token={jupyter.token}")
    expect(page.locator(".jp-Notebook")).to_be_visible()
    assert page.evaluate("() => jupyterapp.restored.then(() => jupyterapp.commands.hasCommand('server-proxy:open'))")
    # Jupyter, also one without this extension, does not stop where the page goes while it is still loaded.
    page.wait_for_load_state("networkidle")
