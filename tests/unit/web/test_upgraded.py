"""What is left of a request that became a websocket."""

from __future__ import annotations

import asyncio
import logging
from types import SimpleNamespace
from typing import Any

import pytest
from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine

from jupyter_server_proxy.relay.duplex import Duplex
from jupyter_server_proxy.upstream.address import loopback
from jupyter_server_proxy.web.upgraded import PackedRequest, Upgraded

ADDRESS = loopback(8000)


def make_request(target: str = "/app/ws?x=1&y=%20") -> HTTPServerRequest:
    headers = HTTPHeaders({"Host": "hub.example:8000", "User-Agent": "Br\xf6wser"})
    headers.add("Cookie", "a=1")
    headers.add("Cookie", "b=2")
    headers.add("X-Empty", "")
    context: Any = SimpleNamespace(remote_ip="10.0.0.1", protocol="https")
    request = HTTPServerRequest(
        start_line=RequestStartLine("GET", target, "HTTP/1.1"),
        headers=headers,
        connection=SimpleNamespace(context=context),  # type: ignore[arg-type]
    )
    request._start_time -= 100
    return request


class Lab:
    """A connection, and what is told of its end."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.records: list[Any] = []
        self.duplex = Duplex()
        application = SimpleNamespace(settings={}, log_request=self.records.append)
        self.runtime: Any = SimpleNamespace(
            upgraded=set(),
            upgrades=SimpleNamespace(leave=self.told.append),
            application=application,
            log_quickly=None,
            log=logging.getLogger("test_upgraded"),
        )

    def make(self) -> Upgraded:
        meter: Any = SimpleNamespace(end=self.told.append)
        return Upgraded(self.runtime, self.duplex, meter, ADDRESS, make_request(), "somebody")


@pytest.fixture
def lab() -> Lab:
    return Lab()


def test_a_packed_request_is_the_same_again() -> None:
    before, after = make_request(), PackedRequest(make_request()).unpacked()
    for name in (
        "method",
        "uri",
        "version",
        "path",
        "query",
        "arguments",
        "host",
        "host_name",
        "remote_ip",
        "protocol",
    ):
        assert getattr(after, name) == getattr(before, name), name
    assert list(after.headers.get_all()) == list(before.headers.get_all())
    assert after.request_time() >= 100


def test_fields_that_a_subclass_has_removed_stay_removed() -> None:
    request = make_request()
    request.headers = HTTPHeaders()
    after = PackedRequest(request).unpacked()
    assert list(after.headers.get_all()) == []
    assert after.host == "hub.example:8000"


def test_the_end_is_counted_and_logged_when_it_comes(lab: Lab) -> None:
    connection = lab.make()
    assert (lab.told, lab.records, lab.runtime.upgraded) == ([], [], {connection})
    lab.duplex._close()
    assert lab.told == [ADDRESS, 101]
    assert lab.runtime.upgraded == set()
    (record,) = lab.records
    assert (record.get_status(), record.current_user, record.request.uri) == (101, "somebody", "/app/ws?x=1&y=%20")


def test_an_end_that_came_before_is_told_at_once(lab: Lab) -> None:
    lab.duplex._close()
    lab.make()
    assert (lab.told, len(lab.records), lab.runtime.upgraded) == ([ADDRESS, 101], 1, set())


def test_a_log_function_that_fails_disturbs_nobody(lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    def fail(record: Any) -> None:
        raise KeyError("x")

    lab.runtime.application.log_request = fail
    lab.make()
    lab.duplex._close()
    assert lab.told == [ADDRESS, 101]
    assert "could not be logged" in caplog.text


async def test_the_end_can_be_waited_for(lab: Lab) -> None:
    connection = lab.make()
    waiting = asyncio.ensure_future(connection.wait())
    await asyncio.sleep(0)
    assert not waiting.done()
    lab.duplex._close()
    await waiting
    await connection.wait()
