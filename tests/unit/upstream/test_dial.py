"""How a socket gets connected, on one that answers as the test says."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable
from typing import Any

import pytest

from jupyter_server_proxy.upstream import dial as module
from jupyter_server_proxy.upstream.dial import _connected, _family


class Socket:
    """Answers attempts to connect with these errors, and then an outcome when it is asked for it."""

    def __init__(self, *answers: int, outcome: int = 0) -> None:
        self.answers = list(answers)
        self.outcome = outcome

    def fileno(self) -> int:
        return 7

    def connect_ex(self, where: Any) -> int:
        return self.answers.pop(0)

    def getsockopt(self, level: int, option: int) -> int:
        assert (level, option) == (socket.SOL_SOCKET, socket.SO_ERROR)
        return self.outcome


Writers = dict[int, tuple[Callable[..., None], Any]]


def watched(monkeypatch: pytest.MonkeyPatch) -> Writers:
    """Who waits for which descriptor."""
    waiting: Writers = {}
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(loop, "add_writer", lambda fd, call, *args: waiting.update({fd: (call, args)}))
    monkeypatch.setattr(loop, "remove_writer", lambda fd: waiting.pop(fd))
    return waiting


async def connect(sock: Any, timeout: float = 60) -> None:
    await _connected(sock, ("127.0.0.1", 1), timeout)


async def test_at_once() -> None:
    await connect(Socket(0))
    with pytest.raises(ConnectionRefusedError):
        await connect(Socket(errno.ECONNREFUSED))


@pytest.mark.parametrize("outcome", [0, errno.ECONNREFUSED])
async def test_when_it_is_writable(monkeypatch: pytest.MonkeyPatch, outcome: int) -> None:
    writers = watched(monkeypatch)
    connecting = asyncio.ensure_future(connect(Socket(errno.EINPROGRESS, outcome=outcome)))
    await asyncio.sleep(0)
    assert not connecting.done()
    call, args = writers[7]
    call(*args)
    call(*args)
    await asyncio.wait({connecting})
    assert isinstance(connecting.exception(), ConnectionRefusedError) == bool(outcome)
    assert not writers


async def test_not_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    writers = watched(monkeypatch)
    with pytest.raises(TimeoutError):
        await connect(Socket(errno.EINPROGRESS), timeout=0)
    assert not writers


async def test_a_unix_socket_without_room_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(module.asyncio, "sleep", sleep)
    await connect(Socket(errno.EAGAIN, errno.EAGAIN, 0))
    assert pauses == [module.RETRY] * 2
    with pytest.raises(TimeoutError):
        await connect(Socket(errno.EAGAIN), timeout=-1)


@pytest.mark.parametrize(
    ("host", "family"),
    [("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6), ("localhost", None), ("fe80::1%eth0", None), ("", None)],
)
def test_names_are_looked_up(host: str, family: int | None) -> None:
    assert _family(host) == family
