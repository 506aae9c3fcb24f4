"""The state machine of a server, with processes and endpoints that are pretended."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest

from jupyter_server_proxy.errors import ProxyError, ServerMisconfigured, ServerUnavailable, StartFailed
from jupyter_server_proxy.rules.spec import LifecycleSpec, ServerSpec
from jupyter_server_proxy.supervise import launch
from jupyter_server_proxy.supervise import server as module
from jupyter_server_proxy.supervise.server import ManagedServer, State
from jupyter_server_proxy.upstream.address import Address, TcpAddress, loopback

HERE = TcpAddress(("127.0.0.1",), 7)


class FakeProcess:
    """Runs until it is told to end."""

    spawned: list[FakeProcess]

    def __init__(self, number: int) -> None:
        self.pid = number
        self.exited: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.stops = 0
        self.may_stop = asyncio.Event()
        self.may_stop.set()

    @property
    def running(self) -> bool:
        return not self.exited.done()

    def end(self, code: int) -> None:
        self.exited.set_result(code)

    def group_alive(self) -> bool:
        return self.running

    def signal_group(self, number: int) -> None:
        pass

    async def wait_output(self) -> None:
        pass

    async def stop(self, number: int, grace: float) -> None:
        self.stops += 1
        try:
            await self.may_stop.wait()
        finally:
            if self.running:
                self.end(-number)


class FakeReaper:
    def __init__(self) -> None:
        self.groups: set[int] = set()

    def add(self, group: int) -> None:
        self.groups.add(group)

    def remove(self, group: int) -> None:
        self.groups.discard(group)


class FakeReadiness:
    """Finds the server as soon as ``answers`` is set."""

    def __init__(self, *_: Any) -> None:
        self.answers = True
        self.taken = False
        self.not_ready = ""
        self.ours = True

    def look_before_start(self) -> None:
        pass

    def still_ours(self) -> bool:
        return self.ours

    async def find(self, process: FakeProcess, timeout: float) -> Address | None:
        await asyncio.sleep(0)
        return HERE if self.answers else None


class Lab:
    """One server and what it was given."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, lifecycle: dict[str, Any] | None = None, **options: Any
    ) -> None:
        self.processes: list[FakeProcess] = []
        self.spawn_error: Exception | None = None
        self.down: list[Address] = []
        self.reaper = FakeReaper()

        async def spawn(*_: Any, **__: Any) -> FakeProcess:
            await asyncio.sleep(0)
            if self.spawn_error is not None:
                raise self.spawn_error
            self.processes.append(FakeProcess(len(self.processes) + 100))
            return self.processes[-1]

        monkeypatch.setattr(launch.Process, "spawn", spawn)
        monkeypatch.setattr(module, "Readiness", FakeReadiness)
        monkeypatch.setattr(launch, "pause_after", lambda elapsed: 0.0)
        lifecycle = LifecycleSpec(
            **{"restart_delay": 1000.0, "restart_delay_max": 4000.0, "stable_after": 10_000.0, **(lifecycle or {})}
        )
        given = {"name": "app", "command": ("run",), "port": 7, "timeout": 60.0, "lifecycle": lifecycle, **options}
        spec = ServerSpec(**given)
        self.server = ManagedServer(
            spec, base_url="/", http_probe=None, reaper=self.reaper, log=logging.getLogger("lab"),  # type: ignore[arg-type]
            on_down=self.down.append,
        )  # fmt: skip
        self.readiness: Any = self.server._readiness

    @property
    def process(self) -> FakeProcess:
        return self.processes[-1]


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Lab]:
    return lambda **options: Lab(monkeypatch, **options)


async def settle(condition: Callable[[], bool]) -> None:
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came to that")


MakeLab = Callable[..., Lab]


@pytest.mark.behaviour("P8")
async def test_any_number_of_callers_share_one_start(lab: MakeLab) -> None:
    it = lab()
    addresses = await asyncio.gather(*(it.server.ensure_ready() for _ in range(100)))
    assert set(addresses) == {HERE}
    assert len(it.processes) == 1
    assert it.server.state is State.READY
    assert it.server.address == HERE
    assert it.reaper.groups == {it.process.pid}


@pytest.mark.behaviour("P8")
async def test_a_caller_that_leaves_does_not_disturb_the_start(lab: MakeLab) -> None:
    it = lab()
    it.readiness.answers = False
    first, second = (asyncio.create_task(it.server.ensure_ready()) for _ in range(2))
    await settle(lambda: bool(it.processes))
    first.cancel()
    await asyncio.sleep(0)
    it.readiness.answers = True
    assert await second == HERE
    assert it.process.stops == 0


@pytest.mark.behaviour("P4")
@pytest.mark.parametrize("code", [1, -9])
async def test_a_server_that_ended_is_started_again(lab: MakeLab, code: int) -> None:
    it = lab()
    await it.server.ensure_ready()
    first = it.process
    first.end(code)
    await settle(lambda: it.server.state is State.STOPPED)
    assert it.down == [HERE]
    assert it.reaper.groups == set()
    assert await it.server.ensure_ready() == HERE
    assert it.process is not first


@pytest.mark.behaviour("P4")
async def test_a_server_whose_command_ended_with_0_is_looked_after(
    lab: MakeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = lab()
    await it.server.ensure_ready()
    it.process.end(0)
    await settle(lambda: it.server.address is None)
    assert await it.server.ensure_ready() == HERE  # it left a daemon behind
    assert len(it.processes) == 1
    it.readiness.ours = False
    await it.server.ensure_ready()
    assert len(it.processes) == 1  # it was looked at just now
    monkeypatch.setattr(module, "LOOK_PAUSE", 0.0)
    it.server._next_look = 0.0
    await it.server.ensure_ready()
    assert len(it.processes) == 2
    assert it.down == [HERE]


async def test_a_report_about_an_old_address_changes_nothing(lab: MakeLab) -> None:
    it = lab()
    await it.server.ensure_ready()
    it.process.end(0)
    it.server.report_connect_failure(loopback(1))
    assert it.server.state is State.READY
    it.server.report_connect_failure(HERE)
    assert it.server.state is State.STOPPING
    await settle(lambda: it.server.state is State.STOPPED)


@pytest.mark.behaviour("P3")
@pytest.mark.parametrize("code", [0, 1])
async def test_a_crash_loop_backs_off(lab: MakeLab, code: int) -> None:
    it = lab()
    for _ in range(2):  # the first crash is forgiven
        await it.server.ensure_ready()
        it.process.end(code)
        it.server.report_connect_failure(HERE)
        await settle(lambda: it.server.state is State.STOPPED)
    with pytest.raises(StartFailed, match="keeps ending") as refused:
        await it.server.ensure_ready()
    assert refused.value.retry_after is not None
    assert 900 < refused.value.retry_after <= 1000
    assert len(it.processes) == 2


@pytest.mark.behaviour("P3", "P9")
async def test_a_failed_start_is_told_again_until_its_pause_is_over(
    lab: MakeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = lab()
    it.readiness.answers = False
    start = asyncio.create_task(it.server.ensure_ready())
    await settle(lambda: bool(it.processes))
    it.server.logs.feed(b"out of luck\n")
    it.process.end(3)
    with pytest.raises(StartFailed) as failed:
        await start
    assert failed.value.exit_code == 3
    assert failed.value.output == ("out of luck",)
    assert it.server.state is State.FAILED
    with pytest.raises(StartFailed, match="exited with status 3") as again:
        await it.server.ensure_ready()
    assert again.value.retry_after == pytest.approx(1000, abs=50)
    assert len(it.processes) == 1
    loop = asyncio.get_running_loop()
    now = loop.time() + 1001
    monkeypatch.setattr(loop, "time", lambda: now)
    it.readiness.answers = True
    assert await it.server.ensure_ready() == HERE


@pytest.mark.behaviour("P9")
@pytest.mark.parametrize(
    ("error", "message"),
    [
        (FileNotFoundError(), "there is no program 'run'"),
        (PermissionError(), "'run' is not executable"),
        (OSError(7, "Argument list too long"), "Argument list too long"),
        (ValueError("embedded null byte"), "embedded null byte"),
        (RuntimeError("bug"), "RuntimeError"),
    ],
)
async def test_what_keeps_a_command_from_running(lab: MakeLab, error: Exception, message: str) -> None:
    it = lab()
    it.spawn_error = error
    with pytest.raises(StartFailed, match="Server 'app'") as failed:
        await it.server.ensure_ready()
    assert message in failed.value.message
    assert it.server.state is State.FAILED


@pytest.mark.behaviour("P9")
async def test_not_ready_in_time(lab: MakeLab, monkeypatch: pytest.MonkeyPatch) -> None:
    it = lab(timeout=0.01)
    it.readiness.answers = False
    monkeypatch.setattr("jupyter_server_proxy.supervise.failures.tree_ports", lambda pid, group: {9, 8})
    with pytest.raises(StartFailed, match=r"did not answer on port 7 within 0\.01 s\. It listens on port 8, 9 instead"):
        await it.server.ensure_ready()
    assert it.process.stops == 1
    assert not it.process.running


async def test_a_server_without_a_command_is_where_it_was_said_to_be(lab: MakeLab) -> None:
    it = lab(command=())
    assert await it.server.ensure_ready() == loopback(7)
    assert it.processes == []
    it = lab(command=lambda: [])
    assert await it.server.ensure_ready() == loopback(7)
    it = lab(command=lambda: None, port=0)
    with pytest.raises(ServerMisconfigured, match="no command to run now"):
        await it.server.ensure_ready()


# ---- stopping


async def test_stop_and_start_again(lab: MakeLab) -> None:
    it = lab()
    await it.server.ensure_ready()
    await it.server.stop()
    assert it.server.state is State.STOPPED
    assert it.server.address is None
    assert it.down == [HERE]
    assert it.reaper.groups == set()
    await it.server.stop()
    assert await it.server.ensure_ready() == HERE
    await it.server.restart()
    assert await it.server.ensure_ready() == HERE
    assert len(it.processes) == 3


async def test_stop_forgets_failures(lab: MakeLab) -> None:
    it = lab()
    it.spawn_error = PermissionError()
    with pytest.raises(StartFailed):
        await it.server.ensure_ready()
    it.spawn_error = None
    await it.server.stop()
    assert await it.server.ensure_ready() == HERE


async def test_stop_before_the_first_step_of_a_start(lab: MakeLab) -> None:
    it = lab()
    started, stopped = await asyncio.wait_for(
        asyncio.gather(it.server.ensure_ready(), it.server.stop(), return_exceptions=True), 5
    )
    assert isinstance(started, ServerUnavailable)
    assert stopped is None
    assert it.server.state is State.STOPPED
    assert await it.server.ensure_ready() == HERE


async def test_stop_while_the_process_is_spawned(lab: MakeLab) -> None:
    it = lab()
    start = asyncio.create_task(it.server.ensure_ready())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await asyncio.wait_for(it.server.stop(), 5)
    with pytest.raises(ProxyError):
        await start
    assert all(not process.running for process in it.processes)
    assert it.server.state is State.STOPPED


async def test_many_stops_during_a_start(lab: MakeLab) -> None:
    it = lab()
    it.readiness.answers = False
    start = asyncio.create_task(it.server.ensure_ready())
    await settle(lambda: bool(it.processes))
    it.process.may_stop.clear()
    stops = [asyncio.create_task(it.server.stop()) for _ in range(3)]
    await settle(lambda: it.process.stops == 1)
    it.process.may_stop.set()
    await asyncio.wait_for(asyncio.gather(*stops), 5)
    with pytest.raises(ServerUnavailable, match="was stopped while it was starting"):
        await start
    assert it.server.state is State.STOPPED
    assert it.process.stops == 1


async def test_stop_while_a_failed_start_tidies_up(lab: MakeLab) -> None:
    it = lab(timeout=0.01)
    it.readiness.answers = False
    start = asyncio.create_task(it.server.ensure_ready())
    await settle(lambda: bool(it.processes))
    it.process.may_stop.clear()  # it ignores the first signal
    while not it.process.stops:
        await asyncio.sleep(0.001)
    await asyncio.wait_for(it.server.stop(), 5)
    with pytest.raises(ProxyError):
        await start
    assert not it.process.running
    assert it.server.state is State.STOPPED


async def test_a_failure_while_stopping_is_no_dead_end(
    lab: MakeLab, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    it = lab()
    await it.server.ensure_ready()

    def fail(group: int) -> None:
        raise OSError("too many open files")

    monkeypatch.setattr(it.reaper, "remove", fail)
    await asyncio.wait_for(it.server.stop(), 5)
    await settle(lambda: it.server.state is State.STOPPED)
    assert "The supervision of server 'app' failed" in caplog.text
    assert await it.server.ensure_ready() == HERE


async def test_requests_during_a_stop_wait_for_the_next_start(lab: MakeLab) -> None:
    it = lab()
    await it.server.ensure_ready()
    it.process.may_stop.clear()
    stop = asyncio.create_task(it.server.stop())
    await settle(lambda: it.server.state is State.STOPPING)
    request = asyncio.create_task(it.server.ensure_ready())
    await asyncio.sleep(0)
    assert len(it.processes) == 1
    it.process.may_stop.set()
    await asyncio.wait({stop, request}, timeout=5)
    assert all(not process.running for process in it.processes[:1])


@pytest.mark.behaviour("P1")
async def test_nothing_is_started_while_jupyter_stops(lab: MakeLab) -> None:
    it = lab()
    await it.server.ensure_ready()
    await it.server.close()
    with pytest.raises(ServerUnavailable, match="Jupyter is stopping"):
        await it.server.ensure_ready()
    assert len(it.processes) == 1


async def test_has_ended(lab: MakeLab) -> None:
    it = lab()
    await it.server.ensure_ready()
    assert not await it.server.has_ended(0.0)
    asyncio.get_running_loop().call_soon(it.process.end, -9)
    assert await it.server.has_ended(5.0)
