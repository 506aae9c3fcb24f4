"""JupyterLab waits for nothing of ours when it starts."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest
from browsing import OpenContext
from harness import Jupyter
from labs import command, open_lab, start_lab, tile
from playwright.sync_api import Route, expect

OURS = "@jupyterhub/jupyter-server-proxy:"

#: Seconds for which nobody answers.
SILENCE = 5.0


@pytest.fixture(scope="module")
def jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jupyter]:
    servers = {"app": {"command": command(), "launcher_entry": {"title": "App"}}}
    server = start_lab(tmp_path_factory.mktemp("jupyter") / "server", servers)
    yield server
    server.stop()


def test_the_launcher_is_there_before_the_servers_are_known(jupyter: Jupyter, open_context: OpenContext) -> None:
    # Once, so that the files are in caches, and what is measured is not the disk.
    open_lab(jupyter, open_context).close()

    page = open_context().new_page()
    held: list[tuple[float, Route]] = []
    silent = True

    def hold(route: Route) -> None:
        if silent:
            held.append((time.monotonic(), route))
        else:
            route.continue_()

    page.route(re.compile("/base/server-proxy/"), hold)
    page.goto(f"http://127.0.0.1:{jupyter.port}/base/lab?reset&token={jupyter.token}")
    expect(page.locator(".jp-LauncherCard").first).to_be_visible(timeout=60_000)
    # All plugins that are to be started are, ours too.
    page.evaluate("() => jupyterapp.started.then(() => null)")
    active = page.evaluate("() => jupyterapp.listPlugins().filter(id => jupyterapp.isPluginActivated(id))")
    assert {f"{OURS}servers", f"{OURS}add-launcher-entries", f"{OURS}ports"} <= set(active)
    page.wait_for_timeout(500)
    assert held, "the servers were asked for"
    assert tile(page, "App").count() == 0

    # No test of speed: nobody has answered yet, however long it took.
    page.wait_for_timeout(max(0.0, SILENCE - (time.monotonic() - held[0][0])) * 1000)
    assert tile(page, "App").count() == 0
    silent = False
    for _, route in held:
        route.continue_()
    expect(tile(page, "App")).to_be_visible()
