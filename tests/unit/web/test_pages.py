"""Pages and error answers: P9, S9. That they work, look well and are accessible is for tests/browser."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser

import pytest

from jupyter_server_proxy.errors import ConnectFailed, ServerUnavailable, StartFailed, UpgradeRequired, VersionRequired
from jupyter_server_proxy.web.pages import (
    DeadPortView,
    FailureView,
    PortRow,
    WaitingView,
    describe_exit_code,
    describe_seconds,
    reason_phrase,
    render_dead_port,
    render_error,
    render_failure,
    render_waiting,
)

API = "/base/server-proxy/api/servers/app"
HOSTILE = "</title></style></script><script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{ 7 * 7 }}{% raw %}"

VOID = {"meta", "link", "img", "br"}


class Elements(HTMLParser):
    """All elements of a page, and the text in each kind of them; fails where tags are not closed in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: dict[str, str] = {}
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        for tag in set(self._open):
            self.text[tag] = self.text.get(tag, "") + data

    def by_id(self, name: str) -> dict[str, str | None]:
        return next(attributes for _, attributes in self.elements if attributes.get("id") == name)

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.elements)


def render(error, accept: str = "*/*", method: str = "GET"):
    fields, body = render_error(error, method, {"Accept": accept}.get)
    return dict(fields), body.decode()


def waiting(**values) -> tuple[dict[str, str], str]:
    fields, body = render_waiting(WaitingView(**{"name": "app", "title": "The app", "api_url": API, **values}))
    return dict(fields), body.decode()


def failure(**values) -> tuple[dict[str, str], str]:
    known = {"name": "app", "title": "The app", "message": "It exited.", "api_url": API}
    fields, body = render_failure(FailureView(**{**known, **values}))
    return dict(fields), body.decode()


FAILED = StartFailed(
    "server '<b>' exited with status 1",
    exit_code=1,
    output=("<script>alert(1)</script>", "bye"),
    detail="not to be told",
    retry_after=0.2,
)


# ---- all pages


def hostile_pages() -> list[tuple[dict[str, str], str, int]]:
    """Each page with hostile text in each place, and how many scripts it has of its own."""
    row = PortRow(1, f"/base/{HOSTILE}", HOSTILE, HOSTILE)
    pages: list[tuple[tuple, int]] = [
        (render_waiting(WaitingView(HOSTILE, HOSTILE, HOSTILE, HOSTILE, "port", 1, 3, (HOSTILE,))), 1),
        (
            render_failure(
                FailureView(HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE, 1, HOSTILE, (HOSTILE, HOSTILE), 3, 1e9)
            ),
            1,
        ),
        (render_dead_port(DeadPortView(80, (row,))), 0),
        (render_error(StartFailed(HOSTILE, output=(HOSTILE,)), "GET", {"Accept": "text/html"}.get), 0),
    ]
    return [(dict(fields), body.decode(), scripts) for (fields, body), scripts in pages]


@pytest.mark.behaviour("S9")
@pytest.mark.parametrize("number", range(4))
def test_s9_everything_is_escaped(number: int) -> None:
    _, body, scripts = hostile_pages()[number]
    page = Elements(body)
    assert page.count("script") == scripts
    assert page.count("style") == 1
    for tag, attributes in page.elements:
        assert tag != "img" or attributes["src"] == HOSTILE
        assert not [name for name in attributes if name.startswith("on") or name == "style"], "the policy forbids it"
    assert HOSTILE in page.text["main"]
    assert "49" not in page.text["main"]


@pytest.mark.parametrize("number", range(4))
def test_the_policy_allows_exactly_what_the_page_has(number: int) -> None:
    fields, body, scripts = hostile_pages()[number]
    policy = dict(directive.split(" ", 1) for directive in fields["Content-Security-Policy"].split("; "))
    texts = Elements(body).text
    assert policy.pop("style-src") == hash_of(texts["style"])
    if scripts:
        assert policy.pop("script-src") == hash_of(texts["script"])
    assert policy == {
        "default-src": "'none'",
        "connect-src": "'self'",
        "img-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'self'",
    }


def hash_of(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@pytest.mark.parametrize("number", range(4))
def test_fields_and_frame_of_all_pages(number: int) -> None:
    fields, body, _ = hostile_pages()[number]
    assert fields["Content-Type"] == "text/html; charset=utf-8"
    assert fields["Content-Length"] == str(len(body.encode()))
    assert fields["Cache-Control"] == "no-store"
    assert fields["X-Content-Type-Options"] == "nosniff"
    assert fields["Referrer-Policy"] == "same-origin"
    page = Elements(body)
    assert page.elements[0] == ("html", {"lang": "en"})
    assert page.count("h1") == page.count("main") == page.count("title") == 1
    assert ("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}) in page.elements
    assert ("meta", {"name": "color-scheme", "content": "light dark"}) in page.elements


@pytest.mark.parametrize(
    "draw",
    [
        lambda allowed: render_waiting(WaitingView("a", "a", API), frame_ancestors=allowed),
        lambda allowed: render_failure(FailureView("a", "a", "m", API), frame_ancestors=allowed),
        lambda allowed: render_dead_port(DeadPortView(1), frame_ancestors=allowed),
        lambda allowed: render_error(FAILED, "GET", {"Accept": "text/html"}.get, frame_ancestors=allowed),
    ],
)
def test_who_may_frame_a_page_is_jupyters_setting(draw: Callable) -> None:
    fields, _ = draw("'self' https://hub.example")
    assert dict(fields)["Content-Security-Policy"].endswith("; frame-ancestors 'self' https://hub.example")


def test_text_that_is_no_text_does_not_fail() -> None:
    assert "�" not in waiting(title="a\udcffb")[1]
    assert "a?b" in waiting(title="a\udcffb")[1]


# ---- waiting


def test_the_waiting_page_tells_how_far_the_start_is() -> None:
    fields, body = waiting(stage="process", elapsed=65.9, expected=89.6, icon_url="/base/icon")
    assert fields["Retry-After"] == "2"
    page = Elements(body)
    assert page.text["h1"] == "Starting The app"
    assert page.text["ol"].split("\n")[1:4] == ["Process started (done)", "Port open (in progress)", "First answer"]
    steps = [attributes for tag, attributes in page.elements if tag == "li"]
    assert [step.get("aria-current") for step in steps] == [None, "step", None]
    assert "1 min 5 s of about 1 min 30 s" in page.text["p"]
    assert float(page.by_id("progress")["value"] or 0) == pytest.approx(0.735, abs=0.001)
    assert page.by_id("status")["role"] == "status"
    assert page.by_id("waiting")["data-api"] == API
    assert [attributes["src"] for tag, attributes in page.elements if tag == "img"] == ["/base/icon"]


@pytest.mark.parametrize(("stage", "current"), [(None, 0), ("process", 1), ("port", 2), ("answer", None)])
def test_the_step_that_is_under_way_is_marked(stage: str | None, current: int | None) -> None:
    steps = [attributes for tag, attributes in Elements(waiting(stage=stage)[1]).elements if tag == "li"]
    assert [number for number, step in enumerate(steps) if "aria-current" in step] == [current][: current is not None]


def test_without_experience_there_is_no_progress() -> None:
    page = Elements(waiting(elapsed=3)[1])
    assert not page.count("progress")
    assert not page.count("img")
    assert "of about" not in page.text["p"]


def test_progress_does_not_pretend_that_the_start_is_done() -> None:
    assert Elements(waiting(elapsed=30, expected=3)[1]).by_id("progress")["value"] == "0.970"


def test_the_waiting_page_reloads_without_javascript_only() -> None:
    assert '<noscript><meta http-equiv="refresh" content="2"></noscript>' in waiting()[1]
    for body in (failure()[1], render(FAILED, "text/html")[1], render_dead_port(DeadPortView(1))[1].decode()):
        assert "refresh" not in Elements(body).text.get("noscript", "")
        assert 'http-equiv="refresh"' not in body


def test_cancelling_is_offered_where_it_can_be_done() -> None:
    assert 'id="cancel" hidden' in waiting()[1], "only the script can do it, and shows the button"
    assert 'id="cancel"' not in waiting(cancellable=False)[1]


def test_output_has_its_colours_and_is_bounded() -> None:
    body = waiting(output=("\x1b[31mred", "still", "<\x1b[0m"))[1]
    assert '<div><span class="ansi31">red</span></div><div><span class="ansi31">still</span></div>' in body
    lines = tuple(f"line {number}" for number in range(1000))
    body = waiting(output=lines)[1]
    assert "<div>line 500</div>" in body
    assert "<div>line 499</div>" not in body


# ---- failure


def test_the_failure_page_tells_why() -> None:
    fields, body = failure(
        message="Server 'app' was ended by SIGKILL.", exit_code=-9, command="python app.py --token=***",
        output=("\x1b[1mlast\x1b[0m words",), retry_after=2.5, failed_at=1_800_000_000.2,
    )  # fmt: skip
    assert fields["Retry-After"] == "3"
    page = Elements(body)
    assert page.text["h1"] == page.text["title"] == "The app could not be started"
    text = page.text["main"]
    assert "Server 'app' was ended by SIGKILL." in text
    assert "Ended by SIGKILL: it was killed, often because there was not enough memory\n" in text
    assert "python app.py --token=***" in text
    assert "starts it again in 3 s at the earliest" in text
    assert "2027-01-15 08:00:00 UTC" in text
    assert '<div><span class="ansi1">last</span> words</div>' in body
    # Without a script it is a link to the page itself.
    assert page.by_id("retry")["href"] == ""
    assert "It has written nothing." in Elements(failure(exit_code=1)[1]).text["main"]


def test_what_is_not_known_is_not_told() -> None:
    fields, body = failure()
    assert "Retry-After" not in fields
    text = Elements(body).text["main"]
    for word in ("written nothing", "Exit status", "Time\n", "Command\n", "earliest"):
        assert word not in text


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0, "0"),
        (1, "1"),
        (127, "127: a program was not found"),
        (-11, "Ended by SIGSEGV: it crashed"),
        (139, "139: it crashed"),
        (-99, "Ended by signal 99"),
    ],
)
def test_exit_statuses_in_words(code: int, words: str) -> None:
    assert describe_exit_code(code) == words


@pytest.mark.parametrize(
    ("seconds", "words"), [(-1, "0 s"), (0.4, "0 s"), (8, "8 s"), (60, "1 min"), (65, "1 min 5 s"), (7200, "120 min")]
)
def test_times_in_words(seconds: float, words: str) -> None:
    assert describe_seconds(seconds) == words


# ---- a dead port


def described(port: int, owner: dict | None) -> dict:
    return {"port": port, "url": f"/base/proxy/{port}/", "process": "python3", "command": "python3 x", "owner": owner}


def test_the_page_of_a_dead_port_lists_those_that_live() -> None:
    owners = [
        {"kind": "kernel", "id": "1", "name": "python3", "notebook": "work/Plots.ipynb"},
        {"kind": "kernel", "id": "2", "name": "python3", "notebook": None},
        {"kind": "terminal", "name": "1"},
        {"kind": "server", "name": "app"},
        {"kind": "jupyter"},
        None,
    ]
    rows = tuple(PortRow.of(described(8006 - number, owner)) for number, owner in enumerate(owners))
    _, encoded = render_dead_port(DeadPortView(80, rows))
    page = Elements(encoded.decode())
    assert page.text["h1"] == page.text["title"] == "Nothing listens on port 80"
    links = [attributes["href"] for tag, attributes in page.elements if tag == "a"][1:]
    assert links == [f"/base/proxy/{port}/" for port in range(8001, 8007)]
    cells = re.findall(r"<td>(.*?)</td>", encoded.decode())[1::2]
    assert cells == ["", "Jupyter", "Server app", "Terminal 1", "Kernel python3", "Kernel of work/Plots.ipynb"]


def test_a_dead_port_where_none_lives() -> None:
    page = Elements(render_dead_port(DeadPortView(80))[1].decode())
    assert not page.count("table")
    assert "No process of yours listens on any port." in page.text["main"]


# ---- errors, for people and for programs


@pytest.mark.behaviour("P9", "S9")
def test_an_error_tells_nothing_that_is_for_the_log() -> None:
    fields, body = render(FAILED, "text/html")
    assert fields["Retry-After"] == "1"
    text = Elements(body).text["main"]
    assert "server '<b>' exited with status 1" in text
    assert "Error 503" in text
    assert "<div>&lt;script&gt;alert(1)&lt;/script&gt;</div><div>bye</div>" in body
    assert "not to be told" not in body


def test_json() -> None:
    fields, body = render(FAILED, "application/json")
    assert fields["Content-Type"] == "application/json"
    assert json.loads(body) == {
        "status": 503,
        "message": FAILED.message,
        "exit_code": 1,
        "output": ["<script>alert(1)</script>", "bye"],
    }


def test_text() -> None:
    fields, body = render(ConnectFailed("Nothing answers on é:1.", detail="not to be told"))
    assert fields["Content-Type"] == "text/plain; charset=utf-8"
    assert fields["X-Content-Type-Options"] == "nosniff"
    assert fields["Content-Length"] == str(len(body.encode()))
    assert body == "Nothing answers on é:1.\n"
    assert "Retry-After" not in fields


def test_text_with_output() -> None:
    assert render(FAILED)[1] == f"{FAILED.message}\n\n<script>alert(1)</script>\nbye\n"


def test_a_post_gets_no_page() -> None:
    assert "html" not in render(FAILED, "text/html", "POST")[0]["Content-Type"]


@pytest.mark.parametrize(("seconds", "field"), [(0.0, "1"), (1.0, "1"), (1.1, "2"), (60, "60")])
def test_retry_after_is_in_whole_seconds(seconds: float, field: str) -> None:
    assert render(ServerUnavailable("x", retry_after=seconds))[0]["Retry-After"] == field


def test_fields_without_which_a_status_must_not_be_sent() -> None:
    assert render(UpgradeRequired("x"))[0]["Allow"] == "GET"
    assert render(VersionRequired("x"), "text/html")[0]["Sec-WebSocket-Version"] == "13"


def test_reason_phrases() -> None:
    assert reason_phrase(503) == "Service Unavailable"
    assert reason_phrase(799) == "Unknown"
