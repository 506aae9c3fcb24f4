"""Lists of hosts and ports, and the signs of requests across sites."""

from __future__ import annotations

import pytest

from jupyter_server_proxy.rules.policy import has_port, is_cross_site, parse_hosts, parse_ports


@pytest.mark.parametrize(
    ("entry", "host"),
    [
        ("localhost", "localhost"),
        ("Example.ORG", "example.org"),
        ("example.org", "example.org."),
        ("*.example.org", "a.b.example.org"),
        ("10.0.*", "10.0.3.4"),
        ("10.0.0.0/8", "10.255.0.1"),
        ("10.0.0.7/8", "10.1.2.3"),
        ("10.0.0.0/8", "::ffff:10.1.2.3"),
        ("fe80::/10", "fe80::1"),
        ("[::1]", "::1"),
        ("0:0::1", "::1"),
        ("*", "anything"),
    ],
)
@pytest.mark.behaviour("S6", "S7")
def test_hosts_that_a_list_contains(entry: str, host: str) -> None:
    assert host in parse_hosts([entry])


@pytest.mark.parametrize(
    ("entry", "host"),
    [
        ("localhost", "localhost.evil.org"),
        ("*.example.org", "example.org"),
        ("*.example.org", "badexample.org"),
        ("10.0.0.0/8", "11.0.0.1"),
        ("10.0.0.0/8", "10.0.0.1.evil.org"),
        ("example.org", "exampleXorg"),
        ("10.0.0.0/8", "fe80::1"),
    ],
)
@pytest.mark.behaviour("S6", "S7")
def test_hosts_that_a_list_does_not_contain(entry: str, host: str) -> None:
    assert host not in parse_hosts([entry])


def test_an_empty_list_contains_nothing() -> None:
    assert "localhost" not in parse_hosts([])
    assert not has_port(parse_ports([]), 80)


@pytest.mark.parametrize("entry", ["10.0.0.0/33", "a/b", "", None, 5])
def test_what_is_no_host(entry: object) -> None:
    with pytest.raises(ValueError, match=r"^(must hold|holds)"):
        parse_hosts([entry])


@pytest.mark.behaviour("S7")
def test_ports() -> None:
    ranges = parse_ports([80, "443", "8000-8002"])
    assert [port for port in (79, 80, 443, 7999, 8000, 8002, 8003) if has_port(ranges, port)] == [80, 443, 8000, 8002]


@pytest.mark.parametrize("entry", [0, 65536, "a", "9-8", "80-", "-80", True, None, 8.5, ""])
def test_what_is_no_port(entry: object) -> None:
    with pytest.raises(ValueError, match="must hold ports"):
        parse_ports([entry])


@pytest.mark.parametrize(
    ("method", "fields", "cross"),
    [
        ("POST", {}, False),
        ("POST", {"Sec-Fetch-Site": "same-origin"}, False),
        ("POST", {"Sec-Fetch-Site": "none"}, False),
        ("POST", {"Sec-Fetch-Site": "cross-site"}, True),
        ("POST", {"Sec-Fetch-Site": "same-site"}, True),
        ("DELETE", {"Sec-Fetch-Site": "cross-site", "Origin": "http://h:1"}, True),
        ("GET", {"Sec-Fetch-Site": "cross-site"}, False),
        ("PUT", {"Origin": "http://H:1"}, False),
        ("PUT", {"Origin": "http://h:2"}, True),
        ("PUT", {"Origin": "null"}, True),
        ("PUT", {"Origin": "http://[x"}, True),
        ("POST", {"Referer": "http://h:1/page"}, False),
        ("POST", {"Referer": "http://evil/h:1"}, True),
    ],
)
@pytest.mark.behaviour("S4")
def test_s4_requests_across_sites(method: str, fields: dict[str, str], cross: bool) -> None:
    assert is_cross_site(method, fields.get, "h:1") is cross
