"""Of requests that the log would not mention, Jupyter's log function is spared all but its histogram."""

from __future__ import annotations

import logging
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from jupyter_server.log import log_request

from jupyter_server_proxy.extension import accesslog
from jupyter_server_proxy.extension.accesslog import access_writer


class Watched:
    """An application, its log, and what is called."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, function: Any, level: int = logging.INFO) -> None:
        self.calls: list[str] = []
        self.settings = {"log_function": function}
        self.log = logging.Logger("jupyter", logging.DEBUG)
        self.log.addHandler(logging.NullHandler(level))
        monkeypatch.setattr(accesslog, "prometheus_log_method", lambda record: self.calls.append("histogram"))
        self.write = access_writer(self, self.log)  # type: ignore[arg-type]

    def log_request(self, record: Any) -> None:
        self.calls.append("function")

    def told(self, status: int) -> list[str]:
        self.write(SimpleNamespace(get_status=lambda: status))
        return self.calls


QUIET = partial(log_request, record_prometheus_metrics=False)


@pytest.mark.parametrize("status", [200, 204, 304])
@pytest.mark.parametrize("function", [log_request, partial(log_request, record_prometheus_metrics=True)])
def test_what_went_well_is_counted_alone(monkeypatch: pytest.MonkeyPatch, function: Any, status: int) -> None:
    assert Watched(monkeypatch, function).told(status) == ["histogram"]


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
