"""HTTP between a scripted client and a scripted origin server: over TCP and unix sockets, Jupyter plain and TLS."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

import pytest
from harness import Jupyter, lines_of
from wire import Backend, Wire, connect, keep, socket_path

H = pytest.mark.behaviour


@pytest.fixture(scope="module", params=["tcp", "unix", "tcp-tls", "unix-tls", "tcp-kept"])
def pair(request, start_jupyter, certificate) -> Iterator[tuple[Jupyter, Backend]]:
    """Jupyter, and a server of its configuration that somebody else has started: the test."""
    origin = Backend(socket_path() if request.param.startswith("unix") else None)
    where = f'"unix_socket": {origin.path!r}' if origin.path else f'"port": {origin.port}'
    jupyter = start_jupyter(
        f"""
c.ServerProxy.servers = {{
    "wire": {{{where}}},
    "whole": {{{where}, "absolute_url": True}},
    "hasty": {{{where}, "response_timeout": 0.5}},
}}
""",
        base_url="/user/a%20b/",
        certificate=certificate if request.param.endswith("tls") else None,
    )
    yield jupyter, origin
    origin.close()


@pytest.fixture
def jupyter(pair: tuple[Jupyter, Backend]) -> Jupyter:
    return pair[0]


@pytest.fixture
def backend(pair: tuple[Jupyter, Backend]) -> Iterator[Backend]:
    """What it accepted is closed after each test, so that no pooled connection of one test serves another."""
    yield pair[1]
    pair[1].drop_connections()


@pytest.fixture
def client(jupyter: Jupyter, backend: Backend, request) -> Iterator[Wire]:
    """With "kept", its connection has served requests already, and is read by another reader than tornado."""
    wire = connect(jupyter, "wire/")
    if request.node.callspec.params["pair"].endswith("kept"):
        keep(wire, backend)
    yield wire
    wire.close()


@pytest.fixture
def dial(jupyter: Jupyter) -> Iterator[Callable[..., Wire]]:
    """More clients, and such of other servers."""
    wires: list[Wire] = []

    def connect_client(prefix: str = "wire/") -> Wire:
        wires.append(connect(jupyter, prefix))
        return wires[-1]

    yield connect_client
    for wire in wires:
        wire.close()


def get(client: Wire, path: str = "x", *fields: str) -> None:
    client.send(f"GET {{path}}{path} HTTP/1.1", "Host: {host}", "{auth}", *fields, "", "")


OK = ("HTTP/1.1 200 OK", "Content-Length: 2", "", "hi")


# ---- fields


@H("H1")
def test_h1_fields_of_one_connection_do_not_cross_to_the_origin_server(client: Wire, backend: Backend) -> None:
    get(client, "x", "Connection: keep-alive, X-Private", "X-Private: 1", "Keep-Alive: 5", "TE: trailers",
        "Proxy-Connection: x", "Proxy-Authorization: x", "Upgrade: h2c", "X-Public: 1")  # fmt: skip
    server = backend.accept()
    names = {name.lower() for name, _ in server.head().fields}
    assert "x-public" in names
    assert not names & {
        "connection",
        "x-private",
        "keep-alive",
        "te",
        "proxy-connection",
        "proxy-authorization",
        "upgrade",
    }
    server.send(*OK)
    client.response()


@H("H1")
def test_h1_fields_of_one_connection_do_not_cross_to_the_client(client: Wire, backend: Backend) -> None:
    get(client)
    server = backend.accept()
    server.head()
    server.send("HTTP/1.1 200 OK", "Connection: X-Private, keep-alive", "X-Private: 1", "Keep-Alive: timeout=5",
                "Proxy-Authenticate: x", "X-Public: 1", "Content-Length: 0", "", "")  # fmt: skip
    response = client.response()
    names = {name.lower() for name, _ in response.fields}
    assert "x-public" in names
    assert not names & {"x-private", "keep-alive", "proxy-authenticate"}


@H("H1")
def test_h1_connection_cannot_take_away_what_is_needed(client: Wire, backend: Backend) -> None:
    client.send("POST {path}x HTTP/1.1", "Host: {host}", "{auth}", "Connection: Host, Content-Length, X-Forwarded-For",
                "Content-Length: 3", "", "abc")  # fmt: skip
    server = backend.accept()
    head = server.head()
    assert head.get("Host") == client.names["host"]
    assert head.get("X-Forwarded-For") == "127.0.0.1"
    assert server.body(head) == b"abc"
    server.send(*OK)
    assert client.response().status == 200


@H("H2")
def test_h2_via(client: Wire, backend: Backend) -> None:
    get(client, "x", "Via: 1.0 first")
    server = backend.accept()
    assert server.head().get_all("Via") == ["1.0 first, 1.1 jupyter-server-proxy"]
    server.send(*OK)
    client.response()


@H("H7")
def test_h7_repeated_fields_and_codings_survive(client: Wire, backend: Backend) -> None:
    get(client, "x", "X-Two: 1", "X-Two: 2", "Accept-Encoding: gzip")
    server = backend.accept()
    head = server.head()
    assert head.get_all("X-Two") == ["1", "2"]
    assert head.get("Accept-Encoding") == "gzip"
    server.send("HTTP/1.1 200 OK", "Set-Cookie: a=1", "Set-Cookie: b=2", "Content-Encoding: gzip", "Vary: a", "Vary: b",
                "Content-Length: 3", "", b"\x1f\x8b\x00")  # fmt: skip
    response = client.response()
    assert response.get_all("Set-Cookie") == ["a=1", "b=2"]
    assert response.get_all("Vary") == ["a", "b"]
    assert response.get("Content-Encoding") == "gzip"
    assert response.body == b"\x1f\x8b\x00"


@H("H12")
def test_h12_nothing_is_invented(client: Wire, backend: Backend) -> None:
    get(client, "x", 'If-None-Match: "abc"')
    server = backend.accept()
    assert server.head().get("If-None-Match") == '"abc"'
    server.send(*OK)
    response = client.response()
    assert response.fields == [("Content-Length", "2")]
    assert response.start == "HTTP/1.1 200 OK"


@H("H12")
@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_h12_responses_without_a_body(client: Wire, backend: Backend, status: str) -> None:
    get(client)
    server = backend.accept()
    server.head()
    server.send(f"HTTP/1.1 {status}", 'ETag: "e"', "", "")
    response = client.response()
    assert response.start == f"HTTP/1.1 {status}"
    assert response.fields == [("ETag", '"e"')]
    get(client, "next")  # both connections are still in order
    assert server.head().start == "GET /next HTTP/1.1"
    server.send(*OK)
    assert client.response().body == b"hi"


# ---- framing


@H("H3")
@pytest.mark.parametrize(
    "fields",
    [
        ("Content-Length: 3", "Transfer-Encoding: chunked"),
        ("Content-Length: 3", "Content-Length: 4"),
        ("Content-Length: 3, 4",),
        ("Content-Length: -3",),
        ("Content-Length: +3",),
        ("Content-Length: 0x3",),
        ("Transfer-Encoding: gzip",),
        ("Transfer-Encoding: chunked, chunked",),
        ("Transfer-Encoding: gzip, chunked",),
        ("Host: other",),
        ("X-Folded: a", " b"),
        ("X-Space : a",),
        ("X-Null: a\0b",),
        ("no colon",),
        ("X\x01Y: a",),
    ],
    ids=str,
)
def test_h3_requests_that_can_be_read_in_two_ways_are_refused(
    client: Wire, backend: Backend, fields: tuple[str, ...]
) -> None:
    client.send("POST {path}x HTTP/1.1", "Host: {host}", "{auth}", *fields, "", "abc")
    answer = client.rest()
    assert not answer or answer.startswith(b"HTTP/1.1 400 ")
    assert backend.untouched(0.1)


@H("H3")
def test_h3_a_chunked_body_is_framed_anew(client: Wire, backend: Backend) -> None:
    client.send("POST {path}x HTTP/1.1", "Host: {host}", "{auth}", "Transfer-Encoding: chunked", "",
                "3", "abc", "4", "defg", "0", "", "")  # fmt: skip
    server = backend.accept()
    head = server.head()
    assert head.get_all("Transfer-Encoding") == ["chunked"]
    assert head.get("Content-Length") is None
    assert server.body(head) == b"abcdefg"
    server.send(*OK)
    assert client.response().body == b"hi"


@H("H3", "H4")
@pytest.mark.parametrize(
    "lines",
    [
        ("HTTP/1.1 200 OK", "Content-Length: 2", "Transfer-Encoding: chunked", "", "2", "hi", "0", "", ""),
        ("HTTP/1.1 200 OK", "Content-Length: 2", "Content-Length: 3", "", "hi"),
        ("HTTP/1.1 200 OK", "Content-Length: two", "", "hi"),
        ("HTTP/1.1 200 OK", "Content-Length: -2", "", "hi"),
        ("HTTP/1.1 200 OK", "Transfer-Encoding: gzip", "", "hi"),
        ("HTTP/1.1 200 OK", "Transfer-Encoding: chunked, gzip", "", "hi"),
        ("HTTP/1.1 200 OK", "X-Folded: a", " b", "Content-Length: 2", "", "hi"),
        ("HTTP/1.1 200 OK", "X-Null: a\0b", "Content-Length: 2", "", "hi"),
        ("HTTP/1.1 200 OK", "X-Return: a\rb", "Content-Length: 2", "", "hi"),
        ("HTTP/1.1 200 OK", "Bad Name: a", "Content-Length: 2", "", "hi"),
        ("HTTP/1.1 2000 OK", "Content-Length: 2", "", "hi"),
        ("HTTP/2.0 200 OK", "Content-Length: 2", "", "hi"),
        ("SSH-2.0-OpenSSH_9", ""),
        ("HTTP/1.1 101 Switching Protocols", "Upgrade: x", "Connection: Upgrade", "", ""),
    ],
    ids=str,
)
def test_h3_a_response_that_breaks_http_is_a_502(client: Wire, backend: Backend, lines: tuple[str, ...]) -> None:
    get(client)
    server = backend.accept()
    server.head()
    server.send(*lines)
    assert client.response().status == 502
    assert server.closed()


@H("H3")
@pytest.mark.parametrize("lines", [("zz", "hi"), ("2", "hiX"), ("ffffffffffffffffff", "")], ids=str)
def test_h3_a_broken_chunk_truncates_visibly(client: Wire, backend: Backend, lines: tuple[str, ...]) -> None:
    get(client)
    server = backend.accept()
    server.head()
    server.send("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "", "3", "abc", "")
    assert client.head().status == 200
    server.send(*lines)
    assert b"\r\n0\r\n" not in client.rest()
    assert server.closed()


@H("H3")
def test_h3_bytes_that_nobody_asked_for_are_no_answer_to_the_next_request(client: Wire, backend: Backend) -> None:
    get(client)
    server = backend.accept()
    server.head()
    server.send("HTTP/1.1 200 OK", "Content-Length: 2", "", "hiHTTP/1.1 200 OK", "Content-Length: 4", "", "evil")
    assert client.response().body == b"hi"
    get(client, "next")
    other = backend.accept()
    assert other.head().start == "GET /next HTTP/1.1"
    other.send(*OK)
    assert client.response().body == b"hi"
    assert server.closed()


@H("H4")
@pytest.mark.parametrize("target", ["{path}a b", "{path}a\tb", "{path}\0", "{path}\r"])
def test_h4_a_target_that_is_none_is_refused(client: Wire, backend: Backend, target: str) -> None:
    client.send(f"GET {target} HTTP/1.1", "Host: {host}", "{auth}", "", "")
    assert not client.rest().startswith(b"HTTP/1.1 2")
    assert backend.untouched(0.1)


# ---- bodies


@H("H6")
def test_h6_each_chunk_passes_at_once(client: Wire, backend: Backend) -> None:
    get(client, "x", "Accept: text/html")
    server = backend.accept()
    server.head()
    server.send("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "", "")
    assert client.head().status == 200
    chunks = client.chunks()
    for word in ("one", "two", "three"):
        server.send(f"{len(word):x}", word, "")
        assert next(chunks) == word.encode()
        assert client.silent(0.05)
    server.send("0", "", "")
    assert list(chunks) == []


@H("H6")
def test_h6_a_request_body_passes_piece_by_piece(client: Wire, backend: Backend) -> None:
    client.send("PUT {path}x HTTP/1.1", "Host: {host}", "{auth}", "Content-Length: 6", "", "ab")
    server = backend.accept()
    head = server.head()
    assert head.get("Content-Length") == "6"
    assert server.read(2) == b"ab"
    client.send("cd")
    assert server.read(2) == b"cd"
    client.send("ef")
    assert server.read(2) == b"ef"
    server.send(*OK)
    assert client.response().body == b"hi"


@H("H5")
def test_h5_a_slow_client_slows_the_origin_server_down(client: Wire, backend: Backend) -> None:
    get(client)
    server = backend.accept()
    server.head()
    server.send("HTTP/1.1 200 OK", "Content-Length: 1000000000", "", "")
    server.sock.settimeout(1.0)
    sent = 0
    with contextlib.suppress(TimeoutError):
        while sent < 200_000_000:
            sent += server.sock.send(b"x" * 65536)
    assert sent < 50_000_000


@H("H5")
def test_h5_a_slow_origin_server_slows_the_client_down(client: Wire, backend: Backend) -> None:
    client.send("PUT {path}x HTTP/1.1", "Host: {host}", "{auth}", "Content-Length: 1000000000", "", "")
    server = backend.accept()
    server.head()
    client.sock.settimeout(1.0)
    sent = 0
    with contextlib.suppress(TimeoutError):
        while sent < 200_000_000:
            sent += client.sock.send(b"x" * 65536)
    assert sent < 50_000_000


@H("H8")
@pytest.mark.parametrize(
    ("framing", "end"),
    [("Content-Length: 10", "finish"), ("Content-Length: 10", "reset"), ("Transfer-Encoding: chunked", "finish"),
     ("Transfer-Encoding: chunked", "reset")],
)  # fmt: skip
def test_h8_a_response_that_breaks_off_is_seen_to(client: Wire, backend: Backend, framing: str, end: str) -> None:
    get(client)
    server = backend.accept()
    server.head()
    server.send("HTTP/1.1 200 OK", framing, "", "3\r\nabc\r\n" if "chunked" in framing else "abc")
    head = client.head()
    assert client.read(3)
    getattr(server, end)()
    server.close()
    rest = client.rest()
    assert b"0\r\n\r\n" not in rest
    assert head.get("Content-Length") in (None, "10")


@H("H8")
def test_h8_a_response_that_ends_with_its_connection_is_whole(client: Wire, backend: Backend) -> None:
    get(client)
    server = backend.accept()
    server.head()
    server.send("HTTP/1.0 200 OK", "", "abc")
    server.close()
    response = client.response()
    assert response.complete
    assert response.body == b"abc"


@H("H9")
@pytest.mark.parametrize("end", ["close", "reset"])
def test_h9_a_client_that_leaves_ends_the_request(client: Wire, backend: Backend, end: str) -> None:
    get(client)
    server = backend.accept()
    server.head()
    getattr(client, end)()
    began = time.monotonic()
    assert server.closed()
    assert time.monotonic() - began < 5


@H("H9")
def test_h9_a_client_that_leaves_amid_its_upload_completes_nothing(client: Wire, backend: Backend) -> None:
    client.send("PUT {path}x HTTP/1.1", "Host: {host}", "{auth}", "Transfer-Encoding: chunked", "", "3", "abc", "")
    server = backend.accept()
    server.head()
    assert server.read(8) == b"3\r\nabc\r\n"
    client.close()
    assert server.closed()


@H("H10")
def test_h10_an_early_response_reaches_a_client_that_still_sends(client: Wire, backend: Backend) -> None:
    client.send("PUT {path}x HTTP/1.1", "Host: {host}", "{auth}", "Content-Length: 1000000", "", "abc")
    server = backend.accept()
    server.head()
    assert server.read(3) == b"abc"
    server.send("HTTP/1.1 413 Content Too Large", "Connection: close", "Content-Length: 3", "", "big")
    response = client.response()
    assert (response.status, response.body) == (413, b"big")
    server.close()
    client.send(b"x" * 999_997)  # is taken, and dropped
    get(client, "next")
    other = backend.accept()
    assert other.head().start == "GET /next HTTP/1.1"
    other.send(*OK)
    assert client.response().status == 200


@H("H11")
def test_h11_head_keeps_the_length(client: Wire, backend: Backend) -> None:
    client.send("HEAD {path}x HTTP/1.1", "Host: {host}", "{auth}", "", "")
    server = backend.accept()
    assert server.head().start == "HEAD /x HTTP/1.1"
    server.send("HTTP/1.1 200 OK", "Content-Length: 123456", "", "")
    response = client.response("HEAD")
    assert response.get("Content-Length") == "123456"
    get(client)
    server.head()
    server.send(*OK)
    assert client.response().body == b"hi"


METHODS = (  # noqa: SIM905
    "GET POST PUT PATCH DELETE OPTIONS PROPFIND PROPPATCH REPORT MKCOL COPY MOVE LOCK UNLOCK SEARCH QUERY M-SEARCH what"
).split()


@H("H13")
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("body", ["", "abc"])
def test_h13_all_methods(client: Wire, backend: Backend, method: str, body: str) -> None:
    length = [f"Content-Length: {len(body)}"] if body else []
    client.send(f"{method} {{path}}x HTTP/1.1", "Host: {host}", "{auth}", *length, "", body)
    server = backend.accept()
    head = server.head()
    assert head.start == f"{method} /x HTTP/1.1"
    assert server.body(head).decode() == body
    server.send(*OK)
    assert client.response().body == b"hi"


@H("H14")
def test_h14_trailers_do_not_become_fields(client: Wire, backend: Backend) -> None:
    get(client)
    server = backend.accept()
    server.head()
    server.send("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "Trailer: X-Sum", "", "2", "hi", "0", "X-Sum: 1",
                "Set-Cookie: evil=1", "", "")  # fmt: skip
    response = client.response()
    assert response.body == b"hi"
    assert response.get("X-Sum") is None
    assert response.get("Set-Cookie") is None
    get(client, "next")
    assert server.head().start == "GET /next HTTP/1.1"
    server.send(*OK)
    assert client.response().body == b"hi"


@H("H15")
def test_h15_expect_100_continue(client: Wire, backend: Backend) -> None:
    client.send("PUT {path}x HTTP/1.1", "Host: {host}", "{auth}", "Content-Length: 3", "Expect: 100-continue", "", "")
    assert client.head().status == 100
    client.send("abc")
    server = backend.accept()
    head = server.head()
    assert head.get("Expect") is None
    assert server.body(head) == b"abc"
    server.send(*OK)
    response = client.response()
    assert response.interim == []
    assert response.body == b"hi"


@H("H15")
@pytest.mark.parametrize("interim", ["100 Continue", "102 Processing", "103 Early Hints"])
def test_h15_interim_responses_do_not_bleed(client: Wire, backend: Backend, interim: str) -> None:
    get(client)
    server = backend.accept()
    server.head()
    server.send(f"HTTP/1.1 {interim}", "Link: </style.css>", "X-Interim: 1", "", "", slices=7)
    server.send("HTTP/1.1 200 OK", "X-Final: 1", "Content-Length: 2", "", "hi")
    response = client.response()
    assert response.status == 200
    assert response.get("X-Final") == "1"
    assert response.get("X-Interim") is None
    assert response.body == b"hi"


@H("H17")
@pytest.mark.parametrize(
    "rest",
    [
        "a%2Fb%3Fc%23d",
        "/x//y/",
        "%2e%2e/..%2f",
        "%C3%A9%FF",
        "a+b%2B?q=%2B+&&=",
        "?",
        "??",
        "x;y=1?a=b?c",
        "%zz%",
        "\xe9",
    ],
)
def test_h17_the_target_passes_byte_for_byte(client: Wire, backend: Backend, rest: str) -> None:
    get(client, rest)
    server = backend.accept()
    assert server.head().start == f"GET /{rest} HTTP/1.1"
    server.send(*OK)
    assert client.response().status == 200


@H("H19")
def test_h19_ranges_pass(client: Wire, backend: Backend) -> None:
    get(client, "x", "Range: bytes=1-2", 'If-Range: "e"')
    server = backend.accept()
    head = server.head()
    assert (head.get("Range"), head.get("If-Range")) == ("bytes=1-2", '"e"')
    server.send("HTTP/1.1 206 Partial Content", "Content-Range: bytes 1-2/9", "Content-Length: 2", "", "hi")
    response = client.response()
    assert response.start == "HTTP/1.1 206 Partial Content"
    assert response.get("Content-Range") == "bytes 1-2/9"


# ---- connections


@H("H18")
def test_h18_a_stale_connection_is_replaced_once(client: Wire, backend: Backend) -> None:
    get(client)
    server = backend.accept()
    server.head()
    server.send(*OK)
    client.response()
    get(client, "again")
    assert server.head().start == "GET /again HTTP/1.1"
    server.close()  # as a server does whose own idle time is over just now
    other = backend.accept()
    assert other.head().start == "GET /again HTTP/1.1"
    other.close()
    assert client.response().status == 502
    assert backend.untouched()


@H("H18")
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_h18_a_request_that_changes_something_is_never_sent_twice(client: Wire, backend: Backend, method: str) -> None:
    get(client)
    server = backend.accept()
    server.head()
    server.send(*OK)
    client.response()
    client.send(f"{method} {{path}}x HTTP/1.1", "Host: {host}", "{auth}", "Content-Length: 3", "", "abc")
    head = server.head()
    assert server.body(head) == b"abc"
    server.close()
    assert client.response().status == 502
    assert backend.untouched()


@H("H18")
def test_h18_nothing_is_repeated_after_a_byte_of_a_response(client: Wire, backend: Backend) -> None:
    get(client)
    server = backend.accept()
    server.head()
    server.send(*OK)
    client.response()
    get(client)
    server.head()
    server.send("HTTP/1.1 20")
    server.close()
    assert client.response().status == 502
    assert backend.untouched()


@H("H18")
def test_h18_pipelined_requests_are_answered_in_order(client: Wire, backend: Backend) -> None:
    lines = [line for number in range(3) for line in (f"GET {{path}}{number} HTTP/1.1", "Host: {host}", "{auth}", "")]
    client.send(*lines, "")
    server = backend.accept()
    for number in range(3):
        assert server.head().start == f"GET /{number} HTTP/1.1"
        server.send("HTTP/1.1 200 OK", "Content-Length: 1", "", str(number))
    assert [client.response().body for _ in range(3)] == [b"0", b"1", b"2"]


@H("H20")
def test_h20_a_response_that_does_not_begin_is_a_504(dial: Callable[..., Wire], backend: Backend) -> None:
    client = dial("hasty/")
    get(client)
    server = backend.accept()
    server.head()
    response = client.response()
    assert response.status == 504
    assert server.closed()


@H("H20")
def test_h20_no_time_limit_once_a_response_has_begun(dial: Callable[..., Wire], backend: Backend) -> None:
    client = dial("hasty/")
    get(client)
    server = backend.accept()
    server.head()
    server.send("HTTP/1.1 200 OK", "Content-Length: 2", "", "h")
    assert client.head().status == 200
    assert client.read(1) == b"h"
    time.sleep(1.0)
    server.send("i")
    assert client.read(1) == b"i"


@H("H20")
def test_h20_an_upload_under_way_is_progress(dial: Callable[..., Wire], backend: Backend) -> None:
    client = dial("hasty/")
    client.send("PUT {path}x HTTP/1.1", "Host: {host}", "{auth}", "Content-Length: 6", "", "")
    server = backend.accept()
    head = server.head()
    for _ in range(6):
        client.send("x")
        time.sleep(0.2)
    assert server.body(head) == b"xxxxxx"
    server.send(*OK)
    assert client.response().status == 200


@H("H20")
@pytest.mark.parametrize("bytes_first", ["", "HTTP/1.1 200 OK\r\nX-Half"])
def test_h20_a_connection_that_ends_without_a_response_is_a_502(
    client: Wire, backend: Backend, bytes_first: str
) -> None:
    get(client)
    server = backend.accept()
    server.head()
    server.send(bytes_first)
    server.close()
    assert client.response().status == 502


def test_a_response_head_without_end_is_a_502(client: Wire, backend: Backend) -> None:
    get(client)
    server = backend.accept()
    server.head()
    server.send("HTTP/1.1 200 OK", "")
    with pytest.raises((ConnectionError, TimeoutError)):  # noqa: PT012 - it ends somewhere in this loop
        server.sock.settimeout(5)
        for _ in range(100_000):
            server.send("X-More: " + "x" * 1000, "")
    assert client.response().status == 502


# ---- what the client is led to


@H("H21")
@pytest.mark.parametrize("field", ["Location", "Content-Location"])
def test_h21_paths_of_the_origin_server_get_the_prefix_once(client: Wire, backend: Backend, field: str) -> None:
    prefix = client.names["path"].rstrip("/")
    get(client)
    server = backend.accept()
    host = server.head().get("Host")
    assert host is not None
    for sent, seen in {
        "/a?b#c": f"{prefix}/a?b#c",
        f"{prefix}/a": f"{prefix}/a",
        f"http://{host}/a": f"{prefix}/a",
        "//elsewhere/a": "//elsewhere/a",
        "https://elsewhere/a": "https://elsewhere/a",
        "a/b": "a/b",
        "?q": "?q",
    }.items():
        server.send("HTTP/1.1 302 Found", f"{field}: {sent}", "Content-Length: 0", "", "")
        assert client.response().get(field) == seen
        get(client)
        server.head()
    server.send("HTTP/1.1 200 OK", "Refresh: 5; url=/a", "Content-Length: 0", "", "")
    assert client.response().get("Refresh") == f"5; url={prefix}/a"


@H("H21")
def test_h21_a_server_that_sees_whole_paths_writes_whole_paths(dial: Callable[..., Wire], backend: Backend) -> None:
    client = dial("whole/")
    get(client)
    server = backend.accept()
    assert server.head().start == f"GET {client.names['path']}x HTTP/1.1"
    server.send("HTTP/1.1 302 Found", "Location: /elsewhere", "Content-Length: 0", "", "")
    assert client.response().get("Location") == "/elsewhere"


@H("H22")
@pytest.mark.parametrize(
    "line",
    ["OPTIONS * HTTP/1.1", "CONNECT example.org:443 HTTP/1.1", "GET http://example.org/ HTTP/1.1",
     "GET http://{host}{path}x HTTP/1.1", "CONNECT {host} HTTP/1.1"],
)  # fmt: skip
def test_h22_we_are_no_forward_proxy(client: Wire, backend: Backend, line: str) -> None:
    client.send(line, "Host: {host}", "{auth}", "Connection: close", "", "")
    assert client.head().status >= 400
    assert backend.untouched(0.1)


def test_jupyter_survives_all_of_this(jupyter: Jupyter) -> None:
    assert jupyter.get("api").status == 200
    assert not lines_of(
        jupyter.log(), r'File ".*/jupyter_server_proxy/|never awaited|was never retrieved|Task was destr'
    )
