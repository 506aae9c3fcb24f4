"""How a socket gets connected, on one that answers as the test says."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable
from typing import Any

import pytest

from jupyter_server_proxy.errors import ConnectFailed
from jupyter_server_proxy.upstream import dial as module
from jupyter_server_proxy.upstream.address import TcpAddress
from jupyter_server_proxy.upstream.dial import _connected, _family
from jupyter_server_proxy.upstream.transport import SocketTransport


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


@pytest.mark.parametrize("first_refuses", [False, True])
async def test_a_name_is_tried_at_each_of_its_addresses(monkeypatch: pytest.MonkeyPatch, first_refuses: bool) -> None:
    loop, tried = asyncio.get_running_loop(), list[Any]()
    found = [(family, socket.SOCK_STREAM, 6, "", (f"address {n}", 80)) for n, family in enumerate((10, 2))]

    async def getaddrinfo(host: str, port: int, **options: Any) -> list[Any]:
        assert (host, port) == ("name", 80)
        return found

    async def connect_one(family: int, where: Any, factory: Any, timeout: float) -> Any:
        tried.append((family, where))
        if first_refuses and len(tried) == 1:
            raise ConnectionRefusedError
        return factory()

    monkeypatch.setattr(loop, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(module, "_connect", connect_one)
    protocol = asyncio.Protocol()
    assert await module.dial(TcpAddress(("name",), 80), lambda: protocol) is protocol
    assert tried == [(10, ("address 0", 80)), (2, ("address 1", 80))][: 1 + first_refuses]


async def test_a_name_nobody_accepts_at_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    async def connect_one(*args: Any) -> Any:
        raise ConnectionRefusedError("refused")

    monkeypatch.setattr(module, "_connect", connect_one)
    with pytest.raises(ConnectFailed, match="localhost:1"):
        await module.dial(TcpAddress(("localhost",), 1), asyncio.Protocol)
    with pytest.raises(ConnectFailed, match=r"no-such-name\.invalid:1"):
        await module.dial(TcpAddress(("no-such-name.invalid",), 1), asyncio.Protocol)


async def test_every_plain_connection_has_our_transport() -> None:
    """It alone keeps nothing of the buffers that it is given."""
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    for host in ("localhost", "127.0.0.1"):
        protocol = Remembering()
        await module.dial(TcpAddress((host,), port), lambda protocol=protocol: protocol)
        assert isinstance(protocol.transport, SocketTransport)
        protocol.transport.abort()
    server.close()


class Remembering(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
