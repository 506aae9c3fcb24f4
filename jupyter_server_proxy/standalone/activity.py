"""Tells JupyterHub when the application was last used, so that idle servers can be culled.

JupyterHub's REST API, ``POST /users/{name}/activity``. Nothing is told while nothing happens.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import ssl
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tornado.httpclient import AsyncHTTPClient, HTTPRequest

#: Seconds until a report that has failed is tried again; the time of the activity stays as it was.
RETRY_PAUSE = 15.0

#: Seconds that the Hub gets to answer.
_TIMEOUT = 20.0


class ActivityReporter:
    """Reports the latest activity at intervals.

    Args:
        url: of the Hub's API.
        token: of this server.
        server_name: "" is the user's default server.
        times: when there was activity, by what; changes while this runs.
        interval: seconds between two reports.
        log: for failures.
        tls: how to connect to the Hub where it asks for certificates.
    """

    def __init__(
        self,
        url: str,
        token: str,
        server_name: str,
        times: Mapping[str, datetime],
        *,
        interval: float,
        log: logging.Logger,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._url = url
        self._token = token
        self._server_name = server_name
        self._times = times
        self._interval = interval
        self._log = log
        self._tls = tls
        self._reported: datetime | None = None

    async def run(self) -> None:
        """Report until cancelled."""
        while True:
            pause = self._interval
            try:
                await self.report()
            except Exception as error:
                self._log.warning("JupyterHub could not be told of activity: %s", error)
                pause = min(pause, RETRY_PAUSE)
            # Many servers start at the same time in the morning: they should not all report at the same time.
            await asyncio.sleep(pause * random.uniform(0.9, 1.1))

    async def report(self) -> bool:
        """Report, if there was activity since the last report; returns whether.

        Raises:
            Exception: the Hub was not reached, or did not accept it.
        """
        latest = max(self._times.values(), default=None)
        if latest is None or (self._reported is not None and latest <= self._reported):
            return False
        when = latest.isoformat().replace("+00:00", "Z")
        content: dict[str, Any] = {"servers": {self._server_name: {"last_activity": when}}, "last_activity": when}
        await AsyncHTTPClient().fetch(
            HTTPRequest(
                self._url,
                method="POST",
                headers={"Authorization": f"token {self._token}", "Content-Type": "application/json"},
                body=json.dumps(content),
                connect_timeout=_TIMEOUT,
                request_timeout=_TIMEOUT,
                ssl_options=self._tls,
            )
        )
        self._reported = latest
        self._log.debug("Told JupyterHub of activity at %s", when)
        return True
