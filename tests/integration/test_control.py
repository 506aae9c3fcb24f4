"""The REST API as its users meet it: who may use it, output that is followed, requests that are found again."""

from __future__ import annotations

import os
import re
import socket
import stat
import struct
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from harness import Answer, Jupyter, wait_until
from sse import EventReader

CHILD = str(Path(__file__).parent / "children" / "child.py")
API = "server-proxy/api/"

AUTHORIZER = """
from jupyter_server.auth import Authorizer

class ReadsOnly(Authorizer):
    def is_authorized(self, handler, user, action, resource):
        return resource != "server-proxy" or action == "read"

c.ServerApp.authorizer_class = ReadsOnly
"""

#: Writes a line each time it is asked, and fails when it is asked to.
TALKS = r"""
import http.server, sys

def say(line):
    sys.stdout.write(line + "\n")  # in one piece: print writes two, and another thread's may come between
    sys.stdout.flush()

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = self.headers.get("X-Request-ID", "nobody").encode()  # the probe has none
        say(f"asked for {self.path} as {body.decode()}")
        self.send_response(500 if "fail" in self.path else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        say(f"answered {self.path}")

    def log_message(self, *_):
        pass

print("\x1b[32mhello\x1b[0m <b>you</b>", flush=True)
print("partial", end="", flush=True)
print(" and whole", flush=True)
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


@pytest.fixture(scope="module")
def log_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("logs") / "talks.log"


@pytest.fixture(scope="module")
def jupyter(start_jupyter: Callable[..., Jupyter], log_file: Path) -> Jupyter:
    server: Jupyter = start_jupyter(
        f"""
talks = [sys.executable, "-c", {TALKS!r}, "{{port}}"]
talks[2] = talks[2].replace("{{", "{{{{").replace("}}", "}}}}")
c.ServerProxy.servers = {{
    "talks": {{"command": talks, "timeout": 60}},
    "desk/one": {{"command": talks, "timeout": 60,
                  "log_file": {{"path": {str(log_file)!r}, "max_bytes": 2000, "count": 2}}}},
    "unwritable": {{"command": talks, "timeout": 60, "log_file": "/nonexistent/file.log"}},
    "chatty": {{"timeout": 60, "command": [
        sys.executable, "-c", "for n in range(5000): print(n, 'x' * 100, flush=True)\\nimport time; time.sleep(60)"]}},
}}
""",
        base_url="/base/",
    )
    return server


def post(jupyter: Jupyter, path: str, **options: Any) -> Answer:
    return jupyter.request("POST", API + path, body=b"", **options)


# ---- who may


@pytest.fixture
def cookie(jupyter: Jupyter) -> str:
    return jupyter.login_cookie()


@pytest.mark.behaviour("S4")
def test_posts_that_are_authenticated_by_cookie_need_the_xsrf_token(jupyter: Jupyter, cookie: str) -> None:
    path = "servers/talks/stop"
    refused = post(jupyter, path, login=False, headers={"Cookie": cookie})
    assert refused.status == 403
    assert "_xsrf" in refused.json()["message"]
    seen = jupyter.get(API + "servers/talks", login=False, headers={"Cookie": cookie})
    assert seen.status == 200
    xsrf = next(re.findall(r"^_xsrf=([^;]*)", value)[0] for value in seen.get_all("Set-Cookie") if "_xsrf" in value)
    headers = {"Cookie": f"{cookie}; _xsrf={xsrf}"}
    assert post(jupyter, path, login=False, headers=headers).status == 403
    assert post(jupyter, path, login=False, headers={**headers, "X-XSRFToken": "other"}).status == 403
    assert post(jupyter, path, login=False, headers={**headers, "X-XSRFToken": xsrf}).status == 200


@pytest.mark.behaviour("S2", "S4")
def test_other_origins_are_refused(jupyter: Jupyter, cookie: str) -> None:
    for path in ("servers", "servers/talks/logs", "ports", "events"):
        answer = jupyter.get(API + path, login=False, headers={"Cookie": cookie, "Origin": "http://evil.example"})
        assert answer.status in (403, 404), path
        assert b"talks" not in answer.body


@pytest.mark.behaviour("S5")
def test_foreign_hosts_are_refused(jupyter: Jupyter) -> None:
    connection = jupyter.connect()
    connection.putrequest("GET", jupyter.path(API + "servers"), skip_host=True)
    connection.putheader("Host", "evil.example")
    connection.putheader("Authorization", f"token {jupyter.token}")
    connection.endheaders()
    assert connection.getresponse().status == 403
    connection.close()


def test_the_authorizer_is_asked(start_jupyter: Callable[..., Jupyter]) -> None:
    jupyter = start_jupyter(AUTHORIZER + 'c.ServerProxy.servers = {"echo": {"command": ECHO}}')
    assert jupyter.get(API + "servers").status == 200
    assert jupyter.get(API + "servers/echo/logs").status == 200
    for action in ("start", "stop", "restart"):
        assert post(jupyter, f"servers/echo/{action}").status == 403
    assert jupyter.get(API + "servers/echo").json()["state"] == "stopped"
    assert jupyter.get("echo/").status == 200  # reading


def test_looking_is_no_activity_and_acting_is(jupyter: Jupyter) -> None:
    before = jupyter.get("api/status").json()["last_activity"]
    for path in ("servers", "servers/talks", "ports", "servers/talks/logs"):
        assert jupyter.get(API + path).status == 200
    assert jupyter.get("api/status?no_track_activity=1").json()["last_activity"] == before
    assert post(jupyter, "servers/talks/stop").status == 200
    assert jupyter.get("api/status?no_track_activity=1").json()["last_activity"] > before


# ---- output


def lines(jupyter: Jupyter, name: str, tail: int = 1000) -> list[str]:
    return [line["text"] for line in jupyter.get(f"{API}servers/{name}/logs?tail={tail}").json()["lines"]]


@pytest.fixture
def follower(jupyter: Jupyter) -> Iterator[EventReader]:
    assert jupyter.get("talks/before").status == 200
    wait_until(lambda: "answered /before" in lines(jupyter, "talks"), "its line")
    reader = EventReader(jupyter, API + "servers/talks/logs?follow=1&html=1&tail=2")
    yield reader
    reader.close()


def test_output_is_followed_over_a_restart(jupyter: Jupyter, follower: EventReader) -> None:
    assert follower.response.getheader("Content-Type") == "text/event-stream; charset=utf-8"
    assert follower.response.getheader("Cache-Control") == "no-store"
    wait_until(lambda: follower.of("state"), "the state")
    assert [line["text"] for line in follower.of("line")] == lines(jupyter, "talks", 2)
    assert jupyter.get("talks/now").status == 200
    wait_until(lambda: "answered /now" in [line["text"] for line in follower.of("line")], "its line")
    assert post(jupyter, "servers/talks/restart?wait=1").status == 200
    wait_until(lambda: [state["state"] for state in follower.of("state")][-1] == "ready", "the restart")
    wait_until(lambda: "partial and whole" in [line["text"] for line in follower.of("line")], "its output")
    told = follower.of("line")
    numbers = [line["number"] for line in told]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    hello = next(line for line in told if "hello" in line["text"])
    assert hello["run"] == told[0]["run"] + 1
    assert "\x1b[32m" in hello["text"]
    assert re.fullmatch(r'<span class="[^"<>]*">hello</span> &lt;b&gt;you&lt;/b&gt;', hello["html"])
    assert [state["state"] for state in follower.of("state")][-4:] == ["starting", "starting", "starting", "ready"]


def test_a_stream_ends_with_jupyter(start_jupyter: Callable[..., Jupyter]) -> None:
    jupyter = start_jupyter('c.ServerProxy.servers = {"echo": {"command": ECHO}}')
    reader = EventReader(jupyter, API + "events")
    wait_until(lambda: reader.of("state"), "the state")
    jupyter.stop()
    assert reader.ended.wait(10)
    reader.close()


def test_the_tail_is_bounded_and_numbered(jupyter: Jupyter) -> None:
    assert post(jupyter, "servers/chatty/start").status == 202
    wait_until(lambda: jupyter.get(API + "servers/chatty/logs?tail=1").json()["next"] == 5000, "all of its output")
    answer = jupyter.get(API + "servers/chatty/logs?tail=1000").json()
    assert [line["number"] for line in answer["lines"]] == list(range(4000, 5000))
    assert answer["lines"][-1]["text"] == "4999 " + "x" * 100
    assert len(jupyter.get(API + "servers/chatty/logs").json()["lines"]) == 200
    assert jupyter.get(API + "servers/chatty/logs?tail=0").json()["lines"] == []
    for wrong in ("1001", "-1", "x", ""):
        assert jupyter.get(f"{API}servers/chatty/logs?tail={wrong}").status == 400
    assert "] 0 xxx" in jupyter.log()  # it is in Jupyter's log, too, as far as anybody could read it
    assert post(jupyter, "servers/chatty/stop").status == 200
    assert "more lines, which are in its own log" in jupyter.log()


def test_a_log_file_is_private_and_renamed_when_it_is_large(jupyter: Jupyter, log_file: Path) -> None:
    for number in range(100):
        assert jupyter.get(f"desk/one/{number}").status == 200
    wait_until(lambda: "answered /99" in log_file.read_text(), "the last line")
    files = sorted(path.name for path in log_file.parent.iterdir())
    assert files == ["talks.log", "talks.log.1", "talks.log.2"]
    for path in log_file.parent.iterdir():
        assert path.stat().st_size <= 2000
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} ", path.read_text())


def test_a_log_file_that_cannot_be_written_is_a_warning(jupyter: Jupyter) -> None:
    assert jupyter.get("unwritable/").status == 200
    warnings = [line for line in jupyter.log().splitlines() if "/nonexistent/file.log" in line]
    assert len(warnings) == 1
    assert "output of server 'unwritable' cannot be written to" in warnings[0]


# ---- requests that are found again


def test_a_failed_request_is_matched_with_what_was_written_during_it(jupyter: Jupyter) -> None:
    assert jupyter.get("talks/fine").get("X-Request-ID") is None
    answer = jupyter.get(f"talks/fail?token={jupyter.token}&other=1")
    assert answer.status == 500
    identifier = answer.get("X-Request-ID")
    assert answer.text == identifier
    jupyter.get("talks/fine")

    def errors() -> list[dict[str, Any]]:
        found = jupyter.get(API + "servers/talks/errors").json()["errors"]
        return [error for error in found if error["request_id"] == identifier]

    wait_until(lambda: len(errors()[0]["lines"]) >= 2, "its lines")
    (error,) = errors()
    assert (error["method"], error["path"], error["status"]) == ("GET", "/base/talks/fail", 500)
    texts = [line["text"] for line in error["lines"]]
    assert any(f"as {identifier}" in text for text in texts)
    assert not any("as " in text and "/before" in text for text in texts)
    (logged,) = [line for line in jupyter.log().splitlines() if f"request id {identifier}" in line]
    assert "Server 'talks' answered 500 to GET '/base/talks/fail'" in logged
    assert jupyter.token not in logged


@pytest.mark.parametrize("given", ["trace-1", "a" * 128, "00-4bf92f35-01"])
def test_an_id_that_the_client_gives_is_kept(jupyter: Jupyter, given: str) -> None:
    answer = jupyter.get("talks/fail", headers={"X-Request-ID": given})
    assert answer.text == given
    assert answer.get("X-Request-ID") == given


@pytest.mark.behaviour("C5", "H4")
@pytest.mark.parametrize("given", ["a" * 129, "a b", "a\tb", "<script>", ""])
def test_an_id_that_could_do_harm_is_replaced(jupyter: Jupyter, given: str) -> None:
    answer = jupyter.get("talks/fail", headers={"X-Request-ID": given})
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]+", answer.text)


def test_our_own_errors_have_an_id_too(jupyter: Jupyter) -> None:
    answer = jupyter.get("proxy/1/")
    assert answer.status == 502
    assert answer.get("X-Request-ID")


def test_failures_are_counted_and_waiting_is_none(jupyter: Jupyter) -> None:
    assert post(jupyter, "servers/talks/restart?wait=1").status == 200
    before = jupyter.get(API + "servers/talks").json()
    assert jupyter.get("talks/fail").status == 500
    after = jupyter.get(API + "servers/talks").json()
    assert (after["errors"], after["requests"]) == (before["errors"] + 1, before["requests"] + 1)
    assert after["last_used"] > before["last_used"]


def test_cpu_and_memory_are_those_of_the_whole_tree(start_jupyter: Callable[..., Jupyter], tmp_path: Path) -> None:
    command = [sys.executable, CHILD, "--port={port}", "--family"]
    jupyter = start_jupyter(f'c.ServerProxy.servers = {{"family": {{"command": {command!r}, "timeout": 60}}}}')
    assert jupyter.get("family/").status == 200
    used = jupyter.get(API + "servers/family").json()["process"]
    assert used["count"] == 3
    assert used["memory_bytes"] > 3 * 2_000_000
    assert used["cpu_percent"] > 0
    time.sleep(0.5)
    assert jupyter.get(API + "servers/family").json()["process"]["cpu_percent"] < used["cpu_percent"] + 50


def test_start_times_are_remembered_for_the_next_jupyter(start_jupyter: Callable[..., Jupyter], tmp_path: Path) -> None:
    config = 'c.ServerProxy.servers = {"echo": {"command": ECHO}}'
    environment = {"JUPYTER_DATA_DIR": str(tmp_path)}
    first = start_jupyter(config, environment=environment)
    assert first.get(API + "servers/echo").json()["expected_start_seconds"] is None
    assert first.get("echo/").status == 200
    seconds = first.get(API + "servers/echo").json()["start_seconds"]
    file = tmp_path / "jupyter-server-proxy" / "start-times.json"
    wait_until(file.exists, "the file")
    assert os.listdir(file.parent) == [file.name]
    first.stop()
    second = start_jupyter(config, environment=environment)
    assert second.get(API + "servers/echo").json()["expected_start_seconds"] == pytest.approx(seconds, abs=0.01)
    second.stop()
    file.write_text("{broken")
    third = start_jupyter(config, environment=environment)
    assert third.get(API + "servers/echo").json()["expected_start_seconds"] is None


def test_more_time_to_start_by_the_environment(start_jupyter: Callable[..., Jupyter]) -> None:
    slow = [sys.executable, CHILD, "--port={port}", "--delay=1.5"]
    config = f'c.ServerProxy.servers = {{"slow": {{"command": {slow!r}, "timeout": 0.5}}}}'
    assert start_jupyter(config).get("slow/").status == 503
    patient = start_jupyter(config, environment={"JUPYTER_SERVER_PROXY_START_TIMEOUT": "60"})
    assert patient.get("slow/").status == 200
    wrong = start_jupyter(config, environment={"JUPYTER_SERVER_PROXY_START_TIMEOUT": "soon"})
    assert wrong.get(API + "servers").status == 404
    assert "JUPYTER_SERVER_PROXY_START_TIMEOUT must be a number of seconds, got 'soon'" in wrong.log()


def test_clients_that_leave_at_once_are_not_counted_for_ever(jupyter: Jupyter) -> None:
    assert jupyter.get("talks/").status == 200
    head = f"GET {jupyter.path('talks/')} HTTP/1.1\r\nHost: 127.0.0.1:{jupyter.port}\r\nAuthorization: token "
    for number in range(100):
        with jupyter.raw() as sock:
            sock.sendall(f"{head}{jupyter.token}\r\n\r\n".encode())
            if number % 2:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    wait_until(lambda: jupyter.get(API + "servers/talks").json()["requests_open"] == 0, "no request to be open")


# ---- activity of Jupyter

PING = bytes([0x89, 0x80, 1, 2, 3, 4])
TEXT = bytes([0x81, 0x81, 0, 0, 0, 0]) + b"x"


def last_activity(jupyter: Jupyter) -> str:
    return str(jupyter.get("api/status?no_track_activity=1").json()["last_activity"])


def test_messages_of_websockets_are_activity_and_pings_are_not(start_jupyter: Callable[..., Jupyter]) -> None:
    jupyter = start_jupyter('c.ServerProxy.servers = {"echo": {"command": ECHO}}')
    sock = jupyter.raw()
    sock.sendall(
        f"GET /echo/ws HTTP/1.1\r\nHost: 127.0.0.1:{jupyter.port}\r\nAuthorization: token {jupyter.token}\r\n"
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
    )
    assert sock.recv(65536).startswith(b"HTTP/1.1 101")
    time.sleep(1.2)  # activity is told once a second
    before = last_activity(jupyter)
    for _ in range(12):
        sock.sendall(PING)
        time.sleep(0.1)
    assert last_activity(jupyter) == before
    sock.sendall(TEXT)
    wait_until(lambda: last_activity(jupyter) > before, "the message to count")
    sock.close()
