"""Of requests that the log would not mention, Jupyter's log function is spared all but its histogram."""

from __future__ import annotations

import logging
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from jupyter_server.log import log_request
from jupyter_server.prometheus.log_functions import prometheus_log_method

from jupyter_server_proxy.extension import accesslog
from jupyter_server_proxy.extension.accesslog import quick_log
from jupyter_server_proxy.web.accesslog import AccessRecord


class Watched:
    """An application, its log, and what is called."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, function: Any, level: int = logging.INFO) -> None:
        self.calls: list[str] = []
        self.settings = {"log_function": function}
        self.log = logging.Logger("jupyter", logging.DEBUG)
        self.log.addHandler(logging.NullHandler(level))
        histogram = SimpleNamespace(observe=lambda seconds: self.calls.append(f"histogram {seconds}"))
        monkeypatch.setattr(accesslog, "_histogram", lambda method, status: histogram)
        self.is_enough = quick_log(self, self.log)  # type: ignore[arg-type]

    def told(self, status: int) -> list[str]:
        request = SimpleNamespace(method="GET", request_time=lambda: 0.5)
        if not self.is_enough(request, status):  # type: ignore[arg-type]
            self.calls.append("function")
        return self.calls


QUIET = partial(log_request, record_prometheus_metrics=False)


@pytest.mark.parametrize("status", [200, 204, 304])
@pytest.mark.parametrize("function", [log_request, partial(log_request, record_prometheus_metrics=True)])
def test_what_went_well_is_counted_alone(monkeypatch: pytest.MonkeyPatch, function: Any, status: int) -> None:
    assert Watched(monkeypatch, function).told(status) == ["histogram 0.5"]


def test_not_even_that_where_jupyter_is_told_not_to(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Watched(monkeypatch, QUIET).told(200) == []


@pytest.mark.parametrize("status", [302, 404, 499, 503])
def test_everything_else_is_jupyters(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    assert Watched(monkeypatch, log_request).told(status) == ["function"]


def test_so_is_what_somebody_listens_to(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Watched(monkeypatch, log_request, logging.DEBUG).told(200) == ["function"]


@pytest.mark.parametrize(
    "function", [None, print, partial(print), partial(log_request, None), partial(log_request, other=1)]
)
def test_other_functions_are_always_called(monkeypatch: pytest.MonkeyPatch, function: Any) -> None:
    assert Watched(monkeypatch, function).told(200) == ["function"]


def test_a_function_that_is_set_later_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(monkeypatch, log_request)
    watched.settings["log_function"] = print
    assert watched.told(200) == ["function"]


def test_the_histogram_is_the_one_that_jupyter_keeps() -> None:
    class Record:
        request = SimpleNamespace(method="MKCOL", request_time=lambda: 1.0)

        def get_status(self) -> int:
            return 207

    Record.__module__, Record.__name__ = AccessRecord.__module__, AccessRecord.__name__
    prometheus_log_method(Record())
    ours = accesslog._histogram("MKCOL", 207)
    assert ours is accesslog._histogram("MKCOL", 207)
    ours.observe(2.0)
    samples = [
        s for s in accesslog.HTTP_REQUEST_DURATION_SECONDS.collect()[0].samples if s.labels.get("method") == "MKCOL"
    ]
    assert {s.value for s in samples if s.name.endswith("_count")} == {2.0}
    assert {s.value for s in samples if s.name.endswith("_sum")} == {3.0}
