r"""One configured server: the state machine that starts it once, watches it, and stops it.

::

    STOPPED --ensure_ready--> STARTING --answers--> READY --stop, or its process ended--> STOPPING --> STOPPED
                                 |  \--stop--> STOPPED
                                 \--fails--> FAILED --ensure_ready, after a pause--> STARTING

The one task of a server is its current transition; whoever needs the server waits for that task, and leaving early
does not disturb it.
"""

from __future__ import annotations

import asyncio
import enum
import logging
import os
import signal
from collections.abc import Callable, Collection, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from ..errors import ProxyError, ServerMisconfigured, ServerUnavailable, StartFailed
from ..rules.backoff import next_delay
from ..rules.spec import ServerSpec
from ..upstream.address import Address, UnixAddress, loopback
from .command import render_command, render_environment
from .endpoint import Endpoint
from .failures import describe_exit, exited, not_found, too_late
from .logs import LogTail
from .process import Process
from .readiness import Probe, Readiness, accepts_connections, pause_after
from .reaper import Reaper

T = TypeVar("T")

#: Seconds between looks at who listens for a server that has daemonized.
LOOK_PAUSE = 1.0

#: Lines of output that a failure carries.
OUTPUT_LINES = 50


class State(enum.Enum):
    """See the module's docstring."""

    STOPPED = "stopped"
    STARTING = "starting"
    READY = "ready"
    STOPPING = "stopping"
    FAILED = "failed"


@dataclass(frozen=True)
class Policy:
    """How a server is stopped and started again; all times in seconds.

    Args:
        stop_signal: asks its process group to end.
        stop_grace: between that signal and SIGKILL.
        backoff_first: pause after a failure; doubled with each further one.
        backoff_max: pause that is never exceeded.
        stable_after: a server that was ready for so long has not crashed, it has ended.
    """

    stop_signal: int = signal.SIGTERM
    stop_grace: float = 5.0
    backoff_first: float = 1.0
    backoff_max: float = 60.0
    stable_after: float = 10.0


class ManagedServer:
    """The one owner of one configured server's state.

    Args:
        spec: its configuration.
        base_url: of Jupyter; begins and ends with "/".
        http_probe: one try to get an HTTP response from an address.
        reaper: is told of its process groups.
        log: Jupyter's; the server's output goes there, too.
        policy: see ``Policy``.
        on_down: called with the address at which the server is no longer to be found.
        withheld: variables of our own environment that its process does not inherit.
    """

    def __init__(
        self,
        spec: ServerSpec,
        *,
        base_url: str,
        http_probe: Probe,
        reaper: Reaper,
        log: logging.Logger,
        policy: Policy | None = None,
        on_down: Callable[[Address], None] | None = None,
        withheld: Collection[str] = (),
    ) -> None:
        self.spec = spec
        self.logs = LogTail(lambda line: log.info("[%s] %s", spec.name, line))
        self._base_url = base_url
        self._endpoint = Endpoint(spec)
        self._readiness = Readiness(
            spec.name, self._endpoint, accepts_connections if spec.raw_socket_proxy else http_probe
        )
        self._reaper = reaper
        self._log = log
        self._policy = policy or Policy()
        self._on_down = on_down
        self._withheld = withheld
        self._state = State.STOPPED
        self._address: Address | None = None
        self._process: Process | None = None
        self._task: asyncio.Task[None] | None = None
        self._interrupted: asyncio.Task[None] | None = None
        self._closed = False
        self._failure: ProxyError | None = None
        self._failures = 0
        self._next_start = 0.0
        self._ready_since = 0.0
        self._next_look = 0.0

    @property
    def state(self) -> State:
        """Where in its life the server is."""
        return self._state

    @property
    def address(self) -> Address | None:
        """Where it listens, if that is known without a look: it is ready, and a process of ours is what listens."""
        return None if self._is_detached else self._address

    @property
    def pid(self) -> int | None:
        """Of its process, while that runs."""
        return self._process.pid if self._process is not None and self._process.running else None

    @property
    def arguments(self) -> Mapping[str, Any]:
        """The template arguments: port (0 with a unix socket), unix_socket ("" with a port), base_url."""
        return {**self._endpoint.arguments(), "base_url": self._base_url}

    @property
    def port(self) -> int:
        """The template argument of that name."""
        return self._endpoint.port

    @property
    def _last_output(self) -> tuple[str, ...]:
        return self.logs.tail(OUTPUT_LINES)

    async def ensure_ready(self) -> Address:
        """Start the server if it does not run, and wait until it is ready; any number of callers share one start.

        Raises:
            StartFailed: it did not become ready, or failed so recently that it is not yet started again.
            ServerUnavailable: it was stopped while it started, or Jupyter is stopping.
            ServerMisconfigured: there is nothing to start and nowhere to connect to.
        """
        if self._is_detached:
            self._look_after_daemon()
        while self._state is not State.READY:
            if self._closed:
                raise ServerUnavailable(f"Server '{self.spec.name}' is not started: Jupyter is stopping.")
            if self._state is State.STOPPING:
                await self._wait()
                continue
            if self._state is not State.STARTING:
                self._refuse_if_too_early()
                self._begin(State.STARTING, self._start())
            await self._wait()
            if self._failure is not None:
                raise self._failure_now()
            if self._state is State.STOPPED:
                raise ServerUnavailable(f"Server '{self.spec.name}' was stopped while it was starting.")
        assert self._address is not None
        return self._address

    async def stop(self) -> None:
        """End the server and all processes of its group, and forget its failures."""
        while self._state in (State.STARTING, State.READY, State.STOPPING):
            if self._state is State.READY:
                self._begin_stop()
            elif self._state is State.STARTING and self._task is not None and self._interrupted is not self._task:
                self._interrupted = self._task  # once: a second time would interrupt its tidying up
                self._task.cancel()
            await self._wait()
        self._state = State.STOPPED
        self._failure, self._failures, self._next_start = None, 0, 0.0
        self._endpoint.release()

    async def close(self) -> None:
        """Stop for good: Jupyter stops."""
        self._closed = True
        await self.stop()

    async def restart(self) -> None:
        """Stop and start; raises as ``ensure_ready``."""
        await self.stop()
        await self.ensure_ready()

    def report_connect_failure(self, address: Address) -> None:
        """Nobody listens there; where no process of ours runs (it daemonized), this is how its end shows."""
        if self._state is State.READY and self.pid is None and address == self._address:
            self._begin_stop()

    async def has_ended(self, timeout: float) -> bool:
        """Whether the server is no longer ready, or its process ends within ``timeout`` seconds."""
        if self._state is State.READY and self._process is not None:
            await asyncio.wait({self._process.exited}, timeout=timeout)
            await asyncio.sleep(0)  # the callback that leaves READY runs after those who wait
        return self._state is not State.READY

    def kill_now(self) -> None:
        """End its processes without waiting, when Python exits."""
        if self._process is not None:
            self._process.signal_group(signal.SIGKILL)
        self._endpoint.release()

    # ---- transitions

    def _look_after_daemon(self) -> None:
        """What listens is no process that we could watch: look who it is, once in a while."""
        now = asyncio.get_running_loop().time()
        if now >= self._next_look:
            self._next_look = now + LOOK_PAUSE
            if not self._readiness.still_ours():
                self._begin_stop()

    @property
    def _is_detached(self) -> bool:
        """Ready, and started by us, but what listens is no longer the process that we started."""
        return self._state is State.READY and self._process is not None and not self._process.running

    def _begin(self, state: State, transition: Coroutine[Any, Any, None]) -> None:
        self._log.debug("Server '%s': %s -> %s", self.spec.name, self._state.value, state.value)
        self._state = state
        self._task = asyncio.get_running_loop().create_task(transition, name=f"{state.value} server {self.spec.name}")
        self._task.add_done_callback(self._on_transition_ended)

    def _on_transition_ended(self, task: asyncio.Task[None]) -> None:
        """Whoever waits for a transition goes by the state, so none may end without leaving its own."""
        if task is not self._task or self._state not in (State.STARTING, State.STOPPING):
            return
        self._state = State.STOPPED
        if not task.cancelled() and (error := task.exception()) is not None:
            self._log.error("The supervision of server '%s' failed", self.spec.name, exc_info=error)

    async def _wait(self) -> None:
        """Until the current transition has ended; leaving early leaves it alone."""
        if self._task is not None:
            await asyncio.wait({self._task})

    async def _start(self) -> None:
        self._failure = None
        loop = asyncio.get_running_loop()
        try:
            self._address = await self._launch()
        except asyncio.CancelledError:
            await self._end_process()
            self._state = State.STOPPED
        except ProxyError as error:
            await self._end_process()
            self._fail(error)
        except Exception as error:
            self._log.exception("Starting server '%s' failed", self.spec.name)
            await self._end_process()
            self._fail(StartFailed(f"Server '{self.spec.name}' could not be started: {type(error).__name__}."))
        else:
            self._state = State.READY
            self._ready_since = loop.time()
            self._log.info("Server '%s' is ready at %s", self.spec.name, self._address)
            if self._process is not None:
                self._process.exited.add_done_callback(self._on_exit)

    async def _launch(self) -> Address:
        """Spawn the process and find out where it answers."""
        if not self.spec.command:
            return self._unmanaged_address()
        self._endpoint.prepare()
        command = render_command(self.spec, self.arguments)
        if not command:
            return self._unmanaged_address()
        environment = render_environment(self.spec, self.arguments)
        self._readiness.look_before_start()
        self.logs.clear()
        self._log.info("Starting server '%s'", self.spec.name)
        started = asyncio.get_running_loop().time()
        self._process = process = await self._spawn(command, environment)
        self._reaper.add(process.pid)
        return await self._find(process, started + self.spec.timeout)

    async def _spawn(self, command: list[str], environment: Mapping[str, str]) -> Process:
        name, program = self.spec.name, command[0]
        inherited = {key: value for key, value in os.environ.items() if key not in self._withheld}
        spawning = asyncio.ensure_future(
            Process.spawn(command, env={**inherited, **environment}, cwd=os.getcwd(), logs=self.logs)
        )
        try:
            return await asyncio.shield(spawning)
        except asyncio.CancelledError:
            self._process = await spawning  # it exists by now, so it is ours to end
            raise
        except FileNotFoundError as error:
            raise not_found(name, program) from error
        except PermissionError as error:
            raise StartFailed(f"Server '{name}' could not be started: '{program}' is not executable.") from error
        except (OSError, ValueError) as error:
            raise StartFailed(f"Server '{name}' could not be started: {error}.") from error

    async def _find(self, process: Process, deadline: float) -> Address:
        """Probe until the server answers, its process ends badly, or time is up."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        while (left := deadline - loop.time()) > 0:
            address = await self._while_it_runs(process, self._readiness.find(process, left), left)
            if address is not None:
                return address
            pause = pause_after(loop.time() - started)
            await self._while_it_runs(process, asyncio.sleep(min(pause, left)), left)
        raise too_late(self.spec, self._endpoint, self._readiness, process, self._last_output)

    async def _while_it_runs(self, process: Process, step: Coroutine[Any, Any, T], timeout: float) -> T | None:
        """The result of a step, or None when time is up; raises as soon as the process ends with a failure.

        One that ends with 0 may have left a daemon behind, or say that the server runs already: that is no failure.
        """
        task = asyncio.ensure_future(step)
        try:
            if process.running:
                watched: set[asyncio.Future[Any]] = {task, process.exited}
                await asyncio.wait(watched, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            if not process.running and process.exited.result() != 0:
                await process.wait_output()
                raise exited(self.spec, process.exited.result(), self._last_output)
            await asyncio.wait({task}, timeout=timeout)
            return task.result() if task.done() else None
        finally:
            task.cancel()

    def _unmanaged_address(self) -> Address:
        """Where a server is that somebody else started."""
        if self._endpoint.is_unix and isinstance(self.spec.unix_socket, str):
            return UnixAddress(self.spec.unix_socket)
        if self.spec.port and not self._endpoint.is_unix:
            return loopback(self.spec.port, self.spec.tls)
        raise ServerMisconfigured(
            f"Server '{self.spec.name}' has no command to run now, and neither a port nor a unix_socket to connect to."
        )

    def _on_exit(self, exited: asyncio.Future[int]) -> None:
        """The process of a ready server has ended."""
        if self._state is not State.READY or self._process is None or self._process.exited is not exited:
            return
        code = exited.result()
        if code == 0:
            # It may have left a daemon behind; if not, the next request finds nobody there, and starts it again.
            self._log.info("The process of server '%s' has ended", self.spec.name)
            return
        self._log.warning("Server '%s' has ended: %s", self.spec.name, describe_exit(code))
        self._begin_stop()

    def _begin_stop(self) -> None:
        """Leave READY: nobody is to find the old address from now on."""
        address, self._address = self._address, None
        loop = asyncio.get_running_loop()
        ended = self.pid is None and self._process is not None
        if ended and loop.time() - self._ready_since < self._policy.stable_after:
            # The first crash is forgiven: what was ready once is likely to be so again.
            self._failures += 1
            self._next_start = loop.time() + self._delay(self._failures - 1)
        else:
            self._failures, self._next_start = 0, 0.0
        self._begin(State.STOPPING, self._stop())
        if address is not None and self._on_down is not None:
            self._on_down(address)

    async def _stop(self) -> None:
        await self._end_process()
        self._state = State.STOPPED

    async def _end_process(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        try:
            await process.stop(self._policy.stop_signal, self._policy.stop_grace)
        finally:
            if not process.group_alive():
                self._reaper.remove(process.pid)

    # ---- failures

    def _fail(self, error: ProxyError) -> None:
        self._failures += 1
        delay = self._delay(self._failures)
        self._next_start = asyncio.get_running_loop().time() + delay
        self._failure = error
        self._state = State.FAILED
        self._log.error("%s", error.message)

    def _delay(self, failures: int) -> float:
        return next_delay(failures, self._policy.backoff_first, self._policy.backoff_max)

    def _refuse_if_too_early(self) -> None:
        left = self._next_start - asyncio.get_running_loop().time()
        if left <= 0:
            return
        if self._failure is not None:
            raise self._failure_now()
        raise StartFailed(
            f"Server '{self.spec.name}' keeps ending soon after it was started.",
            output=self._last_output,
            retry_after=left,
        )

    def _failure_now(self) -> ProxyError:
        """A fresh copy of the last failure, with the time that is left until the next start."""
        failure = self._failure
        assert failure is not None
        left = max(0.0, self._next_start - asyncio.get_running_loop().time())
        if isinstance(failure, StartFailed):
            return StartFailed(
                failure.message,
                exit_code=failure.exit_code,
                output=failure.output,
                detail=failure.detail,
                retry_after=left,
            )
        return type(failure)(failure.message, detail=failure.detail, retry_after=left)
