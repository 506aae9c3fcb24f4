"""How responses are written: on connections that are read by us, and past tornado on its own."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from tornado.iostream import IOStream, SSLIOStream

from jupyter_server_proxy.web.response import DirectResponse, TornadoResponse


class Recorder:
    """Stands for a connection."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.lacks_content = False
        self.awaits_continue = False
        self.said: list[object] = []

    def pour(self, upload: object) -> None:
        self.said.append(upload)

    async def drop_content(self, seconds: float) -> None:
        self.said += [len(self.written), seconds]

    def write(self, data: bytes) -> bool:
        self.written.append(data)
        return True

    def offer(self, data: bytes | memoryview) -> int:
        self.written.append(bytes(data[:2]))
        return 2


def made(bodiless: bool = False) -> tuple[Any, DirectResponse, list[int]]:
    recorder, sent = Recorder(), list[int]()
    return recorder, DirectResponse(recorder, sent.append, linger=9, bodiless=bodiless), sent  # type: ignore[arg-type]


async def test_a_response_of_known_length_is_one_piece() -> None:
    recorder, response, sent = made()
    response.cookies = ("a=1",)
    await response.send(200, "", [("content-length", "2")], b"hi")
    assert recorder.written == [b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nSet-Cookie: a=1\r\n\r\nhi"]
    assert (response.status, response.started, sent) == (200, True, [2])


async def test_without_a_length_it_is_chunked() -> None:
    recorder, response, _ = made()
    await response.begin(200, "Fine", [("X", "y")], b"12345678901")
    await response.write(b"z")
    await response.end()
    assert b"".join(recorder.written) == (
        b"HTTP/1.1 200 Fine\r\nX: y\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n12345678901\r\n1\r\nz\r\n0\r\n\r\n"
    )


async def test_a_whole_response_without_a_length_is_one_piece_too() -> None:
    recorder, response, _ = made()
    await response.send(200, "OK", [], b"")
    assert recorder.written == [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"]


@pytest.mark.parametrize(("bodiless", "status"), [(True, 200), (False, 204), (False, 304)])
async def test_what_has_no_body_is_not_framed(bodiless: bool, status: int) -> None:
    recorder, response, _ = made(bodiless)
    await response.send(status, "S", [], b"")
    assert recorder.written == [b"HTTP/1.1 %d S\r\n\r\n" % status]


@pytest.mark.parametrize("whole", [True, False])
async def test_what_is_left_of_the_request_is_dropped_when_the_response_has_left(whole: bool) -> None:
    recorder, response, _ = made()
    recorder.lacks_content = True
    upload: Any = object()
    response.want_body(upload)
    if whole:
        await response.send(413, "", [("Content-Length", "2")], b"no")
    else:
        await response.begin(413, "", [], b"no")
        await response.end()
    assert recorder.said == [upload, 1 if whole else 2, 9]
    assert response.status == 413


async def test_a_connection_that_will_close_says_so() -> None:
    recorder, response, _ = made()
    recorder.awaits_continue = True
    await response.send(403, "", [("Content-Length", "2")], b"no")
    assert recorder.written == [b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno"]


async def test_what_cannot_be_written_is_not_begun() -> None:
    recorder, response, _ = made()
    with pytest.raises(ValueError, match="line break"):
        await response.send(200, "", [("X", "a\r\nb: c")], b"")
    assert (recorder.written, response.started) == ([], False)


async def test_a_client_that_left_is_told_in_the_log() -> None:
    _, response, _ = made()
    await response.begin(200, "", [("Content-Length", "9")], b"1")
    response.gone = True
    assert response.status == 499


async def test_what_is_written_without_waiting_is_counted() -> None:
    recorder, response, sent = made()
    await response.begin(200, "", [("Content-Length", "9")])
    assert response.offer(memoryview(b"abc")) == 2
    assert (recorder.written[1:], sent) == ([b"ab"], [2])


async def test_a_chunk_is_written_as_a_whole() -> None:
    recorder, response, sent = made()
    await response.begin(200, "", [])
    assert response.offer(b"abc") == 0
    assert (len(recorder.written), sent) == (1, [])


# ---- past tornado


class RecordingSocket:
    """Takes some bytes."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.sent = b""

    def send(self, data: bytes | memoryview) -> int:
        if not self.room:
            raise BlockingIOError
        count = min(self.room, len(data))
        self.sent += bytes(data[:count])
        self.room -= count
        return count


def on_tornado(
    room: int, expected: int | None, *, streaming: bool = True, writing: bool = False
) -> tuple[Any, list[int]]:
    stream: Any = IOStream.__new__(IOStream)
    stream.socket = RecordingSocket(room)
    stream.writing, stream.closed = lambda: writing, lambda: False
    sent: list[int] = []
    connection: Any = SimpleNamespace(stream=stream, _expected_content_remaining=expected)
    made = TornadoResponse(connection, linger=1, on_sent=sent.append)
    made._streaming = streaming
    return made, sent


def test_as_much_is_sent_as_the_socket_takes() -> None:
    made, sent = on_tornado(5, 10)
    assert [made.offer(b"abc"), made.offer(memoryview(b"def")), made.offer(b"f")] == [3, 2, 0]
    assert made.connection.stream.socket.sent == b"abcde"
    assert made.connection._expected_content_remaining == 5
    assert sent == [3, 2]


@pytest.mark.parametrize(
    "state", [{"expected": None}, {"expected": 9, "streaming": False}, {"expected": 9, "writing": True}]
)
def test_nothing_is_sent_that_has_to_be_framed_or_would_overtake(state: dict[str, Any]) -> None:
    made, sent = on_tornado(5, **state)
    assert made.offer(b"abc") == 0
    assert (made.connection.stream.socket.sent, sent) == (b"", [])


def test_nothing_goes_past_tls() -> None:
    made, _ = on_tornado(5, 9)
    made.connection.stream.__class__ = SSLIOStream
    assert made.offer(b"abc") == 0


def test_nothing_is_sent_when_the_connection_is_gone() -> None:
    made, _ = on_tornado(5, 9)
    made.connection.stream = None
    assert made.offer(b"abc") == 0


async def test_a_head_that_could_not_be_written_leaves_nothing_behind() -> None:
    recorder, response, _ = made()
    with pytest.raises(ValueError, match="line break"):
        await response.send(200, "bad\0", [], b"x")
    await response.send(500, "", [("Content-Length", "1")], b"y")
    assert recorder.written == [b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 1\r\n\r\ny"]
