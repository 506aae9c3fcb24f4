"""One line of access log for each request, in Jupyter's own format and levels, and its Prometheus histogram."""

from __future__ import annotations

import copy
import logging
from typing import Any
from urllib.parse import unquote_plus

from tornado.httputil import HTTPServerRequest

from ..rules.paths import join_target, split_target
from .door import Pass, Refusal
from .runtime import Runtime


class AccessRecord:
    """What Jupyter's log function reads of a handler.

    Args:
        request: that was served.
        status: that was sent.
        verdict: may know the user.
        runtime: knows the application, whose ``log_function`` writes the line (query tokens are scrubbed there).
    """

    def __init__(self, request: HTTPServerRequest, status: int, verdict: Pass | Refusal, runtime: Runtime) -> None:
        self.request = _with_plain_names(request)
        self.current_user: Any = verdict.user if isinstance(verdict, Pass) else None
        self.log: Any = Heard(runtime.log)
        self.application = runtime.application
        self.settings = runtime.application.settings
        self._status = status

    def get_status(self) -> int:
        """See ``tornado.web.RequestHandler``."""
        return self._status

    def _request_summary(self) -> str:
        """See ``tornado.web.RequestHandler``; asked for by Tornado's own log function."""
        return f"{self.request.method} {self.request.uri} ({self.request.remote_ip})"

    def write(self) -> None:
        """Log it."""
        self.application.log_request(self)  # type: ignore[arg-type]


def log_access(request: HTTPServerRequest, status: int, verdict: Pass | Refusal, runtime: Runtime) -> None:
    """Log a request that was served; the arguments are those of ``AccessRecord``."""
    if runtime.log_quickly is None or not runtime.log_quickly(request, status):
        AccessRecord(request, status, verdict, runtime).write()


class Heard:
    """A log that makes no record of what no handler would write.

    Jupyter's logger takes everything, and leaves it to its handlers to drop what is beneath their level. Requests that
    went well are told at a level that is hardly ever written, and making a record costs a tenth of a small request.
    """

    def __init__(self, log: logging.Logger) -> None:
        self._log = log

    def debug(self, message: str, *args: Any, **options: Any) -> None:
        """See ``logging.Logger``."""
        if is_heard(self._log, logging.DEBUG):
            self._log.debug(message, *args, **options)

    def info(self, message: str, *args: Any, **options: Any) -> None:
        """See ``logging.Logger``."""
        if is_heard(self._log, logging.INFO):
            self._log.info(message, *args, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)


def is_heard(log: logging.Logger, level: int) -> bool:
    """Whether any handler would write a record of that level, so far as that can be told without one."""
    if not log.isEnabledFor(level):
        return False
    logger: logging.Logger | None = log
    while logger is not None:
        if logger.filters:
            return True
        for handler in logger.handlers:
            if handler.level <= level:
                return True
        logger = logger.parent if logger.propagate else None
    return False


def _with_plain_names(request: HTTPServerRequest) -> HTTPServerRequest:
    """Query parameters are scrubbed by name; a percent-encoded name would hide a token from that."""
    path, query = split_target(request.uri or "")
    if not query or "%" not in query:
        return request
    parts = [part.partition("=") for part in query.split("&")]
    # repr: what a name decodes to must not break the line.
    shown = [f"{repr(unquote_plus(name))[1:-1]}{equals}{value}" for name, equals, value in parts]
    plain = copy.copy(request)
    plain.uri = join_target(path, "&".join(shown))
    return plain
