"""Figures of one case: by way and round; medians, ratios."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Effort:
    """How long to measure.

    Args:
        rounds: figures per way; the median counts.
        seconds: for each figure that is a rate.
        quick: only see whether everything works: smaller bodies, fewer repetitions.
    """

    rounds: int
    seconds: float
    quick: bool = False

    def many(self, number: int) -> int:
        """A number of repetitions, or a tenth of it."""
        return max(number // 10, 1) if self.quick else number


@dataclass
class Table:
    """Figures by way.

    Args:
        name: for targets and results; unique.
        title: what was measured, and in which unit.
        more_is_better: otherwise less is; of figures that are neither, ``None``.
        note: a sentence to stand below the figures.
    """

    name: str
    title: str
    more_is_better: bool | None = True
    note: str = ""
    figures: dict[str, list[float]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    def add(self, way: str, figure: float) -> None:
        """One figure of one round."""
        self.figures.setdefault(way, []).append(figure)

    def median(self, way: str) -> float:
        """Over the rounds; nan where nothing was measured."""
        return statistics.median(self.figures[way]) if self.figures.get(way) else math.nan

    def ratio(self, way: str, base: str) -> float:
        """How many times better the median is than that of another way; nan where that says nothing."""
        ours, theirs = self.median(way), self.median(base)
        if self.more_is_better is None or math.isnan(ours) or math.isnan(theirs) or ours <= 0 or theirs <= 0:
            return math.nan
        return ours / theirs if self.more_is_better else theirs / ours

    def headroom(self) -> float:
        """How many times better direct is than the best proxy: whether load or origin may be the limit."""
        ratios = [self.ratio("direct", way) for way in self.figures if way != "direct"]
        return min((ratio for ratio in ratios if not math.isnan(ratio)), default=math.nan)
