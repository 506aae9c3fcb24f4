"""``logs``: what a server has written, and what it goes on to write."""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Callable
from typing import Any

from .client import Client
from .commands import Connect
from .console import Console
from .failure import ExitCode, Failure

#: Seconds for which a Jupyter server that has gone is looked for again.
PATIENCE = 60.0

#: Seconds between two attempts.
PAUSE = 1.0

#: Lines that the API gives at once.
MAX_LINES = 1000


def show_logs(console: Console, connect: Connect, arguments: Namespace) -> None:
    """``logs``"""
    client = connect()
    client.find(arguments.name)
    if arguments.follow:
        Follower(console, connect, arguments.name).run(client, arguments.lines)
        return
    logs = client.logs(arguments.name, arguments.lines)
    if console.as_json:
        console.print_json(logs)
    else:
        console.print_output(line["text"] for line in logs["lines"])


class Follower:
    """Shows the output of a server, restarts of the server and of Jupyter included.

    Args:
        console: gets the lines, and messages about states.
        connect: makes a client when Jupyter is there again.
        name: of the server.
        sleep: waits for seconds.
        clock: gives seconds.
    """

    def __init__(
        self,
        console: Console,
        connect: Connect,
        name: str,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._console = console
        self._connect = connect
        self._name = name
        self._sleep = sleep
        self._clock = clock
        self._last = (0, "")
        self._state = ""

    def run(self, client: Client, tail: int) -> None:
        """Never returns but by an exception.

        Args:
            client: the first one.
            tail: lines to begin with.

        Raises:
            Failure: Jupyter has gone and did not come back, or has no such server any more.
        """
        while True:
            try:
                self._follow(client, tail)
            except Failure as failure:
                if failure.code is not ExitCode.NO_JUPYTER:
                    raise
            self._console.tell("The connection to Jupyter is lost. Waiting for it ...")
            client, tail = self._reconnect(), MAX_LINES

    def _follow(self, client: Client, tail: int) -> None:
        for event, data in client.follow(self._name, tail):
            if event == "line" and self._is_known(data):
                continue
            if self._console.as_json:
                self._console.print_json({"event": event, **data}, compact=True)
            elif event == "line":
                self._console.print_output([data["text"]])
            elif event == "state":
                self._tell_state(data)
            elif event == "gap":
                self._console.tell(f"({data['lost']} lines are missing: they came too fast)")

    def _is_known(self, line: dict[str, Any]) -> bool:
        """Whether a line was shown before the connection was lost. A Jupyter that was restarted counts anew."""
        number, moment = self._last
        known = bool(line["number"] <= number and line["time"] <= moment)
        if not known:
            self._last = (line["number"], line["time"])
        return known

    def _tell_state(self, server: dict[str, Any]) -> None:
        news = server["state"] != self._state and bool(self._state)
        self._state = server["state"]
        if news:
            failure = server["failure"] if server["state"] == "failed" else None
            self._console.tell(f"({self._name} is {self._state}{': ' + failure['message'] if failure else ''})")

    def _reconnect(self) -> Client:
        deadline = self._clock() + PATIENCE
        while True:
            self._sleep(PAUSE)
            try:
                client = self._connect()
                client.find(self._name)
            except Failure as failure:
                if failure.code is not ExitCode.NO_JUPYTER or self._clock() > deadline:
                    raise
            else:
                return client
