"""WebSocket framing without input or output (RFC 6455), as far as a server needs it that carries a byte stream."""

from __future__ import annotations

import base64
import enum
import hashlib
from dataclasses import dataclass

_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

CLOSE_NORMAL = 1000
CLOSE_PROTOCOL_ERROR = 1002
CLOSE_INTERNAL_ERROR = 1011


class Opcode(enum.IntEnum):
    """RFC 6455 5.2."""

    CONTINUATION = 0x0
    TEXT = 0x1
    BINARY = 0x2
    CLOSE = 0x8
    PING = 0x9
    PONG = 0xA


class WebSocketError(Exception):
    """The client's bytes break RFC 6455; ``code`` is the close code to answer with (7.4.1)."""

    code = CLOSE_PROTOCOL_ERROR


@dataclass(frozen=True)
class Data:
    """A piece of the payload of a text or binary message; text is UTF-8 already."""

    payload: bytes


@dataclass(frozen=True)
class Control:
    """A whole control frame."""

    opcode: Opcode
    payload: bytes


def accept_key(key: str) -> str:
    """The Sec-WebSocket-Accept for a Sec-WebSocket-Key (RFC 6455 4.2.2).

    Raises:
        ValueError: the key is not the base64 form of 16 bytes.
    """
    try:
        size = len(base64.b64decode(key, validate=True))
    except ValueError:
        raise ValueError("Sec-WebSocket-Key is not base64") from None
    if size != 16:
        raise ValueError("Sec-WebSocket-Key does not hold 16 bytes")
    return base64.b64encode(hashlib.sha1(f"{key}{_GUID}".encode("ascii"), usedforsecurity=False).digest()).decode(
        "ascii"
    )


def encode_frame(opcode: Opcode, payload: bytes) -> bytes:
    """One final, unmasked frame, as a server sends it (RFC 6455 5.2)."""
    size = len(payload)
    first = bytes([0x80 | opcode])
    if size < 126:
        return first + bytes([size]) + payload
    if size < 65536:
        return first + b"\x7e" + size.to_bytes(2, "big") + payload
    return first + b"\x7f" + size.to_bytes(8, "big") + payload


def encode_close(code: int, reason: str = "") -> bytes:
    """A close frame (RFC 6455 5.5.1); the reason is cut to what fits."""
    return encode_frame(Opcode.CLOSE, code.to_bytes(2, "big") + reason.encode()[:123])


def apply_mask(payload: bytes, mask: bytes, offset: int = 0) -> bytes:
    """Mask or unmask (RFC 6455 5.3).

    Args:
        payload: any bytes.
        mask: the four bytes of the frame's key.
        offset: how many bytes of the frame came before this payload.
    """
    size = len(payload)
    turn = offset % 4
    key = (mask[turn:] + mask[:turn]) * (size // 4 + 1)
    # Integers are the quickest way to XOR long byte strings in plain Python.
    return (int.from_bytes(payload, "little") ^ int.from_bytes(key[:size], "little")).to_bytes(size, "little")


class FrameDecoder:
    """Reads a client's frames from bytes in any segmentation; payloads are handed on in pieces, never collected."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._mask = b""
        self._remaining = 0
        self._offset = 0
        self._in_message = False

    def feed(self, data: bytes) -> list[Data | Control]:
        """Take bytes, give what they complete.

        Raises:
            WebSocketError: from then on the decoder is of no use.
        """
        self._buffer += data
        events: list[Data | Control] = []
        while True:
            if self._remaining:
                if not self._buffer:
                    break
                self._take_payload(events)
            elif not self._take_header(events):
                break
        return events

    def _take_payload(self, events: list[Data | Control]) -> None:
        piece = bytes(self._buffer[: self._remaining])
        del self._buffer[: len(piece)]
        events.append(Data(apply_mask(piece, self._mask, self._offset)))
        self._remaining -= len(piece)
        self._offset += len(piece)

    def _take_header(self, events: list[Data | Control]) -> bool:
        """Read a frame's header, and the whole frame if it is a control frame; False when bytes are missing."""
        buffer = self._buffer
        if len(buffer) < 2:
            return False
        if buffer[0] & 0x70:
            raise WebSocketError("reserved bits are set, but no extension was agreed on")
        try:
            opcode = Opcode(buffer[0] & 0x0F)
        except ValueError:
            raise WebSocketError("unknown opcode") from None
        if not buffer[1] & 0x80:
            raise WebSocketError("a client's frames must be masked")
        length, start = buffer[1] & 0x7F, 2
        if length > 125:
            start = 4 if length == 126 else 10
            if len(buffer) < start:
                return False
            length = int.from_bytes(buffer[2:start], "big")
        if len(buffer) < start + 4:
            return False
        mask, final = bytes(buffer[start : start + 4]), bool(buffer[0] & 0x80)
        start += 4
        if opcode >= Opcode.CLOSE:
            if not final or length > 125:
                raise WebSocketError("a control frame is fragmented or too long")
            if len(buffer) < start + length:
                return False
            events.append(Control(opcode, apply_mask(bytes(buffer[start : start + length]), mask)))
            del buffer[: start + length]
            return True
        if (opcode is Opcode.CONTINUATION) != self._in_message:
            raise WebSocketError("a continuation without a message, or a message inside another")
        self._in_message = not final
        self._mask, self._remaining, self._offset = mask, length, 0
        del buffer[:start]
        return True


class FrameWalker:
    """Walks over the headers of frames, in either direction and in any segmentation; payloads are not looked at.

    For connections whose bytes are passed on as they are: it tells messages from pings, and takes no part.
    """

    def __init__(self) -> None:
        self._left = 0
        self._header = b""
        self._in_data = False

    def feed(self, data: bytes) -> bool:
        """Whether any of these bytes belong to a frame that carries data: text, binary, or a continuation."""
        size = len(data)
        if size < self._left:
            self._left -= size
            return self._in_data
        position, found = self._left, self._left > 0 and self._in_data
        if self._header:
            data, self._header = self._header + data, b""
            size = len(data)
        while position < size:
            if (start := _payload_start(data, position, size)) is None:
                self._header = data[position:]
                position = size
                break
            self._in_data = data[position] & 0x0F < Opcode.CLOSE
            found = found or self._in_data
            position = start + _payload_length(data, position)
        self._left = position - size
        return found


def _payload_start(data: bytes, position: int, size: int) -> int | None:
    """Where the payload of the frame at ``position`` begins (RFC 6455 5.2); None while its header is not complete."""
    if size - position < 2:
        return None
    second = data[position + 1]
    length = second & 0x7F
    start = position + 2 + (4 if second & 0x80 else 0)
    if length > 125:
        start += 2 if length == 126 else 8
    return start if start <= size else None


def _payload_length(data: bytes, position: int) -> int:
    length = data[position + 1] & 0x7F
    if length < 126:
        return length
    return int.from_bytes(data[position + 2 : position + (4 if length == 126 else 10)], "big")
