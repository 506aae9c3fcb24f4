"""In the classic Notebook: launch from its "New" menu."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browsing import OpenContext
from harness import Jupyter
from installed import lay_out
from playwright.sync_api import Locator, Page, expect

pytest.importorskip("nbclassic", reason="needs the extra test-apps")

pytestmark = [pytest.mark.apps, pytest.mark.timeout(300)]

SLOW = str(Path(__file__).parent / "apps" / "slow.py")
COMMAND = [sys.executable, SLOW, "--port={port}"]
SERVERS: dict[str, Any] = {
    "app": {"command": COMMAND, "launcher_entry": {"title": "My <i>app</i>"}},
    "tools": {
        "command": COMMAND,
        "launcher_entry": [{"title": "First tool"}, {"title": "Second tool", "path_info": "tools/page?a=1#end"}],
    },
    "hidden": {"command": COMMAND, "launcher_entry": {"title": "Hidden", "enabled": False}},
}


@pytest.fixture(scope="module", params=["/", "/base/"])
def jupyter(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jupyter]:
    directory = tmp_path_factory.mktemp("jupyter")
    # Beside Notebook 7, as it comes with other front ends: its pages are then below /nbclassic.
    server = Jupyter(
        directory / "server",
        f"c.ServerProxy.servers = {SERVERS!r}\n",
        base_url=request.param,
        extensions=("jupyter_server_proxy", "jupyterlab", "notebook", "nbclassic", "jupyter_server_terminals"),
        environment=lay_out(directory / "prefix"),
    )
    yield server.wait_ready()
    server.stop()


@pytest.fixture
def tree(jupyter: Jupyter, open_context: OpenContext) -> Page:
    """The list of files."""
    page = open_context().new_page()
    page.goto(f"http://127.0.0.1:{jupyter.port}{jupyter.path('nbclassic/tree')}?token={jupyter.token}")
    return page


def menu(tree: Page) -> Locator:
    """The entries of the "New" menu, which is opened."""
    tree.locator("#new-dropdown-button").click()
    return tree.locator("#new-menu .server-proxy-entry a")


def click(page: Page, entry: Locator) -> Page:
    """The tab that a click opens."""
    with page.context.expect_page() as opened:
        entry.click()
    return opened.value


def test_the_menu_has_the_enabled_entries(tree: Page) -> None:
    expect(menu(tree)).to_have_text(["My <i>app</i>", "First tool", "Second tool"])
    expect(tree.locator("#new-menu")).not_to_contain_text("Hidden")
    assert tree.locator("#new-menu i").count() == 0, "a title is no HTML"


def test_an_entry_opens_a_browser_tab(jupyter: Jupyter, tree: Page) -> None:
    app = click(tree, menu(tree).filter(has_text="My <i>app</i>"))
    expect(app.locator("h1")).to_have_text("The application")
    assert app.url == f"http://127.0.0.1:{jupyter.port}{jupyter.path('app/')}"
    assert app.evaluate("window.opener") is None
    expect(tree.locator("#notebook_list")).to_be_visible()


def test_an_entry_leads_where_it_says(jupyter: Jupyter, tree: Page) -> None:
    app = click(tree, menu(tree).filter(has_text="Second tool"))
    expect(app.locator("h1")).to_have_text("The application")
    assert app.url == f"http://127.0.0.1:{jupyter.port}{jupyter.path('tools/page?a=1#end')}"


def test_without_entries_the_menu_is_as_it_was(jupyter: Jupyter, open_context: OpenContext) -> None:
    context = open_context()
    page = context.new_page()
    page.route("**/server-proxy/servers-info*", lambda route: route.fulfill(json={"server_processes": []}))
    page.goto(f"http://127.0.0.1:{jupyter.port}{jupyter.path('nbclassic/tree')}?token={jupyter.token}")
    page.wait_for_load_state("networkidle")
    expect(menu(page)).to_have_count(0)
    expect(page.locator("#new-menu")).to_contain_text("Text File")
    expect(page.locator("#new-menu")).not_to_contain_text("Servers:")
