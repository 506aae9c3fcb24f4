"""How long to wait before a server that keeps failing is started again."""

from __future__ import annotations


def next_delay(failures: int, first: float, longest: float) -> float:
    """Seconds until the next start.

    Args:
        failures: consecutive ones, the latest included; 0 means that it may start at once.
        first: seconds after the first failure; doubled with each further one.
        longest: seconds that are never exceeded.
    """
    if failures <= 0:
        return 0.0
    return min(longest, first * 2.0 ** min(failures - 1, 30))
