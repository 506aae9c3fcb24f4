"""What the origin server is told about the client."""

from __future__ import annotations

import pytest

from jupyter_server_proxy.rules.forwarding import Forwarding, forwarded_fields

pytestmark = pytest.mark.behaviour("C7")

OURS = Forwarding("2001:db8::1", "http", "localhost:8888", "/app")
BEHIND = Forwarding("9.9.9.9", "http", "inner:8888", "/app", trusted_peer="10.0.0.2")
CLAIMS = [
    ("X-Forwarded-For", "6.6.6.6"),
    ("x-forwarded-for", "7.7.7.7"),
    ("X-Forwarded-Proto", "https"),
    ("X-Forwarded-Host", "public.example"),
    ("X-Forwarded-Prefix", "/front/"),
    ("Forwarded", "for=6.6.6.6"),
]


def test_nobody_is_believed_by_default() -> None:
    sent = dict(forwarded_fields(OURS, CLAIMS))
    assert sent["X-Forwarded-For"] == "2001:db8::1"
    assert sent["X-Forwarded-Proto"] == "http"
    assert sent["X-Forwarded-Host"] == "localhost:8888"
    assert sent["X-Forwarded-Port"] == "8888"
    assert sent["X-Forwarded-Prefix"] == sent["X-Forwarded-Context"] == sent["X-ProxyContextPath"] == "/app"
    assert sent["Forwarded"] == 'for="[2001:db8::1]";host="localhost:8888";proto=http'


def test_a_trusted_proxy_is_continued() -> None:
    sent = dict(forwarded_fields(BEHIND, CLAIMS))
    assert sent["X-Forwarded-For"] == "6.6.6.6, 7.7.7.7, 10.0.0.2"
    assert sent["X-Forwarded-Proto"] == "https"
    assert sent["X-Forwarded-Host"] == "public.example"
    assert sent["X-Forwarded-Port"] == "443"
    assert sent["X-Forwarded-Prefix"] == "/front/app"
    assert sent["Forwarded"] == 'for=6.6.6.6, for=10.0.0.2;host="inner:8888";proto=http'


def test_a_trusted_proxy_that_says_nothing() -> None:
    sent = dict(forwarded_fields(BEHIND, []))
    assert sent["X-Forwarded-For"] == "10.0.0.2"
    assert sent["X-Forwarded-Proto"] == "http"
    assert sent["X-Forwarded-Host"] == "inner:8888"
    assert sent["Forwarded"] == 'for=10.0.0.2;host="inner:8888";proto=http'


def test_no_prefix_where_the_application_sees_full_paths() -> None:
    sent = dict(forwarded_fields(Forwarding("c", "http", "h", None), []))
    assert "X-Forwarded-Prefix" not in sent


def test_a_host_cannot_break_out_of_its_quotes() -> None:
    sent = dict(forwarded_fields(Forwarding("1.1.1.1", "http", 'a";for=evil\\', None), []))
    assert sent["Forwarded"] == 'for=1.1.1.1;host="a\\";for=evil\\\\";proto=http'
