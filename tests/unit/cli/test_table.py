"""Tables, times and sizes."""

from __future__ import annotations

import pytest

from jupyter_server_proxy.cli.table import describe_age, describe_duration, describe_size, layout, parse_time


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    rows = layout(["A", "BB", "C"], [["aaa", "1", "x"], ["a", "222", "long"]], right=[1])
    assert [" ".join(row) for row in rows] == ["A    BB C", "aaa   1 x", "a   222 long"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-5, "0 s"), (0, "0 s"), (59.9, "59 s"), (60, "1 min"), (3599, "59 min"), (3600, "1 h"), (172800, "2 d")],
)
def test_durations(seconds: float, text: str) -> None:
    assert describe_duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (None, "-"), (0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (52_428_800, "52 MB"), (2_500_000_000, "2.5 GB"),
        (10**15, "1000 TB"),
    ],
)  # fmt: skip
def test_sizes(count: float | None, text: str) -> None:
    assert describe_size(count) == text


def test_times_are_utc() -> None:
    assert parse_time("1970-01-01T00:01:00.500Z") == 60.5
    assert describe_age("1970-01-01T00:01:00.500Z", now=62) == "1 s"
    assert describe_age(None, now=62) == "-"
