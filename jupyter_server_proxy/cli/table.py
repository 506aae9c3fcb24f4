"""Tables, times and sizes for people."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone

#: What stands for a value that there is not.
NOTHING = "-"

_TIME_UNITS = ((86400, "d"), (3600, "h"), (60, "min"))
_SIZE_UNITS = ("B", "kB", "MB", "GB", "TB")


def layout(header: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> list[list[str]]:
    """Cells that are padded to the width of their columns; the last column is not.

    Args:
        header: titles of the columns.
        rows: of cells, as many as the header has.
        right: numbers of the columns that are aligned to the right.
    """
    widths = [max(len(row[index]) for row in [header, *rows]) for index in range(len(header))]
    return [
        [
            cell.rjust(width) if index in right else cell if index == len(header) - 1 else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        for row in [header, *rows]
    ]


def describe_duration(seconds: float) -> str:
    """Such as "5 min"."""
    for size, unit in _TIME_UNITS:
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{max(0, int(seconds))} s"


def describe_age(timestamp: str | None, now: float) -> str:
    """How long ago a moment was.

    Args:
        timestamp: as RFC 3339 says, in UTC.
        now: seconds since the epoch.
    """
    if timestamp is None:
        return NOTHING
    return describe_duration(now - parse_time(timestamp))


def parse_time(timestamp: str) -> float:
    """Seconds since the epoch of a moment such as "2030-01-31T12:00:00.000Z"."""
    moment = datetime.strptime(timestamp, "%Y-%m-%dT%H:%M:%S.%fZ")
    return moment.replace(tzinfo=timezone.utc).timestamp()


def describe_size(count: float | None) -> str:
    """Bytes, such as "52 MB"."""
    if count is None:
        return NOTHING
    units = iter(_SIZE_UNITS)
    unit = next(units)
    while count >= 1000 and unit != _SIZE_UNITS[-1]:
        count, unit = count / 1000, next(units)
    return f"{count:.0f} {unit}" if unit == "B" or count >= 10 else f"{count:.1f} {unit}"
