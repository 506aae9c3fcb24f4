"""Jupyter events: each change of a server's state goes to Jupyter's event logger, for those who have subscribed there.

To be wired when the extension is loaded::

    reporter = EventReporter(serverapp.event_logger, serverapp.log)
    supervisor.watch(reporter.report)

The schema is ``schemas/server_state.yaml``; ``docs/observability.md`` shows how to listen.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..supervise.facts import Facts, State

if TYPE_CHECKING:
    from jupyter_events import EventLogger

    from ..supervise.server import ManagedServer

SCHEMA_ID = "https://events.jupyter.org/jupyter_server_proxy/server_state/v1"

SCHEMA_FILE = Path(__file__).parent / "schemas" / "server_state.yaml"


class EventReporter:
    """Tells Jupyter's event logger what becomes of the servers.

    Nobody who listens, and no handler of events, can disturb a server: what goes wrong is logged, once.

    Args:
        event_logger: Jupyter's; None if it has none, and then nothing is told.
        log: Jupyter's.
    """

    def __init__(self, event_logger: EventLogger | None, log: logging.Logger) -> None:
        self._logger = event_logger
        self._log = log
        self._has_complained = False
        self._started: dict[str, float] = {}
        self._register()

    def _register(self) -> None:
        if self._logger is None:
            return
        try:
            if SCHEMA_ID not in self._logger.schemas:
                self._logger.register_event_schema(SCHEMA_FILE)
        except Exception as error:
            self._complain(error)
            self._logger = None

    def report(self, server: ManagedServer, old: State, new: State) -> None:
        """To be given to ``Supervisor.watch``; changes of the stage of a start (``old is new``) are not told."""
        if old is new or self._logger is None:
            return
        try:
            facts = server.facts()
            if new is State.STARTING:
                self._started[server.spec.name] = facts.since
            data = _describe(server.spec.name, old, new, facts, self._started.get(server.spec.name, 0.0))
            self._logger.emit(schema_id=SCHEMA_ID, data=data)
        except Exception as error:
            self._complain(error)

    def _complain(self, error: Exception) -> None:
        if not self._has_complained:
            self._has_complained = True
            self._log.warning(
                "Changes of the state of servers could not be told to Jupyter's event logger (this is said once): %s",
                f"{type(error).__name__}: {error}",
                exc_info=error,
            )


def _describe(name: str, old: State, new: State, facts: Facts, started: float) -> dict[str, Any]:
    """The event; what does not apply, or is not known, is left out.

    Args:
        name: of the server.
        old: its state until now.
        new: its state from now on.
        facts: of it, now.
        started: when it was last started; how an earlier run ended is not of this one.
    """
    known: dict[str, Any] = {"pid": facts.pid}
    if new is State.FAILED and facts.failure is not None:
        known["reason"] = facts.failure.message
        code = facts.failure.exit_code
        known["exit_code"] = code if code is not None and code >= 0 else None
    if new is State.READY:
        known["start_seconds"] = facts.start_seconds
    ended = facts.last_exit
    if new is not State.STARTING and ended is not None and ended.time >= started:
        known["signal"] = ended.signal
        if ended.code is not None:
            known["exit_code"] = ended.code
    event = {"server": name, "state": new.value, "previous": old.value}
    return event | {key: value for key, value in known.items() if value is not None}
