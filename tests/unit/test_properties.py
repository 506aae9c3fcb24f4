"""What holds for every input, tried with many: targets, header fields, queries, and how bytes are cut into pieces."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_server_proxy.errors import UpstreamError
from jupyter_server_proxy.rules.credentials import Credentials, screen_set_cookie, withhold_fields, withhold_query
from jupyter_server_proxy.rules.forwarding import FORWARDED, Forwarding
from jupyter_server_proxy.rules.headers import HOP_BY_HOP, build_request_fields, build_response_fields
from jupyter_server_proxy.rules.paths import join_target, rewrite_location, split_target
from jupyter_server_proxy.rules.websocket import Data, FrameDecoder, WebSocketError
from jupyter_server_proxy.upstream.address import loopback
from jupyter_server_proxy.upstream.connection import UpstreamConnection
from jupyter_server_proxy.web.destinations import Handling
from jupyter_server_proxy.web.routes import RouteTable
from jupyter_server_proxy.web.traffic import Traffic

# Octets that a request line may hold, as latin-1 text: everything but controls and the space.
TARGET = st.text(st.characters(min_codepoint=0x21, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=60)
NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,12}", fullmatch=True)
VALUES = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=30)
FIELDS = st.lists(st.tuples(NAMES, VALUES), max_size=12)


class FakeRuntime:
    base_url = "/user/a%20b/"


TABLE = RouteTable(FakeRuntime(), {"app": ("app", False), "team/app": ("nested", False)}, Handling(), Traffic())  # type: ignore[arg-type]


# ---- targets


@given(TARGET)
def test_h17_splitting_and_joining_a_target_changes_nothing(target: str) -> None:
    assert join_target(*split_target(target)) == target


@given(st.sampled_from(["app", "team/app", "proxy/8000", "proxy/absolute/8000", "proxy/127.0.0.1:8000"]), TARGET)
def test_h17_what_follows_the_prefix_is_passed_byte_for_byte(prefix: str, rest: str) -> None:
    route = TABLE.match(f"/user/a%20b/{prefix}/{rest}")
    assert route is not None
    path, query = split_target("/" + rest)
    if prefix.startswith("team") or not rest.startswith("app"):  # "team/app" wins over a server "team"
        assert (route.path, route.query) == (path, query)
    assert join_target(route.path, route.query) == "/" + rest


# ---- fields


def plain(fields: Sequence[tuple[str, str]], dropped: frozenset[str]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in fields if name.lower() not in dropped]


ALWAYS = HOP_BY_HOP | FORWARDED | {"expect", "via"}


@given(FIELDS)
def test_h7_request_fields_keep_their_order_and_their_number(fields: list[tuple[str, str]]) -> None:
    listed = {
        word.strip().lower() for name, value in fields if name.lower() == "connection" for word in value.split(",")
    }
    sent = build_request_fields(fields, forwarding=Forwarding("1.1.1.1", "http", "h", "/p"))
    dropped = frozenset(ALWAYS | listed)
    assert plain(sent, dropped) == plain(fields, dropped)
    assert sum(name == "Via" for name, _ in sent) == 1
    assert not any(name.lower() in HOP_BY_HOP for name, _ in sent)


@given(FIELDS)
def test_h7_response_fields_keep_their_order_and_their_number(fields: list[tuple[str, str]]) -> None:
    listed = {
        word.strip().lower() for name, value in fields if name.lower() == "connection" for word in value.split(",")
    }
    sent = build_response_fields(fields)
    dropped = frozenset(HOP_BY_HOP | listed | {"service-worker-allowed"})
    assert plain(sent, dropped) == plain(fields, dropped)
    assert not any(name.lower() in HOP_BY_HOP for name, _ in sent)


# ---- credentials

OURS = Credentials(login_cookies=("username-h-1",), host="h:1", tokens=("s3cret",))
PART = st.one_of(
    TARGET.map(lambda text: text.replace("&", "")), st.sampled_from(["token=s3cret", "%74oken=s3cret", "token"])
)


@given(st.lists(PART, max_size=6))
def test_c2_the_rest_of_a_query_stays_byte_for_byte(parts: list[str]) -> None:
    query = "&".join(parts)
    kept = [part for part in parts if part not in ("token=s3cret", "%74oken=s3cret")]
    expected = query if len(kept) == len(parts) else "&".join(kept) if kept else None
    assert withhold_query(query, OURS) == expected


COOKIE = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters=';,"\\='), min_size=1, max_size=10
)


@given(
    st.lists(
        st.tuples(st.one_of(COOKIE, st.sampled_from(["_xsrf", "username-h-1", "jupyterhub-x"])), COOKIE), max_size=8
    )
)
def test_c1_other_cookies_stay_in_their_order(cookies: list[tuple[str, str]]) -> None:
    value = "; ".join(f"{name}={content}" for name, content in cookies)
    kept = [f"{name}={content}" for name, content in cookies if not OURS.is_reserved(name)]
    fields = withhold_fields([("Cookie", value)], OURS) if value else []
    assert [pair.strip() for _, text in fields for pair in text.split(";")] == kept


@given(st.lists(VALUES.map(lambda text: text.replace(";", "")), min_size=1, max_size=6))
def test_c3_screening_a_cookie_twice_is_screening_it_once(parts: list[str]) -> None:
    once = screen_set_cookie(";".join(parts), OURS.is_reserved, "/app")
    if once is not None:
        assert screen_set_cookie(once, OURS.is_reserved, "/app") == once
        assert not any(part.partition("=")[0].strip().lower() == "domain" for part in once.split(";")[1:])


@given(TARGET, st.booleans())
def test_h21_a_location_is_rewritten_once(location: str, absolute: bool) -> None:
    options: dict[str, Any] = {"prefix": "/user/app", "authorities": {"localhost:8000"}, "absolute": absolute}
    for sent in (location, "/" + location, f"http://localhost:8000/{location}"):
        once = rewrite_location(sent, **options)
        assert rewrite_location(once, **options) == once


# ---- pieces


class FakeTransport:
    def __init__(self) -> None:
        self.closed = False

    def write(self, data: bytes) -> None:
        pass

    def is_closing(self) -> bool:
        return self.closed

    def abort(self) -> None:
        self.closed = True

    close = abort

    def get_extra_info(self, name: str) -> Any:
        return ("127.0.0.1", 1)

    def pause_reading(self) -> None:
        pass

    resume_reading = pause_reading


def outcome(pieces: Sequence[bytes]) -> tuple[Any, ...]:
    """What a response comes to when its bytes arrive in these pieces, and then the connection ends."""

    async def receive() -> tuple[Any, ...]:
        connection = UpstreamConnection(loopback(1))
        transport = FakeTransport()
        connection.connection_made(transport)  # type: ignore[arg-type]
        connection.start(b"", method="GET")
        for piece in pieces:
            if not transport.closed:
                connection.data_received(piece)
        connection.connection_lost(None)
        try:
            head = await connection.response(1)
        except UpstreamError as error:
            return (type(error),)
        body = b""
        try:
            while data := await connection.read():
                body += data
        except UpstreamError as error:
            return head, body, type(error)
        return head, body, connection.complete

    return asyncio.run(receive())


RESPONSES = st.sampled_from(
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: b\r\n\r\nhello",
        b"HTTP/1.1 103 Early Hints\r\nLink: </s>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nX-T: 1\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nServer: x\r\n\r\nuntil the end",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi!",
        b"not http at all\r\n\r\n",
    ]
)


@settings(max_examples=200, deadline=None)
@given(RESPONSES, st.data())
def test_a_response_comes_to_the_same_in_whatever_pieces(response: bytes, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(1, len(response) - 1), max_size=8)))
    pieces = [response[start:end] for start, end in zip([0, *cuts], [*cuts, len(response)], strict=True)]
    whole, cut = outcome([response]), outcome(pieces)
    if whole[-1] is True or len(whole) == 1:
        assert cut == whole
    else:  # a body that breaks off: what came before the break may have been delivered or not
        assert cut[0] == whole[0]
        assert cut[-1] is not True


FRAMES = st.lists(st.tuples(st.sampled_from([0x81, 0x82, 0x89, 0x8A]), st.binary(max_size=300)), max_size=5)


def encode(opcode: int, payload: bytes, mask: bytes) -> bytes:
    payload = payload[:125] if opcode & 0x08 else payload
    size = len(payload)
    head = bytes([opcode, 0x80 | size]) if size < 126 else bytes([opcode, 0x80 | 126]) + size.to_bytes(2, "big")
    return head + mask + bytes(octet ^ mask[number % 4] for number, octet in enumerate(payload))


@settings(deadline=None)
@given(FRAMES, st.binary(min_size=4, max_size=4), st.data())
def test_w9_frames_come_to_the_same_in_whatever_pieces(
    frames: list[tuple[int, bytes]], mask: bytes, data: st.DataObject
) -> None:
    stream = b"".join(encode(opcode, payload, mask) for opcode, payload in frames)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(stream)), max_size=8)))
    decoder = FrameDecoder()
    events = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        events += list(decoder.feed(stream[start:end]))
    assert b"".join(event.payload for event in events if isinstance(event, Data)) == b"".join(
        payload for opcode, payload in frames if opcode in (0x81, 0x82)
    )
    controls = [payload[:125] for opcode, payload in frames if opcode & 0x08]
    assert [event.payload for event in events if not isinstance(event, Data)] == controls


@settings(deadline=None)
@given(st.binary(max_size=100))
def test_w9_any_bytes_are_frames_or_an_error(stream: bytes) -> None:
    try:
        list(FrameDecoder().feed(stream))
    except WebSocketError:
        pass
