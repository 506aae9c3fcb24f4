r"""One configured server: the state machine that starts it once, watches it, and stops it.

::

    STOPPED --ensure_ready--> STARTING --answers--> READY --stop, idle, or its process ended--> STOPPING --> STOPPED
                                 |  \--stop--> STOPPED
                                 \--fails--> FAILED --ensure_ready, after a pause--> STARTING

The one task of a server is its current transition; whoever needs the server waits for that task, and leaving early
does not disturb it. Timers lead to transitions, too: the restart policy, and the end of an unused server.
docs/architecture.md has the table of all transitions.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Collection, Coroutine, Mapping
from typing import Any

from ..errors import ProxyError, ServerUnavailable, StartFailed
from ..rules.spec import ServerSpec
from ..upstream.address import Address
from .chronicle import Chronicle
from .echo import LogEcho
from .endpoint import Endpoint
from .facts import Exit, Facts, FailedRequest, Stage, State
from .failures import describe_exit
from .history import StartTimes
from .launch import OUTPUT_LINES, Launch
from .logfile import LogFile
from .logs import LogTail
from .readiness import HttpProbe, Readiness
from .reaper import Reaper
from .setbacks import Hold, Setbacks
from .usage import Usage

__all__ = ["ManagedServer", "State"]

#: Seconds between looks at who listens for a server that has daemonized.
LOOK_PAUSE = 1.0

#: Seconds between looks at a daemon that has closed a connection, and may be about to end.
_DYING_PAUSE = 0.02

#: Seconds after which the duration of a start is written down: those who wait for the server come first.
RECORD_PAUSE = 0.1


#: Requests that failed, and are remembered.
FAILED_REQUESTS = 100


class ManagedServer:
    """The one owner of one configured server's state.

    Args:
        spec: its configuration.
        http_probe: asks an address whether it speaks HTTP.
        reaper: is told of its process groups.
        log: Jupyter's; the server's output goes there, too.
        history: how long it took to start before.
        on_down: called with the address at which the server is no longer to be found.
        withheld: variables of our own environment that its process does not inherit.
        start_timeout: seconds that it gets at least to become ready.
        idle_timeout: for what its configuration leaves open; in seconds, 0 for never.
        arguments: gives the template arguments besides those that say where it listens; see ``rules.place``.

    Attributes:
        usage: is told of by those who pass requests on.
        logs: its output.
        failed_requests: the latest ones.
        idle_timeout: seconds without use after which it is stopped; 0 for never.
        on_change: called after each change of the state with the server, the old state and the new one; with the same
            one twice when a start has come to another stage.
    """

    def __init__(
        self,
        spec: ServerSpec,
        *,
        arguments: Callable[[], Mapping[str, str]],
        http_probe: HttpProbe,
        reaper: Reaper,
        log: logging.Logger,
        history: StartTimes | None = None,
        on_down: Callable[[Address], None] | None = None,
        withheld: Collection[str] = (),
        start_timeout: float = 0.0,
        idle_timeout: float = 0.0,
    ) -> None:
        self.spec = spec
        self.usage = Usage()
        self.on_change: Callable[[ManagedServer, State, State], None] | None = None
        self._log_file = LogFile(spec.name, spec.lifecycle.log_file, log)
        self._echo = LogEcho(spec.name, log)
        self.logs = LogTail(self._on_line)
        self.failed_requests: deque[FailedRequest] = deque(maxlen=FAILED_REQUESTS)
        self._arguments = arguments
        self._log = log
        self._history = history or StartTimes(None, log)
        self._on_down = on_down
        self.idle_timeout = idle_timeout if spec.lifecycle.idle_timeout is None else spec.lifecycle.idle_timeout
        self._endpoint = Endpoint(spec)
        self._readiness = Readiness(
            spec, self._endpoint, http_probe, lambda: self.arguments, lambda: self._reach(Stage.PORT)
        )
        self._make_launch: Callable[[], Launch] = lambda: Launch(
            spec,
            endpoint=self._endpoint,
            readiness=self._readiness,
            logs=self.logs,
            reaper=reaper,
            log=log,
            withheld=withheld,
            timeout=max(spec.timeout, start_timeout),
            on_stage=self._reach,
        )
        # Where it is in its life
        self._state = State.STOPPED
        self._address: Address | None = None
        self._launch: Launch | None = None
        self._task: asyncio.Task[None] | None = None
        self._interrupted: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False
        # What led there
        self._chronicle = Chronicle()
        self._setbacks = Setbacks(spec.name, spec.lifecycle, lambda: asyncio.get_running_loop().time())
        self._ready_since = 0.0
        self._next_look = 0.0

    # ---- what it is

    @property
    def state(self) -> State:
        """Where in its life the server is."""
        return self._state

    @property
    def stage(self) -> Stage | None:
        """How far its start has come; None when it is not starting."""
        return self._chronicle.stage

    @property
    def address(self) -> Address | None:
        """Where it listens, if that is known without a look: it is ready, and a process of ours is what listens."""
        return None if self._is_detached else self._address

    @property
    def pid(self) -> int | None:
        """Of its process, while that runs."""
        process = self._launch.process if self._launch is not None else None
        return process.pid if process is not None and process.running else None

    @property
    def arguments(self) -> Mapping[str, Any]:
        """The template arguments: port (0 with a unix socket), unix_socket ("" with a port), base_url, and more."""
        return {**self._endpoint.arguments(), **self._arguments()}

    @property
    def port(self) -> int:
        """The template argument of that name."""
        return self._endpoint.port

    @property
    def is_managed(self) -> bool:
        """Whether it is ours to start and to stop; a callable may decide anew at each start that it is not."""
        return bool(self.spec.command) and not (self._state is State.READY and self._launch is None)

    def facts(self) -> Facts:
        """All that can be told about it now."""
        launch, chronicle = self._launch, self._chronicle
        return Facts(
            state=self._state,
            since=chronicle.since,
            stage=chronicle.stage,
            managed=self.is_managed,
            pid=self.pid,
            endpoint=self._address.url if self._address is not None else None,
            starts=chronicle.starts,
            restarts=chronicle.restarts,
            started=launch.started or None if launch is not None else None,
            start_seconds=chronicle.start_seconds,
            expected_start_seconds=self._history.expected(self.spec.name),
            failure=self._setbacks.failure,
            last_exit=chronicle.last_exit,
            last_used=self.usage.last_time or None,
        )

    # ---- what can be asked of it

    async def ensure_ready(self, *, background: bool = False) -> Address:
        """Start the server if it does not run, and wait until it is ready; any number of callers share one start.

        Args:
            background: a page that is open asks, not a person: it does not start what a person has stopped.

        Raises:
            StartFailed: it did not become ready, or failed so recently that it is not yet started again.
            ServerUnavailable: it was stopped, or Jupyter is stopping.
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
                if (refusal := self._refusal(background)) is not None:
                    raise refusal
                self._begin_start()
            await self._wait()
            if (failure := self._setbacks.error()) is not None:
                raise failure
            if self._state is State.STOPPED:
                raise ServerUnavailable(f"Server '{self.spec.name}' was stopped while it was starting.")
        assert self._address is not None
        return self._address

    async def start(self) -> None:
        """Begin a start, whatever happened before; wait for it by ``ensure_ready``. For people and for ``autostart``.

        Raises:
            ServerUnavailable: Jupyter is stopping.
        """
        while self._state is State.STOPPING:
            await self._wait()
        if self._closed:
            raise ServerUnavailable(f"Server '{self.spec.name}' is not started: Jupyter is stopping.")
        if self._state in (State.STOPPED, State.FAILED):
            self._setbacks.forget()
            self._begin_start()

    async def stop(self, *, hold: bool = False) -> None:
        """End the server and all processes of its group, and forget its failures.

        Args:
            hold: pages that are open do not start it again; see ``ensure_ready``.
        """
        self._cancel_timer()
        while self._state in (State.STARTING, State.READY, State.STOPPING):
            if self._state is State.READY:
                self._begin_stop()
            elif self._state is State.STARTING and self._task is not None and self._interrupted is not self._task:
                self._interrupted = self._task  # once: a second time would interrupt its tidying up
                self._task.cancel()
            await self._wait()
        self._cancel_timer()  # what has ended by itself meanwhile would come back
        self._setbacks.forget()
        self._chronicle.is_restart = False
        self._setbacks.hold = Hold.BACKGROUND if hold else Hold.NOTHING
        if self._state is State.FAILED:
            self._enter(State.STOPPED)
        self._endpoint.release()
        self._log_file.close()

    async def close(self) -> None:
        """Stop for good: Jupyter stops."""
        self._closed = True
        await self.stop()

    async def restart(self) -> None:
        """Stop it, and begin a start; raises as ``start``."""
        await self.stop()
        self._chronicle.is_restart = self._chronicle.starts > 0
        await self.start()

    def report_connect_failure(self, address: Address) -> None:
        """Nobody listens there; where no process of ours runs (it daemonized), this is how its end shows."""
        if self._state is State.READY and self.pid is None and address == self._address:
            self._begin_stop(by_itself=self._launch is not None)

    async def has_ended(self, timeout: float) -> bool:
        """Whether the server is no longer ready, or its process ends within ``timeout`` seconds."""
        if self._state is State.READY and self._launch is not None and self._launch.process is not None:
            await asyncio.wait({self._launch.process.exited}, timeout=timeout)
            await asyncio.sleep(0)  # the callback that leaves READY runs after those who wait
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        while self._is_detached and loop.time() < deadline:
            if not self._readiness.still_ours():
                self._begin_stop(by_itself=True)
            else:
                await asyncio.sleep(_DYING_PAUSE)
        return self._state is not State.READY

    def kill_now(self) -> None:
        """End its processes without waiting, when Python exits."""
        if self._launch is not None:
            self._launch.kill_now()
        self._endpoint.release()

    # ---- transitions

    def _enter(self, state: State) -> None:
        """Every change of the state goes through here."""
        old, self._state = self._state, state
        self._chronicle.enter_state()
        self._log.debug("Server '%s': %s -> %s", self.spec.name, old.value, state.value)
        self._tell(old)

    def _reach(self, stage: Stage) -> None:
        if self._state is State.STARTING and self._chronicle.reach(stage):
            self._tell(self._state)

    def _tell(self, old: State) -> None:
        if self.on_change is not None:
            self.on_change(self, old, self._state)

    def _begin(self, state: State, transition: Coroutine[Any, Any, None]) -> None:
        self._enter(state)
        self._task = asyncio.get_running_loop().create_task(transition, name=f"{state.value} server {self.spec.name}")
        self._task.add_done_callback(self._on_transition_ended)

    def _begin_start(self) -> None:
        self._cancel_timer()
        self._setbacks.begin()
        self._begin(State.STARTING, self._start())

    def _on_transition_ended(self, task: asyncio.Task[None]) -> None:
        """Whoever waits for a transition goes by the state, so none may end without leaving its own."""
        if task is not self._task or self._state not in (State.STARTING, State.STOPPING):
            return
        self._enter(State.STOPPED)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._log.error("The supervision of server '%s' failed", self.spec.name, exc_info=error)

    async def _wait(self) -> None:
        """Until the current transition has ended; leaving early leaves it alone."""
        if self._task is not None:
            await asyncio.wait({self._task})

    async def _start(self) -> None:
        begun = asyncio.get_running_loop().time()
        launch = self._launch = self._make_launch()
        try:
            self._address = await launch.run(lambda: self.arguments)
        except asyncio.CancelledError:
            await self._end_process()
            self._enter(State.STOPPED)
        except ProxyError as error:
            await self._end_process()
            self._fail(error, launch.command)
        except Exception as error:
            self._log.exception("Starting server '%s' failed", self.spec.name)
            await self._end_process()
            message = f"Server '{self.spec.name}' could not be started: {type(error).__name__}."
            self._fail(StartFailed(message), launch.command)
        else:
            self._on_ready(launch, begun)

    def _on_ready(self, launch: Launch, begun: float) -> None:
        loop = asyncio.get_running_loop()
        self._ready_since = loop.time()
        self._log.info("Server '%s' is ready at %s", self.spec.name, self._address)
        self.usage.rest()
        if launch.process is None:
            self._launch = None
        else:
            seconds = self._chronicle.start_seconds = self._ready_since - begun
            loop.call_later(RECORD_PAUSE, self._history.record, self.spec.name, seconds)
            launch.process.exited.add_done_callback(self._on_exit)
            if self.idle_timeout:
                self._timer = loop.call_later(self.idle_timeout, self._look_whether_idle)
        self._enter(State.READY)

    def _on_exit(self, exited: asyncio.Future[int]) -> None:
        """The process of a ready server has ended."""
        launch = self._launch
        if self._state is not State.READY or launch is None or launch.process is None:
            return
        if launch.process.exited is not exited:
            return
        code = exited.result()
        self._chronicle.last_exit = Exit.of(code)
        if code == 0:
            # It may have left a daemon behind, which is looked at from now on.
            self._log.info("The process of server '%s' has ended", self.spec.name)
            self._next_look = asyncio.get_running_loop().time()
            self._watch_daemon()
            return
        self._log.warning("Server '%s' has ended: %s", self.spec.name, describe_exit(code))
        self._begin_stop(by_itself=True)

    def _begin_stop(self, *, by_itself: bool = False) -> None:
        """Leave READY: nobody is to find the old address from now on."""
        address, self._address = self._address, None
        self._cancel_timer()
        if by_itself:
            self._setbacks.ended(asyncio.get_running_loop().time() - self._ready_since)
        else:
            self._setbacks.forget()
        self._begin(State.STOPPING, self._stop(by_itself))
        if address is not None and self._on_down is not None:
            self._on_down(address)

    async def _stop(self, by_itself: bool) -> None:
        await self._end_process()
        self._enter(State.STOPPED)
        if by_itself:
            self._follow_policy(failed=not self._chronicle.ended_well)

    async def _end_process(self) -> None:
        launch, self._launch = self._launch, None
        if launch is None:
            return
        process = launch.process
        await launch.stop()
        if process is not None and process.exited.done():
            self._chronicle.last_exit = Exit.of(process.exited.result())
        self._echo.end()

    # ---- daemons, idle servers, and the restart policy

    @property
    def _is_detached(self) -> bool:
        """Ready, and started by us, but what listens is no longer the process that we started."""
        return self._state is State.READY and self._launch is not None and self.pid is None

    def _look_after_daemon(self) -> None:
        """What listens is no process that we could watch: look who it is, once in a while."""
        now = asyncio.get_running_loop().time()
        if now >= self._next_look:
            self._next_look = now + LOOK_PAUSE
            if not self._readiness.still_ours():
                self._begin_stop(by_itself=True)

    def _watch_daemon(self) -> None:
        """Look now, and again and again, so that its end shows although nobody asks for it."""
        if not self._is_detached:
            return
        self._look_after_daemon()
        if self._is_detached:
            self._idle_or(self._watch_daemon, LOOK_PAUSE)

    def _look_whether_idle(self) -> None:
        if self._state is State.READY and not self._stop_if_idle():
            left = max(0.05, self.idle_timeout - self.usage.idle_seconds())
            self._timer = asyncio.get_running_loop().call_later(left, self._look_whether_idle)

    def _idle_or(self, then: Callable[[], None], pause: float) -> None:
        """A daemon can be idle, too."""
        if not self._stop_if_idle():
            self._cancel_timer()
            self._timer = asyncio.get_running_loop().call_later(pause, then)

    def _stop_if_idle(self) -> bool:
        if not self.idle_timeout or self.usage.idle_seconds() < self.idle_timeout:
            return False
        self._log.info("Server '%s' was not used for %g s and is stopped", self.spec.name, self.idle_timeout)
        self._begin_stop()
        return True

    def _follow_policy(self, failed: bool) -> None:
        """The server has ended by itself, or could not be started."""
        policy = self.spec.lifecycle.restart_policy
        self._chronicle.is_restart = True
        if self._closed:
            return
        if policy == "never":
            self._setbacks.hold = Hold.REQUESTS
        elif policy == "always" or (policy == "on-failure" and failed):
            self._timer = asyncio.get_running_loop().call_later(self._setbacks.pause_left() or 0.0, self._bring_back)

    def _bring_back(self) -> None:
        if self._state in (State.STOPPED, State.FAILED) and not self._closed:
            self._begin_start()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # ---- failures

    def _refusal(self, background: bool) -> ProxyError | None:
        last_exit = self._chronicle.last_exit
        code = last_exit.code if last_exit is not None else None
        return self._setbacks.refusal(self.logs.tail(OUTPUT_LINES), code, background=background)

    def _fail(self, error: ProxyError, command: str) -> None:
        self._setbacks.start_failed(error, command)
        self._log.error("%s", error.message)
        self._enter(State.FAILED)
        self._follow_policy(failed=True)

    def _on_line(self, line: str) -> None:
        self._echo.write(line)
        self._log_file.write(line)
