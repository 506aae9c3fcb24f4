"""Counting what goes through a server."""

from __future__ import annotations

import math

import pytest

from jupyter_server_proxy.web.traffic import LATENCY_BOUNDS, Histogram, Traffic


def test_a_new_one_has_seen_nothing() -> None:
    traffic = Traffic()
    assert (traffic.open, traffic.websockets_open, traffic.requests, traffic.errors) == (0, 0, 0, 0)
    assert (traffic.received, traffic.sent, traffic.by_status) == (0, 0, {})
    assert traffic.latency.cumulative()[-1] == (math.inf, 0)


def test_a_request_is_open_until_it_has_ended() -> None:
    traffic = Traffic()
    traffic.began()
    traffic.began()
    assert (traffic.requests, traffic.open, traffic.websockets_open) == (2, 2, 0)
    traffic.ended(200, 0.1)
    assert (traffic.requests, traffic.open) == (2, 1)
    assert traffic.by_status == {200: 1}


def test_a_websocket_is_open_apart_from_requests_and_is_no_latency() -> None:
    traffic = Traffic()
    traffic.began(upgrade=True)
    assert (traffic.requests, traffic.open, traffic.websockets_open) == (1, 0, 1)
    traffic.ended(101, 3600.0, upgrade=True)
    assert (traffic.open, traffic.websockets_open) == (0, 0)
    assert traffic.by_status == {101: 1}
    assert traffic.latency.cumulative()[-1] == (math.inf, 0)


def test_an_upgrade_that_is_refused_is_an_answer_like_any_other() -> None:
    traffic = Traffic()
    traffic.began(upgrade=True)
    traffic.ended(403, 0.1, upgrade=True)
    assert traffic.websockets_open == 0
    assert traffic.latency.cumulative()[-1] == (math.inf, 1)


@pytest.mark.parametrize(("status", "errors"), [(101, 0), (200, 0), (404, 0), (499, 0), (500, 1), (503, 1)])
def test_errors_are_answers_from_500_up(status: int, errors: int) -> None:
    traffic = Traffic()
    traffic.began()
    traffic.ended(status, 0.0)
    assert traffic.errors == errors


def test_bytes_are_added_by_the_caller() -> None:
    traffic = Traffic()
    traffic.received += 3
    traffic.sent += 5
    assert (traffic.received, traffic.sent) == (3, 5)


def test_a_traffic_has_no_other_attributes() -> None:
    """A misspelt counter must fail, and not count elsewhere."""
    traffic = Traffic()
    with pytest.raises(AttributeError):
        traffic.recieved = 1  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("value", "bucket"),
    [(0.0, 0), (0.9, 0), (1.0, 0), (1.1, 1), (2.0, 1), (2.1, 2), (1e9, 2)],
)
def test_a_value_at_a_bound_belongs_below_it(value: float, bucket: int) -> None:
    """As Prometheus' "le" has it."""
    histogram = Histogram([1.0, 2.0])
    histogram.add(value)
    assert histogram.counts.index(1) == bucket
    assert histogram.total == value


def test_buckets_are_told_with_all_that_is_below_them() -> None:
    histogram = Histogram([1.0, 2.0])
    for value in (0.5, 0.6, 1.5, 7.0):
        histogram.add(value)
    assert histogram.cumulative() == [(1.0, 2), (2.0, 3), (math.inf, 4)]
    assert histogram.total == pytest.approx(9.6)


def test_latencies_are_told_apart_from_5_ms_to_a_minute() -> None:
    assert LATENCY_BOUNDS[0] == 0.005
    assert LATENCY_BOUNDS[-1] == 60.0
    assert list(LATENCY_BOUNDS) == sorted(set(LATENCY_BOUNDS))


def test_histograms_do_not_share_their_counts() -> None:
    one, other = Traffic(), Traffic()
    one.began()
    one.ended(200, 1.0)
    assert other.latency.cumulative()[-1] == (math.inf, 0)
    assert other.by_status == {}
