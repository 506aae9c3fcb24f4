"""Request targets, hosts and redirects: H17, H21, S6, S7."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_server_proxy.errors import RequestRefused, ServerMisconfigured
from jupyter_server_proxy.rules.paths import (
    ProxyAddress,
    join_target,
    map_path,
    parse_proxy_prefix,
    rewrite_location,
    split_proxy_path,
    split_target,
    validate_host,
)


@given(st.text(alphabet=st.characters(min_codepoint=0x21, max_codepoint=0xFF, exclude_characters="\x7f")))
def test_h17_splitting_and_joining_changes_nothing(target: str) -> None:
    path, query = split_target(target)
    assert join_target(path, query) == target
    assert map_path({}, path, query, server="x") == (path, query)
    assert map_path(lambda path: path, path, query, server="x") == (path, query)


@pytest.mark.parametrize(
    ("rest", "address", "prefix", "path"),
    [
        ("proxy/8000", ProxyAddress(None, 8000, False), "proxy/8000", ""),
        ("proxy/8000/", ProxyAddress(None, 8000, False), "proxy/8000", "/"),
        ("proxy/8000/a/b", ProxyAddress(None, 8000, False), "proxy/8000", "/a/b"),
        ("proxy/08000//a", ProxyAddress(None, 8000, False), "proxy/08000", "//a"),
        ("proxy/absolute/8000/a", ProxyAddress(None, 8000, True), "proxy/absolute/8000", "/a"),
        ("proxy/Host.example:8000/a", ProxyAddress("host.example", 8000, False), "proxy/Host.example:8000", "/a"),
        ("proxy/absolute/[::1]:80/", ProxyAddress("::1", 80, True), "proxy/absolute/[::1]:80", "/"),
        ("proxy/%5B::1%5D:80/", ProxyAddress("::1", 80, False), "proxy/%5B::1%5D:80", "/"),
    ],
)
def test_proxy_paths(rest: str, address: ProxyAddress, prefix: str, path: str) -> None:
    assert split_proxy_path(rest) == (prefix, path)
    assert parse_proxy_prefix(prefix) == address


@pytest.mark.parametrize(
    "rest", ["proxy/", "proxy/app/", "proxy/absolute/", "proxy/absolute/x/", "proxy/:80/", "proxy/80x/", "proxy/a:b/"]
)
def test_other_paths_are_not_ours(rest: str) -> None:
    parts = split_proxy_path(rest)
    assert parts is not None
    assert parse_proxy_prefix(parts[0]) is None


@pytest.mark.parametrize("start", ["proxy/", "proxy/absolute/"])
def test_names_that_are_too_long_are_not_looked_at(start: str) -> None:
    longest = start + 1024 * "h"
    assert split_proxy_path(longest + "/x") == (longest, "/x")
    assert split_proxy_path(longest + "h/x") is None
    assert split_proxy_path(longest + "h") is None


@pytest.mark.parametrize("rest", ["proxy/0/", "proxy/65536/", "proxy/000080/", "proxy/h:0/", "proxy/99999999999/"])
def test_s7_ports_that_cannot_be(rest: str) -> None:
    with pytest.raises(RequestRefused, match="Port"):
        parse_proxy_prefix(rest.rstrip("/"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("LocalHost", "localhost"),
        ("%6cocalhost", "localhost"),
        ("10.0.0.1", "10.0.0.1"),
        ("[::0001]", "::1"),
        ("a_b.c-d.", "a_b.c-d."),
        ("1.example", "1.example"),
        ("node1", "node1"),
    ],
)
def test_s6_hosts(text: str, expected: str) -> None:
    assert validate_host(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "user@host", "user%40host", "a%2Fb", "a%3Ab", "a%00", "%256cocalhost", "a b", "", ".", "a..b", "-a", "::1",
        "[::1", "[localhost]", "[127.0.0.1]", "[fe80::1%25eth0]", "a\u0131b", "x" * 64, ".".join(["abc"] * 80),
        "a%0D%0A", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.0.0.1.", "host.1", "0x",
    ],
)  # fmt: skip
def test_s6_what_is_no_host(text: str) -> None:
    with pytest.raises(RequestRefused):
        validate_host(text)


@pytest.mark.parametrize(
    ("mappath", "path", "query", "expected"),
    [
        ({"/": "/index.html"}, "/", None, ("/index.html", None)),
        ({"/": "/index.html"}, "/other", None, ("/other", None)),
        ({"/a b": "/c"}, "/a%20b", None, ("/c", None)),
        ({"/": "/x?own=1"}, "/", None, ("/x", "own=1")),
        ({"/": "/x?own=1"}, "/", "", ("/x", "own=1")),
        ({"/": "/x?own=1"}, "/", "a=%26", ("/x", "own=1&a=%26")),
        ({"/": "/x"}, "/", "a", ("/x", "a")),
        (lambda path: "/pre" + path, "/a%2Fb", None, ("/pre/a%2Fb", None)),
        (lambda path: "no slash \u00e9#", "/", None, ("/no%20slash%20%C3%A9%23", None)),
        (lambda path, more=1: path + str(more), "/", None, ("/1", None)),
    ],
)
def test_mappath(mappath, path: str, query: str | None, expected: tuple[str, str | None]) -> None:
    assert map_path(mappath, path, query, server="x") == expected


def test_mappath_that_fails_names_the_server() -> None:
    def fail(path: str) -> str:
        raise KeyError("secret")

    with pytest.raises(ServerMisconfigured, match="server 'x' failed: KeyError") as failed:
        map_path(fail, "/", None, server="x")
    assert "secret" not in failed.value.message
    with pytest.raises(ServerMisconfigured, match="must give a string, not NoneType"):
        map_path(lambda: None, "/", None, server="x")


AUTHORITIES = {"127.0.0.1:9000", "localhost:9000", "hub.example"}


@pytest.mark.parametrize(
    ("location", "expected", "absolute"),
    [
        ("/login", "/base/app/login", "/login"),
        ("/", "/base/app/", "/"),
        ("/base/app", "/base/app", "/base/app"),
        ("/base/app/x", "/base/app/x", "/base/app/x"),
        ("/base/app?x", "/base/app?x", "/base/app?x"),
        ("/base/apple", "/base/app/base/apple", "/base/apple"),
        ("x/y", "x/y", "x/y"),
        ("?q", "?q", "?q"),
        ("", "", ""),
        ("//evil.example/x", "//evil.example/x", "//evil.example/x"),
        ("/\\evil.example", "/\\evil.example", "/\\evil.example"),
        ("https://elsewhere.example/x", "https://elsewhere.example/x", "https://elsewhere.example/x"),
        ("http://127.0.0.1:9000/x?y#z", "/base/app/x?y#z", "/x?y#z"),
        ("http://LOCALHOST:9000", "/base/app/", "/"),
        ("https://hub.example/base/app/x", "/base/app/x", "/base/app/x"),
        ("//hub.example/x", "/base/app/x", "/x"),
        ("http://hub.example?q=1", "/base/app/?q=1", "/?q=1"),
        ("http://hub.example//evil.example/", "http://hub.example//evil.example/", "http://hub.example//evil.example/"),
        ("http://127.0.0.1:9001/x", "http://127.0.0.1:9001/x", "http://127.0.0.1:9001/x"),
        ("http://user@hub.example/x", "http://user@hub.example/x", "http://user@hub.example/x"),
        ("ftp://hub.example/x", "ftp://hub.example/x", "ftp://hub.example/x"),
        ("http://[broken/x", "http://[broken/x", "http://[broken/x"),
    ],
)
def test_h21_location(location: str, expected: str, absolute: str) -> None:
    assert rewrite_location(location, prefix="/base/app", authorities=AUTHORITIES, absolute=False) == expected
    assert rewrite_location(location, prefix="/base/app", authorities=AUTHORITIES, absolute=True) == absolute


@given(st.from_regex(r"/[a-z/]{0,12}", fullmatch=True))
def test_h21_rewriting_twice_is_rewriting_once(location: str) -> None:
    def once(text: str) -> str:
        return rewrite_location(text, prefix="/base/app", authorities=(), absolute=False)

    assert once(once(location)) == once(location)
