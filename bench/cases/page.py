"""A page with 100 assets, in a real browser: HTTP/1.1, six connections."""

from __future__ import annotations

import os
import shutil
from typing import Any

from ..rig import Rig
from ..table import Effort, Table
from ..way import Way, in_turn

#: What the browser itself says about the page that it has just loaded.
LOADED = "() => performance.getEntriesByType('navigation')[0].loadEventEnd"
ASSETS = "() => performance.getEntriesByType('resource').filter(one => one.responseStatus === 200).length"


def page(rig: Rig, effort: Effort) -> list[Table]:
    """From the start of the navigation until everything is loaded; nothing is cached."""
    browser_path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if browser_path is None:
        print("skipped: page (there is no Chromium: install it, or set CHROMIUM)")
        return []
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        print("skipped: page (there is no playwright)")
        return []
    table = Table("page", "milliseconds: page with 100 assets of 4 KiB in Chromium", False)
    ways = [*rig.peers(), rig.new(), rig.old()]
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=arguments)
        try:
            load_page(browser, rig.direct())  # the first page of a browser takes longer
            for way in in_turn(Effort(effort.many(max(effort.rounds, 5)), 0), ways):
                table.add(way.name, load_page(browser, way))
        finally:
            browser.close()
    return [table]


def load_page(browser: Any, way: Way) -> float:
    """Milliseconds, in a context of its own: no cache, no connections from before."""
    cookies = [
        {"name": name, "value": value, "url": f"http://127.0.0.1:{way.port}"}
        for name, _, value in (one.strip().partition("=") for one in way.headers.get("Cookie", "").split(";"))
        if name
    ]
    context = browser.new_context()
    try:
        context.add_cookies(cookies)
        tab = context.new_page()
        tab.goto(way.url("/page"), wait_until="load", timeout=60_000)
        tab.wait_for_function("() => performance.getEntriesByType('navigation')[0].loadEventEnd > 0")
        assets = tab.evaluate(ASSETS)
        if assets != 100:
            raise RuntimeError(f"{way.name}: {assets} assets came")
        return float(tab.evaluate(LOADED))
    finally:
        context.close()
