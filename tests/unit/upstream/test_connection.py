"""One exchange, against a transport that only records: H3, H8, H11, H14, H15, H16."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_server_proxy.errors import UpstreamClosed, UpstreamError, UpstreamProtocolError, UpstreamTimeout
from jupyter_server_proxy.upstream import connection as module
from jupyter_server_proxy.upstream.address import loopback
from jupyter_server_proxy.upstream.connection import UpstreamConnection


class RecordingTransport(asyncio.Transport):
    """Remembers what was asked of it."""

    def __init__(self, protocol: asyncio.Protocol) -> None:
        super().__init__()
        self.protocol = protocol
        self.written = b""
        self.paused = False
        self.closed = False
        self.extra: dict[str, object] = {}
        self.unsent = 0

    def get_extra_info(self, name, default=None):
        return self.extra.get(name, default)

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def write(self, data) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def close(self) -> None:
        self.closed = True

    abort = close

    def set_protocol(self, protocol) -> None:
        self.protocol = protocol


def connected() -> UpstreamConnection:
    connection = UpstreamConnection(loopback(8000))
    connection.connection_made(RecordingTransport(connection))
    return connection


def exchange(*pieces: bytes, method: str = "GET", upgrade: bool = False, end: bool = False):
    """Give the pieces as the response; returns the connection, and (status, body) or the error."""

    async def run():
        connection = connected()
        connection.start(b"request", method=method, upgrade=upgrade)
        for piece in pieces:
            if not connection.transport.is_closing():
                connection.data_received(piece)
        if end:
            connection.connection_lost(None)
        try:
            head = await connection.response(0.05)
            body = b""
            if head.status != 101:
                while data := await asyncio.wait_for(connection.read(), 0.05):
                    body += data
            return connection, (head, body)
        except (UpstreamError, asyncio.TimeoutError) as error:
            return connection, error

    return asyncio.run(run())


OK = b"HTTP/1.1 200 OK\r\n"


def test_length() -> None:
    connection, (head, body) = exchange(OK + b"Content-Length: 3\r\nX-A: b\r\nx-a: c\r\n\r\nabc")
    assert (head.status, head.reason, body) == (200, "OK", b"abc")
    assert head.fields == [("Content-Length", "3"), ("X-A", "b"), ("x-a", "c")]
    assert head.get("x-a") == "b"
    assert connection.reusable


def test_h14_chunked_with_trailers_that_are_not_passed_on() -> None:
    connection, (head, body) = exchange(
        OK + b"Transfer-Encoding: chunked\r\n\r\n3;ext=1\r\nabc\r\n2\r\nde\r\n0\r\nX-Trailer: 1\r\n\r\n"
    )
    assert body == b"abcde"
    assert head.get("x-trailer") is None
    assert connection.reusable


def test_until_close() -> None:
    connection, (_, body) = exchange(b"HTTP/1.0 200 OK\r\n\r\nall", b" of it", end=True)
    assert body == b"all of it"
    assert not connection.reusable


def test_h11_head_has_a_length_but_no_body() -> None:
    connection, (head, body) = exchange(OK + b"Content-Length: 3\r\n\r\n", method="HEAD")
    assert (head.get("content-length"), body) == ("3", b"")
    assert connection.reusable


def test_a_body_after_head_spoils_only_the_connection() -> None:
    connection, (_, body) = exchange(OK + b"Content-Length: 3\r\n\r\nabc", method="HEAD")
    assert body == b""
    assert not connection.reusable
    assert connection.transport.is_closing()


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
def test_statuses_without_body(status: bytes) -> None:
    connection, (_, body) = exchange(b"HTTP/1.1 " + status + b"\r\nETag: x\r\n\r\n")
    assert body == b""
    assert connection.reusable


def test_h15_interim_responses_do_not_bleed_into_the_final_one() -> None:
    interim = b"HTTP/1.1 100 Continue\r\nX-Interim: 1\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
    _, (head, body) = exchange(interim + OK + b"Content-Length: 2\r\n\r\nhi")
    assert (head.status, body) == (200, b"hi")
    assert head.fields == [("Content-Length", "2")]
    assert head.reason == "OK"


@pytest.mark.parametrize(
    "response",
    [
        OK + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        OK + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
        OK + b"X: a\r\n b\r\n\r\n",
        OK + b"X: a\0b\r\n\r\n",
        OK + b"Content-Length : 3\r\n\r\nabc",
        b"SSH-2.0-OpenSSH_9\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
    ],
)
def test_h3_h16_broken_responses_are_errors_and_end_the_connection(response: bytes) -> None:
    connection, error = exchange(response)
    assert isinstance(error, UpstreamProtocolError)
    assert error.status == 502
    assert connection.transport.is_closing()
    assert not connection.reusable


@pytest.mark.parametrize(
    "response",
    [b"", b"HTTP/1.1 2", OK + b"Content-Length: 5\r\n\r\nab", OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab"],
)
def test_h8_an_early_end_is_an_error(response: bytes) -> None:
    connection, error = exchange(response, end=True) if response else exchange(end=True)
    assert isinstance(error, UpstreamClosed)
    assert connection.untouched == (response == b"")


def test_no_answer_in_time() -> None:
    connection, error = exchange(b"HTTP/1.1 200")
    assert isinstance(error, UpstreamTimeout)
    assert error.status == 504
    assert connection.transport.is_closing()


def test_a_head_without_end_is_refused() -> None:
    _, error = exchange(OK + b"X: " + b"y" * module.MAX_HEAD)
    assert isinstance(error, UpstreamProtocolError)
    assert "more than" in error.message


def test_a_second_response_spoils_only_the_connection() -> None:
    connection, (_, body) = exchange(OK + b"Content-Length: 1\r\n\r\na" + OK + b"Content-Length: 1\r\n\r\nb")
    assert body == b"a"
    assert not connection.reusable


async def test_unasked_bytes_end_an_idle_connection() -> None:
    connection = connected()
    connection.data_received(OK)
    assert connection.transport.is_closing()
    with pytest.raises(UpstreamError):
        connection.start(b"", method="GET")


def test_connection_close_is_respected() -> None:
    connection, (_, body) = exchange(OK + b"Connection: close\r\nContent-Length: 1\r\n\r\na")
    assert body == b"a"
    assert not connection.reusable


def test_bytes_behind_a_101_go_to_the_next_protocol() -> None:
    received = []

    class Next(asyncio.Protocol):
        def data_received(self, data: bytes) -> None:
            received.append(data)

    connection, (head, _) = exchange(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nfirst", upgrade=True
    )
    assert head.status == 101
    assert connection.transport.paused
    connection.take_over(Next())
    assert received == [b"first"]
    assert not connection.transport.paused


class OwnTransport(RecordingTransport):
    """Stands for a ``SocketTransport``."""

    def detach(self) -> str:
        self.closed = True
        return "socket"


SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nfirst"


def switched(monkeypatch: pytest.MonkeyPatch, own: bool) -> UpstreamConnection:
    """An upgraded connection, on a transport of ours or of asyncio's."""
    monkeypatch.setattr(module, "SocketTransport", OwnTransport)
    connection, _ = exchange(SWITCH, upgrade=True)
    if own:
        connection.transport = OwnTransport(connection)
    return connection


def test_the_socket_of_an_upgraded_connection_can_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = switched(monkeypatch, True)
    assert connection.release_socket() == ("socket", b"first")
    assert connection.transport.closed


@pytest.mark.parametrize(
    ("own", "unsent", "closed"),
    [(False, 0, False), (True, 1, False), (True, 0, True)],
    ids=["TLS", "unsent bytes", "closed"],
)
def test_otherwise_its_transport_goes_on(monkeypatch: pytest.MonkeyPatch, own: bool, unsent: int, closed: bool) -> None:
    connection = switched(monkeypatch, own)
    transport = connection.transport
    transport.unsent, transport.closed = unsent, closed
    assert connection.release_socket() is None
    assert transport.closed is closed
    received = []

    class Next(asyncio.Protocol):
        def data_received(self, data: bytes) -> None:
            received.append(data)

    connection.take_over(Next())
    assert received == [b"first"]


def test_h5_a_reader_that_does_not_come_stops_the_socket() -> None:
    async def run() -> None:
        connection = connected()
        connection.start(b"", method="GET")
        size = module.READ_HIGH + 1
        connection.data_received(OK + b"Content-Length: %d\r\n\r\n" % (size + 1) + b"x" * size)
        assert connection.transport.paused
        assert len(await connection.read()) == size
        assert not connection.transport.paused

    asyncio.run(run())


def test_the_first_byte_is_told_once() -> None:
    async def run() -> None:
        connection, told = connected(), []
        connection.on_answer = lambda: told.append(1)
        connection.start(b"", method="GET")
        assert told == []
        connection.data_received(b"H")
        connection.data_received(b"TTP/1.1 204 No Content\r\n\r\n")
        assert told == [1]

    asyncio.run(run())


def test_h5_what_is_taken_at_once_does_not_wake_the_reader() -> None:
    async def run() -> None:
        connection = connected()
        connection.start(b"", method="GET")
        connection.data_received(OK + b"Content-Length: 9\r\n\r\na")
        assert connection.take() == b"a"
        offered, takes = [], [2, 1, 0]

        def offer(data: bytes | memoryview) -> int:
            offered.append(bytes(data))
            return takes.pop(0)

        reading = asyncio.ensure_future(connection.read(offer))
        await asyncio.sleep(0)
        connection.data_received(b"bc")
        await asyncio.sleep(0)
        assert not reading.done()
        connection.data_received(b"def")
        connection.data_received(b"g")  # is not offered: it must not overtake
        assert await reading == b"efg"
        assert offered == [b"bc", b"def"]
        connection.data_received(b"h")  # nobody waits
        assert await connection.read(offer) == b"h"
        reading = asyncio.ensure_future(connection.read(offer))
        await asyncio.sleep(0)
        connection.data_received(b"i")
        assert [await reading, await connection.read(offer)] == [b"i", b""]
        assert connection.reusable

    asyncio.run(run())


def test_a_reader_that_was_cancelled_is_offered_nothing() -> None:
    async def run() -> None:
        connection = connected()
        connection.start(b"", method="GET")
        connection.data_received(OK + b"Content-Length: 2\r\n\r\n")
        reading = asyncio.ensure_future(connection.read(lambda data: pytest.fail("offered")))
        await asyncio.sleep(0)
        reading.cancel()
        await asyncio.wait({reading})
        connection.data_received(b"ab")
        assert connection.take() == b"ab"

    asyncio.run(run())


def test_the_end_of_a_body_that_was_taken_at_once_wakes_the_reader() -> None:
    async def run() -> None:
        connection = connected()
        connection.start(b"", method="GET")
        connection.data_received(OK + b"Content-Length: 2\r\n\r\n")
        reading = asyncio.ensure_future(connection.read(len))
        await asyncio.sleep(0)
        connection.data_received(b"ab")
        assert await reading == b""

    asyncio.run(run())


def test_an_early_end_of_a_body_that_was_taken_at_once_is_an_error() -> None:
    async def run() -> None:
        connection = connected()
        connection.start(b"", method="GET")
        connection.data_received(OK + b"Content-Length: 3\r\n\r\n")
        reading = asyncio.ensure_future(connection.read(len))
        await asyncio.sleep(0)
        connection.data_received(b"ab")
        connection.connection_lost(None)
        with pytest.raises(UpstreamClosed):
            await reading

    asyncio.run(run())


def test_sending_waits_while_the_socket_is_full() -> None:
    async def run() -> None:
        connection = connected()
        connection.start(b"head", method="POST")
        connection.pause_writing()
        connection.send([b"bo", memoryview(b"dy")])
        told: list[str] = []
        connection.on_writable = lambda: told.append("writable")
        draining = asyncio.ensure_future(connection.drained())
        await asyncio.sleep(0)
        assert (draining.done(), told) == (False, [])
        connection.resume_writing()
        await draining
        await connection.drained()
        assert (connection.transport.written, told) == (b"headbody", ["writable"])
        connection.pause_writing()
        connection.on_writable = lambda: told.append("gone")
        draining = asyncio.ensure_future(connection.drained())
        await asyncio.sleep(0)
        connection.connection_lost(ConnectionResetError())
        with pytest.raises(UpstreamClosed):
            await draining
        assert told == ["writable", "gone"]
        with pytest.raises(UpstreamClosed):
            connection.send([b"more"])

    asyncio.run(run())


@given(st.lists(st.integers(1, 7), max_size=80))
def test_any_segmentation_gives_the_same_response(sizes: list[int]) -> None:
    data = (
        b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"Set-Cookie: a\r\nSet-Cookie: b\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"3\r\nabc\r\nA;x\r\n0123456789\r\n0\r\nT: 1\r\n\r\n"
    )
    pieces, rest = [], data
    for size in sizes:
        piece, rest = rest[:size], rest[size:]
        if piece:
            pieces.append(piece)
    connection, (head, body) = exchange(*pieces, *([rest] if rest else []))
    assert (head.status, head.reason, body) == (200, "OK", b"abc0123456789")
    assert head.fields[:2] == [("Set-Cookie", "a"), ("Set-Cookie", "b")]
    assert connection.reusable


async def test_one_parser_reads_small_responses_one_after_the_other() -> None:
    connection = connected()
    seen = []
    for method, tail, body in [
        ("GET", b"Content-Length: 2\r\n\r\nhi", b"hi"),
        ("GET", b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", b"a"),
        ("HEAD", b"Content-Length: 2\r\n\r\n", b""),
        ("GET", b"X: y\r\nContent-Length: 0\r\n\r\n", b""),
    ]:
        connection.start(b"", method=method)
        assert connection.untouched
        assert not connection.complete
        connection.data_received(OK + tail)
        head = await connection.response(1)
        assert (head.status, head.get("x"), await connection.read()) == (200, "y" if b"X: y" in tail else None, body)
        assert connection.reusable
        connection.rest()
        seen.append(connection._response)
    first, second, third, fourth = seen
    assert first is second
    assert second is third
    assert third is not fourth, "llhttp waits for the body that a HEAD's response has not"


async def test_a_foreign_transport_gets_one_piece_that_is_nobody_elses() -> None:
    """Those of asyncio may keep what they are given, and the buffers are used again."""
    connection = connected()
    connection.start(b"", method="PUT")
    given: list[Any] = []
    connection.transport.write = given.append
    connection.send([b"3\r\n", memoryview(bytearray(b"abc")), b"\r\n"])
    assert given == [b"3\r\nabc\r\n"]
    assert type(given[0]) is bytes


async def test_a_connection_with_something_unsent_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = connected()
    connection.start(b"", method="PUT")
    connection.data_received(OK + b"Content-Length: 0\r\n\r\n")
    assert connection.reusable
    monkeypatch.setattr(connection.transport, "get_write_buffer_size", lambda: 1)
    assert not connection.reusable


@pytest.mark.parametrize(
    "first",
    [
        b"Proxy-Connection: close\r\nContent-Length: 2\r\n\r\nhi",
        b"Transfer-Encoding: chunked\r\n\r\n0\r\nConnection: close\r\n\r\n",
    ],
)
async def test_what_llhttp_alone_takes_for_the_last_response_is_not(first: bytes) -> None:
    connection = connected()
    for tail in (first, b"Content-Length: 2\r\n\r\nho"):
        connection.start(b"", method="GET")
        connection.data_received(OK + tail)
        assert (await connection.response(1)).status == 200
        connection.take()
        assert connection.reusable
        connection.rest()
