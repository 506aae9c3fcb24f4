"""The metrics that Prometheus reads."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from jupyter_server_proxy.supervise.facts import Exit, Facts, State
from jupyter_server_proxy.web.metrics import MetricsCollector, register, unregister
from jupyter_server_proxy.web.traffic import Traffic


def managed(name: str, state: State = State.READY, **facts: Any) -> Any:
    values: dict[str, Any] = dict.fromkeys(Facts._fields)
    values.update({"state": state, "starts": 0, "restarts": 0, **facts})
    return SimpleNamespace(spec=SimpleNamespace(name=name), state=state, facts=lambda: Facts(**values))


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry(auto_describe=True)


def value(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    return registry.get_sample_value(f"jupyter_server_proxy_{name}", labels)


def served(*statuses: int, seconds: float = 0.02) -> Traffic:
    traffic = Traffic()
    for status in statuses:
        traffic.began(status == 101)
        traffic.ended(status, seconds, status == 101)
    return traffic


def test_requests_are_counted_by_server_and_status(registry: CollectorRegistry) -> None:
    register(MetricsCollector([], {"lab": served(200, 200, 404), "": served(502)}), registry)
    assert value(registry, "requests_total", server="lab", code="200") == 2
    assert value(registry, "requests_total", server="lab", code="404") == 1
    assert value(registry, "requests_total", server="", code="502") == 1
    assert value(registry, "requests_total", server="lab", code="502") is None


def test_statuses_that_http_does_not_define_share_one_label(registry: CollectorRegistry) -> None:
    """An application must not be able to fill Prometheus."""
    register(MetricsCollector([], {"lab": served(600, 777, 999)}), registry)
    assert value(registry, "requests_total", server="lab", code="other") == 3
    assert value(registry, "requests_total", server="lab", code="777") is None


def test_latencies_are_a_histogram(registry: CollectorRegistry) -> None:
    register(MetricsCollector([], {"lab": served(200, 500, 101)}), registry)
    assert value(registry, "request_duration_seconds_bucket", server="lab", le="0.01") == 0
    assert value(registry, "request_duration_seconds_bucket", server="lab", le="0.025") == 2
    assert value(registry, "request_duration_seconds_bucket", server="lab", le="+Inf") == 2
    assert value(registry, "request_duration_seconds_count", server="lab") == 2
    assert value(registry, "request_duration_seconds_sum", server="lab") == pytest.approx(0.04)


def test_what_is_open_and_what_went_through(registry: CollectorRegistry) -> None:
    traffic = Traffic()
    traffic.began()
    traffic.began(upgrade=True)
    traffic.began(upgrade=True)
    traffic.received, traffic.sent = 10, 20
    register(MetricsCollector([], {"lab": traffic}), registry)
    assert value(registry, "requests_open", server="lab") == 1
    assert value(registry, "websockets_open", server="lab") == 2
    assert value(registry, "received_bytes_total", server="lab") == 10
    assert value(registry, "sent_bytes_total", server="lab") == 20


@pytest.mark.parametrize("state", list(State))
def test_one_state_is_1_and_the_others_are_0(registry: CollectorRegistry, state: State) -> None:
    register(MetricsCollector([managed("lab", state)], {}), registry)
    values = {each: value(registry, "server_state", server="lab", state=each.value) for each in State}
    assert values == {each: float(each is state) for each in State}


def test_starts_are_as_the_server_tells(registry: CollectorRegistry) -> None:
    register(MetricsCollector([managed("lab", starts=3, restarts=1)], {}), registry)
    assert value(registry, "server_starts_total", server="lab") == 3
    assert value(registry, "server_restarts_total", server="lab") == 1
    assert value(registry, "server_failures_total", server="lab", kind="start") == 0
    assert value(registry, "server_failures_total", server="lab", kind="crash") == 0
    assert value(registry, "server_start_duration_seconds_count", server="lab") == 0


def test_durations_and_failures_of_starts_are_counted_as_they_happen(registry: CollectorRegistry) -> None:
    server = managed("lab", start_seconds=0.3)
    collector = MetricsCollector([server, managed("other")], {})
    register(collector, registry)
    collector.observe(server, State.STOPPED, State.STARTING)
    collector.observe(server, State.STARTING, State.STARTING)
    collector.observe(server, State.STARTING, State.FAILED)
    collector.observe(server, State.FAILED, State.STARTING)
    collector.observe(server, State.STARTING, State.READY)
    collector.observe(server, State.READY, State.READY)
    assert value(registry, "server_failures_total", server="lab", kind="start") == 1
    assert value(registry, "server_start_duration_seconds_count", server="lab") == 1
    assert value(registry, "server_start_duration_seconds_bucket", server="lab", le="0.25") == 0
    assert value(registry, "server_start_duration_seconds_bucket", server="lab", le="0.5") == 1
    assert value(registry, "server_failures_total", server="other", kind="start") == 0


@pytest.mark.parametrize(
    ("ended", "crashes"),
    [
        (Exit(1, None, 1005.0), 1),
        (Exit(None, "SIGKILL", 1005.0), 1),
        (Exit(0, None, 1005.0), 0),  # it has daemonized, or has done its work
        (Exit(1, None, 999.0), 0),  # an earlier process: this one is being stopped
        (None, 0),
    ],
)
def test_an_end_that_nobody_asked_for_is_a_crash(registry: CollectorRegistry, ended: Exit | None, crashes: int) -> None:
    server = managed("lab", started=1000.0, last_exit=ended)
    collector = MetricsCollector([server], {})
    register(collector, registry)
    collector.observe(server, State.READY, State.STOPPING)
    collector.observe(server, State.STOPPING, State.STOPPED)
    assert value(registry, "server_failures_total", server="lab", kind="crash") == crashes


def test_the_last_use_is_known_once_there_was_one(registry: CollectorRegistry) -> None:
    register(MetricsCollector([managed("lab", last_used=1000.5), managed("other")], {}), registry)
    assert value(registry, "server_last_used_timestamp_seconds", server="lab") == 1000.5
    assert value(registry, "server_last_used_timestamp_seconds", server="other") is None


def test_a_server_that_was_not_started_by_us_has_no_duration(registry: CollectorRegistry) -> None:
    server = managed("lab", start_seconds=None)
    collector = MetricsCollector([server], {})
    register(collector, registry)
    collector.observe(server, State.STARTING, State.READY)
    assert value(registry, "server_start_duration_seconds_count", server="lab") == 0


def test_servers_and_traffic_are_read_when_asked(registry: CollectorRegistry) -> None:
    servers: list[Any] = []
    traffic: dict[str, Traffic] = {}
    register(MetricsCollector(servers, traffic), registry)
    servers.append(managed("late"))
    traffic["late"] = served(200)
    assert value(registry, "requests_total", server="late", code="200") == 1
    assert value(registry, "server_state", server="late", state="ready") == 1


def test_the_exposition_can_be_parsed_and_is_described(registry: CollectorRegistry) -> None:
    register(MetricsCollector([managed('a "name"\n')], {'a "name"\n': served(200)}), registry)
    families = list(text_string_to_metric_families(generate_latest(registry).decode()))
    assert {family.name for family in families} >= {
        "jupyter_server_proxy_requests",
        "jupyter_server_proxy_request_duration_seconds",
        "jupyter_server_proxy_server_state",
    }
    for family in families:
        assert family.name.startswith("jupyter_server_proxy_")
        assert family.documentation.endswith(".")
    assert 'a "name"\n' in {sample.labels["server"] for family in families for sample in family.samples}


def test_a_second_registration_replaces_the_first(registry: CollectorRegistry) -> None:
    """Two Jupyter servers in one process, one after the other or at once."""
    first, second = MetricsCollector([], {"one": served(200)}), MetricsCollector([], {"two": served(200)})
    register(first, registry)
    register(second, registry)
    assert value(registry, "requests_total", server="one", code="200") is None
    assert value(registry, "requests_total", server="two", code="200") == 1
    unregister(first, registry)
    assert value(registry, "requests_total", server="two", code="200") == 1
    unregister(second, registry)
    unregister(second, registry)
    assert generate_latest(registry) == b""
    register(first, registry)
    assert value(registry, "requests_total", server="one", code="200") == 1


def test_jupyters_own_registry_is_the_default() -> None:
    from prometheus_client import REGISTRY

    collector = MetricsCollector([], {"of this test": served(200)})
    register(collector)
    try:
        assert value(REGISTRY, "requests_total", server="of this test", code="200") == 1
    finally:
        unregister(collector)
    assert value(REGISTRY, "requests_total", server="of this test", code="200") is None


def test_metrics_of_somebody_else_are_not_replaced(registry: CollectorRegistry) -> None:
    Gauge("jupyter_server_proxy_requests_open", "Somebody else's.", registry=registry)
    with pytest.raises(ValueError, match="requests_open"):
        register(MetricsCollector([], {}), registry)
