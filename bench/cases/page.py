"""A page with 100 assets, in a real browser: HTTP/1.1, six connections."""

from __future__ import annotations

import os
import shutil

from .. import environments
from ..browser import Browser
from ..rig import Rig
from ..table import Effort, Table
from ..way import Way, in_turn

NOTE = "Direct is the browser's own time, which all others contain."


def page(rig: Rig, effort: Effort) -> list[Table]:
    """From the start of the navigation until everything is loaded; nothing is cached."""
    program = os.environ.get("CHROMIUM") or shutil.which("chromium-browser")
    program = program or environments.program("chromium", "chromium fonts-dejavu-core")
    if program is None:
        return []
    table = Table("page", "milliseconds: page with 100 assets of 4 KiB in Chromium", False, NOTE)
    added = Table("page-added", "milliseconds that each adds to direct, in the same round: that page", False)
    ways = [*rig.peers(), rig.new(), rig.old()]
    direct = 0.0
    browser = Browser(program)
    try:
        for way in in_turn(Effort(1, 0), ways):
            load(browser, way)  # the first page takes longer
        for way in in_turn(Effort(3 if effort.quick else 5 * effort.rounds, 0), ways):
            spent = load(browser, way)
            table.add(way.name, spent)
            if way.name == "direct":
                direct = spent
            else:
                added.add(way.name, spent - direct)
    finally:
        browser.close()
    return [table, added]


def load(browser: Browser, way: Way) -> float:
    """Milliseconds."""
    fields = (field.strip().partition("=") for field in way.headers.get("Cookie", "").split(";"))
    cookies = {name: value for name, _, value in fields if name}
    spent, assets = browser.load(way.url("/page"), cookies, "/asset/")
    if assets != 100:
        raise RuntimeError(f"{way.name}: {assets} assets came")
    return spent
