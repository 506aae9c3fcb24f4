"""Jupyter's access log, without the lines that nobody would see."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from jupyter_server.log import log_request
from jupyter_server.prometheus.log_functions import prometheus_log_method
from tornado.web import Application

from ..web.accesslog import is_heard


def access_writer(application: Application, log: logging.Logger) -> Callable[[Any], None]:
    """What writes a record of a request that was served.

    Jupyter's own function makes a line of each request, and gives it to a log that hardly ever wants it: what went well
    is told at the level DEBUG. Where it is that function, what is left without the line is done alone: its histogram.

    Args:
        application: whose ``log_function`` is to be called.
        log: Jupyter's.
    """
    function = application.settings.get("log_function")
    measures = _measures(function)

    def write(record: Any) -> None:
        status = record.get_status()
        # The levels are those of jupyter_server.log.log_request.
        went_well = status < 300 or status == 304
        if (
            measures is None
            or not went_well
            or is_heard(log, logging.DEBUG)
            or application.settings.get("log_function") is not function
        ):
            application.log_request(record)
        elif measures:
            prometheus_log_method(record)  # type: ignore[no-untyped-call]

    return write


def _measures(function: Any) -> bool | None:
    """Whether Jupyter's function keeps the histogram; None for a function that is not Jupyter's."""
    if function is log_request:
        return True
    if not isinstance(function, partial) or function.func is not log_request or function.args:
        return None
    if set(function.keywords) - {"record_prometheus_metrics"}:
        return None
    return bool(function.keywords.get("record_prometheus_metrics", True))
