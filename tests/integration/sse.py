"""A reader of server-sent events, in a thread."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from typing import Any

from harness import PATIENCE, Jupyter, wait_until


class EventReader:
    """Reads the events of one stream until it is closed.

    Attributes:
        events: (name, data) of all that have come.
    """

    def __init__(self, jupyter: Jupyter, path: str) -> None:
        self.events: list[tuple[str, Any]] = []
        self.ended = threading.Event()
        self._connection = jupyter.connect(timeout=PATIENCE)
        self._connection.request("GET", jupyter.path(path), headers={"Authorization": f"token {jupyter.token}"})
        self.response = self._connection.getresponse()
        assert self.response.status == 200, self.response.read()
        self._socket = self._connection.sock
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        event = ""
        with contextlib.suppress(OSError, ValueError, AttributeError):
            for raw in self.response:
                line = raw.decode().rstrip("\n")
                if line.startswith("event: "):
                    event = line.removeprefix("event: ")
                elif line.startswith("data: "):
                    self.events.append((event, json.loads(line.removeprefix("data: "))))
        self.ended.set()

    def of(self, event: str) -> list[Any]:
        """The data of all events of that name."""
        return [data for name, data in self.events if name == event]

    def states(self, server: str) -> list[str]:
        """The states of a server that were told, without repetitions."""
        told = [data["state"] for name, data in self.events if name == "state" and data["name"] == server]
        return [state for index, state in enumerate(told) if index == 0 or told[index - 1] != state]

    def wait_states(self, server: str, *states: str) -> None:
        """Until a server has gone through exactly these."""
        wait_until(lambda: len(self.states(server)) >= len(states), f"{server} to go through {states}")
        assert self.states(server) == list(states)

    def settle(self, seconds: float = 0.3) -> None:
        """Let events come that were not waited for."""
        time.sleep(seconds)

    def close(self) -> None:
        """Leave."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # the thread that reads would keep the connection open
            self._socket.close()
