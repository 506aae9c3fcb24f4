"""Jupyter's access log, without the lines that nobody would see."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

from jupyter_server.log import log_request
from jupyter_server.prometheus.metrics import HTTP_REQUEST_DURATION_SECONDS
from tornado.httputil import HTTPServerRequest
from tornado.web import Application

from ..web.accesslog import AccessRecord, is_heard


def quick_log(application: Application, log: logging.Logger) -> Callable[[HTTPServerRequest, int], bool]:
    """What is asked first about each request that was served: whether no record of it is needed.

    Jupyter's own function makes a line of each request, and gives it to a log that hardly ever wants it: what went well
    is told at the level DEBUG. Where it is that function, what is left without the line is done alone: its histogram.

    Args:
        application: whose ``log_function`` would be called with the record.
        log: Jupyter's.
    """
    function = application.settings.get("log_function")
    measures = _measures(function)

    def write(request: HTTPServerRequest, status: int) -> bool:
        # The levels are those of jupyter_server.log.log_request.
        went_well = status < 300 or status == 304
        if (
            measures is None
            or not went_well
            or is_heard(log, logging.DEBUG)
            or application.settings.get("log_function") is not function
        ):
            return False
        if measures:
            _histogram(request.method or "", status).observe(request.request_time())
        return True

    return write


@lru_cache(maxsize=64)
def _histogram(method: str, status: int) -> Any:
    """As ``jupyter_server.prometheus.log_functions`` would find it for a record."""
    name = f"{AccessRecord.__module__}.{AccessRecord.__qualname__}"
    return HTTP_REQUEST_DURATION_SECONDS.labels(method=method, handler=name, status_code=status)


def _measures(function: Any) -> bool | None:
    """Whether Jupyter's function keeps the histogram; None for a function that is not Jupyter's."""
    if function is log_request:
        return True
    if not isinstance(function, partial) or function.func is not log_request or function.args:
        return None
    if set(function.keywords) - {"record_prometheus_metrics"}:
        return None
    return bool(function.keywords.get("record_prometheus_metrics", True))
