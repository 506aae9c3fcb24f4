"""Our side of the guard process, which ends all process groups when Jupyter dies without doing so (``kill -9``)."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
from pathlib import Path

_SCRIPT = Path(__file__).with_name("reaper_script.py")

#: Variables without which some installations of Python do not start. The guard gets nothing else.
_NEEDED = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH", "LIBPATH", "SHLIB_PATH")

#: Seconds that the guard gets to end by itself.
_PATIENCE = 5.0


class Reaper:
    """Starts the guard with the first process group, and tells it of every group that comes and goes.

    A guard that cannot be started is a warning and no more: it is for the day on which Jupyter is killed.

    Args:
        log: for that warning.
    """

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._guard: subprocess.Popen[bytes] | None = None
        self._groups: set[int] = set()

    @property
    def pid(self) -> int | None:
        """Of the guard, if there is one."""
        return self._guard.pid if self._guard is not None else None

    def add(self, group: int) -> None:
        """From now on this group ends with Jupyter."""
        self._groups.add(group)
        if self._guard is None or not self._tell("add", group):
            self._start()

    def remove(self, group: int) -> None:
        """This group is empty: its number may come to mean another."""
        self._groups.discard(group)
        if self._guard is not None and not self._tell("remove", group):
            self._start()

    async def close(self) -> None:
        """End the guard; groups that are still registered are ended by it."""
        guard, self._guard = self._guard, None
        if guard is None:
            return
        self._close_pipe(guard)
        try:
            await asyncio.to_thread(guard.wait, _PATIENCE)
        except subprocess.TimeoutExpired:
            guard.kill()
            guard.wait()

    def close_now(self) -> None:
        """The same without waiting, when Python exits."""
        if self._guard is not None:
            self._close_pipe(self._guard)

    def _start(self) -> None:
        if self._guard is not None:
            self._close_pipe(self._guard)
            self._guard.poll()
        if not self._groups:
            self._guard = None
            return
        try:
            self._guard = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_SCRIPT)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env={name: os.environ[name] for name in _NEEDED if name in os.environ},
                start_new_session=True,
            )
        except OSError as error:
            self._guard = None
            self._log.warning(
                "The guard that would end servers after a kill -9 of Jupyter cannot be started: %s", error
            )
            return
        for group in self._groups:
            self._tell("add", group)

    def _tell(self, word: str, group: int) -> bool:
        """Write one line; False when the guard has died."""
        assert self._guard is not None
        assert self._guard.stdin is not None
        if self._guard.poll() is not None:
            return False
        try:
            self._guard.stdin.write(f"{word} {group}\n".encode())
            self._guard.stdin.flush()
        except OSError:
            return False
        return True

    @staticmethod
    def _close_pipe(guard: subprocess.Popen[bytes]) -> None:
        assert guard.stdin is not None
        try:
            guard.stdin.close()
        except OSError:
            pass
