"""Frames of raw socket clients: W6, W9."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_server_proxy.rules.websocket import (
    Control,
    Data,
    FrameDecoder,
    FrameWalker,
    Opcode,
    WebSocketError,
    accept_key,
    apply_mask,
    encode_close,
    encode_frame,
)

MASK = b"\x01\x80\xfe\x37"


def masked(opcode: int, payload: bytes, *, final: bool = True) -> bytes:
    """A client's frame."""
    plain = bytearray(encode_frame(Opcode.BINARY, payload))
    start = len(plain) - len(payload)
    plain[0] = (0x80 if final else 0) | opcode
    plain[1] |= 0x80
    return bytes(plain[:start]) + MASK + apply_mask(payload, MASK)


def decode(data: bytes, sizes: list[int]) -> tuple[bytes, list[Control]]:
    """Feed in pieces of the given sizes; the data joined, and the control frames."""
    decoder = FrameDecoder()
    payload, controls = b"", []
    for size in [*sizes, len(data)]:
        piece, data = data[:size], data[size:]
        for event in decoder.feed(piece):
            if isinstance(event, Data):
                payload += event.payload
            else:
                controls.append(event)
    return payload, controls


def test_accept_key_of_rfc_6455() -> None:
    assert accept_key("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


@pytest.mark.parametrize("key", ["", "short", "dGhlIHNhbXBsZSBub25jZQ", "!!!hIHNhbXBsZSBub25jZQ==", "\xff" * 24])
def test_w8_malformed_keys(key: str) -> None:
    with pytest.raises(ValueError, match="Sec-WebSocket-Key"):
        accept_key(key)


@given(st.binary(max_size=40), st.integers(0, 7))
def test_masking_in_pieces(payload: bytes, at: int) -> None:
    whole = apply_mask(payload, MASK)
    assert whole == bytes(byte ^ MASK[index % 4] for index, byte in enumerate(payload))
    assert apply_mask(payload[:at], MASK) + apply_mask(payload[at:], MASK, at) == whole


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536])
def test_sizes(size: int) -> None:
    payload = bytes(range(256)) * 257
    assert decode(masked(Opcode.BINARY, payload[:size]), []) == (payload[:size], [])


@given(st.lists(st.integers(1, 9), max_size=60))
def test_any_segmentation_gives_the_same(sizes: list[int]) -> None:
    data = (
        masked(Opcode.TEXT, "héllo".encode(), final=False)
        + masked(Opcode.PING, b"p")
        + masked(Opcode.CONTINUATION, b" world" * 30)
        + masked(Opcode.BINARY, b"")
        + masked(Opcode.BINARY, b"more")
        + masked(Opcode.CLOSE, b"\x03\xe8bye")
    )
    expected = (
        "héllo".encode() + b" world" * 30 + b"more",
        [Control(Opcode.PING, b"p"), Control(Opcode.CLOSE, b"\x03\xe8bye")],
    )
    assert decode(data, sizes) == expected
    assert decode(data, [1] * len(data)) == expected


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (encode_frame(Opcode.BINARY, b"x"), "masked"),
        (b"\xc2\x80" + MASK, "reserved"),
        (b"\x83\x80" + MASK, "unknown opcode"),
        (b"\x09\x80" + MASK, "control frame"),
        (b"\x89\xfe\x00\x7e" + MASK, "control frame"),
        (masked(Opcode.CONTINUATION, b"x"), "continuation"),
        (masked(Opcode.TEXT, b"x", final=False) + masked(Opcode.TEXT, b"y"), "continuation"),
    ],
)
def test_w9_what_breaks_the_protocol(data: bytes, complaint: str) -> None:
    with pytest.raises(WebSocketError, match=complaint):
        FrameDecoder().feed(data)


def test_close_frame_fits() -> None:
    frame = encode_close(1002, "x" * 500)
    assert frame[1] == 125
    assert frame[2:4] == (1002).to_bytes(2, "big")


# ---- walking over frames that pass

frames = st.lists(
    st.tuples(
        st.sampled_from([0x0, 0x1, 0x2, 0x8, 0x9, 0xA]),
        st.sampled_from([0, 1, 5, 125, 126, 127, 300, 65535, 65536]),
        st.booleans(),
    ),
    max_size=6,
)


def unmasked(opcode: int, payload: bytes) -> bytes:
    """A server's frame."""
    frame = bytearray(encode_frame(Opcode.BINARY, payload))
    frame[0] = 0x80 | opcode
    return bytes(frame)


@given(frames, st.lists(st.integers(1, 70_000), max_size=12))
def test_a_walker_tells_messages_from_pings_in_any_segmentation(
    conversation: list[tuple[int, int, bool]], sizes: list[int]
) -> None:
    walker, told, wanted = FrameWalker(), False, False
    for opcode, length, is_masked in conversation:
        frame = (masked if is_masked else unmasked)(opcode, b"\x82" * length)
        wanted = opcode < 8
        told = False
        for size in [*sizes, len(frame)]:
            piece, frame = frame[:size], frame[size:]
            if piece:
                told = walker.feed(piece) or told
        assert told == wanted


def test_a_walker_goes_byte_by_byte() -> None:
    walker = FrameWalker()
    ping, text = masked(Opcode.PING, b"abc"), masked(Opcode.TEXT, b"x" * 200)
    assert [walker.feed(bytes([byte])) for byte in ping] == [False] * len(ping)
    # The last byte of its header makes it a message.
    assert [walker.feed(bytes([byte])) for byte in text] == [False] * 7 + [True] * (len(text) - 7)


def test_a_walker_sees_a_message_among_pings() -> None:
    walker = FrameWalker()
    assert not walker.feed(unmasked(Opcode.PING, b"") * 3)
    assert walker.feed(unmasked(Opcode.PING, b"") + unmasked(Opcode.TEXT, b"") + unmasked(Opcode.PONG, b"x"))
    assert not walker.feed(unmasked(Opcode.PING, b"") * 3)
