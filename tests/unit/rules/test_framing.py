"""Where responses end: H3, H11, H12."""

from __future__ import annotations

import pytest

from jupyter_server_proxy.rules.framing import Body, Framing, frame_response


@pytest.mark.parametrize(
    ("method", "status", "version", "fields", "expected"),
    [
        ("GET", 200, "1.1", [("Content-Length", "5")], Framing(Body.LENGTH, True)),
        ("GET", 200, "1.1", [("Content-Length", "0")], Framing(Body.NONE, True)),
        ("GET", 200, "1.1", [("Content-Length", "5"), ("content-length", "5")], Framing(Body.LENGTH, True)),
        ("GET", 200, "1.1", [("Transfer-Encoding", "Chunked")], Framing(Body.CHUNKED, True)),
        ("GET", 200, "1.1", [], Framing(Body.UNTIL_CLOSE, False)),
        ("HEAD", 200, "1.1", [("Content-Length", "5")], Framing(Body.NONE, True)),
        ("GET", 204, "1.1", [], Framing(Body.NONE, True)),
        ("GET", 304, "1.1", [("Content-Length", "5")], Framing(Body.NONE, True)),
        ("GET", 200, "1.1", [("Content-Length", "5"), ("Connection", "x, Close")], Framing(Body.LENGTH, False)),
        ("GET", 200, "1.0", [("Content-Length", "5")], Framing(Body.LENGTH, False)),
        ("GET", 200, "1.0", [("Content-Length", "5"), ("Connection", "keep-alive")], Framing(Body.LENGTH, True)),
    ],
)
def test_framing(method: str, status: int, version: str, fields: list[tuple[str, str]], expected: Framing) -> None:
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
        ("1.0", [("Transfer-Encoding", "chunked")]),
    ],
)
def test_h3_contradictions_are_refused(version: str, fields: list[tuple[str, str]]) -> None:
    with pytest.raises(ValueError, match=r"Content-Length|coding"):
        frame_response("GET", 200, version, fields)
