"""Host and Origin fields."""

from __future__ import annotations

import pytest

from jupyter_server_proxy.rules.origin import is_allowed_origin, is_local_host, is_loopback_literal


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("localhost", True),
        ("localhost:8888", True),
        ("LOCALHOST:1", True),
        ("127.0.0.1:8888", True),
        ("127.8.9.1", True),
        ("[::1]:8888", True),
        ("box", True),
        ("evil.example:8888", False),
        ("localhost.evil.example", False),
        ("10.0.0.1", False),
        ("[::1", False),
        ("user@evil.example", False),
        ("", False),
    ],
)
def test_hosts(host: str, local: bool) -> None:
    assert is_local_host(host, ("localhost", "box")) is local


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        (None, True),
        ("http://h:1", True),
        ("https://H:1", True),
        ("http://h:2", False),
        ("http://h", False),
        ("null", False),
        ("http://[", False),
        ("http://evil.example", False),
    ],
)
def test_origins(origin: str | None, allowed: bool) -> None:
    assert is_allowed_origin(origin, "h:1") is allowed


def test_more_origins_can_be_allowed() -> None:
    assert is_allowed_origin("http://other", "h", allow_origin="http://other")
    assert not is_allowed_origin("http://other.example", "h", allow_origin="http://other")
    assert is_allowed_origin("http://any", "h", allow_origin="*")
    assert is_allowed_origin("https://a.example.org", "h", pattern=r"https://\w+\.example\.org")
    assert not is_allowed_origin("https://a.example.org.evil", "h", pattern=r"https://\w+\.example\.org")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8888", "[::1]", "[::1]:65535"])
def test_loopback_addresses_are_known_at_once(host: str) -> None:
    assert is_loopback_literal(host)
    assert is_local_host(host, ())


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1.evil.example", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:8888\n", "::1", "[::1]x", "localhost", "",
     "127.1", "evil.example:127.0.0.1", "127.0.0.1@evil.example", "x127.0.0.1", "127.0.0.1:888888", "127.0.0.1:1:2",
     "127.0.0.2"],
)  # fmt: skip
def test_other_hosts_are_asked_about(host: str) -> None:
    assert not is_loopback_literal(host)
