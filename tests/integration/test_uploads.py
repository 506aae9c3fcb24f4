"""Requests with a body are read by us from their first byte on, whether their connection was ours before or not."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Iterator

import psutil
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
c.ServerProxy.servers = {{"wire": {{"port": {backend.port}}}}}
""",
    )


@pytest.fixture(params=["fresh", "kept"])
def client(request: pytest.FixtureRequest, jupyter: Jupyter, backend: Backend) -> Iterator[Wire]:
    wire = connect(jupyter, "wire/")
    if request.param == "kept":
        keep(wire, backend)
    yield wire
    wire.close()
    backend.drop_connections()
    wait_until(lambda: (state(jupyter)["journeys"], taken_over(jupyter)) == (0, 0), "the connection to be let go of")


def put(client: Wire, framing: str, *rest: str | bytes) -> None:
    client.send("PUT {path}x HTTP/1.1", "Host: {host}", "{auth}", framing, "", *rest)


def test_bodies_of_both_kinds_and_none_take_turns(jupyter: Jupyter, backend: Backend, client: Wire) -> None:
    for framing, body in [
        ("Content-Length: 5", "12345"),
        ("Transfer-Encoding: chunked", "5\r\n12345\r\n0\r\n\r\n"),
    ] * 2:
        put(client, framing, body)
        server = backend.accept()
        assert server.body(server.head()) == b"12345"
        server.send(*LAST_OK)
        assert client.response().body == b"hi"
        assert taken_over(jupyter) == 1
        keep(client, backend, 1)


def test_an_empty_body_is_one(jupyter: Jupyter, backend: Backend, client: Wire) -> None:
    put(client, "Transfer-Encoding: chunked", "0", "", "")
    server = backend.accept()
    assert server.body(server.head()) == b""
    server.send(*LAST_OK)
    for length in ("0", "00"):
        put(client, f"Content-Length: {length}", "")
        assert client.response().body == b"hi"
        server = backend.accept()
        assert server.head().get("Content-Length") == length
        server.send(*LAST_OK)
    assert client.response().body == b"hi"


def test_a_body_and_what_follows_it_may_come_together(backend: Backend, client: Wire) -> None:
    following = "GET {path}next HTTP/1.1\r\nHost: {host}\r\n{auth}\r\n\r\n"
    put(client, "Content-Length: 3", "abc" + following)
    server = backend.accept()
    assert server.body(server.head()) == b"abc"
    server.send(*LAST_OK)
    assert client.response().body == b"hi"
    server = backend.accept()
    assert server.head().start == "GET /next HTTP/1.1"
    server.send(*LAST_OK)
    assert client.response().body == b"hi"


def test_chunks_are_framed_anew(backend: Backend, client: Wire) -> None:
    put(client, "Transfer-Encoding: chunked", "0003", "abc", "A", "0123456789", "0", "", "")
    server = backend.accept()
    server.head()
    raw = server.read_until(b"0\r\n\r\n")
    assert b"0003" not in raw
    server.unread(raw)
    assert b"".join(server.chunks()) == b"abc0123456789"
    server.send(*LAST_OK)
    assert client.response().body == b"hi"


@pytest.mark.parametrize("broken", ["zz", "3;name=value", "1\n", "00000000000000001", "0\r\nTrailer: x\r\n"])
def test_malformed_chunks_end_the_request_and_complete_nothing(
    jupyter: Jupyter, backend: Backend, client: Wire, broken: str
) -> None:
    put(client, "Transfer-Encoding: chunked", "3", "abc", "")
    server = backend.accept()
    server.head()
    assert server.read(8) == b"3\r\nabc\r\n"
    client.send(broken, "")
    assert client.rest().startswith(b"HTTP/1.1 400 ")
    assert server.closed()
    assert "Traceback" not in jupyter.log()


def test_malformed_chunks_after_an_answer_has_begun_truncate_it(backend: Backend, client: Wire) -> None:
    put(client, "Transfer-Encoding: chunked", "3", "abc", "")
    server = backend.accept()
    server.head()
    server.send("HTTP/1.1 200 OK", "Content-Length: 10", "", "begin")
    assert client.read_until(b"begin").startswith(b"HTTP/1.1 200 ")
    client.send("zz", "")
    assert client.rest() == b""
    server.read(8)
    assert server.closed()


def test_an_origin_server_that_leaves_leaves_the_connection_in_order(backend: Backend, client: Wire) -> None:
    put(client, "Content-Length: 3000000", "abc")
    server = backend.accept()
    server.head()
    server.reset()
    assert client.response().status == 502
    client.send(b"x" * (3_000_000 - 3))
    keep(client, backend, 1)


@pytest.mark.parametrize("length", ["9" * 5000, "\xa05", "5\x85", "18446744073709551617"], ids=ascii)
def test_h3_a_length_that_others_may_read_otherwise_is_refused(
    jupyter: Jupyter, backend: Backend, client: Wire, length: str
) -> None:
    put(client, f"Content-Length: {length}", "abcde")
    assert client.response().status == 400
    assert backend.untouched()
    assert "Traceback" not in jupyter.log()


def test_an_origin_server_that_answers_first_gets_the_rest_all_the_same(backend: Backend, client: Wire) -> None:
    put(client, "Content-Length: 10", "abc")
    server = backend.accept()
    server.head()
    assert server.read(3) == b"abc"
    server.send("HTTP/1.1 202 Accepted", "Content-Length: 2", "", "hi")
    assert client.response().body == b"hi"
    client.send("defghij")
    assert server.read(7) == b"defghij"
    client.send("GET {path}next HTTP/1.1", "Host: {host}", "{auth}", "", "")
    assert server.head().start == "GET /next HTTP/1.1"
    server.send(*LAST_OK)
    assert client.response().body == b"hi"


def test_h9_a_client_that_leaves_while_it_is_not_read_is_noticed(
    jupyter: Jupyter, backend: Backend, client: Wire
) -> None:
    """By a reset: the end of a stream waits behind bytes for which no socket has room."""
    put(client, "Content-Length: 900000000", "")
    server = backend.accept()
    server.head()
    client.sock.settimeout(0.5)
    with pytest.raises(TimeoutError):
        client.sock.sendall(b"x" * 200_000_000)
    client.reset()
    wait_until(lambda: state(jupyter)["journeys"] == 0, "the journey to end", 5)


def test_a_client_that_does_not_finish_after_its_answer_can_leave(
    jupyter: Jupyter, backend: Backend, client: Wire
) -> None:
    put(client, "Content-Length: 10", "abc")
    server = backend.accept()
    server.head()
    server.send("HTTP/1.1 413 Content Too Large", "Connection: close", "Content-Length: 3", "", "big")
    assert client.response().body == b"big"
    assert client.silent()  # it may still finish


@pytest.mark.parametrize("auth", [True, False])
def test_nobody_is_told_to_go_on_whose_body_is_not_wanted(
    jupyter: Jupyter, backend: Backend, client: Wire, auth: bool
) -> None:
    path = jupyter.path(f"proxy/{free_port()}/" if auth else "wire/x")
    lines = [f"PUT {path} HTTP/1.1", "Host: {host}", "Content-Length: 9", "Expect: 100-continue"]
    client.send(*lines, *(["{auth}"] if auth else []), "", "")
    answer = client.response()
    assert (answer.status, answer.interim) == (502 if auth else 403, [])
    assert answer.get("Connection") == "close" or not auth
    assert client.closed()
    assert backend.untouched()


def test_a_body_that_nobody_wanted_is_not_taken_for_a_request(jupyter: Jupyter, backend: Backend, client: Wire) -> None:
    body = f"GET {jupyter.path('wire/x')} HTTP/1.1\r\nHost: {{host}}\r\n{{auth}}\r\n\r\n"
    client.send("GET {path}x HTTP/1.1", "Host: {host}", "{auth}", "", "")
    server = backend.accept()
    server.head()
    server.send("HTTP/1.1 200 OK", "Content-Length: 2", "", "hi")
    assert client.response().body == b"hi"
    client.send(f"PUT {jupyter.path(f'proxy/{free_port()}/')} HTTP/1.1", "Host: {host}", "{auth}",
                "Content-Length: 5000", "Expect: 100-continue", "", body)  # fmt: skip
    assert client.response().status == 502
    assert client.closed()
    assert server.silent()  # its connection waits to be used again
    assert backend.untouched()


def test_who_waits_to_be_told_is_told_once(backend: Backend, client: Wire) -> None:
    for framing, body in [("Content-Length: 3", "abc"), ("Transfer-Encoding: chunked", "3\r\nabc\r\n0\r\n\r\n")]:
        put(client, framing + "\r\nExpect: 100-Continue", "")
        assert client.head().start == "HTTP/1.1 100 Continue"
        client.send(body)
        server = backend.accept()
        head = server.head()
        assert (head.get("Expect"), server.body(head)) == (None, b"abc")
        server.send(*LAST_OK)
        answer = client.response()
        assert (answer.body, answer.interim) == (b"hi", [])


def test_what_is_not_ours_goes_back_with_its_body(jupyter: Jupyter, backend: Backend, client: Wire) -> None:
    body = json.dumps({"type": "directory"})
    for _ in range(2):
        client.send(
            f"POST {jupyter.path('api/contents')} HTTP/1.1", "Host: {host}",
            f"Authorization: token {jupyter.token}", f"Content-Length: {len(body)}", "", body,
        )  # fmt: skip
        assert client.response().status == 201
        assert taken_over(jupyter) == 0
        keep(client, backend, 2)


def test_a_hundred_thousand_small_chunks_arrive_and_others_are_served_meanwhile(
    jupyter: Jupyter, backend: Backend, client: Wire
) -> None:
    count = 100_000
    put(client, "Transfer-Encoding: chunked", "")
    server = backend.accept()
    server.head()
    sending = threading.Thread(target=client.sock.sendall, args=(b"1\r\nx\r\n" * count + b"0\r\n\r\n",))
    sending.start()
    worst, got = 0.0, 0
    for chunk in server.chunks():
        assert set(chunk) == {120}
        got += len(chunk)
        if worst == 0.0:
            began = time.monotonic()
            assert jupyter.get("api/status").status == 200
            worst = time.monotonic() - began
    sending.join()
    assert got == count
    assert worst < 5.0
    server.send(*LAST_OK)
    assert client.response().body == b"hi"


def test_a_large_body_is_not_changed_and_not_kept(jupyter: Jupyter, backend: Backend, client: Wire) -> None:
    """An origin server that stops reading stops the client; nothing is lost on the way."""
    data = random.Random(8).randbytes(16 * 1024 * 1024)
    frames = b"".join(
        b"%x\r\n%b\r\n" % (len(part), part) for part in (data[n : n + 99_999] for n in range(0, len(data), 99_999))
    )
    for framing, sent in (
        ("Transfer-Encoding: chunked", frames + b"0\r\n\r\n"),
        (f"Content-Length: {len(data)}", data),
    ):
        before = resident(jupyter)
        put(client, framing, "")
        server = backend.accept()
        head = server.head()
        sending = threading.Thread(target=client.sock.sendall, args=(sent,))
        sending.start()
        sending.join(0.5)
        assert resident(jupyter) - before < 4 * 1024 * 1024  # what is not read waits in sockets, as far as they hold it
        assert server.body(head) == data
        sending.join(20)
        server.send(*LAST_OK)
        assert client.response().body == b"hi"


def resident(jupyter: Jupyter) -> int:
    """Bytes of memory that Jupyter has."""
    return psutil.Process(jupyter.process.pid).memory_info().rss
