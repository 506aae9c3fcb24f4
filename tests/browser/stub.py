"""Jupyter, as far as the pages see it: one server ``app`` whose life the test decides, and its API with real events."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar

from jupyter_server_proxy.web.ansi import to_html
from jupyter_server_proxy.web.pages import (
    DeadPortView,
    FailureView,
    PortRow,
    WaitingView,
    render_dead_port,
    render_failure,
    render_waiting,
)

View = TypeVar("View", WaitingView, FailureView)

BASE = "/base/"
API = f"{BASE}server-proxy/api/servers/app"
ICON = b"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 48 48">
<rect width="48" height="48" rx="10" fill="#7a5ae0"/>
<path d="M12 33l8-12 6 8 5-7 6 11z" fill="#fff"/></svg>"""
APPLICATION = b"<!doctype html><html lang=en><title>The application</title><h1>The application</h1></html>"
XSRF = "2|secret|of-the|session"


class Stub:
    """The server ``app``.

    Attributes:
        pages: how often its page was asked for.
        streams: how often its events were.
        asked: how often its state was, without them.
        posts: the actions that were asked for.
        never_there: the page stays, whatever the state is.
        without_streams: the events cannot be followed: "refused" or "silent".
        down: the API cannot be reached.
        asks_for_token: GET requests of scripts need the token, as JupyterHub wants it.
        page_options: more fields of the views.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._version = 0
        self._lines: list[dict[str, Any]] = []
        self.state, self.stage, self.since = "starting", None, time.time()
        self.pages = self.streams = self.open_streams = self.asked = 0
        self.posts: list[str] = []
        self.never_there = False
        self.without_streams = ""
        self.page_options: dict[str, Any] = {}
        self.on_start = "starting"
        self.down = self.asks_for_token = False
        self.ends = 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def url(self) -> str:
        return f"{self.origin}{BASE}app/"

    def close(self) -> None:
        self.enter("gone")
        self._server.shutdown()
        self._server.server_close()

    # ---- its life

    def enter(self, state: str, stage: str | None = None) -> None:
        with self._changed:
            if state != self.state:
                self.since = time.time()
            self.state, self.stage = state, stage
            self._version += 1
            self._changed.notify_all()

    def write(self, *lines: str, ago: float = 0.0) -> None:
        with self._changed:
            for text in lines:
                moment = timestamp(time.time() - ago)
                number = len(self._lines)
                self._lines.append({"number": number, "run": 1, "time": moment, "text": text, "html": to_html(text)})
            self._changed.notify_all()

    def end_streams(self) -> None:
        self.ends += 1

    def describe(self) -> dict[str, Any]:
        return {
            "name": "app",
            "title": "The app",
            "state": self.state,
            "stage": self.stage,
            "since": timestamp(self.since),
        }

    def page(self) -> tuple[int, list[tuple[str, str]], bytes]:
        if self.state == "failed":
            known: dict[str, Any] = {"message": "Server 'app' exited with status 1.", "exit_code": 1}
            head, body = render_failure(self._view(FailureView, known))
            return 503, head, body
        if self.state != "ready" or self.never_there:
            if self.state == "stopped":
                self.enter("starting")  # as a navigation does
            known = {"stage": self.stage, "elapsed": time.time() - self.since}
            head, body = render_waiting(self._view(WaitingView, known))
            return 503, head, body
        return 200, [("Content-Type", "text/html"), ("Content-Length", str(len(APPLICATION)))], APPLICATION

    def _view(self, kind: type[View], known: dict[str, Any]) -> View:
        output = tuple(line["text"] for line in self._lines)
        common = {"name": "app", "title": "The app", "api_url": API, "icon_url": f"{BASE}icon", "output": output}
        values = {**common, **known, **self.page_options}
        return kind(**{field: values[field] for field in kind._fields if field in values})

    # ---- HTTP

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        stub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                path, _, query = self.path.partition("?")
                if path == f"{BASE}app/":
                    stub.pages += 1
                    self.answer(*stub.page())
                elif path == f"{BASE}proxy/1/":
                    self.answer(502, *render_dead_port(DeadPortView(1, ROWS)))
                elif path == f"{BASE}frame":
                    frame = f'<!doctype html><iframe src="{BASE}app/" width=300 height=400></iframe>'
                    self.answer(
                        200, [("Content-Type", "text/html"), ("Content-Length", str(len(frame)))], frame.encode()
                    )
                elif path == f"{BASE}icon":
                    self.answer(200, [("Content-Type", "image/svg+xml"), ("Content-Length", str(len(ICON)))], ICON)
                elif stub.down:
                    self.json(502, {})
                elif stub.asks_for_token and not self.has_token():
                    self.json(403, {"message": "'_xsrf' argument missing from GET"})
                elif path == API:
                    stub.asked += 1
                    self.json(200, stub.describe())
                elif path == f"{API}/logs" and "follow=1" in query:
                    stub.streams += 1
                    self.stream()
                elif path == f"{API}/logs":
                    self.json(200, {"lines": stub._lines[-100:]})
                else:
                    self.json(404, {"message": "There is none."})

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                action = self.path.removeprefix(f"{API}/")
                if not self.has_token():
                    self.json(403, {"message": "'_xsrf' argument missing from POST"})
                    return
                stub.posts.append(action)
                stub.enter("stopped" if action == "stop" else stub.on_start)
                self.json(200, stub.describe())

            def has_token(self) -> bool:
                cookies = self.headers.get("Cookie") or ""
                return self.headers.get("X-XSRFToken") == XSRF and f"_xsrf={XSRF}" in cookies

            def answer(self, status: int, head: list[tuple[str, str]], body: bytes) -> None:
                self.send_response(status)
                for name, value in head:
                    self.send_header(name, value)
                self.end_headers()
                with contextlib.suppress(OSError):
                    self.wfile.write(body)

            def json(self, status: int, content: dict[str, Any]) -> None:
                body = json.dumps(content).encode()
                head = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
                if status == 200:
                    head.append(("Set-Cookie", f"_xsrf={XSRF}; Path={BASE}"))
                self.answer(status, head, body)

            def stream(self) -> None:
                if stub.without_streams == "refused":
                    self.json(503, {"message": "There are too many open event streams."})
                    return
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.send_header("Connection", "close")
                self.end_headers()
                stub.open_streams += 1
                ends = stub.ends
                with contextlib.suppress(OSError):
                    for event, content in stub.events():
                        held_back = stub.without_streams == "silent" and event != "tick"
                        if not held_back:
                            self.wfile.write(f"event: {event}\ndata: {json.dumps(content)}\n\n".encode())
                        if stub.state == "gone" or stub.ends != ends:
                            break
                stub.open_streams -= 1

        return Handler

    def events(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Lines, then the state; without end, and something at least each tenth of a second for one who has gone."""
        version, number = -1, max(0, len(self._lines) - 100)
        while True:
            with self._changed:
                if (self._version, len(self._lines)) == (version, number):
                    self._changed.wait(0.1)
                lines, number = self._lines[number:], len(self._lines)
                changed, version = version != self._version, self._version
                content = self.describe()
            for line in lines:
                yield "line", line
            if changed:
                yield "state", content
            elif not lines:
                yield "tick", {}


ROWS = (
    PortRow(8050, f"{BASE}proxy/8050/", "python3", "Kernel of analysis/Dashboard of the first quarter.ipynb"),
    PortRow(6006, f"{BASE}proxy/6006/", "tensorboard", "Terminal 1"),
    PortRow(41234, f"{BASE}proxy/41234/", "node", ""),
)


def timestamp(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
