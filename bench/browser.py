"""Chromium, told what to do by the DevTools protocol, with nothing switched on that watches its requests."""

from __future__ import annotations

import contextlib
import json
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from websockets.sync.client import connect

ARGUMENTS = [
    "--headless=new", "--remote-debugging-port=0", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
    "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-extensions", "about:blank",
]  # fmt: skip


class Browser:
    """A Chromium, until ``close``.

    Args:
        program: its path.
    """

    def __init__(self, program: str) -> None:
        self._stack = contextlib.ExitStack()
        profile = Path(self._stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        self._process = subprocess.Popen(
            [program, f"--user-data-dir={profile}", *ARGUMENTS], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        self._stack.callback(self._process.wait)
        self._stack.callback(self._process.terminate)
        told = profile / "DevToolsActivePort"
        deadline = time.monotonic() + 60
        while not (told.exists() and len(lines := told.read_text().splitlines()) == 2):
            if time.monotonic() > deadline or self._process.poll() is not None:
                self.close()
                raise RuntimeError(f"{program} does not start")
            time.sleep(0.02)
        self._socket = self._stack.enter_context(connect(f"ws://127.0.0.1:{lines[0]}{lines[1]}", max_size=None))
        self._last = 0

    def close(self) -> None:
        """End it."""
        self._stack.close()

    def send(self, method: str, session: str = "", **parameters: Any) -> dict[str, Any]:
        """The result of a command.

        Raises:
            RuntimeError: the browser refuses it.
        """
        self._last += 1
        command = {"id": self._last, "method": method, "params": parameters}
        self._socket.send(json.dumps({**command, "sessionId": session} if session else command))
        while (answer := json.loads(self._socket.recv(timeout=60))).get("id") != self._last:
            pass
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return dict(answer["result"])

    def evaluate(self, session: str, expression: str) -> Any:
        """A value in a page."""
        return self.send("Runtime.evaluate", session, expression=expression, returnByValue=True)["result"].get("value")

    def load(self, url: str, cookies: dict[str, str], assets: str) -> tuple[float, int]:
        """Load a page in a context of its own: no cache, no connections from before.

        Args:
            url: of the page.
            cookies: to send.
            assets: a part of the URLs of what the page loads.

        Returns:
            Milliseconds from the start of the navigation until all is loaded, and the number of assets that came.
        """
        context = self.send("Target.createBrowserContext")["browserContextId"]
        try:
            given = [{"name": name, "value": value, "url": url} for name, value in cookies.items()]
            self.send("Storage.setCookies", cookies=given, browserContextId=context)
            target = self.send("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
            session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            self.evaluate(session, "1")  # the process of the page has started
            time.sleep(0.3)
            self.send("Page.navigate", session, url=url)
            time.sleep(0.5)  # nobody asks the page anything while it loads
            timing = "performance.getEntriesByType('navigation')[0]?.loadEventEnd ?? 0"
            deadline = time.monotonic() + 60
            while not (loaded := self.evaluate(session, timing)):
                if time.monotonic() > deadline:
                    raise RuntimeError(f"{url} does not load")
                time.sleep(0.1)
            came = "performance.getEntriesByType('resource').filter(one => one.responseStatus === 200"
            return float(loaded), int(self.evaluate(session, f"{came} && one.name.includes('{assets}')).length"))
        finally:
            self.send("Target.disposeBrowserContext", browserContextId=context)
