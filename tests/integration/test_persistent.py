"""A connection that keeps asking for what is proxied leaves tornado, and comes back with what is not ours to serve."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator

import pytest
from harness import APPS, Jupyter, free_port, wait_until
from wire import LAST_OK, Backend, Wire, connect, keep, state, taken_over


@pytest.fixture(scope="module")
def jupyter(start_jupyter, backend: Backend) -> Jupyter:
    return start_jupyter(
        f"""
import sys
sys.path.insert(0, {str(APPS)!r})
c.ServerApp.extra_services = ["debug_state"]

def rewrite(response, path):
    response.body = b"HTTP/1.1 200 OK"
    if path.startswith("/204"):
        response.code = 204

c.ServerProxy.servers = {{
    "wire": {{"port": {backend.port}}},
    "rewritten": {{"port": {backend.port}, "rewrite_response": rewrite}},
}}
""",
    )


@pytest.fixture
def client(jupyter: Jupyter, backend: Backend) -> Iterator[Wire]:
    wire = connect(jupyter, "wire/")
    keep(wire, backend)
    assert taken_over(jupyter) == 1
    yield wire
    wire.close()
    backend.drop_connections()
    wait_until(lambda: taken_over(jupyter) == 0, "the connection to be let go of")


def get(client: Wire, target: str = "{path}x", *fields: str) -> None:
    client.send(f"GET {target} HTTP/1.1", "Host: {host}", "{auth}", *fields, "", "")


def test_the_first_request_that_is_ours_moves_it(jupyter: Jupyter, backend: Backend) -> None:
    wire = connect(jupyter, "wire/")
    get(wire, jupyter.path("api/status"))
    wire.response()
    assert taken_over(jupyter) == 0
    get(wire)
    server = backend.accept()
    server.head()
    assert taken_over(jupyter) == 1
    server.send(*LAST_OK)
    assert wire.response().body == b"hi"
    assert taken_over(jupyter) == 1
    wire.close()
    wait_until(lambda: taken_over(jupyter) == 0, "the connection to be let go of")


@pytest.mark.parametrize("fields", [["Connection: close"], ["Connection: x, y"]])
def test_it_does_not_where_the_connection_is_not_to_stay(jupyter: Jupyter, backend: Backend, fields: list) -> None:
    wire = connect(jupyter, "wire/")
    keep(wire, backend, 1)
    get(wire, "{path}x", *fields)
    server = backend.accept()
    server.head()
    server.send(*LAST_OK)
    assert wire.response().body == b"hi"
    assert taken_over(jupyter) == 0
    wire.close()


def test_jupyters_own_urls_go_back_and_it_comes_again(jupyter: Jupyter, backend: Backend, client: Wire) -> None:
    for _ in range(3):
        get(client, jupyter.path("api/status"))
        assert json.loads(client.response().body)["connections"] == 0
        assert taken_over(jupyter) == 0
        keep(client, backend, 2)
        wait_until(lambda: taken_over(jupyter) == 1, "the connection to be taken over again")


def test_an_upgrade_goes_back(jupyter: Jupyter, backend: Backend, client: Wire) -> None:
    get(client, "{path}x", "Connection: Upgrade", "Upgrade: thing")
    server = backend.accept()
    assert server.head().get("Upgrade") == "thing"
    server.send("HTTP/1.1 101 Switching Protocols", "Connection: Upgrade", "Upgrade: thing", "", "early")
    assert client.response().status == 101
    client.send(b"ping")
    assert (client.read(5), server.read(4)) == (b"early", b"ping")


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (["GET {path}x HTTP/1.1", "{auth}"], 400),  # no Host
        (["GET {path}x HTTP/1.1", "Host: {host}", "Host: {host}", "{auth}"], 400),
        (["GET {path}x HTTP/1.1", "Host: {host}", "{auth}", " folded"], 400),
        (["GET {path}x HTTP/1.1", "Host: evil.example", "{auth}"], 403),
        (["GET {path}x HTTP/1.1", "Host: {host}"], 403),
        (["GET {path}x HTTP/1.1", "Host: {host}", "Accept: text/html"], 302),
        (["GET {path}x HTTP/1.1", "Host: {host}", "Authorization: token wrong"], 403),
        (["GET /proxy/0/ HTTP/1.1", "Host: {host}", "{auth}"], 400),
        (["OPTIONS * HTTP/1.1", "Host: {host}", "{auth}"], 404),
        (["GET http://{host}{path}x HTTP/1.1", "Host: {host}", "{auth}"], 404),
        (["get {path}x HTTP/1.1", "Host: {host}", "{auth}"], None),
    ],
)
def test_every_answer_is_that_of_a_connection_of_tornados(
    jupyter: Jupyter, backend: Backend, client: Wire, lines: list[str], status: int | None
) -> None:
    answers = []
    fresh = connect(jupyter, "wire/")
    for wire in (fresh, client):
        wire.send(*lines, "", "")
        if status is None:  # a method that nobody knows is the origin server's to judge
            server = backend.accept()
            assert server.head().start.startswith("get ")
            server.send(*LAST_OK)
            server.close()
        answer = wire.response()
        assert answer.status == (status or 200)
        volatile = ("date", "set-cookie", "etag", "x-request-id")
        answers.append((answer.start, [f for f in answer.fields if f[0].lower() not in volatile], answer.body))
    fresh.close()
    assert backend.untouched()
    assert answers[0] == answers[1]


def test_requests_that_come_together_are_answered_in_order(jupyter: Jupyter, backend: Backend, client: Wire) -> None:
    request = "GET {path}%s HTTP/1.1\r\nHost: {host}\r\n{auth}\r\n\r\n"
    status = f"GET {jupyter.path('api/status')} HTTP/1.1\r\nHost: {{host}}\r\n{{auth}}\r\n\r\n"
    client.send("".join([request % "a", request % "b", status, request % "c", request % "d"]))
    server = backend.accept()
    for name in "ab":
        assert server.head().start == f"GET /{name} HTTP/1.1"
        server.send("HTTP/1.1 200 OK", "Content-Length: 1", "", name)
        assert client.response().body == name.encode()
    assert b"last_activity" in client.response().body
    for name in "cd":
        assert server.head().start == f"GET /{name} HTTP/1.1"
        server.send("HTTP/1.1 200 OK", "Content-Length: 1", "", name)
        assert client.response().body == name.encode()


@pytest.mark.parametrize("size", [1, 7, 40])
def test_a_head_may_come_in_pieces(backend: Backend, client: Wire, size: int) -> None:
    for _ in range(2):
        client.send("GET {path}pieces HTTP/1.1", "Host: {host}", "{auth}", "X-Pad: " + "p" * 50, "", "", slices=size)
        server = backend.accept()
        assert server.head().get("X-Pad") == "p" * 50
        server.send("HTTP/1.1 200 OK", "Content-Length: 2", "Connection: close", "", "hi")
        assert client.response().body == b"hi"


def test_a_head_that_is_too_large_is_tornados_to_refuse(backend: Backend, client: Wire) -> None:
    client.send("GET {path}x HTTP/1.1", "Host: {host}", "X-Pad: " + "p" * 70_000, "{auth}", "", "")
    assert client.rest() in (b"", b"HTTP/1.1 400 Bad Request\r\n\r\n")
    assert backend.untouched()


def test_a_client_that_sends_ahead_without_end_is_not_read(backend: Backend, client: Wire) -> None:
    """What it sends while its request is served waits in its own socket."""
    get(client)
    server = backend.accept()
    server.head()
    client.sock.settimeout(0.5)
    with pytest.raises(TimeoutError):
        client.sock.sendall(b"x" * 64 * 1024 * 1024)
    server.send(*LAST_OK)
    assert client.response().body == b"hi"


def test_a_client_that_leaves_ends_its_request(jupyter: Jupyter, backend: Backend, client: Wire) -> None:
    get(client)
    server = backend.accept()
    server.head()
    client.close()
    assert server.closed()
    wait_until(lambda: state(jupyter)["journeys"] == 0 and taken_over(jupyter) == 0, "all to be over")


def test_nothing_is_left_of_many(jupyter: Jupyter, backend: Backend) -> None:
    def look() -> tuple[int, int]:
        now = state(jupyter)
        return len(now["descriptors"]), len(now["tasks"])

    before = look()
    for _ in range(20):
        wire = connect(jupyter, "wire/")
        keep(wire, backend, 2)
        get(wire, jupyter.path("api/status"))
        wire.response()
        keep(wire, backend, 2)
        wire.close()
    deadline = time.monotonic() + 10
    while (after := look()) != before and time.monotonic() < deadline:
        time.sleep(0.1)
    assert after == before


@pytest.mark.parametrize(("method", "path"), [("HEAD", "x"), ("GET", "204")])
def test_what_a_function_makes_of_no_body_is_not_sent(
    jupyter: Jupyter, backend: Backend, client: Wire, method: str, path: str
) -> None:
    """It would be taken for the beginning of the next response."""
    client.send(f"{method} {jupyter.path('rewritten/')}{path} HTTP/1.1", "Host: {host}", "{auth}", "", "")
    server = backend.accept()
    assert server.head().start == f"{method} /{path} HTTP/1.1"
    server.send("HTTP/1.1 200 OK", "Content-Length: 4", "Connection: close", "", "" if method == "HEAD" else "body")
    assert client.response(method).status == (204 if path == "204" else 200)
    keep(client, backend, 1)


@pytest.mark.parametrize("reason", [b"O\0K", b"O\rK"])
def test_a_status_line_with_control_characters_is_a_502(backend: Backend, client: Wire, reason: bytes) -> None:
    get(client)
    server = backend.accept()
    server.head()
    server.send(b"HTTP/1.1 200 " + reason + b"\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n")
    response = client.response()
    assert (response.status, response.complete) == (502, True)
    keep(client, backend, 1)


def test_a_client_that_leaves_while_it_is_asked_who_it_is(start_jupyter, backend: Backend) -> None:
    jupyter = start_jupyter(
        f"""
import asyncio
from jupyter_server.auth.identity import IdentityProvider, User

class Slow(IdentityProvider):
    async def get_user(self, handler):
        await asyncio.sleep(1.0 if "slow" in handler.request.path else 0)
        return User("ann")

c.ServerApp.identity_provider_class = Slow
c.ServerProxy.servers = {{"wire": {{"port": {backend.port}}}}}
"""
    )
    wire = connect(jupyter, "wire/")
    keep(wire, backend)
    get(wire, "{path}slow")
    time.sleep(0.3)
    wire.close()
    assert backend.untouched(2.0)


@pytest.mark.parametrize("kept", [True, False])
def test_jupyter_ends_while_a_page_about_a_dead_port_is_made(start_jupyter, backend: Backend, kept: bool) -> None:
    jupyter = start_jupyter(f'c.ServerProxy.servers = {{"wire": {{"port": {backend.port}}}}}')
    wire = connect(jupyter, "wire/")
    if kept:
        keep(wire, backend)
    get(wire, jupyter.path(f"proxy/{free_port()}/"), "Accept: text/html")
    time.sleep(0.02)
    jupyter.process.send_signal(signal.SIGTERM)
    wait_until(lambda: jupyter.process.poll() is not None, "Jupyter to end, with a client connected", 15)
    wire.close()


def test_jupyter_ends_while_connections_are_open(start_jupyter, backend: Backend) -> None:
    jupyter = start_jupyter(f'c.ServerProxy.servers = {{"wire": {{"port": {backend.port}}}}}')
    idle, busy = connect(jupyter, "wire/"), connect(jupyter, "wire/")
    for wire in (idle, busy):
        keep(wire, backend)
    get(busy)
    backend.accept().head()
    jupyter.stop()
    assert idle.closed()
    assert busy.closed()
    assert "Traceback" not in jupyter.log()
