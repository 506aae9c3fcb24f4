"""However the bytes of both sides are cut into segments, both sides get the same."""

from __future__ import annotations

import contextlib
import itertools
import socket
import time
from typing import Any

import pytest
from harness import Jupyter
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from wire import Backend, Wire, connect

pytestmark = pytest.mark.behaviour("H3", "H5", "H6", "H17")

REQUESTS = [
    ["GET {path}a%2Fb?c=%26&& HTTP/1.1", "Host: {host}", "X-Request-ID: 1", "{auth}", "X-A: 1", "X-A: 2", "", ""],
    ["PUT {path}x HTTP/1.1", "Host: {host}", "X-Request-ID: 1", "{auth}", "Content-Length: 10", "", "0123456789"],
    [
        "POST {path}x HTTP/1.1",
        "Host: {host}",
        "X-Request-ID: 1",
        "{auth}",
        "Transfer-Encoding: chunked",
        "",
        "3",
        "abc",
        "4",
        "defg",
        "0",
        "",
        "",
    ],
]
RESPONSES = [
    ["HTTP/1.1 200 OK", "Content-Length: 5", "Set-Cookie: a=1", "Set-Cookie: b=2", "", "hello"],
    ["HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "", "3", "abc", "4;x=y", "defg", "0", "X-T: 1", "", ""],
    ["HTTP/1.1 103 Early Hints", "Link: </s>", "", "HTTP/1.1 404 Not Here", "Content-Length: 2", "", "no"],
    ["HTTP/1.1 304 Not Modified", 'ETag: "e"', "", ""],
]


@pytest.fixture(scope="module")
def jupyter(start_jupyter, backend: Backend) -> Jupyter:
    return start_jupyter(f'c.ServerProxy.servers = {{"wire": {{"port": {backend.port}}}}}', base_url="/base/")


def send_in_pieces(wire: Wire, lines: list[str], cuts: list[int]) -> None:
    """With a moment between two pieces, so that each is a segment of its own."""
    data = b"\r\n".join(wire._fill(line) for line in lines)
    wire.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    marks = [0, *sorted({cut % len(data) for cut in cuts}), len(data)]
    for start, end in itertools.pairwise(marks):
        wire.sock.sendall(data[start:end])
        time.sleep(0.001)


def exchange(jupyter: Jupyter, backend: Backend, number: int, answer: int, cuts: list[int], back: list[int]) -> Any:
    """What the origin server and the client get."""
    with contextlib.closing(connect(jupyter, "wire/")) as client:
        send_in_pieces(client, REQUESTS[number], cuts)
        server = backend.accept()
        head = server.head()
        body = server.body(head)
        send_in_pieces(server, RESPONSES[answer], back)
        response = client.response()
        backend.drop_connections()
        return head, body, response.start, response.fields, response.body, response.complete


@pytest.mark.parametrize("answer", range(len(RESPONSES)))
@pytest.mark.parametrize("number", range(len(REQUESTS)))
def test_segments_make_no_difference(jupyter: Jupyter, backend: Backend, number: int, answer: int) -> None:
    whole = exchange(jupyter, backend, number, answer, [], [])

    @settings(
        max_examples=12,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(st.integers(0, 400), max_size=6), st.lists(st.integers(0, 200), max_size=6))
    def attempt(cuts: list[int], back: list[int]) -> None:
        assert exchange(jupyter, backend, number, answer, cuts, back) == whole

    attempt()
