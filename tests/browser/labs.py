"""JupyterLab for the browser tests: a real one with servers, and where its views are."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from browsing import OpenContext
from harness import Jupyter
from playwright.sync_api import FrameLocator, Locator, Page, expect

SLOW = str(Path(__file__).parent / "apps" / "slow.py")
ICON = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 48 48">
<rect width="48" height="48" rx="10" fill="#7a5ae0"/><path d="M12 33l8-12 6 8 5-7 6 11z" fill="#fff"/></svg>"""
API = "server-proxy/api/servers/"

#: No questions and no news.
QUIET = {
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
}

THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}


def command(*arguments: str) -> list[str]:
    """An application that takes ``arguments`` of ``apps/slow.py``."""
    return [sys.executable, SLOW, "--port={port}", *arguments]


def start_lab(directory: Path, servers: dict[str, Any]) -> Jupyter:
    """A Jupyter with JupyterLab below ``/base/``; its owner stops it."""
    server = Jupyter(
        directory,
        f"c.ServerProxy.servers = {servers!r}\nc.LabApp.expose_app_in_browser = True\n",
        base_url="/base/",
        extensions=("jupyter_server_proxy", "jupyterlab", "jupyter_server_terminals"),
    )
    overrides = directory / "config" / "labconfig" / "default_setting_overrides.json"
    overrides.parent.mkdir()
    overrides.write_text(json.dumps(QUIET))
    return server.wait_ready()


def open_lab(jupyter: Jupyter, open_context: OpenContext, title: str = "App") -> Page:
    """A window of JupyterLab, with the tile of that title in its launcher."""
    page = open_context(viewport={"width": 1280, "height": 860}).new_page()
    page.goto(f"http://127.0.0.1:{jupyter.port}/base/lab?reset&token={jupyter.token}")
    expect(tile(page, title)).to_be_visible(timeout=60_000)
    return page


def run(lab: Page, command: str, arguments: dict[str, Any] | None = None) -> None:
    """Have JupyterLab execute a command."""
    lab.evaluate("([id, args]) => jupyterapp.commands.execute(id, args).then(() => null)", [command, arguments or {}])


def wear(lab: Page, theme: str) -> None:
    """Change the theme: "light" or "dark"."""
    run(lab, "apputils:change-theme", {"theme": THEMES[theme]})
    expect(lab.locator("body")).to_have_attribute("data-jp-theme-name", THEMES[theme])


#: Where the pictures of the documentation are; they are made anew by ``make screenshots``.
PICTURES = Path(__file__).parents[2] / "docs" / "images"


def picture(lab: Page, name: str) -> None:
    """Take a picture for the documentation in each theme, if pictures are wanted."""
    if not os.environ.get("SCREENSHOTS"):
        return
    PICTURES.mkdir(exist_ok=True)
    for theme, suffix in (("dark", "-dark"), ("light", "")):
        wear(lab, theme)
        lab.wait_for_timeout(1000)  # animations
        lab.screenshot(path=PICTURES / f"{name}{suffix}.png")


def tile(lab: Page, title: str) -> Locator:
    """A tile of the launcher."""
    return lab.locator(f".jp-LauncherCard[title='{title}']")


def frame(lab: Page) -> FrameLocator:
    """The page in the tab that is shown."""
    return lab.frame_locator(".jp-ServerProxy-tab:not(.lm-mod-hidden) iframe")


def open_log(lab: Page, title: str) -> Locator:
    """Open a server and its log; gives the tab of the log."""
    tile(lab, title).click()
    lab.locator(".jp-ServerProxy-tab .jp-Toolbar").get_by_title("Show the log of the server").click()
    log = lab.locator(".jp-MainAreaWidget").filter(has=lab.locator(".jp-ServerProxy-log"))
    expect(log.locator(".jp-ServerProxy-log-line").first).to_be_visible()
    return log


def state(jupyter: Jupyter, name: str) -> dict[str, Any]:
    """What the API says about a server."""
    found: dict[str, Any] = jupyter.get(API + name).json()
    return found
