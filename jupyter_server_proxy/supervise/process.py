"""One child process: spawned in a session of its own, signalled as a group, reaped."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from typing import cast

from .logs import LogTail
from .ownership import group_members

#: Seconds that the kernel gets to remove a group after SIGKILL.
_KILL_PATIENCE = 5.0

#: Lines of output that are taken in one turn of the event loop; who writes faster than that has to wait.
_LINES_AT_ONCE = 200

#: Seconds in which the last output of a child that has ended arrives.
_OUTPUT_PATIENCE = 0.5


class Process(asyncio.SubprocessProtocol):
    """A child and its process group. ``spawn`` makes one.

    Attributes:
        pid: of the child, and the number of its group and its session.
        exited: resolves to the exit code when the child ends (minus the number of the signal that ended it), whether or
            not somebody still holds its output open: commands that daemonize leave such somebodies behind.
    """

    def __init__(self, logs: LogTail) -> None:
        self._logs = logs
        self._transport: asyncio.SubprocessTransport = cast(asyncio.SubprocessTransport, None)
        self.pid = 0
        self.exited: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._output_ended = asyncio.Event()
        self._backlog = b""
        # Once the group is empty, its number may become another's: from then on it means nothing to us.
        self._group_ended = False

    @classmethod
    async def spawn(cls, command: Sequence[str], *, env: Mapping[str, str], cwd: str, logs: LogTail) -> Process:
        """Start a command.

        Args:
            command: program and arguments; never a shell line.
            env: the whole environment.
            cwd: working directory.
            logs: gets standard output and standard error.

        Raises:
            OSError: it cannot be started.
            ValueError: a word holds a NUL character.
        """
        _, process = await asyncio.get_running_loop().subprocess_exec(
            lambda: cls(logs),
            *command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=dict(env),
            cwd=cwd,
            start_new_session=True,
        )
        return process

    @property
    def running(self) -> bool:
        """Whether the child itself has not ended."""
        return not self.exited.done()

    def group_alive(self) -> bool:
        """Whether any process of the group lives, with or without the child."""
        if self.running:
            return True
        if not self._group_ended:
            self._group_ended = not self._group_exists()
        return not self._group_ended

    def _group_exists(self) -> bool:
        try:
            os.killpg(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass
        # Where nobody reaps orphans (a container without an init) it may consist of zombies.
        return bool(group_members(self.pid))

    async def stop(self, number: int = signal.SIGTERM, grace: float = 5.0) -> None:
        """End the whole group: a signal, time to obey, then SIGKILL. Cancelling it only takes the time to obey away.

        Args:
            number: the first signal.
            grace: seconds between it and SIGKILL.
        """
        try:
            if self.group_alive():
                self.signal_group(number)
                await self._wait_gone(grace)
        finally:
            if self.group_alive():
                self.signal_group(signal.SIGKILL)
                await self._wait_gone(_KILL_PATIENCE)
            await self.wait_output()
            self._transport.close()

    async def wait_output(self) -> None:
        """After the child has ended: what it wrote last may still be on its way."""
        try:
            await asyncio.wait_for(self._output_ended.wait(), _OUTPUT_PATIENCE)
        except (TimeoutError, asyncio.TimeoutError):
            pass  # somebody else holds the pipe open

    def signal_group(self, number: int) -> None:
        """Send a signal to every process of the group."""
        if self._group_ended:
            return
        try:
            os.killpg(self.pid, number)
        except (ProcessLookupError, PermissionError):
            pass

    async def _wait_gone(self, timeout: float) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        pause = 0.005
        while self.group_alive() and (left := deadline - loop.time()) > 0:
            if self.running:
                await asyncio.wait({self.exited}, timeout=left)
            else:
                await asyncio.sleep(min(pause, left))
                pause = min(pause * 2, 0.1)

    def _take_lines(self) -> None:
        """Pass a bounded number of lines on, and read no more until all are."""
        taken = _position_after(self._backlog, _LINES_AT_ONCE)
        self._logs.feed(self._backlog[:taken])
        self._backlog = self._backlog[taken:]
        pipe = cast(asyncio.ReadTransport, self._transport.get_pipe_transport(1))
        if pipe is None or pipe.is_closing():
            return  # what is left follows when the pipe is lost
        if self._backlog:
            pipe.pause_reading()
            asyncio.get_running_loop().call_soon(self._take_lines)
        else:
            pipe.resume_reading()

    # ---- asyncio.SubprocessProtocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop."""
        self._transport = cast(asyncio.SubprocessTransport, transport)
        self.pid = self._transport.get_pid()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """Called by the event loop, with a hundred thousand lines at once if they are short."""
        if self._backlog:
            self._backlog += data
            return
        self._backlog = data
        self._take_lines()

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        """Called by the event loop."""
        self._logs.feed(self._backlog)
        self._backlog = b""
        self._logs.end()
        self._output_ended.set()

    def process_exited(self) -> None:
        """Called by the event loop."""
        code = self._transport.get_returncode()
        if not self.exited.done():
            self.exited.set_result(-1 if code is None else code)
        self.group_alive()  # a look while its number cannot be another's yet, or hardly


def _position_after(data: bytes, lines: int) -> int:
    """The index after so many lines; the end, if there are no more."""
    at = 0
    for _ in range(lines):
        at = data.find(b"\n", at) + 1
        if at == 0:
            return len(data)
    return at
