"""In JupyterLab: launch, see, stop; a real browser, a real JupyterLab, real children."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browsing import OpenContext
from harness import Jupyter, process_gone, wait_until
from labs import API, ICON, command, frame, open_lab, open_log, picture, start_lab, state, tile
from playwright.sync_api import Locator, Page, expect


@pytest.fixture(scope="module")
def jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jupyter]:
    directory = tmp_path_factory.mktemp("jupyter")
    (directory / "icon.svg").write_text(ICON)
    icon = str(directory / "icon.svg")
    servers: dict[str, Any] = {
        "app": {"command": command(), "new_browser_tab": False, "launcher_entry": {"title": "App", "icon_path": icon}},
        "outside": {"command": command(), "launcher_entry": {"title": "Outside", "category": "Other"}},
        "tools": {
            "command": command(),
            "launcher_entry": [
                {"title": "First tool", "category": "Tools", "icon_path": icon},
                {"title": "Second tool", "category": "Tools", "path_info": "tools/page?a=1#end"},
            ],
            "new_browser_tab": False,
        },
        "hidden": {"command": command(), "launcher_entry": {"title": "Hidden", "enabled": False}},
        "slow": {"command": command("--seconds=3"), "new_browser_tab": False, "launcher_entry": {"title": "Slow"}},
        "fails": {
            "command": [sys.executable, "-c", "print('no luck'); raise SystemExit(3)"],
            "new_browser_tab": False,
            "launcher_entry": {"title": "Fails"},
        },
    }
    server = start_lab(directory / "server", servers)
    yield server
    server.stop()


@pytest.fixture
def lab(jupyter: Jupyter, open_context: OpenContext) -> Page:
    """A window of JupyterLab with its launcher."""
    return open_lab(jupyter, open_context)


def open_running(lab: Page) -> Locator:
    """The section of the servers in the panel of running sessions."""
    lab.locator(".lm-TabBar-tab[data-id='jp-running-sessions']").click()
    return lab.locator(".jp-ServerProxy-running")


def test_tiles_are_in_their_sections_and_hidden_servers_are_not_there(lab: Page) -> None:
    section = lab.locator(".jp-Launcher-section")
    for heading, title in [
        ("Notebook", "App"),
        ("Other", "Outside"),
        ("Tools", "First tool"),
        ("Tools", "Second tool"),
    ]:
        expect(section.filter(has_text=heading).locator(f".jp-LauncherCard[title='{title}']")).to_have_count(1)
    expect(tile(lab, "Hidden")).to_have_count(0)
    # A file that is an icon is an image of its own; it does not become part of the page.
    assert tile(lab, "App").locator("img").get_attribute("src").endswith("/base/server-proxy/icon/app")
    image = tile(lab, "First tool").locator("svg image")
    assert (image.get_attribute("href") or "").endswith("/base/server-proxy/icon/tools")
    picture(lab, "launcher")
    box = image.bounding_box()
    assert box is not None
    assert box["width"] >= 32


def test_the_palette_and_the_menu(lab: Page) -> None:
    lab.keyboard.press("Control+Shift+C")
    palette = lab.locator(".lm-CommandPalette")
    palette.locator("input").fill("tool")
    expect(palette.locator(".lm-CommandPalette-itemLabel").filter(has_text="First tool")).to_be_visible()
    lab.keyboard.press("Escape")
    lab.locator(".lm-MenuBar-itemLabel", has_text="File").first.click()
    lab.locator(".lm-Menu-itemLabel", has_text=re.compile("^New$")).hover()
    expect(lab.locator(".lm-Menu-itemLabel", has_text="Second tool")).to_be_visible()
    expect(lab.locator(".lm-Menu-itemLabel", has_text="Hidden")).to_have_count(0)


def test_a_click_on_a_tile_opens_the_application_in_a_tab(jupyter: Jupyter, lab: Page) -> None:
    tile(lab, "App").click()
    expect(frame(lab).locator("h1")).to_have_text("The application")
    title = lab.locator(".jp-ServerProxy-tab:not(.lm-mod-hidden) iframe").evaluate("one => one.contentDocument.title")
    expect(lab.locator(".lm-DockPanel-tabBar .lm-TabBar-tab.lm-mod-current .lm-TabBar-tabLabel")).to_have_text(title)
    assert state(jupyter, "app")["state"] == "ready"
    toolbar = lab.locator(".jp-ServerProxy-tab:not(.lm-mod-hidden) .jp-Toolbar")
    for tooltip in ("Reload", "Open in a new browser tab", "Copy link", "Restart the server", "Stop the server"):
        expect(toolbar.get_by_title(tooltip)).to_be_visible()
    picture(lab, "tab")


def test_a_path_with_query_and_fragment(lab: Page) -> None:
    tile(lab, "Second tool").click()
    expect(frame(lab).locator("h1")).to_have_text("The application")
    source = lab.locator(".jp-ServerProxy-tab:not(.lm-mod-hidden) iframe").get_attribute("src")
    assert (source or "").endswith("/base/tools/page?a=1#end")


def test_a_server_of_its_own_browser_tab(lab: Page) -> None:
    with lab.context.expect_page() as opening:
        tile(lab, "Outside").click()
    expect(opening.value.locator("h1")).to_have_text("The application")
    assert opening.value.evaluate("window.opener") is None


def test_the_waiting_page_inside_a_tab(lab: Page) -> None:
    tile(lab, "Slow").click()
    expect(frame(lab).locator("h1")).to_have_text(re.compile("Starting Slow"))
    expect(frame(lab).locator("h1")).to_have_text("The application")


def test_the_failure_page_inside_a_tab(lab: Page) -> None:
    tile(lab, "Fails").click()
    expect(frame(lab).locator("h1")).to_have_text("Fails could not be started")
    expect(frame(lab).locator("body")).to_contain_text("no luck")


def test_the_running_panel_shows_and_stops_it(jupyter: Jupyter, lab: Page) -> None:
    tile(lab, "App").click()
    expect(frame(lab).locator("h1")).to_have_text("The application")
    pid = state(jupyter, "app")["pid"]
    item = open_running(lab).filter(has_text="App").first
    expect(item).to_contain_text(re.compile(r"\d+ (s|min), [\d.]+ [kMG]B"))
    picture(lab, "running")
    item.hover()
    item.locator(".jp-RunningSessions-itemShutdown").click()
    wait_until(lambda: process_gone(pid), "its process to end")
    # The page in the tab looked alive, and to load it would start the server.
    cover = lab.locator(".jp-ServerProxy-cover")
    expect(cover).to_contain_text("is not running")
    assert state(jupyter, "app")["state"] == "stopped"
    cover.get_by_role("button", name="Start").click()
    expect(cover).to_have_count(0)
    expect(frame(lab).locator("h1")).to_have_text("The application")
    assert state(jupyter, "app")["pid"] not in (pid, None)


def test_restart_from_the_toolbar(jupyter: Jupyter, lab: Page) -> None:
    tile(lab, "App").click()
    expect(frame(lab).locator("h1")).to_have_text("The application")
    pid = state(jupyter, "app")["pid"]
    lab.locator(".jp-ServerProxy-tab:not(.lm-mod-hidden) .jp-Toolbar").get_by_title("Restart the server").click()
    wait_until(lambda: state(jupyter, "app")["pid"] not in (pid, None), "another process")
    assert process_gone(pid)
    expect(frame(lab).locator("h1")).to_have_text("The application")


def test_shut_down_all(jupyter: Jupyter, lab: Page) -> None:
    for name in ("app", "hidden"):
        assert jupyter.get(f"{name}/").status == 200
    expect(open_running(lab).filter(has_text="Hidden")).to_be_visible(timeout=30_000)
    section = lab.locator(".jp-AccordionPanel-title").filter(has_text=re.compile("^Servers"))
    section.get_by_text("Shut Down All").first.click()
    lab.locator(".jp-Dialog button.jp-mod-warn").click()
    for name in ("app", "hidden"):
        wait_until(lambda: state(jupyter, name)["state"] == "stopped", f"{name} to stop")  # noqa: B023


def test_a_reload_of_the_window_restores_the_tab(lab: Page) -> None:
    tile(lab, "App").click()
    expect(frame(lab).locator("h1")).to_have_text("The application")
    lab.wait_for_timeout(2500)  # the layout is saved after a while
    lab.goto(lab.url.partition("?")[0])
    expect(frame(lab).locator("h1")).to_have_text("The application", timeout=60_000)


def test_the_settings_decide_where_servers_are_opened(lab: Page) -> None:
    lab.evaluate(
        """async () => {
            const xsrf = document.cookie.match(/_xsrf=([^;]*)/)[1];
            const url = '/base/lab/api/settings/@jupyterhub/jupyter-server-proxy:open';
            await fetch(url, {method: 'PUT', headers: {'X-XSRFToken': xsrf, 'Content-Type': 'application/json'},
                              body: JSON.stringify({raw: '{"place": "browser-tab"}'})});
        }"""
    )
    try:
        lab.reload()
        with lab.context.expect_page() as opening:
            tile(lab, "App").click()
        expect(opening.value.locator("h1")).to_have_text("The application")
    finally:
        lab.evaluate(
            """async () => {
                const xsrf = document.cookie.match(/_xsrf=([^;]*)/)[1];
                const url = '/base/lab/api/settings/@jupyterhub/jupyter-server-proxy:open';
                await fetch(url, {method: 'PUT', headers: {'X-XSRFToken': xsrf, 'Content-Type': 'application/json'},
                                  body: JSON.stringify({raw: '{}'})});
            }"""
        )


def test_the_log_is_followed_searched_and_downloaded(jupyter: Jupyter, lab: Page) -> None:
    tile(lab, "App").click()
    expect(frame(lab).locator("h1")).to_have_text("The application")
    expect(lab.locator(".jp-ServerProxy-tab .jp-Toolbar").get_by_title("Show the log of the server")).to_be_visible()
    lab.locator(".jp-ServerProxy-tab .jp-Toolbar").get_by_title("Show the log of the server").click()
    lines = lab.locator(".jp-ServerProxy-log-lines")
    expect(lines).to_contain_text("preparing <b>everything</b>")
    expect(lines.locator(".jp-ServerProxy-bold").first).to_have_text("preparing")  # a colour of terminals
    assert lines.locator("b").count() == 0  # and no markup of the application
    assert jupyter.get("app/asked-for").status in (200, 404)
    expect(lines).to_contain_text("GET /asked-for")
    picture(lab, "log")

    search = lab.get_by_role("searchbox", name="Find in the output")
    search.fill("asked-for")
    expect(lab.locator(".jp-ServerProxy-log-line.jp-mod-match")).to_have_count(1)
    search.press("Enter")
    expect(lab.locator(".jp-ServerProxy-log-count")).to_have_text("1 of 1")
    with lab.expect_download() as download:
        lab.get_by_title("Download the output").click()
    assert download.value.suggested_filename == "app.log"
    assert "GET /asked-for" in Path(download.value.path()).read_text()

    before = lab.locator(".jp-ServerProxy-log-run").count()
    jupyter.request("POST", API + "app/restart?wait=1", body=b"")
    expect(lab.locator(".jp-ServerProxy-log-run")).to_have_count(before + 1)
    numbers = lab.locator(".jp-ServerProxy-log-line").filter(has_text="GET /asked-for")
    expect(numbers).to_have_count(1)  # nothing is told twice


def test_the_log_stays_where_somebody_has_scrolled_to(jupyter: Jupyter, lab: Page) -> None:
    log = open_log(lab, "App")
    lines = log.locator(".jp-ServerProxy-log-lines")
    follow = log.get_by_role("button", name="Follow")
    expect(follow).to_have_attribute("aria-pressed", "true")

    def write(count: int, path: str) -> None:
        for number in range(count):
            jupyter.get(f"app/{path}-{number}")
        expect(lines).to_contain_text(f"{path}-{count - 1}")

    def is_at_end() -> bool:
        lab.wait_for_timeout(200)
        return bool(lines.evaluate("one => one.scrollHeight - one.scrollTop - one.clientHeight < 3"))

    write(60, "first")
    assert is_at_end()
    lines.hover()
    lab.mouse.wheel(0, -300)
    expect(follow).to_have_attribute("aria-pressed", "false")
    write(3, "second")
    assert not is_at_end()
    follow.click()
    expect(follow).to_have_attribute("aria-pressed", "true")
    assert is_at_end()
    follow.click()
    write(3, "third")
    assert not is_at_end()
    lab.mouse.move(0, 0)
    lines.hover()
    lab.mouse.wheel(0, 10_000)
    expect(follow).to_have_attribute("aria-pressed", "true")
    write(3, "fourth")
    assert is_at_end()


def test_the_log_starts_a_server_that_is_stopped(jupyter: Jupyter, lab: Page) -> None:
    log = open_log(lab, "App")
    start, stop = log.get_by_title("Start the server", exact=True), log.get_by_title("Stop the server")
    expect(start).to_have_count(0)
    stop.focus()
    lab.keyboard.press("Enter")
    expect(start).to_be_focused()
    expect(stop).to_have_attribute("aria-disabled", "true")
    assert state(jupyter, "app")["state"] == "stopped"
    lab.keyboard.press("Enter")
    expect(stop).to_have_attribute("aria-disabled", "false")
    expect(start).to_have_count(0)
    wait_until(lambda: state(jupyter, "app")["state"] == "ready", "it to start")
    # None of them is a switch that stays pressed.
    assert log.locator(".jp-Toolbar jp-button[aria-pressed]:visible").count() == 0


def test_a_message_tells_of_a_server_that_has_died(jupyter: Jupyter, lab: Page) -> None:
    tile(lab, "App").click()
    expect(frame(lab).locator("h1")).to_have_text("The application")
    pid = state(jupyter, "app")["pid"]
    lab.wait_for_timeout(6000)  # it is seen to run
    os.kill(pid, signal.SIGKILL)
    toast = lab.locator(".Toastify__toast").filter(has_text="App was ended by SIGKILL.")
    expect(toast).to_be_visible()
    picture(lab, "message")
    toast.get_by_role("button", name="Restart").click()
    wait_until(lambda: state(jupyter, "app")["pid"] not in (pid, None), "another process")
    expect(frame(lab).locator("h1")).to_have_text("The application")


def test_a_server_that_somebody_stops_is_no_news(jupyter: Jupyter, lab: Page) -> None:
    tile(lab, "App").click()
    expect(frame(lab).locator("h1")).to_have_text("The application")
    lab.wait_for_timeout(6000)
    assert jupyter.request("POST", API + "app/stop", body=b"").status == 200
    expect(lab.locator(".jp-ServerProxy-cover")).to_be_visible()
    assert lab.locator(".Toastify__toast").filter(has_text="App").count() == 0
