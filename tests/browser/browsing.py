"""What the browser tests share: which browser it is, and what axe says about a page."""

from __future__ import annotations

import os
from collections.abc import Callable

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Page

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
]  # fmt: skip

#: Milliseconds that anything may take on a busy machine.
PATIENCE = 30_000

#: What the browser says about each answer that is an error, or that does not come: these pages live with both.
#: And about frames of applications with cookies of their own, which share Jupyter's origin as in a tab of the browser.
EXPECTED = ("Language pack", "Failed to load resource", "An iframe which has both allow-scripts and allow-same-origin")

OpenContext = Callable[..., BrowserContext]


def violations(page: Page) -> str:
    """What axe finds in a page that is serious or worse, as a report; "" for nothing."""
    results = Axe().run(page)
    found = [one for one in results.response["violations"] if one["impact"] in ("serious", "critical")]
    return "\n".join(f"{one['id']}: {[node['html'] for node in one['nodes']]}" for one in found)
