"""From a click to the application: a browser, a real Jupyter, real children."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browsing import OpenContext, violations
from harness import APPS, Jupyter, background, free_port, listens, process_gone, wait_until
from playwright.sync_api import BrowserContext, Page, Response, expect

SLOW = str(Path(__file__).parent / "apps" / "slow.py")
ICON = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><rect width="9" height="9" fill="#7a5ae0"/></svg>'


def command(*arguments: str) -> list[str]:
    return [sys.executable, SLOW, "--port={port}", *arguments]


@pytest.fixture(scope="module")
def needed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file without which two servers fail."""
    path: Path = tmp_path_factory.mktemp("needed") / "measurements.toml"
    return path


@pytest.fixture(scope="module")
def jupyter(tmp_path_factory: pytest.TempPathFactory, needed: Path) -> Iterator[Jupyter]:
    directory = tmp_path_factory.mktemp("jupyter")
    (directory / "icon.svg").write_text(ICON)
    fails = command("--token=topsecret", f"--needs={needed}")
    launcher = {"title": "Slow <application>", "icon_path": str(directory / "icon.svg")}
    servers: dict[str, Any] = {
        "slow": {"command": command("--seconds=4"), "launcher_entry": launcher},
        "scriptless": {"command": command("--seconds=4")},
        "framed": {"command": command("--seconds=3")},
        "deep/slow-app": {"command": command("--seconds=3")},
        "endless": {"command": command("--seconds=300"), "timeout": 600},
        "fails": {"command": fails},
        "fails-slowly": {"command": [sys.executable, "-c", "import time; time.sleep(2.5); print('late')"]},
        "fails-scriptless": {"command": fails},
    }
    server = Jupyter(directory / "server", f"c.ServerProxy.servers = {servers!r}\n", base_url="/base/")
    yield server.wait_ready()
    server.stop()


def origin(jupyter: Jupyter) -> str:
    return f"http://127.0.0.1:{jupyter.port}"


def log_in(jupyter: Jupyter, context: BrowserContext) -> Page:
    page = context.new_page()
    page.goto(f"{origin(jupyter)}/base/server-proxy/servers-info?token={jupyter.token}")
    return page


@pytest.fixture
def visitor(jupyter: Jupyter, open_context: OpenContext) -> Page:
    """A page of somebody who is logged in."""
    return log_in(jupyter, open_context())


def visit(jupyter: Jupyter, page: Page, path: str) -> Response:
    response = page.goto(origin(jupyter) + jupyter.path(path))
    assert response is not None
    return response


def entered(page: Page) -> None:
    expect(page.locator("h1")).to_have_text("The application")


def watch(page: Page, path: str) -> list[int]:
    """The statuses of the answers for a path, as they come."""
    statuses: list[int] = []
    page.on("response", lambda answer: statuses.append(answer.status) if answer.url.endswith(path) else None)
    return statuses


def told(jupyter: Jupyter, name: str) -> dict[str, Any]:
    return dict(jupyter.get(f"server-proxy/api/servers/{name}").json())


@pytest.mark.behaviour("P9")
def test_a_slow_server_is_entered_by_itself(jupyter: Jupyter, visitor: Page) -> None:
    statuses = watch(visitor, "/base/slow/?a=b")
    response = visit(jupyter, visitor, "slow/?a=b")
    assert response.status == 503
    assert response.headers["retry-after"] == "2"
    assert response.headers["content-security-policy"].startswith("default-src 'none'")
    expect(visitor.locator("h1")).to_have_text("Starting Slow <application>")
    expect(visitor.locator("[aria-current=step]")).to_contain_text("Port open")
    expect(visitor.locator("#lines .ansi1")).to_have_text("preparing")
    expect(visitor.locator("#lines > div").first).to_have_text("preparing <b>everything</b>")
    assert visitor.evaluate("document.querySelector('header img').naturalWidth") > 0
    assert visitor.locator("#progress").count() == 0, "nobody knows how long it takes"
    entered(visitor)
    assert visitor.url == f"{origin(jupyter)}/base/slow/?a=b"
    assert statuses == [503, 200]
    assert told(jupyter, "slow")["starts"] == 1


def test_how_long_it_takes_is_learnt(jupyter: Jupyter, visitor: Page) -> None:
    jupyter.request("POST", "server-proxy/api/servers/slow/start?wait=1")
    jupyter.request("POST", "server-proxy/api/servers/slow/stop")
    visit(jupyter, visitor, "slow/")
    expect(visitor.locator("#progress")).to_be_visible()
    expect(visitor.locator("#time")).to_contain_text("s of about")
    entered(visitor)


def test_a_name_with_a_slash(jupyter: Jupyter, visitor: Page) -> None:
    visit(jupyter, visitor, "deep/slow-app/")
    expect(visitor.locator("h1")).to_have_text("Starting deep/slow-app")
    expect(visitor.locator("#lines > div").last).to_contain_text("of 10")
    entered(visitor)


def test_without_javascript(jupyter: Jupyter, open_context: OpenContext, needed: Path) -> None:
    page = log_in(jupyter, open_context(java_script_enabled=False))
    visit(jupyter, page, "scriptless/")
    expect(page.locator("h1")).to_have_text("Starting scriptless")
    expect(page.locator("#lines > div").first).to_have_text("preparing <b>everything</b>")
    entered(page)
    assert told(jupyter, "scriptless")["starts"] == 1
    needed.unlink(missing_ok=True)
    assert visit(jupyter, page, "fails-scriptless/").status == 503
    expect(page.locator("h1")).to_have_text("fails-scriptless could not be started")
    needed.touch()
    while page.locator("h1").inner_text() != "The application":
        page.get_by_role("link", name="Try again").click()
        page.wait_for_timeout(300)


def test_in_a_narrow_frame(jupyter: Jupyter, visitor: Page) -> None:
    frame = '<!doctype html><iframe src="/base/framed/" width=300 height=400></iframe>'
    visitor.route("**/base/frame", lambda route: route.fulfill(content_type="text/html", body=frame))
    visit(jupyter, visitor, "frame")
    expect(visitor.frame_locator("iframe").locator("h1")).to_have_text("Starting framed")
    expect(visitor.frame_locator("iframe").locator("h1")).to_have_text("The application")


def test_cancel_and_start_again(jupyter: Jupyter, visitor: Page) -> None:
    visit(jupyter, visitor, "endless/")
    assert violations(visitor) == ""
    pid = told(jupyter, "endless")["pid"]
    visitor.get_by_role("button", name="Cancel").click()
    expect(visitor.locator("#status")).to_have_text("endless is stopped.")
    assert told(jupyter, "endless")["state"] == "stopped"
    wait_until(lambda: process_gone(pid), "the process to end")
    visitor.wait_for_timeout(2500)
    assert told(jupyter, "endless")["state"] == "stopped", "an open page does not start it again"
    visitor.get_by_role("link", name="Start").click()
    expect(visitor.locator("#cancel")).to_be_visible()
    assert told(jupyter, "endless")["state"] == "starting"
    visitor.get_by_role("button", name="Cancel").click()
    expect(visitor.locator("#again")).to_be_visible()


def test_a_failure_and_its_end(jupyter: Jupyter, visitor: Page, needed: Path) -> None:
    needed.unlink(missing_ok=True)
    response = visit(jupyter, visitor, "fails/")
    assert response.status == 503
    expect(visitor.locator("h1")).to_have_text("fails could not be started")
    main = visitor.locator("main")
    expect(main).to_contain_text("Server 'fails' exited with status 3 while it was starting.")
    expect(main).to_contain_text("--token=***")
    assert "topsecret" not in visitor.content()
    expect(visitor.locator("#output .ansi31")).to_have_text("error: measurements.toml is not there")
    assert violations(visitor) == ""
    visitor.get_by_role("link", name="Try again").click()
    wait_until(lambda: told(jupyter, "fails")["starts"] == 2, "another start")
    expect(visitor.locator("h1")).to_have_text("fails could not be started")
    needed.touch()
    visitor.get_by_role("link", name="Try again").click()
    entered(visitor)


def test_a_failure_while_the_page_waits(jupyter: Jupyter, visitor: Page) -> None:
    statuses = watch(visitor, "/base/fails-slowly/")
    visit(jupyter, visitor, "fails-slowly/")
    expect(visitor.locator("h1")).to_have_text("Starting fails-slowly")
    expect(visitor.locator("h1")).to_have_text("fails-slowly could not be started")
    expect(visitor.locator("#lines")).to_have_text("late")
    visitor.wait_for_timeout(1000)
    assert statuses == [503, 503], "one reload"


def test_a_dead_port_leads_to_one_that_lives(jupyter: Jupyter, visitor: Page) -> None:
    port, dead = free_port(), free_port()
    with background([sys.executable, str(APPS / "echo.py"), f"--port={port}"], lambda: listens(port)):
        assert visit(jupyter, visitor, f"proxy/{dead}/").status == 502
        expect(visitor.locator("h1")).to_have_text(f"Nothing listens on port {dead}")
        assert violations(visitor) == ""
        link = visitor.get_by_role("link", name=str(port))
        assert str(jupyter.port) not in visitor.get_by_role("table").inner_text(), "Jupyter itself is not offered"
        link.click()
        visitor.wait_for_url(f"{origin(jupyter)}/base/proxy/{port}/")
    assert visit(jupyter, visitor, f"proxy/{port}/").status == 502
    expect(visitor.locator("h1")).to_have_text(f"Nothing listens on port {port}")
