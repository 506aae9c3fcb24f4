"""Prometheus metrics and Jupyter events, as those see them who ask a real Jupyter."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from harness import PATIENCE, Jupyter, wait_until
from prometheus_client.parser import text_string_to_metric_families
from websockets.sync.client import ClientConnection, connect

CONFIG = """
SECRET = "said-before-the-end"
FAILS = [sys.executable, "-c", "import sys; print(%r); sys.exit(3)" % SECRET]

c.ServerProxy.servers = {
    "unused": {"command": ECHO},
    "counted": {"command": ECHO},
    "talking": {"command": ECHO},
    "crashing": {"command": ECHO},
    "team/nested": {"command": ECHO},
    "told": {"command": ECHO},
    "stopped": {"command": ECHO},
    "broken": {"command": FAILS, "environment": {"PASSWORD": SECRET}},
    "told-broken": {"command": FAILS, "environment": {"PASSWORD": SECRET}},
    "foreign": {"port": 1},
}
"""

SECRET = "said-before-the-end"

SCHEMA = "https://events.jupyter.org/jupyter_server_proxy/server_state/v1"

STATES = ("stopped", "starting", "ready", "stopping", "failed")


@pytest.fixture(scope="module")
def jupyter(start_jupyter: Callable[..., Jupyter]) -> Jupyter:
    return start_jupyter(CONFIG, base_url="/base/")


class Metrics:
    """What Jupyter's ``/metrics`` says at one moment."""

    def __init__(self, jupyter: Jupyter) -> None:
        answer = jupyter.get("metrics")
        assert answer.status == 200, answer.body
        self.text = answer.text
        self._samples = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(self.text)
            for sample in family.samples
        }

    def get(self, name: str, server: str, **labels: str) -> float | None:
        key = f"jupyter_server_proxy_{name}", frozenset({"server": server, **labels}.items())
        return self._samples.get(key)

    def state(self, server: str) -> str:
        """The one state whose series is 1."""
        values = {state: self.get("server_state", server, state=state) for state in STATES}
        assert sorted(values.values(), key=str) == [0, 0, 0, 0, 1], values
        return next(state for state, value in values.items() if value)


# ---- metrics


def test_a_server_that_was_not_used_has_its_series(jupyter: Jupyter) -> None:
    metrics = Metrics(jupyter)
    assert metrics.state("unused") == "stopped"
    for name in ("server_starts_total", "server_restarts_total", "requests_open", "websockets_open"):
        assert metrics.get(name, "unused") == 0
    for kind in ("start", "crash"):
        assert metrics.get("server_failures_total", "unused", kind=kind) == 0
    assert metrics.get("server_last_used_timestamp_seconds", "unused") is None
    assert metrics.get("request_duration_seconds_count", "unused") == 0


def test_jupyters_own_metrics_are_there_as_before(jupyter: Jupyter) -> None:
    assert "http_request_duration_seconds_bucket" in Metrics(jupyter).text


def test_metrics_need_a_login(jupyter: Jupyter) -> None:
    assert jupyter.get("metrics", login=False).status in (302, 403)


def test_requests_are_counted_by_server_and_status(jupyter: Jupyter) -> None:
    begun = time.time()
    assert jupyter.get("counted/bytes/5000").status == 200
    assert jupyter.get("counted/status/404").status == 404
    assert jupyter.get("counted/status/500").status == 500
    assert jupyter.request("POST", "counted/", body=b"x" * 700).status == 200
    metrics = Metrics(jupyter)
    counts = {code: metrics.get("requests_total", "counted", code=code) for code in ("200", "404", "500", "302")}
    assert counts == {"200": 2, "404": 1, "500": 1, "302": None}
    assert metrics.get("request_duration_seconds_count", "counted") == 4
    assert metrics.get("request_duration_seconds_bucket", "counted", le="+Inf") == 4
    assert 0 < (metrics.get("request_duration_seconds_sum", "counted") or 0) < 4 * PATIENCE
    assert metrics.get("received_bytes_total", "counted") == 700
    assert 5000 < (metrics.get("sent_bytes_total", "counted") or 0) < 50_000
    assert metrics.state("counted") == "ready"
    assert metrics.get("server_starts_total", "counted") == 1
    assert metrics.get("server_start_duration_seconds_count", "counted") == 1
    assert 0 < (metrics.get("server_start_duration_seconds_sum", "counted") or 0) < PATIENCE
    assert begun - 1 < (metrics.get("server_last_used_timestamp_seconds", "counted") or 0) < time.time() + 1


def test_names_with_slashes_are_labels_as_they_are(jupyter: Jupyter) -> None:
    assert jupyter.get("team/nested/").status == 200
    assert Metrics(jupyter).get("requests_total", "team/nested", code="200") == 1


def test_a_request_is_open_while_it_is_served(jupyter: Jupyter) -> None:
    connection = jupyter.connect()
    connection.request("GET", jupyter.path("talking/sse"), headers={"Authorization": f"token {jupyter.token}"})
    response = connection.getresponse()
    assert response.readline()
    assert Metrics(jupyter).get("requests_open", "talking") == 1
    response.close()
    connection.close()
    wait_until(lambda: Metrics(jupyter).get("requests_open", "talking") == 0, "the request to be over")


def test_websockets_are_open_until_they_are_closed(jupyter: Jupyter) -> None:
    before = Metrics(jupyter)
    with connect(jupyter.websocket_url("talking/ws"), compression=None) as websocket:
        websocket.send("x" * 1000)
        assert websocket.recv(timeout=PATIENCE) == "x" * 1000
        metrics = Metrics(jupyter)
        assert metrics.get("websockets_open", "talking") == 1
        assert metrics.get("requests_total", "talking", code="101") is None
    wait_until(lambda: Metrics(jupyter).get("websockets_open", "talking") == 0, "the websocket to be over")
    after = Metrics(jupyter)
    assert after.get("requests_total", "talking", code="101") == 1
    assert after.get("request_duration_seconds_count", "talking") == before.get(
        "request_duration_seconds_count", "talking"
    )
    for name in ("received_bytes_total", "sent_bytes_total"):
        assert 1000 < (after.get(name, "talking") or 0) - (before.get(name, "talking") or 0) < 1100


def test_a_start_that_fails_is_a_failure(jupyter: Jupyter) -> None:
    answer = jupyter.get("broken/")
    assert answer.status >= 500
    metrics = Metrics(jupyter)
    assert metrics.state("broken") == "failed"
    assert metrics.get("server_failures_total", "broken", kind="start") == 1
    assert metrics.get("server_failures_total", "broken", kind="crash") == 0
    assert metrics.get("server_start_duration_seconds_count", "broken") == 0
    assert metrics.get("requests_total", "broken", code=str(answer.status)) == 1
    assert SECRET not in metrics.text


def test_a_crash_is_a_failure_and_what_follows_a_restart(jupyter: Jupyter) -> None:
    assert jupyter.get("crashing/exit/7").status == 200
    wait_until(lambda: Metrics(jupyter).state("crashing") == "stopped", "the crash to be seen")
    assert jupyter.get("crashing/").status == 200
    metrics = Metrics(jupyter)
    assert metrics.get("server_failures_total", "crashing", kind="crash") == 1
    assert metrics.get("server_failures_total", "crashing", kind="start") == 0
    assert metrics.get("server_starts_total", "crashing") == 2
    assert metrics.get("server_restarts_total", "crashing") == 1
    assert metrics.get("server_start_duration_seconds_count", "crashing") == 2


def test_ports_share_one_series(jupyter: Jupyter, echo_port: int) -> None:
    """Whatever port somebody asks for, Prometheus gets no new label."""
    assert jupyter.get(f"proxy/{echo_port}/").status == 200
    assert jupyter.get("proxy/1/").status >= 500
    metrics = Metrics(jupyter)
    assert metrics.get("requests_total", "", code="200") == 1
    series = [line for line in metrics.text.splitlines() if line.startswith("jupyter_server_proxy_")]
    assert not any(f'"{echo_port}"' in line or f":{echo_port}" in line for line in series)
    assert metrics.get("server_state", "", state="ready") is None


def test_a_server_of_somebody_else_is_never_started(jupyter: Jupyter) -> None:
    jupyter.get("foreign/")
    metrics = Metrics(jupyter)
    assert metrics.get("server_starts_total", "foreign") == 0
    assert metrics.get("server_start_duration_seconds_count", "foreign") == 0


# ---- events


class Events:
    """Somebody who listens to Jupyter's events."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    def until(self, server: str, state: str) -> list[dict[str, Any]]:
        """The events of one server from now on, up to that with this state."""
        found: list[dict[str, Any]] = []
        while not found or found[-1]["state"] != state:
            event = json.loads(self._connection.recv(timeout=PATIENCE))
            assert SECRET not in json.dumps(event)
            if event["schema_id"] == SCHEMA and event["server"] == server:
                found.append(event)
        return found


@pytest.fixture
def events(jupyter: Jupyter) -> Iterator[Events]:
    with connect(jupyter.websocket_url("api/events/subscribe")) as connection:
        yield Events(connection)


def changes(events: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(event["previous"], event["state"]) for event in events]


def test_a_start_a_crash_and_the_start_after_it_are_told(jupyter: Jupyter, events: Events) -> None:
    pid = jupyter.get("told/environ").json()["pid"]
    started = events.until("told", "ready")
    assert changes(started) == [("stopped", "starting"), ("starting", "ready")]
    assert started[1]["pid"] == pid
    assert 0 < started[1]["start_seconds"] < PATIENCE

    assert jupyter.get("told/exit/7").status == 200
    ended = events.until("told", "stopped")
    assert changes(ended) == [("ready", "stopping"), ("stopping", "stopped")]
    assert [event["exit_code"] for event in ended] == [7, 7]

    assert jupyter.get("told/").status == 200
    again = events.until("told", "ready")
    assert changes(again) == [("stopped", "starting"), ("starting", "ready")]
    assert not any("exit_code" in event for event in again)
    assert again[1]["pid"] != pid


def test_a_stop_is_told(jupyter: Jupyter, events: Events) -> None:
    assert jupyter.get("stopped/").status == 200
    events.until("stopped", "ready")
    assert jupyter.request("POST", "server-proxy/api/servers/stopped/stop", body=b"").status == 200
    ended = events.until("stopped", "stopped")
    assert changes(ended) == [("ready", "stopping"), ("stopping", "stopped")]
    assert "exit_code" not in ended[0]
    assert ended[1].get("signal") == "SIGTERM" or ended[1].get("exit_code") == 0
    assert Metrics(jupyter).get("server_failures_total", "stopped", kind="crash") == 0


def test_a_failure_is_told_with_its_reason_and_nothing_that_was_printed(jupyter: Jupyter, events: Events) -> None:
    assert jupyter.get("told-broken/").status >= 500
    failed = events.until("told-broken", "failed")
    assert changes(failed) == [("stopped", "starting"), ("starting", "failed")]
    assert failed[1]["exit_code"] == 3
    assert "told-broken" in failed[1]["reason"]
    assert set(failed[1]) == {"schema_id", "server", "state", "previous", "reason", "exit_code"}


def test_events_are_valid_for_the_event_logger(jupyter: Jupyter) -> None:
    """What it refuses is logged."""
    assert "could not be told to Jupyter's event logger" not in jupyter.log()
    assert "Event listener" not in jupyter.log()
