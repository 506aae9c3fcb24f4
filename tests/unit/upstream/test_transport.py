"""A transport on a socket and an event loop that do what the test says: W3, W9."""

from __future__ import annotations

import asyncio
import contextvars
import socket
from collections.abc import Callable
from typing import Any

import pytest

from jupyter_server_proxy.upstream import transport as transport_module
from jupyter_server_proxy.upstream.transport import MAX_PIECES, WRITE_HIGH, Mover, PromptTransport, SocketTransport


class Loop:
    """Remembers whom to call for which descriptor."""

    def __init__(self) -> None:
        self.readers: dict[int, Callable[[], None]] = {}
        self.writers: dict[int, Callable[[], None]] = {}
        self.soon: list[Callable[[], None]] = []
        self.contexts: list[contextvars.Context] = []

    def add_reader(self, fd: int, callback: Callable[[], None]) -> None:
        self.readers[fd] = callback
        self.contexts.append(contextvars.copy_context())

    def remove_reader(self, fd: int) -> None:
        del self.readers[fd]

    def add_writer(self, fd: int, callback: Callable[[], None]) -> None:
        self.writers[fd] = callback

    def remove_writer(self, fd: int) -> None:
        del self.writers[fd]

    def call_soon(self, callback: Callable[..., None], *args: Any) -> None:
        self.soon.append(lambda: callback(*args))

    def turn(self) -> None:
        soon, self.soon = self.soon, []
        for callback in soon:
            callback()


class Socket:
    """Takes ``room`` bytes, and gives what is in ``incoming``; an exception in either is raised."""

    def __init__(self) -> None:
        self.room: int | OSError = 1 << 30
        self.incoming: list[bytes | OSError] = []
        self.sent = b""
        self.said: list[str] = []

    def fileno(self) -> int:
        return 7

    def getpeername(self) -> str:
        return "peer"

    def recv_into(self, buffer) -> int:
        data = self.recv(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def recv(self, size: int) -> bytes:
        if not self.incoming:
            raise BlockingIOError
        given = self.incoming.pop(0)
        if isinstance(given, OSError):
            raise given
        return given

    def send(self, data) -> int:
        if isinstance(self.room, OSError):
            raise self.room
        if not self.room:
            raise BlockingIOError
        taken = bytes(data[: self.room])
        self.room -= len(taken)
        self.sent += taken
        return len(taken)

    def sendmsg(self, pieces) -> int:
        return self.send(b"".join(pieces))

    def shutdown(self, how: int) -> None:
        assert how == socket.SHUT_WR
        self.said.append("shutdown")

    def close(self) -> None:
        self.said.append("close")


class Protocol(asyncio.Protocol):
    def __init__(self) -> None:
        self.said: list[Any] = []

    def data_received(self, data) -> None:
        self.said.append(data)

    def eof_received(self) -> bool:
        self.said.append("eof")
        return True

    def pause_writing(self) -> None:
        self.said.append("pause")

    def resume_writing(self) -> None:
        self.said.append("resume")

    def connection_lost(self, exc) -> None:
        self.said.append(("lost", exc))


class Lender(asyncio.BufferedProtocol):
    """Lends the same buffer every time, and closes its side when the other side does."""

    def __init__(self) -> None:
        self.said: list[Any] = []
        self.buffer = memoryview(bytearray(10))

    def get_buffer(self, sizehint: int) -> memoryview:
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.said.append(bytes(self.buffer[:nbytes]))

    def connection_lost(self, exc) -> None:
        self.said.append(("lost", exc))


class Lab:
    """A transport that has begun."""

    def __init__(
        self, protocol: Protocol | Lender | None = None, transport: type[SocketTransport] = SocketTransport
    ) -> None:
        self.loop, self.sock, self.protocol = Loop(), Socket(), protocol or Protocol()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(asyncio, "get_running_loop", lambda: self.loop)
            sock: Any = self.sock
            self.transport = transport(sock, self.protocol)
        self.transport.start()

    def readable(self, *incoming: bytes | OSError) -> None:
        self.sock.incoming += incoming
        self.loop.readers[7]()

    def writable(self, room: int | OSError) -> None:
        self.sock.room = room
        self.loop.writers[7]()

    @property
    def watched(self) -> tuple[bool, bool]:
        """Whether somebody waits to read, and to write."""
        return bool(self.loop.readers), bool(self.loop.writers)


@pytest.fixture
def lab() -> Lab:
    return Lab()


# ---- what comes in


def test_bytes_are_received(lab: Lab) -> None:
    lab.readable(b"a")
    lab.readable()  # woken up in vain
    lab.readable(b"b")
    assert lab.protocol.said == [b"a", b"b"]


def test_bytes_are_read_into_a_buffer_that_is_lent() -> None:
    lab = Lab(Lender())
    lab.readable(b"a")
    lab.readable()
    lab.readable(b"bc")
    assert lab.protocol.said == [b"a", b"bc"]


def test_a_protocol_may_do_without_the_bytes() -> None:
    class Moving(Lender, Mover):
        def move(self, sock: Any) -> bool:
            self.said.append("move")
            return bool(self.takes.pop())

    protocol = Moving()
    protocol.takes = [False, True]
    lab = Lab(protocol)
    lab.readable(b"a")
    assert (protocol.said, lab.sock.incoming) == (["move"], [b"a"])
    lab.readable()
    assert protocol.said == ["move", "move", b"a"]
    with pytest.raises(IndexError):  # of ``takes``: the protocol fails
        lab.readable()
    lab.loop.turn()
    assert lab.sock.said == ["close"]


def test_at_an_end_of_file_it_is_closed_unless_the_protocol_wants_it_open() -> None:
    lab = Lab(Lender())
    lab.sock.room = 0
    lab.transport.write(b"last")
    lab.readable(b"")
    lab.loop.turn()
    assert (lab.protocol.said, lab.transport.is_closing(), lab.sock.said) == ([], True, [])
    lab.writable(100)
    lab.loop.turn()
    assert (lab.protocol.said, lab.sock.said) == ([("lost", None)], ["close"])


def test_a_detached_socket_stays_open_and_the_protocol_hears_nothing_more(lab: Lab) -> None:
    assert lab.transport.detach() is lab.sock
    lab.transport.abort()
    lab.transport.close()
    lab.loop.turn()
    assert (lab.watched, lab.protocol.said, lab.sock.said) == ((False, False), [], [])
    assert lab.transport.is_closing()


def test_w3_nothing_is_read_while_reading_is_paused(lab: Lab) -> None:
    lab.transport.pause_reading()
    lab.transport.pause_reading()
    assert lab.watched == (False, False)
    lab.transport.resume_reading()
    lab.transport.resume_reading()
    lab.readable(b"a")
    assert lab.protocol.said == [b"a"]


def test_w3_a_protocol_may_pause_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a client has sent ahead of the 101 may fill the server's buffer."""
    monkeypatch.setattr(Protocol, "connection_made", lambda _, transport: transport.pause_reading())
    lab = Lab()
    assert lab.watched == (False, False)
    lab.transport.resume_reading()
    assert lab.watched == (True, False)


def test_w9_the_other_direction_stays_open_at_an_end_of_file(lab: Lab) -> None:
    lab.readable(b"")
    assert lab.protocol.said == ["eof"]
    assert lab.watched == (False, False)
    lab.transport.write(b"answer")
    assert lab.sock.sent == b"answer"
    assert not lab.transport.is_closing()


def test_a_reset_is_told_with_its_error(lab: Lab) -> None:
    error = ConnectionResetError()
    lab.readable(error)
    assert lab.transport.is_closing()
    assert lab.watched == (False, False)
    assert lab.protocol.said == [], "not from within a call of the protocol's own"
    lab.loop.turn()
    assert lab.protocol.said == [("lost", error)]
    assert lab.sock.said == ["close"]


def test_a_protocol_that_fails_loses_its_connection(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(data: bytes) -> None:
        raise KeyError("x")

    monkeypatch.setattr(lab.protocol, "data_received", fail)
    with pytest.raises(KeyError):  # which the event loop logs
        lab.readable(b"a")
    lab.loop.turn()
    assert lab.sock.said == ["close"]


def test_the_event_loop_does_not_keep_the_context_of_the_request() -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("handler")
    context = contextvars.copy_context()
    context.run(variable.set, "of a request")
    lab = context.run(Lab)
    assert [variable in kept for kept in lab.loop.contexts] == [False]


# ---- what goes out


def test_what_the_socket_does_not_take_is_sent_later_and_in_order(lab: Lab) -> None:
    lab.sock.room = 2
    lab.transport.write(b"abcd")
    lab.transport.write(b"ef")
    assert (lab.sock.sent, lab.transport.get_write_buffer_size(), lab.watched) == (b"ab", 4, (True, True))
    lab.writable(3)
    lab.writable(0)
    assert (lab.sock.sent, lab.transport.get_write_buffer_size(), lab.watched) == (b"abcde", 1, (True, True))
    lab.writable(100)
    assert (lab.sock.sent, lab.transport.get_write_buffer_size(), lab.watched) == (b"abcdef", 0, (True, False))
    lab.transport.write(b"g")
    assert lab.sock.sent == b"abcdefg"


def test_nothing_of_a_buffer_that_is_used_again_is_kept(lab: Lab) -> None:
    buffer = bytearray(b"first")
    lab.sock.room = 0
    lab.transport.write(memoryview(buffer))
    buffer[:] = b"other"
    lab.writable(100)
    assert lab.sock.sent == b"first"


def test_w3_the_protocol_pauses_while_much_waits_to_be_sent(lab: Lab) -> None:
    lab.sock.room = 0
    lab.transport.write(b"x" * WRITE_HIGH)
    assert lab.protocol.said == []
    lab.transport.write(b"x")
    lab.transport.write(b"x")
    assert lab.protocol.said == ["pause"]
    lab.writable(WRITE_HIGH // 2)
    assert lab.protocol.said == ["pause"]
    lab.writable(WRITE_HIGH // 2)
    assert lab.protocol.said == ["pause", "resume"]
    lab.writable(WRITE_HIGH)
    assert lab.protocol.said == ["pause", "resume"]


@pytest.mark.parametrize("waits", [False, True])
def test_w9_an_end_of_file_follows_what_was_written(lab: Lab, waits: bool) -> None:
    if waits:
        lab.sock.room = 0
        lab.transport.write(b"last")
    lab.transport.write_eof()
    lab.transport.write_eof()
    assert lab.sock.said == ([] if waits else ["shutdown"])
    if waits:
        lab.writable(100)
    assert lab.sock.said == ["shutdown"]
    assert lab.watched == (True, False)


@pytest.mark.parametrize("waits", [False, True])
def test_a_failed_write_loses_the_connection(lab: Lab, waits: bool) -> None:
    error = BrokenPipeError()
    if waits:
        lab.sock.room = 0
        lab.transport.write(b"x")
        lab.writable(error)
    else:
        lab.sock.room = error
        lab.transport.write(b"x")
    lab.transport.write(b"more")
    lab.loop.turn()
    assert lab.protocol.said == [("lost", error)]
    assert lab.watched == (False, False)


# ---- the end


def test_closing_sends_what_was_written(lab: Lab) -> None:
    lab.sock.room = 0
    lab.transport.write(b"last")
    lab.transport.close()
    lab.transport.close()
    lab.loop.turn()
    assert (lab.transport.is_closing(), lab.watched, lab.sock.said) == (True, (False, True), [])
    lab.transport.resume_reading()
    assert lab.watched == (False, True)
    lab.writable(100)
    lab.loop.turn()
    assert lab.sock.sent == b"last"
    assert lab.protocol.said == [("lost", None)]
    assert lab.sock.said == ["close"]


@pytest.mark.parametrize("closes_before", [False, True])
def test_aborting_drops_what_was_written(lab: Lab, closes_before: bool) -> None:
    lab.sock.room = 0
    lab.transport.write(b"last")
    if closes_before:
        lab.transport.close()
    lab.transport.abort()
    lab.transport.abort()
    lab.loop.turn()
    assert lab.sock.sent == b""
    assert lab.protocol.said == [("lost", None)]
    assert lab.watched == (False, False)


def test_the_socket_can_be_asked_for(lab: Lab) -> None:
    assert lab.transport.get_extra_info("socket") is lab.sock
    assert lab.transport.get_extra_info("peername") == "peer"
    assert lab.transport.get_extra_info("sslcontext", "x") == "x"
    assert lab.transport.can_write_eof()


def test_an_idle_transport_has_no_dictionary(lab: Lab) -> None:
    assert not hasattr(lab.transport, "__dict__")


# ---- pieces


@pytest.mark.parametrize("room", range(8))
def test_pieces_are_sent_in_order_however_many_bytes_are_taken(lab: Lab, room: int) -> None:
    lab.sock.room = room
    buffer = bytearray(b"cd")
    lab.transport.writelines([b"ab", memoryview(buffer), b"efg"])
    buffer[:] = b"!!"  # it is used again
    assert lab.sock.sent == b"abcdefg"[:room]
    assert lab.transport.get_write_buffer_size() == 7 - room
    lab.sock.room = 100
    lab.transport.writelines([b"hi", b"j"])
    if room < 7:
        lab.writable(100)
    assert lab.sock.sent == b"abcdefghij"
    assert lab.watched == (True, False)


def test_no_more_pieces_are_given_to_the_system_than_it_takes(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    monkeypatch.setattr(lab.sock, "sendmsg", lambda pieces: seen.append(len(pieces)) or lab.sock.send(b"".join(pieces)))
    for count in (MAX_PIECES, MAX_PIECES + 1):
        lab.transport.writelines([b"x"] * count)
    assert seen == [MAX_PIECES]
    assert lab.sock.sent == b"x" * (2 * MAX_PIECES + 1)


def test_pieces_are_joined_where_the_system_takes_one(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport_module, "MAX_PIECES", 0)
    monkeypatch.delattr(Socket, "sendmsg")
    lab.sock.room = 3
    lab.transport.writelines([b"ab", b"cd"])
    lab.writable(9)
    assert lab.sock.sent == b"abcd"


def test_pieces_for_a_connection_that_is_gone_are_dropped(lab: Lab) -> None:
    lab.sock.room = BrokenPipeError()
    lab.transport.writelines([b"a", b"b"])
    lab.transport.writelines([b"c"])
    lab.loop.turn()
    assert [type(said[1]) for said in lab.protocol.said] == [BrokenPipeError]
    assert (lab.sock.sent, lab.watched) == (b"", (False, False))


def test_a_prompt_one_pauses_its_protocol_until_all_has_left() -> None:
    lab = Lab(transport=PromptTransport)
    lab.transport.write(b"a")
    assert lab.protocol.said == []
    lab.sock.room = 0
    lab.transport.write(b"bc")
    assert lab.protocol.said == ["pause"]
    lab.writable(1)
    assert lab.protocol.said == ["pause"]
    lab.writable(1)
    assert lab.protocol.said == ["pause", "resume"]
