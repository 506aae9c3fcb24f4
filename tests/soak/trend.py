"""Is a series of measurements flat?"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Trend:
    """What became of one quantity.

    Args:
        name: of the quantity.
        start: median of the first third after the warm-up.
        growth: of the line through the samples, from the first to the last.
        limit: growth that still counts as flat.
    """

    name: str
    start: float
    growth: float
    limit: float

    @property
    def flat(self) -> bool:
        """Shrinking is no fault."""
        return self.growth <= self.limit


def judge(name: str, times: Sequence[float], values: Sequence[float], limit: float, share: float = 0.0) -> Trend:
    """Fit a line, and compare its rise to what is allowed.

    The line is that of Theil and Sen, whose slope is the median of the slopes between all pairs of samples: a few peaks
    do not move it, a steady leak does.

    Args:
        name: of the quantity.
        times, values: the samples after the warm-up.
        limit: growth from the first sample to the last that is allowed.
        share: the same as a part of the first values; the larger of the two counts.
    """
    slopes = [
        (v - u) / (t - s) for (s, u), (t, v) in itertools.combinations(zip(times, values, strict=True), 2) if t > s
    ]
    start = statistics.median(values[: max(1, len(values) // 3)])
    growth = statistics.median(slopes) * (times[-1] - times[0])
    return Trend(name, start, growth, max(limit, share * start))
