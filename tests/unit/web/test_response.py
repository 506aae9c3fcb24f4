"""How responses are written on connections that are read by us."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_server_proxy.web.response import DirectResponse


class Recorder:
    """Stands for a connection."""

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def write(self, data: bytes) -> bool:
        self.written.append(data)
        return True


def made(bodiless: bool = False) -> tuple[Any, DirectResponse, list[int]]:
    recorder, sent = Recorder(), list[int]()
    return recorder, DirectResponse(recorder, sent.append, bodiless=bodiless), sent  # type: ignore[arg-type]


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
