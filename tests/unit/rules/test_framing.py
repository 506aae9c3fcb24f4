"""Where responses end: H3, H11, H12."""

from __future__ import annotations

import pytest

from jupyter_server_proxy.errors import RequestRefused
from jupyter_server_proxy.rules.framing import Body, Framing, check_request, frame_response


@pytest.mark.parametrize(
    ("method", "status", "version", "fields", "expected"),
    [
        ("GET", 200, "1.1", [("Content-Length", "5")], Framing(Body.LENGTH, True, 5)),
        ("GET", 200, "1.1", [("Content-Length", "0")], Framing(Body.NONE, True)),
        ("GET", 200, "1.1", [("Content-Length", "5"), ("content-length", "5")], Framing(Body.LENGTH, True, 5)),
        ("GET", 200, "1.1", [("Transfer-Encoding", "Chunked")], Framing(Body.CHUNKED, True)),
        ("GET", 200, "1.1", [], Framing(Body.UNTIL_CLOSE, False)),
        ("HEAD", 200, "1.1", [("Content-Length", "5")], Framing(Body.NONE, True)),
        ("GET", 204, "1.1", [], Framing(Body.NONE, True)),
        ("GET", 304, "1.1", [("Content-Length", "5")], Framing(Body.NONE, True)),
        ("GET", 200, "1.1", [("Content-Length", "5"), ("Connection", "x, Close")], Framing(Body.LENGTH, False, 5)),
        ("GET", 200, "1.0", [("Content-Length", "5")], Framing(Body.LENGTH, False, 5)),
        ("GET", 200, "1.0", [("Content-Length", "5"), ("Connection", "keep-alive")], Framing(Body.LENGTH, True, 5)),
    ],
)
def test_framing(method: str, status: int, version: str, fields: list[tuple[str, str]], expected: Framing) -> None:
    assert frame_response(method, status, version, [("X", "close"), *fields]) == expected
    assert frame_response(method, status, version, fields) == expected


@pytest.mark.parametrize(
    ("version", "fields"),
    [
        ("1.1", [("Transfer-Encoding", "chunked"), ("Content-Length", "5")]),
        ("1.1", [("Transfer-Encoding", "gzip, chunked")]),
        ("1.1", [("Transfer-Encoding", "identity")]),
        ("1.1", [("Content-Length", "5"), ("Content-Length", "6")]),
        ("1.1", [("Content-Length", "5, 6")]),
        ("1.1", [("Content-Length", "-1")]),
        ("1.1", [("Content-Length", "\u0665")]),
        ("1.1", [("Content-Length", "")]),
        ("1.1", [("Content-Length", "\xa05")]),
        ("1.1", [("Content-Length", "9" * 19)]),
        ("1.0", [("Transfer-Encoding", "chunked")]),
    ],
)
def test_h3_contradictions_are_refused(version: str, fields: list[tuple[str, str]]) -> None:
    with pytest.raises(ValueError, match=r"Content-Length|coding"):
        frame_response("GET", 200, version, fields)


def test_h3_another_version_of_http_is_refused() -> None:
    with pytest.raises(ValueError, match="not HTTP/1"):
        frame_response("GET", 200, "2.0", [])


@pytest.mark.parametrize(
    ("version", "fields"),
    [
        ("HTTP/1.1", [("Content-Length", "1"), ("Transfer-Encoding", "chunked")]),
        ("HTTP/1.1", [("Transfer-Encoding", "chunked"), ("Transfer-Encoding", "chunked")]),
        ("HTTP/1.1", [("Transfer-Encoding", "gzip, chunked")]),
        ("HTTP/1.1", [("Transfer-Encoding", "")]),
        ("HTTP/1.0", [("Transfer-Encoding", "chunked")]),
        ("HTTP/1.1", [("Content-Length", "1"), ("Content-Length", "1")]),
        ("HTTP/1.1", [("Content-Length", "1, 1")]),
        ("HTTP/1.1", [("Content-Length", "+1")]),
        ("HTTP/1.1", [("Content-Length", "\u0661")]),
        ("HTTP/1.1", [("Content-Length", "")]),
        ("HTTP/1.1", [("Host", "a"), ("host", "a")]),
    ],
)
def test_h3_requests_that_can_be_read_in_two_ways_are_refused(version: str, fields: list[tuple[str, str]]) -> None:
    with pytest.raises(RequestRefused):
        check_request(fields, version)


def test_ordinary_requests_pass() -> None:
    check_request([("Host", "a"), ("Content-Length", " 12 ")], "HTTP/1.1")
    check_request([("Host", "a"), ("Transfer-Encoding", "Chunked")], "HTTP/1.1")
    check_request([], "HTTP/1.0")


@pytest.mark.parametrize(
    "field",
    [
        ("Content-Length", "\xa05"),
        ("Content-Length", "5\x85"),
        ("Content-Length", str(2**64 + 1)),
        ("Content-Length", "9" * 5000),
        ("Transfer-Encoding", "\xa0chunked"),
    ],
    ids=ascii,
)
def test_h3_what_others_may_read_otherwise_is_refused(field: tuple[str, str]) -> None:
    with pytest.raises(RequestRefused):
        check_request([("Host", "h"), field], "HTTP/1.1")
