"""Which fields cross the proxy: H1, H2, H4, C7, W7."""

from __future__ import annotations

import pytest

from jupyter_server_proxy.rules.credentials import Credentials
from jupyter_server_proxy.rules.forwarding import Forwarding
from jupyter_server_proxy.rules.headers import (
    build_request_fields,
    build_response_fields,
    is_navigation,
    request_fields,
    requested_upgrade,
    serialize_head,
    serialize_request,
)

FORWARDING = Forwarding(client="10.0.0.1", protocol="https", host="hub.example:8443", prefix="/user/me/app")


def names(fields):
    return [name.lower() for name, _ in fields]


def getter(**fields):
    fields = {name.replace("_", "-").lower(): value for name, value in fields.items()}
    return lambda name: fields.get(name.lower())


def test_h1_hop_by_hop_fields_and_those_named_in_connection_stay() -> None:
    received = [
        ("Host", "h"),
        ("Connection", "keep-alive, X-Private"),
        ("Keep-Alive", "timeout=5"),
        ("Proxy-Authorization", "Basic x"),
        ("Te", "trailers"),
        ("Trailer", "X"),
        ("Transfer-Encoding", "chunked"),
        ("Upgrade", "h2c"),
        ("X-Private", "1"),
        ("X-Public", "2"),
    ]
    sent = build_request_fields(received, forwarding=FORWARDING)
    assert names(sent)[:2] == ["host", "x-public"]
    assert not {"connection", "keep-alive", "te", "trailer", "upgrade", "x-private", "transfer-encoding"} & set(
        names(sent)
    )
    assert names(build_response_fields(received)) == ["host", "x-public"]


def test_connection_cannot_remove_host_or_framing() -> None:
    received = [("Host", "h"), ("Connection", "Host, Content-Length"), ("Content-Length", "3")]
    assert names(build_request_fields(received, forwarding=FORWARDING))[:2] == ["host", "content-length"]


def test_h2_via_is_added_behind_those_that_were_there() -> None:
    sent = dict(build_request_fields([("Host", "h"), ("Via", "1.0 other")], forwarding=FORWARDING))
    assert sent["Via"] == "1.0 other, 1.1 jupyter-server-proxy"


def test_c7_forwarded_fields_are_ours_whatever_the_client_says() -> None:
    received = [
        ("Host", "hub.example:8443"),
        ("Connection", "X-Forwarded-For, X-Forwarded-Prefix"),
        ("Forwarded", "for=6.6.6.6"),
        ("X-Forwarded-For", "6.6.6.6"),
        ("X-Forwarded-Port", "1"),
        ("X-Proxycontextpath", "/evil"),
    ]
    sent = build_request_fields(received, forwarding=FORWARDING)
    assert [field for field in sent if field[0].lower().startswith(("x-", "forwarded"))] == [
        ("X-Forwarded-For", "10.0.0.1"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "hub.example:8443"),
        ("X-Forwarded-Port", "8443"),
        ("Forwarded", 'for=10.0.0.1;host="hub.example:8443";proto=https'),
        ("X-Forwarded-Prefix", "/user/me/app"),
        ("X-Forwarded-Context", "/user/me/app"),
        ("X-ProxyContextPath", "/user/me/app"),
    ]


@pytest.mark.parametrize(
    ("protocol", "host", "port"),
    [("https", "a", "443"), ("http", "a", "80"), ("http", "[::1]", "80"), ("http", "[::1]:9", "9")],
)
def test_forwarded_port(protocol: str, host: str, port: str) -> None:
    sent = build_request_fields([], forwarding=Forwarding("c", protocol, host, None))
    assert dict(sent)["X-Forwarded-Port"] == port
    assert "X-Forwarded-Prefix" not in dict(sent)


def test_overrides_win_over_everything_but_framing() -> None:
    received = [("Host", "h"), ("Authorization", "mine"), ("Authorization", "twice"), ("Content-Length", "3")]
    overrides = {
        "host": "other",
        "Authorization": "theirs",
        "X-Forwarded-Prefix": "/",
        "content-length": "99",
        "Transfer-Encoding": "x",
        "Connection": "close",
    }
    sent = build_request_fields(received, forwarding=FORWARDING, overrides=overrides, chunked=False)
    assert [v for n, v in sent if n.lower() == "host"] == ["other"]
    assert [v for n, v in sent if n == "Authorization"] == ["theirs"]
    assert [v for n, v in sent if n == "X-Forwarded-Prefix"] == ["/"]
    assert [v for n, v in sent if n.lower() == "content-length"] == ["3"]
    assert not {"transfer-encoding", "connection"} & set(names(sent))


def test_upgrade_and_chunks_are_said_anew() -> None:
    sent = build_request_fields(
        [("Connection", "keep-alive, Upgrade"), ("Upgrade", "x")], forwarding=FORWARDING, upgrade="x"
    )
    assert sent[-2:] == [("Connection", "Upgrade"), ("Upgrade", "x")]
    assert build_request_fields([], forwarding=FORWARDING, chunked=True)[-1] == ("Transfer-Encoding", "chunked")


def test_expect_is_answered_here() -> None:
    assert "expect" not in names(build_request_fields([("Expect", "100-continue")], forwarding=FORWARDING))


@pytest.mark.parametrize(
    ("fields", "method", "version", "expected"),
    [
        ({"connection": "Upgrade", "upgrade": "websocket"}, "GET", "HTTP/1.1", "websocket"),
        ({"connection": "keep-alive, upgrade", "upgrade": "foo/2"}, "GET", "HTTP/1.1", "foo/2"),
        ({"connection": "keep-alive", "upgrade": "websocket"}, "GET", "HTTP/1.1", None),
        ({"connection": "Upgrade"}, "GET", "HTTP/1.1", None),
        ({"connection": "Upgrade", "upgrade": "websocket"}, "POST", "HTTP/1.1", None),
        ({"connection": "Upgrade", "upgrade": "websocket"}, "GET", "HTTP/1.0", None),
        ({"connection": "Upgrade", "upgrade": "websocket", "content-length": "4"}, "GET", "HTTP/1.1", None),
        ({"connection": "Upgrade", "upgrade": "websocket", "transfer-encoding": "chunked"}, "GET", "HTTP/1.1", None),
        ({"connection": "Upgrade", "upgrade": "websocket", "content-length": "0"}, "GET", "HTTP/1.1", "websocket"),
        ({"connection": "Upgrade, HTTP2-Settings", "upgrade": "h2c"}, "GET", "HTTP/1.1", None),
    ],
)
def test_w7_which_requests_ask_for_an_upgrade(
    fields: dict[str, str], method: str, version: str, expected: str | None
) -> None:
    assert requested_upgrade(method, version, getter(**fields)) == expected


def test_response_of_an_upgrade_keeps_its_upgrade_field() -> None:
    fields = [("Upgrade", "websocket"), ("Connection", "keep-alive, Upgrade"), ("Sec-WebSocket-Accept", "x")]
    kept = build_response_fields(fields, upgrade=True)
    assert sorted(names(kept)) == ["connection", "sec-websocket-accept", "upgrade"]
    assert names(build_response_fields(fields)) == ["sec-websocket-accept"]


def test_h7_repeated_fields_keep_their_order() -> None:
    fields = [("Set-Cookie", "a"), ("X", "1"), ("Set-Cookie", "b"), ("set-cookie", "c")]
    assert build_response_fields(fields) == fields


def test_the_fields_of_a_response_are_a_new_list() -> None:
    for received in ([("X", "1")], [("X", "1"), ("Set-Cookie", "a")]):
        build_response_fields(received).append(("Y", "2"))
        assert ("Y", "2") not in received


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("5; url=/x", "5; url=</x>"),
        ("5;URL='/x'", "5;URL='</x>'"),
        ('0; url="/x?a=b"', '0; url="</x?a=b>"'),
        ("5", "5"),
        ("5; /x", "5; /x"),
    ],
)
def test_h21_refresh(value: str, expected: str) -> None:
    assert build_response_fields([("Refresh", value)], rewrite_location=lambda url: f"<{url}>") == [
        ("Refresh", expected)
    ]


def test_h21_location_fields() -> None:
    fields = [("Location", "/a"), ("content-location", "/b"), ("Link", "/c")]
    rewritten = build_response_fields(fields, rewrite_location=str.upper)
    assert rewritten == [("Location", "/A"), ("content-location", "/B"), ("Link", "/c")]


@pytest.mark.parametrize(
    ("method", "fields", "expected"),
    [
        ("GET", {"sec_fetch_mode": "navigate"}, True),
        ("GET", {"sec_fetch_mode": "cors", "accept": "text/html"}, False),
        ("GET", {"accept": "text/html,*/*"}, True),
        ("GET", {"accept": "*/*"}, False),
        ("GET", {}, False),
        ("POST", {"sec_fetch_mode": "navigate"}, False),
    ],
)
def test_navigation(method: str, fields: dict[str, str], expected: bool) -> None:
    assert is_navigation(method, getter(**fields)) is expected


@pytest.mark.parametrize("value", ["a\r\nX: 1", "a\nb", "a\rb", "a\0b"])
def test_h4_no_line_breaks_and_nul_get_into_a_head(value: str) -> None:
    with pytest.raises(ValueError, match="line break or a NUL"):
        serialize_head("GET / HTTP/1.1", [("X", value)])
    with pytest.raises(ValueError, match="line break or a NUL"):
        serialize_head(f"GET /{value} HTTP/1.1", [])


def test_serialized_head() -> None:
    assert (
        serialize_head("GET /\xff HTTP/1.1", [("A", "b"), ("C", "\xe9")])
        == b"GET /\xff HTTP/1.1\r\nA: b\r\nC: \xe9\r\n\r\n"
    )


# ---- remembered

CREDENTIALS = Credentials(login_cookies=("login",), host="jupyter:8888", tokens=("secret",))


def remembered(*lines: tuple[str, str], credentials: Credentials | None = CREDENTIALS, **overrides: str) -> str:
    """The head of a request, of which the request id alone is new."""
    pairs = tuple((name.replace("_", "-"), value) for name, value in overrides.items())
    fields = request_fields(lines, credentials, FORWARDING, None, False, pairs, None)
    return serialize_request("GET / HTTP/1.1", fields, "id-1").decode("latin-1")


def test_remembered_fields_are_those_that_are_built() -> None:
    lines = (("Host", "Jupyter:8888"), ("A", "1"), ("Cookie", "mine=1"))
    built = build_request_fields(lines, forwarding=FORWARDING)
    assert remembered(*lines) == serialize_head("GET / HTTP/1.1", [*built, ("X-Request-ID", "id-1")]).decode("latin-1")
    assert request_fields(lines, None, FORWARDING, None, False, (), None).host == "jupyter:8888"


def test_c1_what_is_withheld_depends_on_the_login() -> None:
    lines = (("Host", "jupyter:8888"), ("Cookie", "login=x; mine=1"), ("Authorization", "token secret"))
    for _ in range(2):
        assert "login=x" in remembered(*lines, credentials=None)
        assert "secret" in remembered(*lines, credentials=None)
        head = remembered(*lines)
        assert "login=x" not in head
        assert "secret" not in head
        assert "mine=1" in head
        assert "secret" in remembered(*lines, credentials=Credentials(("login",), "jupyter:8888", ("other",)))


def test_a_request_has_one_id() -> None:
    assert remembered(("X-Request-Id", "client's")).lower().count("x-request-id") == 1
    head = remembered(("X-Request-Id", "client's"), X_Request_ID="fixed")
    assert head.lower().count("x-request-id") == 1
    assert "X-Request-ID: fixed\r\n" in head


def test_h4_no_line_break_gets_into_a_remembered_head() -> None:
    for _ in range(2):
        with pytest.raises(ValueError, match="line break"):
            remembered(A="1\r\nB: 2")
    fields = request_fields((), None, FORWARDING, None, False, (), None)
    for harm in ("\r\nX: 1", "\n", "\r", "\0", "\u0100"):
        with pytest.raises(ValueError, match=r"line break or a NUL|latin-1"):
            serialize_request(f"GET /{harm} HTTP/1.1", fields, "1")
