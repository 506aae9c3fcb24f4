"""The one route of the service."""

from __future__ import annotations

import pytest

from jupyter_server_proxy.standalone.service import OneRoute


class FakeRuntime:
    def __init__(self, base_url: str) -> None:
        self.base_url = base_url


@pytest.mark.parametrize(
    ("base_url", "target", "expected"),
    [
        ("/user/ann/", "/user/ann/", ("/user/ann", "/", None)),
        ("/user/ann/", "/user/ann/x%2Fy//z?a?b", ("/user/ann", "/x%2Fy//z", "a?b")),
        ("/user/ann/", "/user/ann", ("/user/ann", "", None)),
        ("/user/ann/", "/user/ann?", ("/user/ann", "", "")),
        ("/user/ann/", "/user/anna/", None),
        ("/user/ann/", "/", None),
        ("/user/ann/", "http://evil.example/user/ann/", None),
        ("/", "/", ("", "/", None)),
        ("/", "/x?y", ("", "/x", "y")),
        ("/", "*", None),
    ],
)
def test_routes(base_url: str, target: str, expected: tuple[str, str, str | None] | None) -> None:
    route = OneRoute(FakeRuntime(base_url), "app", False).match(target)  # type: ignore[arg-type]
    if expected is None:
        assert route is None
    else:
        assert route is not None
        assert (route.destination, route.prefix, route.path, route.query) == ("app", *expected)
