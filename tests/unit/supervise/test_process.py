"""The number of a process group means nothing any more once the group is empty: another may have got it."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from jupyter_server_proxy.supervise import process as module
from jupyter_server_proxy.supervise.logs import LogTail
from jupyter_server_proxy.supervise.process import Process


class System:
    """Groups of processes, and the signals that they get."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.members: set[int] = {7, 8}
        self.signals: list[int] = []
        monkeypatch.setattr(os, "killpg", self.killpg)
        monkeypatch.setattr(module, "group_members", lambda group: self.members)

    def killpg(self, group: int, number: int) -> None:
        if not self.members:
            raise ProcessLookupError
        if number:
            self.signals.append(number)


class Transport:
    def get_returncode(self) -> int:
        return 0


async def ended(monkeypatch: pytest.MonkeyPatch, *left: int) -> tuple[Process, System]:
    system = System(monkeypatch)
    process: Any = Process(LogTail())
    process.pid, process._transport = 7, Transport()
    system.members = set(left)
    process.process_exited()
    return process, system


async def test_what_is_left_of_a_group_is_signalled(monkeypatch: pytest.MonkeyPatch) -> None:
    process, system = await ended(monkeypatch, 8)
    assert process.group_alive()
    process.signal_group(signal.SIGTERM)
    assert system.signals == [signal.SIGTERM]


async def test_a_number_that_somebody_else_has_got_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    process, system = await ended(monkeypatch)
    system.members = {7}  # a stranger
    assert not process.group_alive()
    process.signal_group(signal.SIGKILL)
    assert system.signals == []


async def test_the_last_one_may_go_later(monkeypatch: pytest.MonkeyPatch) -> None:
    process, system = await ended(monkeypatch, 8)
    system.members = set()
    assert not process.group_alive()
    system.members = {7}
    process.signal_group(signal.SIGKILL)
    assert (process.group_alive(), system.signals) == (False, [])
