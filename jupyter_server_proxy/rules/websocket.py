"""WebSocket framing without input or output (RFC 6455), as far as a server needs it that carries a byte stream."""

from __future__ import annotations

import base64
import enum
import hashlib
from collections.abc import Callable
from typing import NamedTuple

_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

#: Bytes that the header of a frame may have: two, eight of a long length, four of the mask.
MAX_HEADER = 14

#: Bytes of a payload that are unmasked at once. For larger blocks, two at a time, the C library gets fresh pages from
#: the system each time, which costs more than to unmask them.
MAX_PIECE = 64 * 1024

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


#: By value: to call the class takes several times as long.
_OPCODES = {int(opcode): opcode for opcode in Opcode}


class WebSocketError(Exception):
    """The client's bytes break RFC 6455; ``code`` is the close code to answer with (7.4.1)."""

    code = CLOSE_PROTOCOL_ERROR


class Data(NamedTuple):
    """A piece of the payload of a text or binary message; text is UTF-8 already."""

    payload: bytes


class Control(NamedTuple):
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


def encode_header(opcode: Opcode, size: int) -> bytes:
    """The header of a final, unmasked frame with a payload of that many bytes, as a server sends it (RFC 6455 5.2)."""
    first = bytes([0x80 | opcode])
    if size < 126:
        return first + bytes([size])
    if size < 65536:
        return first + b"\x7e" + size.to_bytes(2, "big")
    return first + b"\x7f" + size.to_bytes(8, "big")


def encode_frame(opcode: Opcode, payload: bytes) -> bytes:
    """One final, unmasked frame."""
    return encode_header(opcode, len(payload)) + payload


def encode_close(code: int, reason: str = "") -> bytes:
    """A close frame (RFC 6455 5.5.1); the reason is cut to what fits."""
    return encode_frame(Opcode.CLOSE, code.to_bytes(2, "big") + reason.encode()[:123])


def apply_mask(payload: bytes | memoryview, mask: bytes, offset: int = 0) -> bytes:
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


#: What masks and unmasks, as ``apply_mask`` does.
Unmask = Callable[[bytes | memoryview, bytes, int], bytes]


class FrameDecoder:
    """Reads a client's frames from bytes in any segmentation; payloads are handed on in pieces, never collected.

    Args:
        unmask: does what ``apply_mask`` does, perhaps quicker.
    """

    def __init__(self, unmask: Unmask = apply_mask) -> None:
        self._unmask = unmask
        self._header = b""  # the beginning of a header, or of a control frame, that is not complete
        self._mask = b""
        self._remaining = 0
        self._offset = 0
        self._in_message = False

    def feed(self, data: bytes | memoryview) -> list[Data | Control]:
        """Take bytes, give what they complete.

        Args:
            data: is not kept; a view of a buffer that is used again does as well as bytes.

        Raises:
            WebSocketError: from then on the decoder is of no use.
        """
        if self._header:
            data, self._header = self._header + bytes(data), b""
        events: list[Data | Control] = []
        position, size = 0, len(data)
        while position < size:
            if self._remaining:
                position += self._take_payload(data, position, events)
            elif taken := self._take_header(bytes(data[position : position + MAX_HEADER]), data, position, events):
                position += taken
            else:
                self._header = bytes(data[position:])
                break
        return events

    def _take_payload(self, data: bytes | memoryview, position: int, events: list[Data | Control]) -> int:
        piece = data[position : position + min(self._remaining, MAX_PIECE)]
        events.append(Data(self._unmask(piece, self._mask, self._offset)))
        self._remaining -= len(piece)
        self._offset += len(piece)
        return len(piece)

    def _take_header(self, head: bytes, data: bytes | memoryview, position: int, events: list[Data | Control]) -> int:
        """Read a frame's header, and the whole frame if it is a control frame; 0 when bytes are missing."""
        if len(head) < 2:
            return 0
        if head[0] & 0x70:
            raise WebSocketError("reserved bits are set, but no extension was agreed on")
        opcode = _OPCODES.get(head[0] & 0x0F)
        if opcode is None:
            raise WebSocketError("unknown opcode")
        if not head[1] & 0x80:
            raise WebSocketError("a client's frames must be masked")
        length, start = head[1] & 0x7F, 2
        if length > 125:
            start = 4 if length == 126 else 10
            if len(head) < start:
                return 0
            length = int.from_bytes(head[2:start], "big")
        if len(head) < start + 4:
            return 0
        mask, final = head[start : start + 4], bool(head[0] & 0x80)
        start += 4
        if opcode >= Opcode.CLOSE:
            if not final or length > 125:
                raise WebSocketError("a control frame is fragmented or too long")
            payload = bytes(data[position + start : position + start + length])
            if len(payload) < length:
                return 0
            events.append(Control(opcode, self._unmask(payload, mask, 0)))
            return start + length
        if (opcode is Opcode.CONTINUATION) != self._in_message:
            raise WebSocketError("a continuation without a message, or a message inside another")
        self._in_message = not final
        self._mask, self._remaining, self._offset = mask, length, 0
        return start


_FIRST_CONTROL = int(Opcode.CLOSE)


class FrameWalker:
    """Walks over the headers of frames, in either direction and in any segmentation; payloads are not looked at.

    For connections whose bytes are passed on as they are: it tells messages from pings, and takes no part.
    """

    __slots__ = ("_header", "_in_data", "_left")

    def __init__(self) -> None:
        self._left = 0
        self._header = b""
        self._in_data = False

    def feed(self, data: bytes | memoryview) -> bool:
        """Whether any of these bytes belong to a frame that carries data: text, binary, or a continuation."""
        size = len(data)
        if size < self._left:
            self._left -= size
            return self._in_data
        position, found = self._left, self._left > 0 and self._in_data
        if self._header:
            data, self._header = self._header + bytes(data), b""
            size = len(data)
        while position < size:
            end = _end_of_frame(data, position, size)
            if end is None:
                self._header = bytes(data[position:])
                position = size
                break
            self._in_data = data[position] & 0x0F < _FIRST_CONTROL
            found = found or self._in_data
            position = end
        self._left = position - size
        return found


def _end_of_frame(data: bytes | memoryview, position: int, size: int) -> int | None:
    """Where the frame at ``position`` ends, perhaps beyond ``data`` (RFC 6455 5.2); None without all of its header."""
    start = position + 2
    if start > size:
        return None
    second = data[position + 1]
    length = second & 0x7F
    if second & 0x80:
        start += 4
    if length > 125:
        extended = 2 if length == 126 else 8
        length = int.from_bytes(data[position + 2 : position + 2 + extended], "big")
        start += extended
    return start + length if start <= size else None
