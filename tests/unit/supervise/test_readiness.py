"""When a server that was just started is ready; endpoints and probes are pretended."""

from __future__ import annotations

import asyncio
import functools
import os
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from jupyter_server_proxy.errors import ConnectFailed, StartFailed
from jupyter_server_proxy.rules.spec import LifecycleSpec, ReadinessSpec, ServerSpec, TlsSpec
from jupyter_server_proxy.supervise import readiness as module
from jupyter_server_proxy.supervise.ownership import Listener
from jupyter_server_proxy.supervise.readiness import (
    FIRST_PAUSE,
    LONGEST_PAUSE,
    Readiness,
    accepts_connections,
    pause_after,
)
from jupyter_server_proxy.upstream.address import Address, TcpAddress, UnixAddress

ME = os.geteuid()
V4, V6 = TcpAddress(("127.0.0.1",), 7000), TcpAddress(("::1",), 7000)


class FakeEndpoint:
    is_unix = False
    port = listening_port = 7000
    path = ""
    candidates: tuple[Address, ...] = (V4, V6)


class FakeSocketEndpoint:
    is_unix = True
    port = listening_port = 0
    path = "/run/s"
    candidates: tuple[Address, ...] = (UnixAddress("/run/s"),)


class FakeProcess:
    pid = 42
    running = True


class Lab:
    """A readiness and the system that it asks."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.accepting: set[Address] = {V4}
        self.dialed: list[Address] = []
        self.statuses: list[int | None] = [200]
        self.asked: list[tuple[Address, float, str]] = []
        self.owners: list[int] | None = [ME]
        self.families: list[bool | None] = []
        self.ports: set[int] = {7000}
        self.free = True
        self.answered = False
        self.opened = 0
        self.process: Any = FakeProcess()

        async def dial(address: Address, timeout: float) -> bool:
            self.dialed.append(address)
            return address in self.accepting

        def listeners(port: int, *, ipv6: bool | None = None) -> list[Listener] | None:
            assert port == 7000
            self.families.append(ipv6)
            return None if self.owners is None else [Listener(uid) for uid in self.owners]

        monkeypatch.setattr(module, "accepts_connections", dial)
        monkeypatch.setattr(module, "listeners", listeners)
        monkeypatch.setattr(module, "tree_ports", lambda pid, group: self.ports)
        monkeypatch.setattr(module, "tree_holds_socket", lambda pid, group, path: self.answered)
        monkeypatch.setattr(module, "is_free", lambda port: self.free)
        monkeypatch.setattr(module, "is_answered", lambda path: self.answered)

    async def probe(self, address: Address, timeout: float, target: str) -> int | None:
        self.asked.append((address, timeout, target))
        return self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]

    def make(self, readiness: ReadinessSpec | None = None, *, unix: bool = False, **options: Any) -> Readiness:
        lifecycle = LifecycleSpec(readiness=readiness or ReadinessSpec())
        spec = ServerSpec("app", command=("run",), lifecycle=lifecycle, **options)
        endpoint: Any = FakeSocketEndpoint() if unix else FakeEndpoint()
        arguments = {"port": 7000, "unix_socket": "", "base_url": "/base/"}
        return Readiness(spec, endpoint, self.probe, lambda: arguments, self._open)

    def _open(self) -> None:
        self.opened += 1

    def find(self, readiness: Readiness, timeout: float = 3.0) -> Awaitable[Address | None]:
        return readiness.find(self.process, timeout)


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> Lab:
    return Lab(monkeypatch)


def test_pauses_are_short_at_first_and_a_share_of_the_time_later() -> None:
    assert pause_after(0.0) == FIRST_PAUSE
    assert pause_after(0.05) == FIRST_PAUSE
    assert pause_after(1.0) == pytest.approx(0.03)
    assert pause_after(1e6) == LONGEST_PAUSE
    pauses = [pause_after(second / 10) for second in range(100)]
    assert pauses == sorted(pauses)


# ---- which answer counts


async def test_any_answer_to_the_root_counts(lab: Lab) -> None:
    readiness = lab.make()
    for status in (None, 500):
        lab.statuses = [status]
        found = await lab.find(readiness)
        assert found == (None if status is None else V4)
    assert lab.asked == [(V4, pytest.approx(3.0, abs=0.5), "/")] * 2


async def test_only_certain_answers_to_a_path_count(lab: Lab) -> None:
    readiness = lab.make(ReadinessSpec("{base_url}health?port={port}", (range(200, 300), range(401, 402))))
    assert readiness.not_ready == ""
    lab.statuses = [503, 302, 401]
    assert await lab.find(readiness) is None
    assert readiness.not_ready == "its answer to /base/health?port=7000 has status 503"
    assert await lab.find(readiness) is None
    assert readiness.not_ready == "its answer to /base/health?port=7000 has status 302"
    assert await lab.find(readiness) == V4


async def test_a_server_is_not_asked_before_it_accepts_connections(lab: Lab) -> None:
    lab.accepting = set()
    assert await lab.find(lab.make()) is None
    assert (lab.dialed, lab.asked, lab.opened) == ([V4, V6], [], 0)
    assert lab.families == [], "the table of the system may be long"


@pytest.mark.behaviour("P6")
async def test_the_address_that_answers_is_the_one(lab: Lab) -> None:
    lab.accepting = {V6}
    assert await lab.find(lab.make()) == V6
    assert lab.families == [True], "who listens there, and not at 127.0.0.1"


async def test_a_connection_is_tried_without_tls(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    secure = TcpAddress(("127.0.0.1",), 7000, TlsSpec())
    monkeypatch.setattr(FakeEndpoint, "candidates", (secure,))
    assert await lab.find(lab.make()) == secure
    assert lab.dialed == [V4]
    assert lab.asked[0][0] == secure


async def test_the_open_port_is_told_once(lab: Lab) -> None:
    lab.statuses = [None]
    readiness = lab.make()
    for _ in range(3):
        await lab.find(readiness)
    assert (lab.opened, lab.families) == (1, [False])


# ---- raw sockets


async def test_an_accepted_connection_is_enough_for_a_raw_socket(lab: Lab) -> None:
    assert await lab.find(lab.make(raw_socket_proxy=True)) == V4
    assert (lab.asked, lab.dialed) == ([], [V4])


async def test_a_raw_socket_may_have_a_path_to_ask_for(lab: Lab) -> None:
    lab.statuses = [503]
    assert await lab.find(lab.make(ReadinessSpec("/", (range(200, 300),)), raw_socket_proxy=True)) is None
    assert len(lab.asked) == 1


async def test_a_raw_unix_socket_is_connected_to(lab: Lab) -> None:
    readiness = lab.make(unix=True, raw_socket_proxy=True)
    assert await lab.find(readiness) is None
    lab.accepting = {UnixAddress("/run/s")}
    assert await lab.find(readiness) == UnixAddress("/run/s")
    assert lab.asked == []


async def test_a_unix_socket_is_asked_like_a_port(lab: Lab) -> None:
    assert await lab.find(lab.make(unix=True)) == UnixAddress("/run/s")
    assert lab.asked == [(UnixAddress("/run/s"), pytest.approx(3.0, abs=0.5), "/")]
    assert lab.families == []


# ---- callables


async def yes_async(port: int) -> int:
    await asyncio.sleep(0)
    return port


class AsyncObject:
    async def __call__(self, port: int) -> int:
        return await yes_async(port)


CALLABLES: list[Callable[..., Any]] = [
    lambda port, base_url: port == 7000 and base_url == "/base/",
    lambda: "something true",
    yes_async,
    functools.partial(yes_async),
    lambda port: yes_async(port),
    AsyncObject(),
]


@pytest.mark.parametrize("function", CALLABLES)
async def test_a_callable_decides(lab: Lab, function: Callable[..., Any]) -> None:
    readiness = lab.make(ReadinessSpec(function=function))
    assert await lab.find(readiness) == V4
    assert readiness.not_ready == ""
    assert lab.asked == []


async def no_async() -> None:
    return None


class AsyncRefusal:
    async def __call__(self) -> bool:
        return False


@pytest.mark.parametrize("function", [lambda: 0, lambda: None, no_async, lambda: no_async(), AsyncRefusal()])
async def test_a_callable_that_says_no_is_asked_again(lab: Lab, function: Callable[..., Any]) -> None:
    readiness = lab.make(ReadinessSpec(function=function))
    for _ in range(2):
        assert await lab.find(readiness) is None
        assert readiness.not_ready == "its option readiness says that it is not"


async def test_what_a_callable_said_before_is_forgotten(lab: Lab) -> None:
    answers = [False, True]
    readiness = lab.make(ReadinessSpec(function=lambda: answers.pop(0)))
    assert await lab.find(readiness) is None
    assert await lab.find(readiness) == V4
    assert readiness.not_ready == ""


async def fail_async() -> bool:
    raise OSError("not yet")


def fail() -> bool:
    raise OSError("not yet")


@pytest.mark.parametrize("function", [fail, fail_async, lambda: fail_async()])
async def test_a_callable_that_raises_is_not_ready_and_asked_again(lab: Lab, function: Callable[..., Any]) -> None:
    readiness = lab.make(ReadinessSpec(function=function))
    for _ in range(2):
        assert await lab.find(readiness) is None
        assert readiness.not_ready == "its option readiness raised OSError: not yet"


async def test_a_callable_that_asks_for_what_there_is_not(lab: Lab) -> None:
    readiness = lab.make(ReadinessSpec(function=lambda wrong: True))
    assert await lab.find(readiness) is None
    assert "wrong" in readiness.not_ready


async def test_callables_that_are_not_asynchronous_may_wait_as_they_run_in_a_thread(lab: Lab) -> None:
    threads: list[threading.Thread] = []
    readiness = lab.make(ReadinessSpec(function=lambda: threads.append(threading.current_thread()) or True))
    await lab.find(readiness)
    assert threads[0] is not threading.current_thread()


async def test_a_callable_that_never_ends_is_given_up(lab: Lab) -> None:
    async def wait() -> None:
        await asyncio.Event().wait()

    readiness = lab.make(ReadinessSpec(function=wait))
    assert await lab.find(readiness, 0.0) is None
    assert "has not answered in time" in readiness.not_ready


# ---- whose server it is


@pytest.mark.behaviour("P5")
async def test_the_server_of_another_user_is_not_spoken_to(lab: Lab) -> None:
    lab.owners = [ME + 1]
    lab.ports = set()
    with pytest.raises(StartFailed, match="Server 'app' cannot listen on port 7000: another user's process does"):
        await lab.find(lab.make())
    assert (lab.asked, lab.opened) == ([], 0)


async def test_a_process_of_ours_may_have_become_another_user(lab: Lab) -> None:
    lab.owners = [ME + 1]
    assert await lab.find(lab.make()) == V4


async def test_a_system_that_does_not_tell_is_believed(lab: Lab) -> None:
    lab.owners = None
    assert await lab.find(lab.make()) == V4


async def test_who_was_there_before_is_not_taken_for_the_server(lab: Lab) -> None:
    readiness = lab.make()
    lab.free = False
    readiness.look_before_start()
    assert readiness.taken
    lab.ports = {7001}
    assert await lab.find(readiness) is None
    assert lab.dialed == []
    lab.ports = {7000}  # it listens there as well, or has taken the place over
    assert await lab.find(readiness) == V4


async def test_a_command_that_has_ended_may_have_found_its_server_running(lab: Lab) -> None:
    readiness = lab.make()
    lab.free = False
    readiness.look_before_start()
    lab.ports = set()
    lab.process.running = False
    assert await lab.find(readiness) == V4


async def test_a_socket_that_was_answered_before(lab: Lab) -> None:
    readiness = lab.make(unix=True)
    readiness.look_before_start()
    assert not readiness.taken
    lab.answered = True
    readiness.look_before_start()
    assert readiness.taken
    assert await lab.find(readiness) == UnixAddress("/run/s"), "its process holds the socket"
    lab.answered = False
    assert await lab.find(readiness) is None


def test_a_port_that_is_taken_before_the_start(lab: Lab) -> None:
    readiness = lab.make()
    lab.owners = [ME]
    readiness.look_before_start()
    assert not readiness.taken
    assert lab.families == [], "that it is free is quickly found out"
    lab.free = False
    readiness.look_before_start()
    assert readiness.taken
    lab.owners = []  # nobody listens: a connection that was closed a moment ago
    readiness.look_before_start()
    assert not readiness.taken
    lab.owners = [ME + 1]
    with pytest.raises(StartFailed, match="another user's process"):
        readiness.look_before_start()


async def test_a_new_start_looks_anew(lab: Lab) -> None:
    readiness = lab.make(ReadinessSpec("/", (range(200, 201),)))
    lab.statuses = [503]
    await lab.find(readiness)
    readiness.look_before_start()
    assert readiness.not_ready == ""
    await lab.find(readiness)
    assert lab.opened == 2


def test_whether_a_daemon_still_listens(lab: Lab) -> None:
    readiness = lab.make()
    for owners, still in (([ME], True), (None, True), ([], False), ([ME + 1], False)):
        lab.owners = owners
        assert readiness.still_ours() is still
    readiness = lab.make(unix=True)
    assert not readiness.still_ours()
    lab.answered = True
    assert readiness.still_ours()


# ---- the probe of a connection


async def test_an_accepted_connection_is_closed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    class Transport:
        closed = False

        def close(self) -> None:
            self.closed = True

    transport = Transport()

    async def dial(address: Address, factory: Callable[[], Any], timeout: float) -> Any:
        assert (address, timeout) == (V4, 2.0)
        protocol = factory()
        protocol.connection_made(transport)
        return protocol

    monkeypatch.setattr(module, "dial", dial)
    assert await accepts_connections(V4, 2.0)
    assert transport.closed


async def test_a_connection_that_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async def dial(*_: Any) -> Any:
        raise ConnectFailed("refused")

    monkeypatch.setattr(module, "dial", dial)
    assert not await accepts_connections(V4, 2.0)
