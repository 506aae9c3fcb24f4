"""Where bytes go that the system moves, and what is done when it does not; the system is played by the test."""

from __future__ import annotations

import errno
from types import SimpleNamespace
from typing import Any

import pytest

from jupyter_server_proxy.upstream import splice as module
from jupyter_server_proxy.upstream.splice import move

SOURCE, TARGET, OUT, INTO = 1, 2, 3, 4


class System:
    """A source with bytes, a target with room, and the pipe between them."""

    SPLICE_F_NONBLOCK = 2

    def __init__(self) -> None:
        self.source: bytes | OSError = b""
        self.room = 100
        self.pipe = b""
        self.target = b""
        self.closed: list[int] = []

    def close(self, descriptor: int) -> None:
        self.closed.append(descriptor)

    def splice(self, source: int, target: int, count: int, flags: int) -> int:
        if target == INTO:
            if isinstance(self.source, OSError):
                raise self.source
            self.pipe, self.source = self.source[:count], self.source[count:]
            return len(self.pipe)
        assert (source, target) == (OUT, TARGET)
        if not self.room:
            raise BlockingIOError
        moved = min(count, self.room, 3)  # a pipe gives what it gives
        self.target += self.pipe[:moved]
        self.pipe, self.room = self.pipe[moved:], self.room - moved
        return moved

    def read(self, descriptor: int, count: int) -> bytes:
        assert descriptor == OUT
        piece, self.pipe = self.pipe[:2], self.pipe[2:]
        return piece


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> System:
    made = System()
    monkeypatch.setattr(module, "os", made)
    monkeypatch.setattr(module, "_local", SimpleNamespace(pipe=(OUT, INTO)))
    return made


def nothing_before(count: int) -> bytes:
    return b""


def test_all_of_it(system: System) -> None:
    system.source = b"12345678"
    told: list[int] = []

    def before(count: int) -> bytes:
        told.append(count)
        return b""

    assert move(SOURCE, TARGET, before) == (8, b"")
    assert (system.target, system.pipe, told) == (b"12345678", b"", [8])


def test_what_does_not_fit_is_given_back_and_nothing_stays_in_the_pipe(system: System) -> None:
    system.source, system.room = b"12345678", 3
    assert move(SOURCE, TARGET, nothing_before) == (8, b"45678")
    assert (system.target, system.pipe) == (b"123", b"")


def test_nothing_overtakes_what_has_to_come_first(system: System) -> None:
    system.source = b"1234"
    assert move(SOURCE, TARGET, lambda count: b"head") == (4, b"head1234")
    assert system.target == b""


def test_an_end_and_an_empty_socket_are_read_in_the_usual_way(system: System) -> None:
    assert move(SOURCE, TARGET, nothing_before) is None
    system.source = BlockingIOError()
    assert move(SOURCE, TARGET, nothing_before) is None
    system.source = b"1"
    assert move(SOURCE, TARGET, nothing_before) == (1, b"")


def test_a_system_that_cannot_is_not_asked_again(system: System) -> None:
    system.source = OSError(errno.EINVAL, "no")
    assert move(SOURCE, TARGET, nothing_before) is None
    system.source = b"1"
    assert move(SOURCE, TARGET, nothing_before) is None


@pytest.mark.parametrize("error", [ConnectionResetError(), TimeoutError(errno.ETIMEDOUT, "long")])
def test_an_error_of_the_source_is_raised(system: System, error: OSError) -> None:
    system.source = error
    with pytest.raises(type(error)):
        move(SOURCE, TARGET, nothing_before)


def test_without_splice(monkeypatch: pytest.MonkeyPatch) -> None:
    without: Any = SimpleNamespace()
    monkeypatch.setattr(module, "os", without)
    monkeypatch.setattr(module, "_local", SimpleNamespace())
    assert move(SOURCE, TARGET, nothing_before) is None


def test_a_pipe_in_which_something_may_be_left_is_never_used_again(system: System) -> None:
    def fail(count: int) -> bytes:
        raise MemoryError

    system.source = b"secret"
    with pytest.raises(MemoryError):
        move(SOURCE, TARGET, fail)
    assert system.closed == [OUT, INTO]
    assert module._local.pipe is None
    assert move(SOURCE, TARGET, nothing_before) is None


def test_a_system_that_moves_nothing_is_not_asked_for_ever(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    system.source = b"abc"
    real = system.splice
    monkeypatch.setattr(system, "splice", lambda *args, **named: 0 if args[0] == OUT else real(*args, **named))
    assert move(SOURCE, TARGET, nothing_before) == (3, b"abc")
