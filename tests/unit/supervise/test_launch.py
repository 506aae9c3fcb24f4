"""One start of a server, with processes, endpoints and probes that are pretended."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import signal
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from jupyter_server_proxy.errors import ServerMisconfigured, StartFailed
from jupyter_server_proxy.rules.place import place_arguments
from jupyter_server_proxy.rules.spec import LifecycleSpec, ServerSpec
from jupyter_server_proxy.supervise import launch as module
from jupyter_server_proxy.supervise.facts import Stage
from jupyter_server_proxy.supervise.launch import PORT_LOOK_PAUSE, Launch
from jupyter_server_proxy.supervise.logs import LogTail
from jupyter_server_proxy.upstream.address import Address, TcpAddress, UnixAddress, loopback

HERE = TcpAddress(("127.0.0.1",), 7)


class FakeProcess:
    def __init__(self) -> None:
        self.pid = 42
        self.exited: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.last_output = b""
        self.signals: list[int] = []
        self.stopped: list[tuple[int, float]] = []
        self.has_daemon = False
        self.logs = LogTail()

    @property
    def running(self) -> bool:
        return not self.exited.done()

    def group_alive(self) -> bool:
        return self.running or self.has_daemon

    def signal_group(self, number: int) -> None:
        self.signals.append(number)

    async def wait_output(self) -> None:
        self.logs.feed(self.last_output)

    async def stop(self, number: int, grace: float) -> None:
        self.stopped.append((number, grace))
        if self.running:
            self.exited.set_result(-number)


class FakeEndpoint:
    def __init__(self, port: int = 7, path: str = "") -> None:
        self.port = port
        self.path = path
        self.is_unix = bool(path)
        self.found_port = 0
        self.prepared = 0

    def prepare(self) -> None:
        self.prepared += 1

    def move(self, port: int) -> bool:
        news = port != self.found_port
        self.found_port = port
        return news


class FakeReadiness:
    """``find`` asks ``look``, which a test sets."""

    def __init__(self) -> None:
        self.looks = 0
        self.look: Callable[[], Address | None] = lambda: HERE
        self.taken = False
        self.not_ready = ""
        self.before: Callable[[], None] = lambda: None

    def look_before_start(self) -> None:
        self.before()

    async def find(self, process: FakeProcess, timeout: float) -> Address | None:
        await asyncio.sleep(0)
        self.looks += 1
        return self.look()


class FakeReaper:
    def __init__(self) -> None:
        self.groups: set[int] = set()

    def add(self, group: int) -> None:
        self.groups.add(group)

    def remove(self, group: int) -> None:
        self.groups.discard(group)


class Clock:
    """Replaces the time of the loop and the pauses of the launch: a pause takes no time, and moves the clock."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = asyncio.get_running_loop().time()
        self.pauses: list[float] = []
        monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: self.now)
        monkeypatch.setattr(module, "asyncio", _Asyncio(self))


class _Asyncio:
    """The module, but for ``sleep``."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio, name)

    async def sleep(self, seconds: float) -> None:
        self._clock.pauses.append(seconds)
        self._clock.now += seconds
        await asyncio.sleep(0)


class Lab:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self.endpoint = FakeEndpoint()
        self.readiness = FakeReadiness()
        self.reaper = FakeReaper()
        self.logs = LogTail()
        self.stages: list[Stage] = []
        self.spawned: list[tuple[list[str], dict[str, str], str]] = []
        self.spawn_error: Exception | None = None
        self.may_spawn: asyncio.Event | None = None
        self.ports: set[int] = set()
        self.process: FakeProcess | None = None
        monkeypatch.setattr(module.Process, "spawn", self._spawn)
        monkeypatch.setattr(module, "tree_ports", lambda pid, group: self.ports if pid == 42 else set())
        monkeypatch.setattr("jupyter_server_proxy.supervise.failures.tree_ports", lambda pid, group: self.ports)

    async def _spawn(self, command: list[str], *, env: dict[str, str], cwd: str, logs: LogTail) -> FakeProcess:
        assert logs is self.logs
        if self.may_spawn is not None:
            await self.may_spawn.wait()
        if self.spawn_error is not None:
            raise self.spawn_error
        self.spawned.append((command, env, cwd))
        self.process = FakeProcess()
        self.process.logs = logs
        return self.process

    def make(self, *, withheld: tuple[str, ...] = (), timeout: float = 60.0, **options: Any) -> Launch:
        lifecycle = LifecycleSpec(**options.pop("lifecycle", {}))
        spec = ServerSpec(**{"name": "app", "command": ("run", "{port}"), "lifecycle": lifecycle, **options})
        return Launch(
            spec, endpoint=self.endpoint, readiness=self.readiness, logs=self.logs, reaper=self.reaper,  # type: ignore[arg-type]
            log=logging.getLogger("lab"), withheld=withheld, timeout=timeout, on_stage=self.stages.append,
        )  # fmt: skip

    def run(self, launch: Launch) -> Coroutine[Any, Any, Address]:
        place = place_arguments("/", "/app", "http://h:1", {})
        return launch.run(lambda: {"port": self.endpoint.port, "unix_socket": self.endpoint.path, **place})


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> Lab:
    return Lab(monkeypatch)


# ---- what is started


async def test_a_start_goes_through_its_stages(lab: Lab) -> None:
    launch = lab.make()
    assert (launch.process, launch.started, launch.command) == (None, 0.0, "")
    assert await lab.run(launch) == HERE
    assert lab.stages == [Stage.PROCESS, Stage.ANSWER]  # its readiness tells of the open port
    assert lab.spawned[0][0] == ["run", "7"]
    assert launch.command == "run 7"
    assert launch.process is lab.process  # type: ignore[comparison-overlap]
    assert launch.started > 0
    assert lab.reaper.groups == {42}
    assert lab.endpoint.prepared == 1


async def test_the_working_directory(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getcwd", lambda: "/home/of/jupyter")
    await lab.run(lab.make())
    await lab.run(lab.make(lifecycle={"cwd": "/srv/app"}))
    assert [cwd for _, _, cwd in lab.spawned] == ["/home/of/jupyter", "/srv/app"]


@pytest.mark.behaviour("C4")
async def test_the_environment_is_ours_without_what_is_withheld_and_with_what_is_configured(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_KEPT", "kept")
    monkeypatch.setenv("LAB_CHANGED", "ours")
    monkeypatch.setenv("LAB_TOKEN", "s3cret")
    before = dict(os.environ)
    await lab.run(lab.make(withheld=("LAB_TOKEN",), environment={"LAB_CHANGED": "{port}", "LAB_NEW": "x"}))
    environment = lab.spawned[0][1]
    assert environment == {
        **{name: value for name, value in before.items() if name != "LAB_TOKEN"}, "LAB_CHANGED": "7", "LAB_NEW": "x",
        "JUPYTER_SERVER_PROXY_PREFIX": "/app", "JUPYTER_SERVER_PROXY_URL": "http://h:1/app/",
    }  # fmt: skip
    assert dict(os.environ) == before


@pytest.mark.behaviour("C5")
async def test_the_command_is_shown_without_secrets(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """By their names, and by their values where they are those of Jupyter."""
    monkeypatch.setenv("LAB_TOKEN", "s3cret-value")
    monkeypatch.setenv("LAB_OTHER", "harmless")
    words = ("run", "--password=x", "--token", "y", "--url=u?k=s3cret-value", "two words", "harmless")
    launch = lab.make(command=words, withheld=("LAB_TOKEN", "LAB_UNSET"))
    await lab.run(launch)
    assert launch.command == "run '--password=***' --token '***' '--url=u?k=***' 'two words' harmless"
    assert tuple(lab.spawned[0][0]) == words, "the process gets them as they are"


async def test_each_start_is_a_run_of_its_own(lab: Lab) -> None:
    lab.logs.feed(b"of before\n")
    await lab.run(lab.make())
    assert lab.logs.tail(10) == ()


async def test_the_port_is_taken_before_the_start(lab: Lab) -> None:
    def refuse() -> None:
        raise StartFailed("Somebody is there.")

    lab.readiness.before = refuse
    launch = lab.make()
    with pytest.raises(StartFailed, match="Somebody is there"):
        await lab.run(launch)
    assert (lab.spawned, lab.stages) == ([], [])
    assert launch.command == "run 7", "the page shows it"


# ---- what is not ours to start


@pytest.mark.parametrize("command", [(), lambda: None, lambda: []])
async def test_a_server_that_runs_already(lab: Lab, command: Any) -> None:
    launch = lab.make(command=command, port=8000)
    assert await lab.run(launch) == loopback(8000)
    lab.endpoint = FakeEndpoint(0, "/run/s")
    assert await lab.run(lab.make(command=command, unix_socket="/run/s")) == UnixAddress("/run/s")
    assert (lab.spawned, lab.stages, launch.process) == ([], [], None)


async def test_nothing_to_start_and_nowhere_to_connect_to(lab: Lab) -> None:
    with pytest.raises(ServerMisconfigured, match="Server 'app' has no command to run now"):
        await lab.run(lab.make(command=lambda: []))
    lab.endpoint = FakeEndpoint(0, "/tmp/private/socket")
    with pytest.raises(ServerMisconfigured, match="neither a port nor a unix_socket"):
        await lab.run(lab.make(command=lambda: [], unix_socket=True, port=8000))


# ---- waiting for it


async def test_it_is_probed_until_it_answers(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    lab.readiness.look = lambda: HERE if lab.readiness.looks == 50 else None
    assert await lab.run(lab.make()) == HERE
    assert len(clock.pauses) == 49
    assert clock.pauses[0] == module.pause_after(0.0)
    assert clock.pauses == sorted(clock.pauses), "they grow with the time that has passed"
    assert clock.pauses[-1] > clock.pauses[0]


@pytest.mark.behaviour("P9")
async def test_time_is_up(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    begun = clock.now
    lab.readiness.look = lambda: None
    launch = lab.make(timeout=2.0)
    start = asyncio.ensure_future(lab.run(launch))
    await asyncio.sleep(0)
    lab.logs.feed(b"still busy\n")
    with pytest.raises(StartFailed, match=r"did not answer on port 7 within 2 s\..* raise its timeout") as failed:
        await start
    assert clock.now - begun == pytest.approx(2.0), "the last pause is cut short"
    assert failed.value.output == ("still busy",)
    assert launch.process is not None, "it is still to be ended"


@pytest.mark.behaviour("P9")
@pytest.mark.parametrize("code", [1, -signal.SIGKILL])
async def test_a_process_that_ends_during_a_probe_is_told_at_once(lab: Lab, code: int) -> None:
    def end() -> None:
        assert lab.process is not None
        lab.process.last_output = b"goodbye\n"
        lab.process.exited.set_result(code)

    lab.readiness.look = end
    with pytest.raises(StartFailed, match="while it was starting") as failed:
        await lab.run(lab.make())
    assert (failed.value.exit_code, failed.value.output) == (code, ("goodbye",))
    assert lab.readiness.looks == 1


async def test_a_process_that_ends_interrupts_a_probe_that_hangs(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    cancelled = asyncio.Event()

    async def hang(process: FakeProcess, timeout: float) -> Address | None:
        asyncio.get_running_loop().call_soon(process.exited.set_result, 3)
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        return None

    monkeypatch.setattr(lab.readiness, "find", hang)
    with pytest.raises(StartFailed, match="exited with status 3"):
        await lab.run(lab.make())
    await asyncio.wait_for(cancelled.wait(), 5)


async def test_a_command_that_ends_with_0_may_have_left_a_daemon_behind(lab: Lab) -> None:
    def look() -> Address | None:
        assert lab.process is not None
        if lab.readiness.looks == 1:
            lab.process.exited.set_result(0)
        return HERE if lab.readiness.looks == 3 else None

    lab.readiness.look = look
    assert await lab.run(lab.make()) == HERE


# ---- find_port


async def test_find_port_follows_the_one_port_of_its_processes(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    Clock(monkeypatch)
    lab.ports = {8888}
    lab.readiness.look = lambda: HERE if lab.endpoint.found_port == 8888 else None
    with caplog.at_level(logging.INFO):
        assert await lab.run(lab.make(lifecycle={"find_port": True})) == HERE
    assert "Server 'app' listens on port 8888, not on the one it was told" in caplog.text
    assert lab.readiness.looks == 2


async def test_find_port_looks_now_and_then(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, looks = Clock(monkeypatch), []
    monkeypatch.setattr(module, "tree_ports", lambda pid, group: looks.append(clock.now) or set())
    lab.readiness.look = lambda: None
    with pytest.raises(StartFailed):
        await lab.run(lab.make(lifecycle={"find_port": True}, timeout=2.0))
    gaps = [later - sooner for sooner, later in itertools.pairwise(looks)]
    assert 5 <= len(looks) <= 9
    assert min(gaps) >= PORT_LOOK_PAUSE


@pytest.mark.parametrize(
    ("ports", "find_port", "path"),
    [({8888}, False, ""), ({8888, 8889}, True, ""), ({7}, True, ""), (set(), True, ""), ({8888}, True, "/run/s")],
    ids=["not wanted", "several", "as told", "none", "unix socket"],
)
async def test_find_port_does_not_guess(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, ports: set[int], find_port: bool, path: str
) -> None:
    Clock(monkeypatch)
    lab.endpoint = FakeEndpoint(0 if path else 7, path)
    lab.ports = ports
    lab.readiness.look = lambda: None
    with pytest.raises(StartFailed):
        await lab.run(lab.make(lifecycle={"find_port": find_port}, timeout=1.0))
    assert lab.endpoint.found_port == 0


# ---- what keeps a process from being spawned; see also test_server and test_failures


async def test_errors_of_the_system_name_the_server(lab: Lab) -> None:
    lab.spawn_error = FileNotFoundError()
    with pytest.raises(StartFailed, match="Server 'app' could not be started: there is no program 'run'"):
        await lab.run(lab.make())
    lab.spawn_error = OSError(7, "Argument list too long")
    with pytest.raises(StartFailed, match=r"Server 'app' could not be started: .*Argument list too long"):
        await lab.run(lab.make())
    assert lab.reaper.groups == set()


async def test_a_process_that_is_spawned_while_the_start_is_cancelled_is_ours_to_end(lab: Lab) -> None:
    lab.may_spawn = asyncio.Event()
    launch = lab.make()
    start = asyncio.ensure_future(lab.run(launch))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    start.cancel()
    await asyncio.sleep(0)
    assert launch.process is None
    lab.may_spawn.set()
    with pytest.raises(asyncio.CancelledError):
        await start
    assert launch.process is lab.process is not None  # type: ignore[comparison-overlap]


# ---- its end


async def test_stop_asks_and_then_kills_as_configured(lab: Lab) -> None:
    launch = lab.make(lifecycle={"stop_signal": signal.SIGINT, "stop_timeout": 1.5})
    await lab.run(launch)
    await launch.stop()
    await launch.stop()
    assert lab.process is not None
    assert lab.process.stopped == [(signal.SIGINT, 1.5)]
    assert launch.process is None
    assert lab.reaper.groups == set()


async def test_a_group_that_outlives_its_end_is_left_to_the_guard(lab: Lab) -> None:
    launch = lab.make()
    await lab.run(launch)
    assert lab.process is not None
    lab.process.has_daemon = True
    await launch.stop()
    assert lab.reaper.groups == {42}


async def test_a_launch_that_has_no_process_is_stopped_at_once(lab: Lab) -> None:
    launch = lab.make()
    await launch.stop()
    launch.kill_now()


async def test_kill_now_does_not_wait(lab: Lab) -> None:
    launch = lab.make()
    await lab.run(launch)
    launch.kill_now()
    assert lab.process is not None
    assert (lab.process.signals, lab.process.stopped) == ([signal.SIGKILL], [])
