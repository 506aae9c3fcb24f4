"""Where the content of a request ends, in whatever pieces it comes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_server_proxy.errors import RequestRefused
from jupyter_server_proxy.rules.content import ChunkedContent, Content, SizedContent, content_of
from jupyter_server_proxy.rules.fields import Fields

SIZES = st.lists(st.integers(1, 40), max_size=60)


def read(content: Content, data: bytes, sizes: list[int]) -> tuple[bytes, bytes]:
    """The content, and what came after it, of data that comes in pieces of some sizes, and then all at once."""
    found = b""
    while data and not content.ended:
        size = sizes.pop(0) if sizes else len(data)
        piece = data[:size]
        pieces, taken = content.feed(memoryview(piece))
        assert taken == len(piece) or content.ended
        found += b"".join(pieces)
        data = data[taken:]
    return found, data


@given(st.binary(min_size=1, max_size=200), SIZES)
def test_content_of_a_known_length_ends_there(data: bytes, sizes: list[int]) -> None:
    content = SizedContent(len(data))
    assert read(content, data + b"NEXT", sizes) == (data, b"NEXT")
    assert content.ended


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=8), SIZES, st.sampled_from(["%x", "%X", "%04x"]))
def test_chunks_are_what_was_put_in_them(chunks: list[bytes], sizes: list[int], form: str) -> None:
    frames = b"".join((form % len(chunk)).encode() + b"\r\n" + chunk + b"\r\n" for chunk in chunks)
    content = ChunkedContent()
    assert read(content, frames + b"0\r\n\r\nNEXT", sizes) == (b"".join(chunks), b"NEXT")
    assert content.ended


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize(
    "data",
    [
        b"\r\n", b"x\r\n", b"-1\r\n", b"+1\r\n", b"0x1\r\n", b" 1\r\n", b"1 \r\n", b"1;ext\r\n", b"1\n", b"1_0\r\n",
        b"00000000000000001\r\n", b"ffffffffffffffff1\r\n", b"1" * 30, b"1\r\nab\r\n", b"1\r\na\n", b"1\r\na1\r\n",
        b"0\r\nTrailer: x\r\n\r\n", b"0\r\n\n", b"0\r\n0\r\n",
    ],
)  # fmt: skip
def test_what_is_malformed_is_refused(data: bytes, whole: bool) -> None:
    content = ChunkedContent()
    with pytest.raises(RequestRefused, match="chunks of this request"):
        read(content, data, [] if whole else [1] * len(data))
    assert not content.ended


def test_a_size_may_be_the_largest() -> None:
    content = ChunkedContent()
    assert read(content, b"ffffffffffffffff\r\nab", []) == (b"ab", b"")
    assert not content.ended


def test_much_is_read_at_once_when_the_chunks_are_large() -> None:
    content = ChunkedContent()
    content.feed(memoryview(b""))
    seen = [content.room]
    for size in (20_000, 10, 5_000):
        content.feed(memoryview(b"%x\r\n%b\r\n" % (size, b"x" * size)))
        seen.append(content.room)
    little, much = 16 * 1024, 128 * 1024
    assert seen == [little, much, little, much]


@pytest.mark.parametrize(
    ("lines", "kind"),
    [
        ([("Host", "h")], None),
        ([("Content-Length", "0")], None),
        ([("Content-Length", " 00\t")], None),
        ([("content-length", "007")], SizedContent),
        ([("transfer-encoding", "chunked")], ChunkedContent),
    ],
)
def test_fields_tell_what_there_is(lines: list[tuple[str, str]], kind: type | None) -> None:
    content = content_of(Fields(lines))
    assert content is None if kind is None else isinstance(content, kind)
