"""Which requests are plain, and that they are what tornado would make of them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from tornado.httputil import HTTPHeaders, HTTPServerRequest, parse_request_start_line

from jupyter_server_proxy.web.plain import split_head

PLAIN = b"Host: h:1\r\nCookie: a=b\r\n"
CONNECTION: Any = SimpleNamespace(context=SimpleNamespace(remote_ip="1.2.3.4", protocol="https"))


def head(block: bytes = PLAIN, line: bytes = b"GET /x HTTP/1.1") -> bytes:
    return line + b"\r\n" + block + b"\r\n"


def test_fields_are_those_that_tornado_parses() -> None:
    split = split_head(head(b"host: h\r\nX-a:  1 \r\nx-A: 2\r\nconnection: Keep-Alive\r\n"))
    assert split is not None
    method, target, plain = split
    assert (method, target) == ("GET", "/x")
    expected = [("Host", "h"), ("X-A", "1"), ("X-A", "2"), ("Connection", "Keep-Alive")]
    assert list(plain.fields.get_all()) == expected


def test_equal_blocks_are_parsed_once() -> None:
    one, other = split_head(head()), split_head(head(line=b"HEAD /y?z HTTP/1.1"))
    assert one is not None
    assert other is not None
    assert one[2] is other[2]


@pytest.mark.parametrize("target", ["/", "/a/%2F/../b", "/?", "/x?a=1&a=2&token=t&b", "/x?%zz", "//h/;"])
@pytest.mark.parametrize("method", ["GET", "PROPFIND"])
def test_a_request_is_what_tornado_would_make_of_it(method: str, target: str) -> None:
    split = split_head(head(line=f"{method} {target} HTTP/1.1".encode()))
    assert split is not None
    ours = vars(split[2].request(CONNECTION, split[0], split[1]))
    theirs = vars(
        HTTPServerRequest(
            connection=CONNECTION,
            start_line=parse_request_start_line(f"{method} {target} HTTP/1.1"),
            headers=HTTPHeaders.parse(PLAIN.decode()),
        )
    )
    assert abs(ours.pop("_start_time") - theirs.pop("_start_time")) < 60
    assert list(ours.pop("headers").get_all()) == list(theirs.pop("headers").get_all())
    assert ours == theirs


def test_requests_share_nothing_that_can_be_changed() -> None:
    def made() -> HTTPServerRequest:
        split = split_head(head())
        assert split is not None
        return split[2].request(CONNECTION, split[0], split[1])

    one = made()
    one.headers["Cookie"] = "c=d"
    one.headers.add("X", "y")
    for mapping in (one.arguments, one.query_arguments, one.body_arguments, one.files):
        mapping["k"] = []  # type: ignore[assignment]
    other = made()
    assert list(other.headers.get_all()) == [("Host", "h:1"), ("Cookie", "a=b")]
    assert (other.arguments, other.query_arguments, other.body_arguments, other.files) == ({}, {}, {}, {})
    assert other.cookies["a"].value == "b"


@pytest.mark.parametrize(
    "line", [b"Content-Length: 0", b"content-length: 3", b"Transfer-Encoding: Chunked", b"Expect: 100-Continue"]
)
def test_a_request_with_content_is_plain_too(line: bytes) -> None:
    split = split_head(head(PLAIN + line + b"\r\n"))
    assert split is not None
    assert list(split[2].fields.get_all())[2][1] == line.partition(b": ")[2].decode()


@pytest.mark.parametrize(
    "block",
    [
        *(
            PLAIN + line + b"\r\n"
            for line in (
                b"Content-Length: 3, 3", b"Content-Length: +3", b"Transfer-Encoding: gzip, chunked", b"Expect: more",
                b"Transfer-Encoding: chunked\r\nContent-Length: 3", b"Content-Length: 3\r\nContent-Length: 3",
                b"Upgrade: websocket", b"Connection: close", b"Connection: keep-alive, Upgrade", b"Connection: x",
                b"Host: twice", b" folded: x", b"no colon", b"sp ace: x", b"X: a\nY: b", b"X: a\rb", b"X: \0",
            )
        ),
        b"", b"Cookie: without=host\r\n", b"Host: a b\r\n", b"Host: a,b\r\n",
    ],
)  # fmt: skip
def test_fields_that_need_a_second_look_are_left_to_tornado(block: bytes) -> None:
    assert split_head(head(block)) is None


@pytest.mark.parametrize(
    "line",
    [b"GET http://h/x HTTP/1.1", b"OPTIONS * HTTP/1.1", b"GET /x HTTP/1.0", b"GET /x HTTP/2.0", b"get /x HTTP/1.1",
     b"GET  /x HTTP/1.1", b"GET /x  HTTP/1.1", b"GET /\xff HTTP/1.1", b"GET /a b HTTP/1.1", b"GET /x HTTP/1.1 ",
     b"GET /x\nHTTP/1.1", b"", b" GET /x HTTP/1.1", b"CONNECT h:1 HTTP/1.1"],
)  # fmt: skip
def test_so_are_other_request_lines(line: bytes) -> None:
    assert split_head(head(line=line)) is None
