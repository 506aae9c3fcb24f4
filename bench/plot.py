"""A plot of the medians: one group of bars for each table, as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from .table import Table

WIDTH, LABELS, BARS, ROW, GAP = 960, 190, 640, 16, 46
COLOURS = {
    "new": "#1a7f5a",
    "4.6": "#c2571a",
    "nginx": "#5b7a99",
    "configurable-http-proxy": "#8a6fb0",
    "direct": "#b5b5b5",
}
STYLE = "text { font: 12px sans-serif; fill: #222 } .title { font-weight: bold } .quiet { fill: #666 }"


def drawing(tables: Sequence[Table]) -> str:
    """The whole picture. Each group has its own scale; what is outside of it by far, as direct often is, is cut off."""
    parts: list[str] = []
    y = 20
    for table in tables:
        if table.figures:
            parts.append(group(table, y))
            y += ROW * len(table.figures) + GAP
    frame = f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y}" viewBox="0 0 {WIDTH} {y}">'
    return "\n".join(
        [frame, f"<style>{STYLE}</style>", '<rect width="100%" height="100%" fill="#fff"/>', *parts, "</svg>\n"]
    )


def group(table: Table, y: int) -> str:
    """The bars of one table."""
    medians = {way: max(table.median(way), 0.0) for way in table.figures}
    proxied = [median for way, median in medians.items() if way != "direct"] or list(medians.values())
    scale = max(proxied) * 1.1 or 1.0
    better = {True: "more is better", False: "less is better", None: ""}[table.more_is_better]
    lines = [f'<text class="title" x="10" y="{y}">{escape(table.title)} '
             f'<tspan class="quiet" font-weight="normal">{better}</tspan></text>']  # fmt: skip
    for row, (way, median) in enumerate(medians.items()):
        top = y + 8 + row * ROW
        length = min(median / scale, 1.0) * BARS
        cut = " »" if median > scale else ""
        lines += [
            f'<text x="{LABELS - 8}" y="{top + 11}" text-anchor="end">{escape(way)}</text>',
            f'<rect x="{LABELS}" y="{top}" width="{length:.1f}" height="{ROW - 3}" fill="{colour(way)}"/>',
            f'<text class="quiet" x="{LABELS + length + 6:.1f}" y="{top + 11}">{figure(median)}{cut}</text>',
        ]
    return "\n".join(lines)


def colour(way: str) -> str:
    """By what it is."""
    return next((value for name, value in COLOURS.items() if way.startswith(name)), "#888")


def figure(value: float) -> str:
    """Short."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
