"""The URL table."""

from __future__ import annotations

import pytest

from jupyter_server_proxy.errors import RequestRefused
from jupyter_server_proxy.upstream.address import TcpAddress, loopback
from jupyter_server_proxy.web.destinations import Handling, Nowhere
from jupyter_server_proxy.web.routes import RouteTable
from jupyter_server_proxy.web.traffic import Traffic

BASE = "/user/a%40b/"


class FakeRuntime:
    base_url = BASE


@pytest.fixture
def table() -> RouteTable:
    servers = {
        "app": ("app", False),
        "full": ("full", True),
        "desk/one": ("one", False),
        "desk/one/two": ("two", False),
    }
    return RouteTable(FakeRuntime(), servers, Handling(), Traffic())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("app", ("app", "app", "", None, False)),
        ("app?", ("app", "app", "", "", False)),
        ("app/", ("app", "app", "/", None, False)),
        ("app//x%2Fy?a?b", ("app", "app", "//x%2Fy", "a?b", False)),
        ("full/x", ("full", "full", "/x", None, True)),
        ("desk/one", ("one", "desk/one", "", None, False)),
        ("desk/one/x", ("one", "desk/one", "/x", None, False)),
        ("desk/one/two/x", ("two", "desk/one/two", "/x", None, False)),
        ("desk/one/twofold", ("one", "desk/one", "/twofold", None, False)),
    ],
)
def test_servers(table: RouteTable, target: str, expected: tuple) -> None:
    route = table.match(BASE + target)
    assert route is not None
    destination, prefix, path, query, absolute = expected
    assert route.destination == destination
    assert (route.prefix, route.path, route.query, route.absolute) == (BASE + prefix, path, query, absolute)
    assert route.lacks_slash == (path == "")


@pytest.mark.parametrize(
    "target",
    ["/", "/user/a@b/app/", BASE, BASE + "apple/", BASE + "App/", BASE + "desk/", BASE + "desk/oneness",
     BASE + "proxy", BASE + "proxy/",
     BASE + "proxy/x/", BASE + "lab", BASE + "/app/", BASE + "?app/", "http://evil.example/app/", "*"],
)  # fmt: skip
def test_what_is_not_ours_goes_to_other_rules(table: RouteTable, target: str) -> None:
    assert table.match(target) is None


def test_ports_and_hosts(table: RouteTable) -> None:
    route = table.match(BASE + "proxy/8000/x?y")
    assert route is not None
    assert route.destination.address == loopback(8000)
    assert route.destination.host is None
    assert (route.prefix, route.path, route.query, route.absolute) == (BASE + "proxy/8000", "/x", "y", False)
    route = table.match(BASE + "proxy/absolute/Host.example:1/")
    assert route is not None
    assert route.destination.address == TcpAddress(("host.example",), 1)
    assert route.destination.host == "host.example"
    assert (route.prefix, route.absolute) == (BASE + "proxy/absolute/Host.example:1", True)


async def test_s7_a_port_that_cannot_be_is_refused_only_after_login(table: RouteTable) -> None:
    route = table.match(BASE + "proxy/70000/")
    assert route is not None
    assert isinstance(route.destination, Nowhere)
    assert route.destination.address is None
    with pytest.raises(RequestRefused):
        await route.destination.locate()
