"""The owner of all servers."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from jupyter_server_proxy.rules.spec import LifecycleSpec, ServerSpec
from jupyter_server_proxy.supervise.facts import State
from jupyter_server_proxy.supervise.supervisor import Supervisor


class FakeServer:
    def __init__(self, name: str, calls: list[str], *, autostart: bool = False) -> None:
        self.spec = ServerSpec(name, lifecycle=LifecycleSpec(autostart=autostart))
        self.on_change: Any = None
        self.error: Exception | None = None
        self._calls = calls

    async def start(self) -> None:
        self._calls.append(f"start {self.spec.name}")

    async def close(self) -> None:
        await asyncio.sleep(0)
        self._calls.append(f"close {self.spec.name}")
        if self.error is not None:
            raise self.error

    def kill_now(self) -> None:
        self._calls.append(f"kill {self.spec.name}")


class FakeReaper:
    def __init__(self, calls: list[str]) -> None:
        self._calls = calls

    async def close(self) -> None:
        self._calls.append("close reaper")

    def close_now(self) -> None:
        self._calls.append("kill reaper")


class Lab:
    def __init__(self, *names: str, autostart: tuple[str, ...] = ()) -> None:
        self.calls: list[str] = []
        self.supervisor = Supervisor(FakeReaper(self.calls), logging.getLogger("test_supervisor"))  # type: ignore[arg-type]
        self.servers = [FakeServer(name, self.calls, autostart=name in autostart) for name in names]
        for server in self.servers:
            self.supervisor.add(server)  # type: ignore[arg-type]


def test_servers_are_found_by_name_and_in_order() -> None:
    it = Lab("b", "a")
    assert list(it.supervisor) == it.servers
    assert it.supervisor.get("a") is it.servers[1]  # type: ignore[comparison-overlap]
    assert it.supervisor.get("c") is None
    with pytest.raises(AssertionError):
        it.supervisor.add(FakeServer("a", []))  # type: ignore[arg-type]


def test_watchers_are_told_of_all_servers_until_they_leave() -> None:
    it, told = Lab("a", "b"), []
    leave = it.supervisor.watch(lambda server, old, new: told.append((server.spec.name, old, new)))
    for server in it.servers:
        server.on_change(server, State.STOPPED, State.STARTING)
    assert told == [("a", State.STOPPED, State.STARTING), ("b", State.STOPPED, State.STARTING)]
    leave()
    it.servers[0].on_change(it.servers[0], State.STARTING, State.READY)
    assert len(told) == 2


def test_a_watcher_that_fails_or_leaves_disturbs_no_other(caplog: pytest.LogCaptureFixture) -> None:
    it, told = Lab("a"), []

    def fail(*_: Any) -> None:
        leave()
        raise RuntimeError("broken")

    leave = it.supervisor.watch(fail)
    it.supervisor.watch(lambda *_: told.append(1))
    it.servers[0].on_change(it.servers[0], State.STOPPED, State.STARTING)
    assert told == [1]
    assert "A watcher of server 'a' failed" in caplog.text


async def test_autostart_starts_those_that_ask_for_it() -> None:
    it = Lab("a", "b", "c", autostart=("a", "c"))
    it.supervisor.autostart()
    assert len(it.supervisor._starting) == 2
    for _ in range(3):
        await asyncio.sleep(0)
    assert it.calls == ["start a", "start c"]
    assert it.supervisor._starting == set()


async def test_all_servers_are_stopped_before_the_guard(caplog: pytest.LogCaptureFixture) -> None:
    it = Lab("a", "b")
    it.servers[0].error = OSError("cannot be stopped")
    await it.supervisor.stop_all()
    assert it.calls == ["close a", "close b", "close reaper"]


def test_the_last_resort() -> None:
    it = Lab("a", "b")
    it.supervisor.kill_all_now()
    assert it.calls == ["kill a", "kill b", "kill reaper"]
