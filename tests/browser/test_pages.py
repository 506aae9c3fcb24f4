"""The pages in a browser, against a stub of Jupyter: what they do, how they stand failures, and what axe finds."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from browsing import OpenContext, violations
from playwright.sync_api import Page, expect
from stub import BASE, XSRF, Stub

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>\"' & " + "x" * 100


def entered(page: Page) -> None:
    expect(page.locator("h1")).to_have_text("The application")


def rows(page: Page) -> list[str]:
    return page.locator("#lines > div").all_inner_texts()


def is_at_end(page: Page) -> bool:
    return bool(page.evaluate("(o => o.scrollHeight - o.scrollTop - o.clientHeight < 2)(document.all.output)"))


# ---- waiting


def test_the_waiting_page_follows_the_start_and_enters(page: Page, stub: Stub) -> None:
    stub.page_options = {"expected": 30.0}
    page.goto(stub.url)
    expect(page).to_have_title("Starting The app…")
    expect(page.locator("#status")).to_have_text("Starting the process.")
    current = page.locator("[aria-current=step]")
    expect(current).to_contain_text("Process started")
    stub.enter("starting", "process")
    expect(current).to_contain_text("Port open")
    expect(page.locator("#status")).to_have_text("Waiting until it opens its port.")
    stub.write("\x1b[31mone\x1b[0m", "<b>two</b>")
    expect(page.locator("#lines .ansi31")).to_have_text("one")
    assert rows(page) == ["one", "<b>two</b>"]
    before = float(page.locator("#progress").get_attribute("value") or 1)
    page.wait_for_function("before => document.all.progress.value > before", arg=before)
    stub.enter("starting", "port")
    expect(page.locator("#status")).to_have_text("Waiting for its first answer.")
    expect(page.locator(".done")).to_have_count(2)
    stub.enter("ready")
    entered(page)
    assert page.url == stub.url
    assert stub.pages == 2, "it is entered by one reload"
    page.wait_for_timeout(300)
    assert stub.open_streams == 0


def test_query_and_fragment_stay(page: Page, stub: Stub) -> None:
    url = f"{stub.url}?a=b%2Fc#part"
    page.goto(url)
    stub.enter("ready")
    entered(page)
    assert page.url == url


def test_a_server_that_is_ready_at_once_is_entered(page: Page, stub: Stub) -> None:
    page.on("domcontentloaded", lambda: stub.enter("ready"))
    page.goto(stub.url)
    entered(page)


def test_no_endless_reloads(page: Page, stub: Stub) -> None:
    stub.never_there = True
    stub.state = "ready"
    page.goto(stub.url)
    link = page.get_by_role("link", name="Open it")
    expect(link).to_be_visible()
    assert stub.pages == 4, "three reloads"
    expect(page.locator("#status")).to_contain_text("has reloaded itself 3 times")
    page.wait_for_timeout(500)
    assert stub.pages == 4
    assert stub.open_streams == 0
    stub.never_there = False
    link.click()
    entered(page)


def test_a_failure_shows_its_page(page: Page, stub: Stub) -> None:
    page.goto(stub.url)
    expect(page.locator("#cancel")).to_be_visible()
    stub.enter("failed")
    expect(page.locator("h1")).to_have_text("The app could not be started")
    assert stub.pages == 2


def test_cancel_and_start_again(page: Page, stub: Stub) -> None:
    page.goto(stub.url)
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#status")).to_have_text("The app is stopped.")
    assert stub.posts == ["stop"]
    expect(page.locator("h1")).to_have_text("The app")
    expect(page.locator("#cancel")).to_be_hidden()
    expect(page.get_by_role("link", name="Start")).to_be_focused()
    assert violations(page) == ""
    page.wait_for_timeout(500)
    assert stub.pages == 1, "a page does not start again what a person has stopped"
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("Starting The app")
    expect(page.locator("#cancel")).to_be_visible()
    assert stub.state == "starting"


def test_the_cookie_is_fetched_before_a_post(page: Page, stub: Stub) -> None:
    page.goto(stub.url)
    expect(page.locator("#cancel")).to_be_visible()
    page.context.clear_cookies()
    page.locator("#cancel").click()
    expect(page.locator("#status")).to_have_text("The app is stopped.")


def test_jupyterhub_wants_the_token_with_each_request(page: Page, stub: Stub) -> None:
    stub.asks_for_token = True
    page.context.add_cookies([{"name": "_xsrf", "value": XSRF, "url": f"{stub.origin}{BASE}"}])
    page.goto(stub.url)
    stub.write("one")
    expect(page.locator("#lines > div")).to_have_text(["one"])
    stub.enter("ready")
    entered(page)
    assert (stub.streams, stub.asked) == (1, 0)


def test_a_stream_that_ends_is_opened_again(page: Page, stub: Stub) -> None:
    page.goto(stub.url)
    wait_for(lambda: stub.open_streams == 1)
    stub.write("one")
    expect(page.locator("#lines > div")).to_have_text(["one"])
    stub.end_streams()
    stub.write("two")
    wait_for(lambda: stub.streams == 2)
    expect(page.locator("#lines > div")).to_have_text(["one", "two"])
    stub.enter("ready")
    entered(page)


def test_a_cancel_that_is_refused_says_so(page: Page, stub: Stub) -> None:
    page.goto(stub.url)
    page.route("**/stop", lambda route: route.fulfill(status=403, json={"message": "You may not."}))
    page.locator("#cancel").click()
    expect(page.locator("#status")).to_have_text("It could not be stopped: You may not.")
    expect(page.locator("#cancel")).to_be_enabled()


def test_somebody_else_stops_and_starts_it(page: Page, stub: Stub) -> None:
    page.goto(stub.url)
    stub.write("of the first start")
    stub.enter("stopping")
    expect(page.locator("#status")).to_have_text("Stopping.")
    stub.enter("stopped")
    expect(page.locator("#again")).to_be_visible()
    time.sleep(0.01)
    stub.enter("starting")
    expect(page.locator("#again")).to_be_hidden()
    expect(page.locator("#cancel")).to_be_visible()
    expect(page.locator("h1")).to_have_text("Starting The app")
    expect(page.locator("#lines > div")).to_have_count(0)
    stub.enter("ready")
    entered(page)


def test_lines_of_earlier_starts_are_left_out(page: Page, stub: Stub) -> None:
    stub.write("earlier", ago=60)
    stub.write("now")
    page.goto(stub.url)
    expect(page.locator("#lines > div")).to_have_text(["now"])


def test_output_is_followed_unless_somebody_reads(page: Page, stub: Stub) -> None:
    stub.write(*(f"line {number}" for number in range(200)))
    page.goto(stub.url)
    expect(page.locator("#lines > div")).to_have_count(100)
    page.wait_for_function("document.all.output.scrollTop > 0")
    assert is_at_end(page)
    stub.write(*(f"more {number}" for number in range(30)))
    expect(page.locator("#lines > div")).to_have_count(130)
    assert is_at_end(page)
    page.evaluate("document.all.output.scrollTop = 100")
    stub.write("last")
    expect(page.locator("#lines > div")).to_have_count(131)
    assert page.evaluate("document.all.output.scrollTop") == 100


def test_a_flood_of_output_is_bounded(page: Page, stub: Stub) -> None:
    page.goto(stub.url)
    expect(page.locator("#cancel")).to_be_visible()
    page.wait_for_timeout(300)
    for part in range(3):
        stub.write(*(f"{part} {number}" for number in range(700)))
        expect(page.locator("#lines > div").last).to_have_text(f"{part} 699")
    assert len(rows(page)) <= 1000


def test_the_live_region_is_not_chatty(page: Page, stub: Stub) -> None:
    page.goto(stub.url)
    page.evaluate(
        """() => {
          window.changes = 0;
          new MutationObserver((all) => { window.changes += all.length; })
            .observe(document.all.status, { childList: true, characterData: true, subtree: true });
        }"""
    )
    for number in range(5):
        stub.write(f"line {number}")
        stub.enter("starting")
        page.wait_for_timeout(300)
    assert page.evaluate("window.changes") == 0
    assert page.locator("[aria-live], [role=log], [role=alert]").count() == 0


@pytest.mark.parametrize("streams", ["refused", "silent"])
def test_without_events_the_page_asks(page: Page, stub: Stub, streams: str) -> None:
    stub.without_streams = streams
    page.goto(stub.url)
    stub.enter("starting", "process")
    stub.write("told without events")
    expect(page.locator("[aria-current=step]")).to_contain_text("Port open")
    expect(page.locator("#lines > div")).to_have_text(["told without events"])
    stub.enter("ready")
    entered(page)
    assert stub.asked <= 10


def test_jupyter_goes_and_comes_back(page: Page, stub: Stub) -> None:
    stub.without_streams = "refused"
    page.goto(stub.url)
    expect(page.locator("#cancel")).to_be_visible()
    stub.down = True
    expect(page.locator("#status")).to_have_text("Jupyter does not answer. Trying again.")
    stub.down = False
    stub.enter("ready")
    entered(page)


def test_where_the_api_may_not_be_used_the_page_reloads_slowly(page: Page, stub: Stub) -> None:
    page.route("**/api/**", lambda route: route.fulfill(status=403, json={"message": "Forbidden."}))
    page.goto(stub.url)
    expect(page.locator("#status")).to_have_text("Forbidden. This page reloads every 5 seconds.")
    stub.enter("ready")
    page.wait_for_timeout(1000)
    assert stub.pages == 1
    entered(page)


def test_a_hidden_page_holds_no_connection_and_still_enters(page: Page, stub: Stub) -> None:
    page.goto(stub.url)
    wait_for(lambda: stub.open_streams == 1)
    hide(page, "true")
    wait_for(lambda: stub.open_streams == 0)
    page.wait_for_timeout(2500)
    assert stub.asked == 0, "it asks each ten seconds only"
    hide(page, "false")
    wait_for(lambda: stub.open_streams == 1)
    hide(page, "true")
    stub.enter("ready")
    entered(page)


def hide(page: Page, hidden: str) -> None:
    page.evaluate(
        f"""() => {{
          Object.defineProperty(document, "hidden", {{ configurable: true, get: () => {hidden} }});
          document.dispatchEvent(new Event("visibilitychange"));
        }}"""
    )


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


# ---- failure


def test_retry_starts_and_waits(page: Page, stub: Stub) -> None:
    stub.enter("failed")
    stub.write("\x1b[1;31mthe reason\x1b[0m")
    stub.page_options = {"output": ("\x1b[1;31mthe reason\x1b[0m",), "retry_after": 3.0, "failed_at": 1.8e9}
    page.goto(stub.url)
    expect(page.locator("#output .ansi31")).to_have_text("the reason")
    expect(page.locator("#pause")).to_be_hidden()
    expect(page.locator("#failed-at")).not_to_contain_text("UTC")
    stub.page_options = {}
    page.get_by_role("link", name="Try again").click()
    expect(page.locator("h1")).to_have_text("Starting The app")
    assert stub.posts == ["start"]
    stub.enter("ready")
    entered(page)


def test_a_retry_that_fails_at_once_shows_the_failure_again(page: Page, stub: Stub) -> None:
    stub.enter("failed")
    stub.on_start = "failed"
    page.goto(stub.url)
    page.locator("#retry").click()
    wait_for(lambda: stub.pages == 2)
    expect(page.locator("#retry")).to_be_visible()
    page.wait_for_timeout(500)
    assert stub.pages == 2


def test_a_retry_that_is_refused_says_so(page: Page, stub: Stub) -> None:
    stub.enter("failed")
    page.goto(stub.url)
    page.route("**/start", lambda route: route.fulfill(status=403, json={"message": "You may not."}))
    page.locator("#retry").click()
    expect(page.locator("#status")).to_have_text("It could not be started: You may not.")


# ---- other circumstances


def test_without_javascript(open_context: OpenContext, stub: Stub) -> None:
    page = open_context(java_script_enabled=False).new_page()
    stub.page_options = {"expected": 10.0}
    stub.write(*(f"line {number}" for number in range(100)))
    page.goto(stub.url)
    expect(page.locator("#cancel")).to_be_hidden()
    expect(page.locator("#lines > div").last).to_be_in_viewport()
    stub.enter("failed")
    page.wait_for_selector("#failure")
    stub.state = "starting"  # its pause is over
    page.get_by_role("link", name="Try again").click()
    page.wait_for_selector("#waiting")
    stub.enter("ready")
    entered(page)


def test_in_a_narrow_frame(page: Page, stub: Stub) -> None:
    page.goto(f"{stub.origin}{BASE}frame")
    frame = page.frame_locator("iframe")
    expect(frame.locator("#cancel")).to_be_visible()
    stub.enter("ready")
    expect(frame.locator("h1")).to_have_text("The application")


def test_in_a_sandbox_without_cookies_and_storage(page: Page, stub: Stub) -> None:
    page.route("**/sandbox", lambda route: route.fulfill(content_type="text/html", body=(
        f'<!doctype html><iframe sandbox="allow-scripts" src="{stub.url}"></iframe>'
    )))  # fmt: skip
    page.goto(f"{stub.origin}/sandbox")
    expect(page.frame_locator("iframe").locator("h1")).to_have_text("Starting The app")
    stub.enter("ready")
    expect(page.frame_locator("iframe").locator("h1")).to_have_text("The application")


# ---- looks


def show(page: Page, stub: Stub, name: str) -> None:
    stub.write("\x1b[31mred\x1b[0m \x1b[97;41m white on red \x1b[0m \x1b[2mdim\x1b[0m", HOSTILE)
    stub.page_options = {"title": HOSTILE, "expected": 9.0}
    if name == "failure":
        stub.page_options = {"title": HOSTILE, "message": HOSTILE, "command": HOSTILE, "output": (HOSTILE,)}
        stub.enter("failed")
    page.goto(f"{stub.origin}{BASE}proxy/1/" if name == "dead port" else stub.url)
    if name == "waiting":
        expect(page.locator("#lines > div")).to_have_count(2)
    if name == "failure":
        page.get_by_text("What may help").click()


@pytest.mark.parametrize("width", [1000, 300])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["waiting", "failure", "dead port"])
def test_axe_finds_nothing_serious(open_context: OpenContext, stub: Stub, name: str, scheme: str, width: int) -> None:
    page = open_context(color_scheme=scheme, viewport={"width": width, "height": 600}).new_page()
    show(page, stub, name)
    assert violations(page) == ""
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing is cut off"
    background = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert (background == "rgb(255, 255, 255)") == (scheme == "light")


def test_nothing_moves_for_those_who_want_it_so(open_context: OpenContext, stub: Stub) -> None:
    for motion, animation in (("reduce", "none"), ("no-preference", "turn")):
        page = open_context(reduced_motion=motion).new_page()
        page.goto(stub.url)
        assert (
            page.evaluate("getComputedStyle(document.querySelector('.current'), '::before').animationName") == animation
        )


@pytest.mark.behaviour("S9")
@pytest.mark.parametrize("name", ["waiting", "failure"])
def test_s9_hostile_text_runs_nowhere(page: Page, stub: Stub, name: str) -> None:
    page.on("dialog", lambda _: pytest.fail("a script ran"))
    show(page, stub, name)
    assert HOSTILE in page.locator("main").inner_text()
    assert page.locator("main script, #lines img").count() == 0
