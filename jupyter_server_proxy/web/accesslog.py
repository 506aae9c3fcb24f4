"""One line of access log for each request, in Jupyter's own format and levels, and its Prometheus histogram."""

from __future__ import annotations

import logging
from typing import Any

from tornado.httputil import HTTPServerRequest

from .authorize import Pass
from .runtime import Runtime


class AccessRecord:
    """What Jupyter's log function reads of a handler.

    Args:
        request: that was served.
        status: that was sent.
        verdict: knows the user.
        runtime: knows the application, whose ``log_function`` writes the line (query tokens are scrubbed there).
    """

    def __init__(self, request: HTTPServerRequest, status: int, verdict: Pass, runtime: Runtime) -> None:
        self.request = request
        self.current_user: Any = verdict.user
        self.log: logging.Logger = runtime.log
        self.application = runtime.application
        self.settings = runtime.application.settings
        self._status = status

    def get_status(self) -> int:
        """See ``tornado.web.RequestHandler``."""
        return self._status

    def write(self) -> None:
        """Log it."""
        self.application.log_request(self)  # type: ignore[arg-type]
