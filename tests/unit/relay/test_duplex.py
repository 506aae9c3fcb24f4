"""Two ends joined, on transports that only record: W3, W9."""

from __future__ import annotations

import asyncio
import gc
import sys
import weakref
from types import SimpleNamespace

import pytest

from jupyter_server_proxy.relay import duplex as module
from jupyter_server_proxy.relay.duplex import Duplex, End
from jupyter_server_proxy.relay.rawsocket import Bridge, MessageEnd, SocketEnd, _unmask
from jupyter_server_proxy.rules.websocket import Opcode, apply_mask, encode_close, encode_frame

MASK = b"\x0a\x0b\x0c\x0d"


class RecordingTransport(asyncio.Transport):
    """Remembers what was asked of it, in order."""

    def __init__(self, *, half_close: bool = True) -> None:
        super().__init__()
        self.sent = b""
        self.said: list[str] = []
        self.unsent = 0
        self._half_close = half_close

    def write(self, data) -> None:
        self.sent += data

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def can_write_eof(self) -> bool:
        return self._half_close

    def write_eof(self) -> None:
        self.said.append("eof")

    def pause_reading(self) -> None:
        self.said.append("pause")

    def resume_reading(self) -> None:
        self.said.append("resume")

    def is_closing(self) -> bool:
        return "close" in self.said or "abort" in self.said

    def close(self) -> None:
        self.said.append("close")

    def abort(self) -> None:
        self.said.append("abort")


def receive(end, data: bytes) -> None:
    """Bytes come in at an end that lends its buffer to the transport."""
    buffer = end.get_buffer(-1)
    buffer[: len(data)] = data
    end.buffer_updated(len(data))


def frame(opcode: Opcode, payload: bytes = b"") -> bytes:
    """A client's masked frame of less than 126 bytes."""
    return bytes([0x80 | opcode, 0x80 | len(payload)]) + MASK + apply_mask(payload, MASK)


def join(client_class=End, server_class=End, **options):
    """A duplex on recording transports; call inside a running loop."""
    duplex = Duplex()
    client, server = client_class(duplex), server_class(duplex)
    duplex.join(client, server)
    client.connection_made(RecordingTransport(**options))
    server.connection_made(RecordingTransport())
    if isinstance(server, SocketEnd):
        server.client_connected()
        server.transport.said.clear()
    return duplex, client, server


async def test_bytes_pass_both_ways() -> None:
    _, client, server = join()
    client.data_received(b"question")
    server.data_received(b"answer")
    assert (server.transport.sent, client.transport.sent) == (b"question", b"answer")


async def test_w3_a_full_buffer_stops_the_other_side() -> None:
    _, client, server = join()
    server.pause_writing()
    assert client.transport.said == ["pause"]
    server.resume_writing()
    assert client.transport.said == ["pause", "resume"]
    client.pause_writing()
    assert server.transport.said == ["pause"]


async def test_w9_half_close() -> None:
    duplex, client, server = join()
    ended = []
    duplex.when_closed(lambda: ended.append(True))
    assert client.eof_received() is True
    assert server.transport.said == ["eof"]
    server.data_received(b"still comes")
    assert client.transport.sent == b"still comes"
    server.eof_received()
    assert client.transport.said == ["eof", "close"]
    assert server.transport.said == ["eof", "close"]
    client.connection_lost(None)
    assert not ended
    server.connection_lost(None)
    assert ended == [True]


async def test_tls_is_closed_where_it_cannot_be_half_closed() -> None:
    _, client, server = join(half_close=False)
    server.eof_received()
    assert client.transport.said == ["close"]


async def test_an_orderly_end_flushes_and_a_reset_resets() -> None:
    _, client, server = join()
    client.connection_lost(None)
    assert server.transport.said == ["close"]
    _, client, server = join()
    server.connection_lost(ConnectionResetError())
    assert client.transport.said == ["abort"]


async def test_it_is_closed_when_both_ends_are_lost() -> None:
    duplex, client, server = join()
    ended = []
    duplex.when_closed(lambda: ended.append(True))
    client.connection_lost(None)
    assert (ended, duplex.closed) == ([], False)
    server.connection_lost(None)
    assert (ended, duplex.closed) == ([True], True)
    duplex.reset()
    assert ended == [True]
    duplex.when_closed(lambda: ended.append(False))
    assert ended == [True, False], "it is too late to wait"


async def test_a_reset_resets_both_ends_and_waits_for_neither() -> None:
    duplex, client, server = join()
    ended = []
    duplex.when_closed(lambda: ended.append(True))
    duplex.reset()
    duplex.reset()
    assert client.transport.said == server.transport.said == ["abort"]
    assert ended == [True]
    client.connection_lost(None)
    server.connection_lost(None)
    assert ended == [True]


async def test_what_has_ended_does_not_wait_for_the_garbage_collector() -> None:
    duplex, client, server = join()
    gone = weakref.ref(client.transport), weakref.ref(server.transport)
    client.eof_received()  # there is a timer from now on
    client.connection_lost(None)
    server.connection_lost(None)
    gc.disable()
    try:
        del duplex, client, server
        assert [reference() for reference in gone] == [None, None]
    finally:
        gc.enable()


async def test_a_half_closed_connection_does_not_stay_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HALF_CLOSED_TIMEOUT", 0.0)
    _, client, server = join()
    client.eof_received()
    while "abort" not in server.transport.said:
        await asyncio.sleep(0)
    assert client.transport.said == ["abort"]


async def test_greeting_and_early_bytes() -> None:
    duplex = Duplex()
    client, server = End(duplex), End(duplex)
    duplex.join(client, server)
    server.connection_made(RecordingTransport())
    client.greeting, client.early = b"101", b"early"
    client.connection_made(RecordingTransport())
    assert (client.transport.sent, server.transport.sent) == (b"101", b"early")


async def test_what_comes_in_is_told_with_its_direction() -> None:
    noticed = []
    duplex = Duplex(lambda *what: noticed.append(what))
    client, server = End(duplex), End(duplex)
    duplex.join(client, server)
    client.connection_made(RecordingTransport())
    server.connection_made(RecordingTransport())
    server.data_received(b"x")
    client.data_received(b"y")
    assert noticed == [(False, b"x"), (True, b"y")]


# ---- raw sockets


async def test_w9_messages_become_a_stream_and_back() -> None:
    _, client, server = join(MessageEnd, SocketEnd)
    client.data_received(frame(Opcode.TEXT, "é".encode()) + frame(Opcode.BINARY, b"\xff")[:3])
    client.data_received(frame(Opcode.BINARY, b"\xff")[3:])
    assert server.transport.sent == "é".encode() + b"\xff"
    receive(server, b"answer")
    assert client.transport.sent == encode_frame(Opcode.BINARY, b"answer")


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, bytes]]:
    """What is written to descriptors; each takes four bytes."""
    calls: list[tuple[int, bytes]] = []

    def writev(descriptor: int, pieces: list[bytes]) -> int:
        if calls:
            raise BlockingIOError
        calls.append((descriptor, b"".join(pieces)[:4]))
        return len(calls[-1][1])

    monkeypatch.setattr("jupyter_server_proxy.relay.rawsocket.os.writev", writev)
    return calls


def with_socket(server: SocketEnd, **extra: object) -> None:
    """Connect an end to a transport that has a socket."""
    sock = SimpleNamespace(fileno=lambda: 7)
    server.transport._extra = {"socket": sock, **extra}
    server.connection_made(server.transport)


async def test_messages_that_come_together_leave_together(written: list[tuple[int, bytes]]) -> None:
    _, client, server = join(MessageEnd, SocketEnd)
    with_socket(server)
    client.data_received(frame(Opcode.BINARY, b"abc") + frame(Opcode.PING) + frame(Opcode.BINARY, b"def"))
    assert written == [(7, b"abcd")]
    assert server.transport.sent == b"ef"
    client.data_received(frame(Opcode.BINARY, b"g") + frame(Opcode.BINARY, b"h"))  # the socket is full
    assert server.transport.sent == b"efgh"


async def test_nothing_overtakes_what_waits_and_nothing_goes_past_tls(written: list[tuple[int, bytes]]) -> None:
    _, client, server = join(MessageEnd, SocketEnd)
    with_socket(server, sslcontext=object())
    client.data_received(frame(Opcode.BINARY, b"a") + frame(Opcode.BINARY, b"b"))
    _, client, waiting = join(MessageEnd, SocketEnd)
    with_socket(waiting)
    waiting.transport.unsent = 1
    client.data_received(frame(Opcode.BINARY, b"c") + frame(Opcode.BINARY, b"d"))
    assert (written, server.transport.sent, waiting.transport.sent) == ([], b"ab", b"cd")


async def test_many_small_messages_are_joined(written: list[tuple[int, bytes]]) -> None:
    _, client, server = join(MessageEnd, SocketEnd)
    with_socket(server)
    client.data_received(frame(Opcode.BINARY, b"a") * 2000)
    assert (written, server.transport.sent) == ([], b"a" * 2000)


class PlainTransport(RecordingTransport):
    """Stands for a ``SocketTransport``; its socket takes ``room`` bytes, and then no more."""

    def __init__(self) -> None:
        super().__init__()
        self.room = 100
        self._extra = {"socket": self}

    def fileno(self) -> int:
        return 8

    def send(self, data: bytes, flags: int) -> int:
        if not self.room:
            raise BlockingIOError
        self.sent += data[: self.room]
        return min(self.room, len(data))


@pytest.fixture
def moved(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int, bytes]]:
    """Which descriptors bytes are moved between, and what could not be sent before; seven bytes move each time."""
    calls: list[tuple[int, int, bytes]] = []

    def move(source: int, target: int, before) -> tuple[int, bytes]:
        left = before(7)
        calls.append((source, target, left))
        return 7, left + b"payload" if left else b""

    monkeypatch.setattr("jupyter_server_proxy.relay.rawsocket.SocketTransport", PlainTransport)
    monkeypatch.setattr("jupyter_server_proxy.relay.rawsocket.splice.move", move)
    return calls


def joined_to_plain() -> tuple[MessageEnd, SocketEnd, PlainTransport]:
    _, client, server = join(MessageEnd, SocketEnd)
    client.transport = PlainTransport()
    return client, server, client.transport


SERVER = SimpleNamespace(fileno=lambda: 7)
HEADER = encode_frame(Opcode.BINARY, b"payload")[:2]


async def test_what_the_server_says_becomes_a_message_unseen(moved: list[tuple[int, int, bytes]]) -> None:
    noticed = []
    client, server, transport = joined_to_plain()
    server.duplex._on_data = lambda from_client, data: noticed.append((from_client, len(data)))
    assert server.move(SERVER)
    assert (moved, transport.sent, noticed) == ([(7, 8, b"")], HEADER, [(False, 7)])
    transport.room = 1
    assert server.move(SERVER)
    assert moved[1] == (7, 8, HEADER[1:])
    assert transport.sent == HEADER + HEADER[:1] + HEADER[1:] + b"payload"
    transport.room = 0
    assert server.move(SERVER)
    assert moved[2] == (7, 8, HEADER)
    client.connection_lost(None)


@pytest.mark.parametrize("state", ["waits", "closing", "close was sent", "TLS", "early"])
async def test_it_is_seen_where_it_has_to_be(moved: list[tuple[int, int, bytes]], state: str) -> None:
    client, server, transport = joined_to_plain()
    if state == "waits":
        transport.unsent = 1
    elif state == "closing":
        transport.said.append("close")
    elif state == "close was sent":
        client._close_sent = True
    elif state == "TLS":
        client.transport = RecordingTransport()
    else:
        server._connected = False
    assert not server.move(SERVER)
    assert moved == []


async def test_w5_one_pong_for_a_ping() -> None:
    _, client, server = join(MessageEnd, SocketEnd)
    client.data_received(frame(Opcode.PING, b"x"))
    assert client.transport.sent == encode_frame(Opcode.PONG, b"x")
    assert server.transport.sent == b""


async def test_w9_close_flushes_what_came_before() -> None:
    _, client, server = join(MessageEnd, SocketEnd)
    client.data_received(
        frame(Opcode.BINARY, b"last") + frame(Opcode.CLOSE, b"\x03\xe9bye") + frame(Opcode.BINARY, b"no")
    )
    assert server.transport.sent == b"last"
    assert server.transport.said == ["eof"]
    assert client.transport.sent == encode_frame(Opcode.CLOSE, b"\x03\xe9")
    assert client.transport.said == ["close"]
    client.data_received(frame(Opcode.BINARY, b"no"))
    assert server.transport.sent == b"last"


async def test_w9_the_end_of_the_stream_closes_the_websocket() -> None:
    _, client, server = join(MessageEnd, SocketEnd)
    receive(server, b"last")
    server.eof_received()
    receive(server, b"")
    assert client.transport.sent == encode_frame(Opcode.BINARY, b"last") + encode_close(1000)
    assert client.transport.said == []  # the client gets time to answer
    client.data_received(frame(Opcode.BINARY, b"on its way") + frame(Opcode.CLOSE, b"\x03\xe8"))
    assert server.transport.sent == b"on its way"
    assert client.transport.said[0] == "close"
    client.connection_lost(None)


async def test_w9_unmasked_frames_are_refused() -> None:
    _, client, server = join(MessageEnd, SocketEnd)
    client.data_received(encode_frame(Opcode.BINARY, b"x"))
    assert client.transport.sent[2:4] == (1002).to_bytes(2, "big")
    assert server.transport.sent == b""
    assert client.transport.said == ["close"]


async def test_what_the_server_says_first_is_kept_for_the_client() -> None:
    duplex = Duplex()
    client, server = MessageEnd(duplex), SocketEnd(duplex)
    duplex.join(client, server)
    server.connection_made(RecordingTransport())
    receive(server, b"RFB 003.008\n")
    server.eof_received()
    client.connection_made(RecordingTransport())
    server.client_connected()
    assert client.transport.sent == encode_frame(Opcode.BINARY, b"RFB 003.008\n") + encode_close(1000)
    client.connection_lost(None)


async def test_one_buffer_does_for_all_conversations() -> None:
    (_, first_client, first), (_, second_client, second) = join(MessageEnd, SocketEnd), join(MessageEnd, SocketEnd)
    receive(first, b"a")
    assert second.get_buffer(-1).obj is first.get_buffer(-1).obj
    receive(second, b"b")
    receive(first, b"longer")
    assert first_client.transport.sent == encode_frame(Opcode.BINARY, b"a") + encode_frame(Opcode.BINARY, b"longer")
    assert second_client.transport.sent == encode_frame(Opcode.BINARY, b"b")


@pytest.mark.parametrize("size", [1, 125, 126, 65535, 65536, 256 * 1024])
async def test_headers_of_all_lengths_are_put_in_front(size: int) -> None:
    _, client, server = join(MessageEnd, SocketEnd)
    receive(server, b"x" * size)
    assert client.transport.sent == encode_frame(Opcode.BINARY, b"x" * size)


async def test_nothing_is_sent_after_our_close_frame() -> None:
    _, client, server = join(MessageEnd, SocketEnd)
    client.finish()
    receive(server, b"late")
    assert client.transport.sent == encode_close(1000)
    client.connection_lost(None)


async def test_a_conversation_that_never_had_a_client_leaves_no_timer() -> None:
    bridge = Bridge()
    bridge._server.connection_made(transport := RecordingTransport())
    bridge.abort()
    assert transport.said == ["abort"]
    bridge._server.connection_lost(None)
    assert bridge._duplex.closed


@pytest.mark.parametrize("offset", range(9))
def test_unmasking_by_c_is_unmasking(offset: int) -> None:
    payload = bytes(range(256)) * 3
    unmask = _unmask()
    assert unmask is not apply_mask, "there is C for the platforms that tests run on"
    assert unmask(memoryview(payload), MASK, offset) == apply_mask(payload, MASK, offset)


def test_unmasking_works_without_c(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "websockets.speedups", None)
    _unmask.cache_clear()
    try:
        assert _unmask() is apply_mask
    finally:
        _unmask.cache_clear()
