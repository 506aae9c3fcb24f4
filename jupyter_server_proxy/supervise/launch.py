"""One start of a server: spawn its process, and find out where it answers."""

from __future__ import annotations

import asyncio
import logging
import os
import shlex
import signal
import time
from collections.abc import Callable, Collection, Coroutine, Mapping
from typing import Any, TypeVar

from ..errors import ServerMisconfigured, StartFailed
from ..rules.place import place_variables
from ..rules.spec import ServerSpec
from ..upstream.address import Address, UnixAddress, loopback
from .command import render_command, render_environment
from .endpoint import Endpoint
from .facts import Stage
from .failures import exited, not_found, not_permitted, too_late
from .logs import LogTail
from .ownership import tree_ports
from .process import Process
from .readiness import Readiness, pause_after
from .reaper import Reaper

T = TypeVar("T")

#: Lines of output that a failure carries.
OUTPUT_LINES = 50

#: Seconds between looks at which ports a server listens on, where ``find_port`` is on.
PORT_LOOK_PAUSE = 0.25


class Launch:
    """A start, and the process that comes of it.

    Args:
        spec: of the server.
        endpoint: where it is told to listen.
        readiness: looks for it there.
        logs: gets its output.
        reaper: is told of its process group.
        log: Jupyter's.
        withheld: variables of our own environment that it does not inherit.
        timeout: seconds until it must be ready.
        on_stage: called when it has come so far.

    Attributes:
        process: once it was spawned.
        started: when, in seconds since the epoch; 0.0 before.
    """

    def __init__(
        self,
        spec: ServerSpec,
        *,
        endpoint: Endpoint,
        readiness: Readiness,
        logs: LogTail,
        reaper: Reaper,
        log: logging.Logger,
        withheld: Collection[str],
        timeout: float,
        on_stage: Callable[[Stage], None],
    ) -> None:
        self.process: Process | None = None
        self.started = 0.0
        self._words: list[str] = []
        self._environment: Mapping[str, str] = {}
        self._spec = spec
        self._endpoint = endpoint
        self._readiness = readiness
        self._logs = logs
        self._reaper = reaper
        self._log = log
        self._withheld = withheld
        self._timeout = timeout
        self._on_stage = on_stage
        self._next_look = 0.0

    @property
    def command(self) -> str:
        """Its words as they may be shown; "" before they are known."""
        from ..rules.masking import is_secret_name, mask_words  # slow to load, and asked for by failures alone

        # Values that must not be shown where the command repeats them.
        secrets = [os.environ[name] for name in self._withheld if os.environ.get(name)]
        secrets += [value for name, value in self._environment.items() if is_secret_name(name)]
        return shlex.join(mask_words(self._words, secrets))

    async def run(self, arguments: Callable[[], Mapping[str, Any]]) -> Address:
        """Start it, and wait until it is ready.

        Args:
            arguments: gives the template arguments, once it is sure that there is a port.

        Raises:
            StartFailed: it did not become ready.
            ServerMisconfigured: there is nothing to start, and nowhere to connect to.
        """
        if not self._spec.command:
            return self._unmanaged_address()
        self._endpoint.prepare()
        words = render_command(self._spec, arguments())
        if not words:
            return self._unmanaged_address()
        given = arguments()
        environment = {**place_variables(given), **render_environment(self._spec, given)}
        self._words, self._environment = words, environment
        self._readiness.look_before_start()
        self._logs.begin_run()
        self._log.info("Starting server '%s'", self._spec.name)
        begun = asyncio.get_running_loop().time()
        process = await self._spawn(words, environment)
        self._reaper.add(process.pid)
        self._on_stage(Stage.PROCESS)
        return await self._find(process, begun + self._timeout)

    async def stop(self) -> None:
        """End its process, and all others of its group. Cancelling it only takes the time to obey away."""
        process, self.process = self.process, None
        if process is None:
            return
        lifecycle = self._spec.lifecycle
        try:
            await process.stop(lifecycle.stop_signal, lifecycle.stop_timeout)
        finally:
            if not process.group_alive():
                self._reaper.remove(process.pid)

    def kill_now(self) -> None:
        """End it without waiting."""
        if self.process is not None:
            self.process.signal_group(signal.SIGKILL)

    # ---- private

    async def _spawn(self, command: list[str], environment: Mapping[str, str]) -> Process:
        name, cwd = self._spec.name, self._spec.lifecycle.cwd or os.getcwd()
        inherited = {key: value for key, value in os.environ.items() if key not in self._withheld}
        spawning = asyncio.ensure_future(
            Process.spawn(command, env={**inherited, **environment}, cwd=cwd, logs=self._logs)
        )
        self.started = time.time()
        try:
            self.process = await asyncio.shield(spawning)
        except asyncio.CancelledError:
            self.process = await spawning  # it exists by now, so it is ours to end
            raise
        except FileNotFoundError as error:
            raise not_found(name, command[0], cwd) from error
        except PermissionError as error:
            raise not_permitted(name, command[0], cwd) from error
        except (OSError, ValueError) as error:
            raise StartFailed(f"Server '{name}' could not be started: {error}.") from error
        return self.process

    async def _find(self, process: Process, deadline: float) -> Address:
        """Probe until the server answers, its process ends badly, or time is up."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        while (left := deadline - loop.time()) > 0:
            address = await self._while_it_runs(process, self._readiness.find(process, left), left)
            if address is not None:
                self._on_stage(Stage.ANSWER)
                return address
            self._look_for_port(process)
            pause = pause_after(loop.time() - started)
            await self._while_it_runs(process, asyncio.sleep(min(pause, left)), left)
        raise too_late(
            self._spec, self._timeout, self._endpoint, self._readiness, process, self._logs.tail(OUTPUT_LINES)
        )

    def _look_for_port(self, process: Process) -> None:
        """Where ``find_port`` is on: does it listen elsewhere than it was told?"""
        now = asyncio.get_running_loop().time()
        if not self._spec.lifecycle.find_port or self._endpoint.is_unix or now < self._next_look:
            return
        self._next_look = now + PORT_LOOK_PAUSE
        ports = tree_ports(process.pid, process.pid)
        if len(ports) == 1 and self._endpoint.port not in ports:
            (port,) = ports
            if self._endpoint.move(port):
                self._log.info("Server '%s' listens on port %s, not on the one it was told", self._spec.name, port)

    async def _while_it_runs(self, process: Process, step: Coroutine[Any, Any, T], timeout: float) -> T | None:
        """The result of a step, or None when time is up; raises as soon as the process ends with a failure.

        One that ends with 0 may have left a daemon behind, or say that the server runs already: that is no failure.
        """
        deadline = asyncio.get_running_loop().time() + timeout
        task = asyncio.ensure_future(step)
        task.add_done_callback(lambda done: done.cancelled() or done.exception())  # it may be of no interest any more
        try:
            if process.running:
                watched: set[asyncio.Future[Any]] = {task, process.exited}
                await asyncio.wait(watched, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            if not process.running and process.exited.result() != 0:
                await process.wait_output()
                raise exited(self._spec, process.exited.result(), self._logs.tail(OUTPUT_LINES))
            await asyncio.wait({task}, timeout=max(0.0, deadline - asyncio.get_running_loop().time()))
            return task.result() if task.done() else None
        finally:
            task.cancel()

    def _unmanaged_address(self) -> Address:
        """Where a server is that somebody else started."""
        if self._endpoint.is_unix and isinstance(self._spec.unix_socket, str):
            return UnixAddress(self._spec.unix_socket)
        if self._spec.port and not self._endpoint.is_unix:
            return loopback(self._spec.port, self._spec.tls)
        raise ServerMisconfigured(
            f"Server '{self._spec.name}' has no command to run now, and neither a port nor a unix_socket to connect to."
        )
