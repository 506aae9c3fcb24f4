"""The state machine of a server, with processes and endpoints that are pretended."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from jupyter_server_proxy.errors import ProxyError, ServerMisconfigured, ServerUnavailable, StartFailed
from jupyter_server_proxy.rules.place import place_arguments
from jupyter_server_proxy.rules.spec import LifecycleSpec, ServerSpec
from jupyter_server_proxy.supervise import launch, usage
from jupyter_server_proxy.supervise import server as module
from jupyter_server_proxy.supervise.facts import Stage
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
        self,
        monkeypatch: pytest.MonkeyPatch,
        lifecycle: dict[str, Any] | None = None,
        defaults: dict[str, Any] | None = None,
        **options: Any,
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
            spec, arguments=lambda: place_arguments("/", "/app", "", {}), http_probe=None, reaper=self.reaper,  # type: ignore[arg-type]
            log=logging.getLogger("lab"), on_down=self.down.append, **(defaults or {}),
        )  # fmt: skip
        self.readiness: Any = self.server._readiness

    @property
    def process(self) -> FakeProcess:
        return self.processes[-1]

    async def crash(self, code: int = 1) -> None:
        """Its process ends by itself."""
        self.process.end(code)
        await settle(lambda: self.server.state is not State.READY)
        await settle(lambda: self.server.state is not State.STOPPING)


class Clock:
    """The time of the loop, of its timers, and of what idle servers are measured by. It stands still."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        loop = asyncio.get_running_loop()
        self.now = float(int(loop.time()))  # whole seconds: what the tests add up stays exact
        monkeypatch.setattr(loop, "time", lambda: self.now)
        monkeypatch.setattr(usage, "time", SimpleNamespace(monotonic=lambda: self.now, time=lambda: 1e9))

    async def advance(self, seconds: float) -> None:
        """Let time pass, and what is due happen."""
        self.now += seconds
        for _ in range(50):
            await asyncio.sleep(0)


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


# ---- who is told


async def test_every_change_is_told_when_it_happens(lab: MakeLab) -> None:
    it, told = lab(), []

    def tell(server: ManagedServer, old: State, new: State) -> None:
        assert server is it.server
        assert server.state is new
        told.append((old.value, new.value, server.stage.value if server.stage else None))

    it.server.on_change = tell
    await it.server.ensure_ready()
    start = [
        ("stopped", "starting", None),
        ("starting", "starting", "process"),
        ("starting", "starting", "answer"),
        ("starting", "ready", None),
    ]
    assert told == start
    await it.server.ensure_ready()
    assert told == start, "nothing has changed"
    await it.server.stop()
    assert told[4:] == [("ready", "stopping", None), ("stopping", "stopped", None)]
    del told[:]
    it.spawn_error = PermissionError()
    with pytest.raises(StartFailed):
        await it.server.ensure_ready()
    await it.server.stop()
    await it.server.stop()
    assert told == [("stopped", "starting", None), ("starting", "failed", None), ("failed", "stopped", None)]
    del told[:]
    it.spawn_error = None
    await it.server.ensure_ready()
    await it.crash()
    assert told == [*start, ("ready", "stopping", None), ("stopping", "stopped", None)]
    del told[:]
    it.readiness.answers = False
    await it.server.start()
    await settle(lambda: it.server.stage is Stage.PROCESS)
    await it.server.stop()
    assert told == [*start[:2], ("starting", "stopped", None)]


async def test_the_open_port_is_a_stage(lab: MakeLab) -> None:
    it, stages = lab(), []
    it.server.on_change = lambda server, old, new: stages.append(server.stage)
    it.readiness.answers = False
    await it.server.start()
    await settle(lambda: it.server.stage is Stage.PROCESS)
    it.server._reach(Stage.PORT)
    it.server._reach(Stage.PORT)
    it.readiness.answers = True
    await it.server.ensure_ready()
    it.server._reach(Stage.PORT)  # whoever comes too late changes nothing
    assert stages == [None, Stage.PROCESS, Stage.PORT, Stage.ANSWER, None]


# ---- idle servers


async def test_an_idle_server_is_stopped_and_the_next_request_starts_it(
    lab: MakeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    it = lab(lifecycle={"idle_timeout": 60.0, "restart_policy": "always"})
    await clock.advance(1000)  # it is not idle before it runs
    await it.server.ensure_ready()
    await clock.advance(59.9)
    assert it.server.state is State.READY
    await clock.advance(0.2)
    assert it.server.state is State.STOPPED
    assert (it.process.stops, it.down, it.reaper.groups) == (1, [HERE], set())
    await clock.advance(10_000)
    assert len(it.processes) == 1, "it has not ended by itself"
    assert await it.server.ensure_ready(background=True) == HERE
    assert len(it.processes) == 2


async def test_use_puts_the_end_off(lab: MakeLab, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    it = lab(lifecycle={"idle_timeout": 60.0})
    await it.server.ensure_ready()
    for _ in range(5):
        await clock.advance(50)
        it.server.usage.touch()
    await clock.advance(59)
    assert it.server.state is State.READY
    await clock.advance(2)
    assert it.server.state is State.STOPPED


async def test_a_request_that_waits_for_its_response_keeps_a_server(
    lab: MakeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    it = lab(lifecycle={"idle_timeout": 60.0})
    await it.server.ensure_ready()
    it.server.usage.waiting = 1
    for _ in range(5):
        await clock.advance(1000)
    assert it.server.state is State.READY
    it.server.usage.waiting = 0
    it.server.usage.touch()
    await clock.advance(61)
    assert it.server.state is State.STOPPED


async def test_servers_are_never_idle_by_default(lab: MakeLab, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    it = lab()
    await it.server.ensure_ready()
    await clock.advance(1e6)
    assert it.server.state is State.READY


@pytest.mark.parametrize(("own", "for_all", "then"), [(None, 30.0, 30.0), (0.0, 30.0, 0.0), (5.0, 30.0, 5.0)])
async def test_whose_idle_timeout_counts(lab: MakeLab, own: float | None, for_all: float, then: float) -> None:
    it = lab(lifecycle={"idle_timeout": own}, defaults={"idle_timeout": for_all})
    assert it.server.idle_timeout == then


async def test_an_idle_daemon_is_stopped(lab: MakeLab, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    it = lab(lifecycle={"idle_timeout": 60.0})
    await clock.advance(1000)
    await it.server.ensure_ready()
    it.process.end(0)
    for _ in range(59):
        await clock.advance(1)
    assert it.server.state is State.READY, "it is not idle before it runs"
    for _ in range(2):
        await clock.advance(1)
    assert it.server.state is State.STOPPED


async def test_the_end_of_a_daemon_shows_although_nobody_asks(lab: MakeLab, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    it = lab()
    await it.server.ensure_ready()
    it.process.end(0)
    for _ in range(5):
        await clock.advance(module.LOOK_PAUSE)
    assert it.server.state is State.READY
    it.readiness.ours = False
    await clock.advance(module.LOOK_PAUSE)
    assert it.server.state is State.STOPPED


# ---- the restart policy


@pytest.mark.parametrize(
    ("policy", "code", "comes_back"),
    [
        ("on-request", 1, False),
        ("always", 1, True),
        ("always", 0, True),
        ("on-failure", 1, True),
        ("on-failure", -9, True),
        ("on-failure", 0, False),
        ("never", 1, False),
    ],
)
async def test_what_brings_a_server_back(
    lab: MakeLab, monkeypatch: pytest.MonkeyPatch, policy: str, code: int, comes_back: bool
) -> None:
    clock = Clock(monkeypatch)
    it = lab(lifecycle={"restart_policy": policy})
    await it.server.ensure_ready()
    it.readiness.ours = False  # it has left no daemon behind
    await it.crash(code)
    await clock.advance(0.001)
    assert (it.server.state is State.READY) is comes_back
    await clock.advance(10_000)
    assert len(it.processes) == 1 + comes_back
    assert it.server.facts().restarts == comes_back


async def test_a_server_that_keeps_ending_comes_back_after_its_pause(
    lab: MakeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    it = lab(lifecycle={"restart_policy": "always"})
    await it.server.ensure_ready()
    await it.crash()
    await clock.advance(0.001)
    assert len(it.processes) == 2, "the first time is forgiven"
    for number, pause in enumerate((1000, 2000, 4000, 4000), 3):
        await it.crash()
        await clock.advance(pause - 1)
        assert len(it.processes) == number - 1
        await clock.advance(1.001)
        assert len(it.processes) == number
    await clock.advance(10_001)
    await it.crash()
    await clock.advance(0.001)
    assert it.server.state is State.READY, "it was ready for long"


@pytest.mark.parametrize("policy", ["always", "on-failure"])
async def test_a_start_that_failed_is_tried_again(lab: MakeLab, monkeypatch: pytest.MonkeyPatch, policy: str) -> None:
    clock = Clock(monkeypatch)
    it = lab(lifecycle={"restart_policy": policy})
    it.spawn_error = PermissionError()
    with pytest.raises(StartFailed):
        await it.server.ensure_ready()
    await clock.advance(999)
    assert it.server.state is State.FAILED
    it.spawn_error = None
    await clock.advance(1.001)
    assert it.server.state is State.READY


@pytest.mark.parametrize("policy", ["always", "on-failure"])
async def test_somebody_who_stops_it_ends_the_policy(
    lab: MakeLab, monkeypatch: pytest.MonkeyPatch, policy: str
) -> None:
    clock = Clock(monkeypatch)
    it = lab(lifecycle={"restart_policy": policy})
    await it.server.ensure_ready()
    await it.server.stop()
    await clock.advance(10_000)
    assert len(it.processes) == 1
    it.spawn_error = PermissionError()
    with pytest.raises(StartFailed):
        await it.server.ensure_ready()
    it.spawn_error = None
    await it.server.stop()  # while it waits for its next start
    await clock.advance(10_000)
    assert (it.server.state, len(it.processes)) == (State.STOPPED, 1)


async def test_a_start_by_somebody_replaces_the_one_that_was_due(lab: MakeLab, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    it = lab(lifecycle={"restart_policy": "always", "idle_timeout": 1e6})
    it.spawn_error = PermissionError()
    with pytest.raises(StartFailed):
        await it.server.ensure_ready()
    it.spawn_error = None
    await it.server.start()
    await it.server.ensure_ready()
    await it.server.stop()
    await clock.advance(1001)
    assert (it.server.state, len(it.processes)) == (State.STOPPED, 1)


async def test_nothing_comes_back_while_jupyter_stops(lab: MakeLab, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    it = lab(lifecycle={"restart_policy": "always"})
    await it.server.ensure_ready()
    it.process.may_stop.clear()
    it.process.end(1)
    await settle(lambda: it.server.state is State.STOPPING)
    closing = asyncio.create_task(it.server.close())
    await asyncio.sleep(0)
    it.process.may_stop.set()
    await closing
    await clock.advance(10_000)
    assert (it.server.state, len(it.processes)) == (State.STOPPED, 1)
    with pytest.raises(ServerUnavailable, match="Jupyter is stopping"):
        await it.server.start()


async def test_policy_never_leaves_it_to_people(lab: MakeLab) -> None:
    it = lab(lifecycle={"restart_policy": "never"})
    await it.server.ensure_ready()
    it.server.logs.feed(b"goodbye\n")
    await it.crash(3)
    with pytest.raises(StartFailed, match="jupyter server-proxy start app") as refused:
        await it.server.ensure_ready()
    assert (refused.value.exit_code, refused.value.output) == (3, ("goodbye",))
    await it.server.start()
    assert await it.server.ensure_ready() == HERE


async def test_people_do_not_wait_for_the_pause(lab: MakeLab) -> None:
    it = lab()
    it.spawn_error = PermissionError()
    for _ in range(2):
        await it.server.start()
        await settle(lambda: it.server.state is State.STARTING)
        await settle(lambda: it.server.state is State.FAILED)
        failure = it.server.facts().failure
        assert failure is not None
        assert failure.retry_after == pytest.approx(1000, abs=50), "and what was before is forgotten"
    it.spawn_error = None
    await it.server.start()
    assert await it.server.ensure_ready() == HERE
    await it.server.start()
    assert len(it.processes) == 1, "it runs"


# ---- somebody has stopped it


async def test_open_pages_do_not_bring_back_what_somebody_stopped(lab: MakeLab) -> None:
    it = lab()
    await it.server.ensure_ready(background=True)
    await it.server.stop(hold=True)
    for _ in range(2):
        with pytest.raises(ServerUnavailable, match=r"Server 'app' was stopped\. Open it anew"):
            await it.server.ensure_ready(background=True)
    assert len(it.processes) == 1
    assert await it.server.ensure_ready() == HERE
    await it.crash()
    assert await it.server.ensure_ready(background=True) == HERE, "that was the last time"
    await it.server.stop()
    assert await it.server.ensure_ready(background=True) == HERE, "whoever stopped it did not want that"


async def test_a_restart_is_for_open_pages_too(lab: MakeLab) -> None:
    it = lab()
    await it.server.ensure_ready()
    await it.server.stop(hold=True)
    await it.server.restart()
    assert await it.server.ensure_ready(background=True) == HERE


# ---- facts


async def test_facts_of_a_life(lab: MakeLab, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    it = lab()
    facts = it.server.facts()
    assert (facts.state, facts.stage, facts.managed, facts.pid, facts.endpoint) == (
        State.STOPPED, None, True, None, None
    )  # fmt: skip
    assert (facts.starts, facts.restarts, facts.started, facts.start_seconds) == (0, 0, None, None)
    assert (facts.expected_start_seconds, facts.failure, facts.last_exit, facts.last_used) == (None,) * 4

    it.readiness.answers = False
    await it.server.start()
    await settle(lambda: it.server.stage is Stage.PROCESS)
    clock.now += 2.5
    facts = it.server.facts()
    assert (facts.state, facts.stage, facts.pid, facts.endpoint) == (State.STARTING, Stage.PROCESS, 100, None)
    assert (facts.starts, facts.start_seconds) == (1, None)
    assert facts.started is not None

    it.readiness.answers = True
    await it.server.ensure_ready()
    await clock.advance(module.RECORD_PAUSE + 0.001)
    facts = it.server.facts()
    assert (facts.state, facts.stage, facts.pid, facts.endpoint) == (State.READY, None, 100, "http://127.0.0.1:7")
    assert (facts.start_seconds, facts.expected_start_seconds) == (pytest.approx(2.5), pytest.approx(2.5))
    it.server.usage.touch()
    assert it.server.facts().last_used == 1e9

    await it.crash(-9)
    facts = it.server.facts()
    assert (facts.state, facts.pid, facts.endpoint, facts.started) == (State.STOPPED, None, None, None)
    assert facts.last_exit is not None
    assert (facts.last_exit.code, facts.last_exit.signal, facts.failure) == (None, "SIGKILL", None)

    await it.server.ensure_ready()
    assert (it.server.facts().starts, it.server.facts().restarts) == (2, 1)
    await it.server.stop()
    facts = it.server.facts()
    assert facts.last_exit is not None
    assert facts.last_exit.signal == "SIGTERM"
    await it.server.ensure_ready()
    assert (it.server.facts().starts, it.server.facts().restarts) == (3, 1), "somebody started it"
    await it.server.restart()
    await it.server.ensure_ready()
    assert (it.server.facts().starts, it.server.facts().restarts) == (4, 2)
    await it.crash()
    await it.server.stop()
    await it.server.ensure_ready()
    assert (it.server.facts().starts, it.server.facts().restarts) == (5, 2), "somebody stopped it meanwhile"


async def test_a_daemon_that_is_about_to_end_has_ended(lab: MakeLab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_DYING_PAUSE", 0.0)
    it = lab()
    await it.server.ensure_ready()
    it.process.end(0)
    await settle(lambda: it.server.address is None)
    assert not await it.server.has_ended(0.001)
    asyncio.get_running_loop().call_soon(setattr, it.readiness, "ours", False)
    assert await it.server.has_ended(5.0)


async def test_a_stop_that_meets_an_end_by_itself_leaves_it_stopped(
    lab: MakeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    it = lab(lifecycle={"restart_policy": "always"})
    await it.server.ensure_ready()
    it.process.end(1)  # forgiven: it comes back at once
    await settle(lambda: len(it.processes) == 2 and it.server.state is State.READY)
    it.process.may_stop.clear()  # others of its group live on
    it.process.end(1)
    await settle(lambda: it.server.state is State.STOPPING)
    stop = asyncio.create_task(it.server.stop())
    await asyncio.sleep(0)
    it.process.may_stop.set()
    await asyncio.wait_for(stop, 5)
    await clock.advance(10_000)
    assert it.server.state is State.STOPPED
    assert len(it.processes) == 2


async def test_facts_of_a_failure(lab: MakeLab, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    it = lab(command=("run", "--token=s3cret"))
    it.readiness.answers = False
    await it.server.start()
    await settle(lambda: bool(it.processes))
    it.server.logs.feed(b"out of luck\n")
    it.process.end(3)
    await settle(lambda: it.server.state is State.FAILED)
    clock.now += 10
    failure = it.server.facts().failure
    assert failure is not None
    assert failure.message == "Server 'app' exited with status 3 while it was starting."
    assert (failure.exit_code, failure.output, failure.command) == (3, ("out of luck",), "run '--token=***'")
    assert failure.retry_after == pytest.approx(990)
    it.readiness.answers = True
    await it.server.start()
    assert it.server.facts().failure is None
    await it.server.ensure_ready()


async def test_facts_of_a_server_that_is_not_ours(lab: MakeLab) -> None:
    it = lab(command=())
    assert not it.server.facts().managed
    it = lab(command=lambda: [])
    assert it.server.facts().managed, "nobody knows yet"
    await it.server.ensure_ready()
    facts = it.server.facts()
    assert (facts.managed, facts.pid, facts.starts, facts.endpoint) == (False, None, 0, "http://localhost:7")


async def test_the_output_goes_to_the_log_of_jupyter(lab: MakeLab, caplog: pytest.LogCaptureFixture) -> None:
    it = lab()
    with caplog.at_level(logging.INFO):
        it.server.logs.feed(b"hello\n")
    assert "[app] hello" in caplog.text
