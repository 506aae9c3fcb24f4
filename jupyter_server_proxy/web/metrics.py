"""Prometheus metrics, read from the servers and their traffic when Prometheus asks: a request costs nothing here.

To be wired when the extension is loaded, and when it stops::

    collector = MetricsCollector(supervisor, traffic)  # traffic: name of the server -> Traffic; "" for /proxy/...
    remove = supervisor.watch(collector.observe)
    register(collector)  # in the registry that Jupyter's /metrics serves
    ...
    unregister(collector)

Labels take few values: the names of configured servers, "" for all that is reached by ``/proxy/<port>``, status codes,
and states. ``docs/observability.md`` has the table of metrics.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import inf
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from ..supervise.facts import Facts, State
from .traffic import Histogram, Traffic

if TYPE_CHECKING:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
    from prometheus_client.registry import CollectorRegistry

    from ..supervise.server import ManagedServer

PREFIX = "jupyter_server_proxy_"

#: Upper bounds of the durations of starts that are told apart, in seconds.
START_BOUNDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0)

#: Kinds of failures of a server.
FAILURES = ("start", "crash")

#: Label for statuses that HTTP does not define: an application could send any three digits.
OTHER_STATUS = "other"


class MetricsCollector:
    """A collector in the sense of ``prometheus_client``.

    Args:
        servers: all that are configured.
        traffic: of each, by its name; "" is that of addresses which are not configured.
    """

    def __init__(self, servers: Iterable[ManagedServer], traffic: Mapping[str, Traffic]) -> None:
        self._servers = servers
        self._traffic = traffic
        self._starts: dict[str, Histogram] = {}
        self._failures: dict[tuple[str, str], int] = {}

    def observe(self, server: ManagedServer, old: State, new: State) -> None:
        """To be given to ``Supervisor.watch``: counts what a look at the servers does not tell later."""
        name, facts = server.spec.name, server.facts()
        if old is State.STARTING and new is State.FAILED:
            self._count_failure(name, "start")
        elif old is State.READY and new is State.STOPPING and _has_crashed(facts):
            self._count_failure(name, "crash")
        elif old is State.STARTING and new is State.READY and facts.start_seconds is not None:
            self._starts.setdefault(name, Histogram(START_BOUNDS)).add(facts.start_seconds)

    def _count_failure(self, name: str, kind: str) -> None:
        self._failures[name, kind] = self._failures.get((name, kind), 0) + 1

    def describe(self) -> Iterable[Metric]:
        """The metrics without values: their names are what the registry compares."""
        return [*_traffic_metrics({}), *self._server_metrics([])]

    def collect(self) -> Iterator[Metric]:
        """The metrics as they are now."""
        yield from _traffic_metrics(dict(self._traffic))
        yield from self._server_metrics(list(self._servers))

    def _server_metrics(self, servers: list[ManagedServer]) -> Iterator[Metric]:
        state = _gauge("server_state", "1 for the state that the server is in, 0 for the others.", "state")
        starts = _counter("server_starts", "Times that the process of the server was started.")
        restarts = _counter(
            "server_restarts", "Those starts that followed an unexpected end, or were asked for as restarts."
        )
        failures = _counter(
            "server_failures",
            "Starts that failed, and crashes: ends by itself while it was ready, unless with exit code 0.",
            "kind",
        )
        duration = _histogram("server_start_duration_seconds", "Time from the start of the server until it was ready.")
        last_used = _gauge("server_last_used_timestamp_seconds", "When the server was last used; absent if never.")
        for server in servers:
            name, facts = server.spec.name, server.facts()
            for each in State:
                state.add_metric([name, each.value], float(facts.state is each))
            starts.add_metric([name], facts.starts)
            restarts.add_metric([name], facts.restarts)
            for kind in FAILURES:
                failures.add_metric([name, kind], self._failures.get((name, kind), 0))
            _add_histogram(duration, name, self._starts.get(name) or Histogram(START_BOUNDS))
            if facts.last_used is not None:
                last_used.add_metric([name], facts.last_used)
        return iter((state, starts, restarts, failures, duration, last_used))


def _has_crashed(facts: Facts) -> bool:
    """Whether a server that is no longer ready has ended by itself: its process ended before anybody stopped it."""
    ended = facts.last_exit
    return ended is not None and ended.code != 0 and facts.started is not None and ended.time >= facts.started


def _traffic_metrics(traffic: Mapping[str, Traffic]) -> Iterator[Metric]:
    requests = _counter("requests", "Requests that have ended; code 101 is websockets that were closed.", "code")
    duration = _histogram(
        "request_duration_seconds", "Time from the head of a request to the end of its answer, unless it was upgraded."
    )
    received = _counter("received_bytes", "Bytes of request bodies and upgraded connections from clients.")
    sent = _counter("sent_bytes", "Bytes of response bodies and upgraded connections to clients.")
    requests_open = _gauge("requests_open", "Requests being served now, without websockets.")
    websockets_open = _gauge("websockets_open", "Websockets and other upgraded connections open now.")
    for name, one in traffic.items():
        for code, count in _by_code(one).items():
            requests.add_metric([name, code], count)
        _add_histogram(duration, name, one.latency)
        received.add_metric([name], one.received)
        sent.add_metric([name], one.sent)
        requests_open.add_metric([name], one.open)
        websockets_open.add_metric([name], one.websockets_open)
    return iter((requests, duration, received, sent, requests_open, websockets_open))


def _by_code(traffic: Traffic) -> dict[str, int]:
    counts: dict[str, int] = {}
    for status, count in traffic.by_status.copy().items():
        code = str(status) if 100 <= status <= 599 else OTHER_STATUS
        counts[code] = counts.get(code, 0) + count
    return counts


# ---- metrics without values; each has the label "server"


def _counter(name: str, text: str, *labels: str) -> CounterMetricFamily:
    from prometheus_client.core import CounterMetricFamily

    return CounterMetricFamily(PREFIX + name, text, labels=["server", *labels])


def _gauge(name: str, text: str, *labels: str) -> GaugeMetricFamily:
    from prometheus_client.core import GaugeMetricFamily

    return GaugeMetricFamily(PREFIX + name, text, labels=["server", *labels])


def _histogram(name: str, text: str) -> HistogramMetricFamily:
    from prometheus_client.core import HistogramMetricFamily

    return HistogramMetricFamily(PREFIX + name, text, labels=["server"])


def _add_histogram(metric: HistogramMetricFamily, name: str, histogram: Histogram) -> None:
    buckets = [("+Inf" if bound == inf else str(bound), count) for bound, count in histogram.cumulative()]
    metric.add_metric([name], buckets=buckets, sum_value=histogram.total)


# ---- the registry

#: What each registry has of ours: it takes a name once only, and several Jupyter servers may run in one process.
_registered: WeakKeyDictionary[CollectorRegistry, MetricsCollector] = WeakKeyDictionary()


def register(collector: MetricsCollector, registry: CollectorRegistry | None = None) -> None:
    """Have the metrics served; a collector that was registered before is replaced.

    Args:
        collector: reads the metrics.
        registry: where; without it, the one that Jupyter's ``/metrics`` serves.

    Raises:
        ValueError: somebody else has registered metrics of these names.
    """
    from prometheus_client import REGISTRY

    registry = registry or REGISTRY
    earlier = _registered.pop(registry, None)
    if earlier is not None:
        registry.unregister(earlier)
    registry.register(collector)
    _registered[registry] = collector


def unregister(collector: MetricsCollector, registry: CollectorRegistry | None = None) -> None:
    """Undo ``register``; nothing happens if another collector has taken its place."""
    from prometheus_client import REGISTRY

    registry = registry or REGISTRY
    if _registered.get(registry) is collector:
        del _registered[registry]
        registry.unregister(collector)
