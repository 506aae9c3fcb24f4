"""What can be told about a server: data, as they are at one moment. All times are seconds since the epoch."""

from __future__ import annotations

import enum
import signal
import time
from typing import NamedTuple


class State(enum.Enum):
    """Where in its life a server is; see ``server.py``."""

    STOPPED = "stopped"
    STARTING = "starting"
    READY = "ready"
    STOPPING = "stopping"
    FAILED = "failed"


class Stage(enum.Enum):
    """How far a start has come: what was reached last."""

    PROCESS = "process"
    PORT = "port"
    ANSWER = "answer"


class Failure(NamedTuple):
    """Why a start failed.

    Args:
        message: names the server, the reason and the remedy; holds no secret.
        exit_code: of its process; minus the number of the signal that ended it; None if there is none.
        time: of the failure.
        output: its last lines.
        command: its words, secrets masked; "" where there is none.
        retry_after: seconds until it may be started again.
    """

    message: str
    exit_code: int | None
    time: float
    output: tuple[str, ...] = ()
    command: str = ""
    retry_after: float | None = None


class Exit(NamedTuple):
    """How a process ended: ``code``, or the name of the ``signal`` that ended it."""

    code: int | None
    signal: str | None
    time: float

    @classmethod
    def of(cls, code: int) -> Exit:
        """From an exit code, which is minus the number of a signal."""
        if code >= 0:
            return cls(code, None, time.time())
        try:
            return cls(None, signal.Signals(-code).name, time.time())
        except ValueError:
            return cls(None, f"signal {-code}", time.time())


class FailedRequest(NamedTuple):
    """A request that a server answered with a status of 500 or more.

    Args:
        request_id: as the server got it in X-Request-ID, and the client in the response.
        time: of the end of the response.
        method: of the request.
        path: of the request as the client sent it, without the query.
        status: of the response.
        first_line: number of the first line of output that may belong to it.
        end_line: number of the first line that came after it.
    """

    request_id: str
    time: float
    method: str
    path: str
    status: int
    first_line: int
    end_line: int


class Facts(NamedTuple):
    """One server at one moment.

    Args:
        state, since: and when it was entered.
        stage: of a start; None at all other times, and before the process was started.
        managed: it is ours to start and to stop.
        pid: of its process.
        endpoint: where it listens: an origin, or "unix:" and a path.
        starts: how often its process was started.
        restarts: those starts that followed an end of the process by itself, or were asked for as restarts.
        started: when the process was started.
        start_seconds: that the last successful start took.
        expected_start_seconds: that the next one will probably take.
        failure: of the last start, if it failed.
        last_exit: of the last process that has ended.
        last_used: by a request or a message; None for never.
    """

    state: State
    since: float
    stage: Stage | None
    managed: bool
    pid: int | None
    endpoint: str | None
    starts: int
    restarts: int
    started: float | None
    start_seconds: float | None
    expected_start_seconds: float | None
    failure: Failure | None
    last_exit: Exit | None
    last_used: float | None
