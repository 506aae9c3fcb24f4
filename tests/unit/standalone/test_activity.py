"""What JupyterHub is told, and when."""

from __future__ import annotations

import json
import logging
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from jupyter_server_proxy.standalone import activity as module
from jupyter_server_proxy.standalone.activity import ActivityReporter

NOON = datetime(2026, 5, 1, 12, 0, tzinfo=timezone.utc)


class FakeClient:
    """Keeps what is sent; fails when it is told to."""

    sent: list[Any]
    fails = False

    async def fetch(self, request: Any) -> None:
        if self.fails:
            raise OSError("the Hub has gone")
        self.sent.append(request)


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> FakeClient:
    client = FakeClient()
    client.sent = []
    monkeypatch.setattr(module, "AsyncHTTPClient", lambda: client)
    return client


def reporter(times: dict[str, datetime], name: str = "") -> ActivityReporter:
    return ActivityReporter("http://hub/activity", "t0ken", name, times, interval=60, log=logging.getLogger("test"))


async def test_nothing_is_told_before_there_was_activity(client: FakeClient) -> None:
    assert not await reporter({}).report()
    assert client.sent == []


@pytest.mark.parametrize("name", ["", "desk"])
async def test_the_latest_activity_is_told_once(client: FakeClient, name: str) -> None:
    times = {"app": NOON, "other": NOON - timedelta(hours=1)}
    one = reporter(times, name)
    assert await one.report()
    [request] = client.sent
    when = "2026-05-01T12:00:00Z"
    assert json.loads(request.body) == {"servers": {name: {"last_activity": when}}, "last_activity": when}
    assert (request.method, request.url, request.headers["Authorization"]) == (
        "POST",
        "http://hub/activity",
        "token t0ken",
    )
    assert not await one.report()
    times["app"] = NOON + timedelta(seconds=1)
    assert await one.report()
    assert len(client.sent) == 2


async def test_what_was_not_told_is_told_later(client: FakeClient) -> None:
    one = reporter({"app": NOON})
    client.fails = True
    with pytest.raises(OSError, match="gone"):
        await one.report()
    client.fails = False
    assert await one.report()
