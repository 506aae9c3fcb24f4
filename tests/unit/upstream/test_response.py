"""Where the bytes of a response go: what is parsed, and what is only counted."""

from __future__ import annotations

import pytest

from jupyter_server_proxy.errors import UpstreamProtocolError
from jupyter_server_proxy.upstream.address import loopback
from jupyter_server_proxy.upstream.response import ResponseReader

OK = b"HTTP/1.1 200 OK\r\n"


class Read:
    """A reader, and the pieces of the body that it gave."""

    def __init__(self, *pieces: bytes) -> None:
        self.body: list[bytes | memoryview] = []
        self.reader = ResponseReader(loopback(1), "GET", False, 1000, self.body.append)
        for piece in pieces:
            self.reader.feed(piece)

    @property
    def bytes(self) -> bytes:
        return b"".join(self.body)


def test_the_rest_of_a_body_of_known_length_is_handed_on_uncopied() -> None:
    read = Read(OK + b"Content-Length: 6\r\n\r\nab")
    assert read.reader.counting
    buffer = memoryview(bytearray(b"cdef"))
    read.reader.feed(buffer[:3])
    assert isinstance(read.body[-1], memoryview)
    assert not read.reader.complete
    read.reader.feed(buffer[3:])
    assert (read.bytes, read.reader.complete, read.reader.counting) == (b"abcdef", True, False)


def test_bytes_behind_a_counted_body_are_an_error_and_no_part_of_it() -> None:
    read = Read(OK + b"Content-Length: 3\r\n\r\n")
    with pytest.raises(UpstreamProtocolError, match="nobody asked"):
        read.reader.feed(b"abcHTTP/1.1 200 OK\r\n")
    assert (read.bytes, read.reader.complete) == (b"abc", True)


def test_a_body_until_the_end_of_the_connection() -> None:
    read = Read(OK + b"\r\n", b"abc", b"HTTP/1.1 200 OK\r\n\r\n")
    assert read.bytes == b"abcHTTP/1.1 200 OK\r\n\r\n"
    assert not read.reader.complete
    read.reader.end()
    assert read.reader.complete


def test_the_end_of_a_connection_ends_no_other_body() -> None:
    read = Read(OK + b"Content-Length: 3\r\n\r\nab")
    read.reader.end()
    assert not read.reader.complete


def test_chunks_are_parsed_to_their_end() -> None:
    read = Read(OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", b"2\r\nde\r\n")
    assert not read.reader.counting
    read.reader.feed(b"0\r\n\r\n")
    assert (read.bytes, read.reader.complete) == (b"abcde", True)


def test_counting_begins_with_the_final_head() -> None:
    read = Read(b"HTTP/1.1 103 Early Hints\r\nContent-Length: 9\r\n\r\n")
    assert not read.reader.counting
    read.reader.feed(OK + b"Content-Length: 1\r\n\r\n")
    assert read.reader.counting


def test_an_empty_body_leaves_nothing_to_count() -> None:
    read = Read(OK + b"Content-Length: 00\r\n\r\n")
    assert (read.reader.complete, read.reader.counting) == (True, False)
