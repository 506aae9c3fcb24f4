"""Which header fields cross the proxy, in which form.

Field lines are ``(name, value)`` pairs of latin-1 text in the order in which they arrived.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple

from .credentials import Credentials, withhold_fields
from .fields import Pairs
from .forwarding import FORWARDED, Forwarding, forwarded_fields
from .identity import Identity, identity_fields, is_identity_field

#: Fields that describe one connection and never cross it (RFC 9110 7.6.1).
HOP_BY_HOP = frozenset(
    {
        "connection",
        "http2-settings",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authentication-info",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)

#: What an application may not ask the browser for: a service worker for paths beyond its own could read all of Jupyter
#: (W3C Service Workers, Service-Worker-Allowed).
_BEYOND_THE_APPLICATION = frozenset({"service-worker-allowed"})

_NOT_FOR_SERVERS = HOP_BY_HOP | FORWARDED | {"expect"}
_NOT_FOR_CLIENTS = HOP_BY_HOP | _BEYOND_THE_APPLICATION

#: Fields of responses that may reach the client changed.
_REWRITTEN = frozenset({"content-location", "location", "refresh", "set-cookie"})

_NOT_AS_THEY_ARE = _NOT_FOR_CLIENTS | _REWRITTEN

#: Framing belongs to each connection: neither a Connection field nor an override may touch these.
_FRAMING = frozenset({"connection", "content-length", "transfer-encoding", "upgrade"})
_NEVER_LISTED = _FRAMING | {"host"}

#: Protocols that are not relayed: h2c would open a second, unseen HTTP connection behind the proxy (RFC 9113 3.1).
_REFUSED_UPGRADES = frozenset({"h2c"})

VIA = "1.1 jupyter-server-proxy"


def tokens(value: str) -> list[str]:
    """The lower-case members of a comma-separated list of tokens (RFC 9110 5.6.1)."""
    return [word for word in (part.strip().lower() for part in value.split(",")) if word]


def requested_upgrade(method: str, version: str, get: Callable[[str], str | None]) -> str | None:
    """The protocol a request asks to switch to (RFC 9110 7.8), or None.

    Only a GET without a body asks for an upgrade that we relay; in all other cases the request is an ordinary one and
    its Upgrade field stays here.

    Args:
        method: of the request.
        version: "HTTP/1.1" or another.
        get: gives a field's combined value or None.
    """
    upgrade = get("Upgrade")
    if not upgrade or method != "GET" or version != "HTTP/1.1" or "upgrade" not in tokens(get("Connection") or ""):
        return None
    if get("Transfer-Encoding") is not None or get("Content-Length") not in (None, "0"):
        return None
    return None if _REFUSED_UPGRADES.intersection(tokens(upgrade)) else upgrade


def build_request_fields(
    received: Iterable[tuple[str, str]],
    *,
    forwarding: Forwarding,
    upgrade: str | None = None,
    chunked: bool = False,
    overrides: Mapping[str, str] | None = None,
    identity: Identity | None = None,
) -> Pairs:
    """The field lines to send to the origin server.

    Args:
        received: the client's field lines; not changed.
        forwarding: becomes the forwarded fields; what the client sent under these names is dropped, or continued where
            the client is a trusted proxy.
        upgrade: value of the Upgrade field when the request asks for another protocol.
        chunked: whether a body of unknown length follows; a Content-Length of the client passes unchanged.
        overrides: fields that win over all others (``request_headers_override``), except over framing.
        identity: becomes the identity fields, where the server is to have them. A client's never pass.
    """
    received = list(received)
    lowered = [name.lower() for name, _ in received]
    dropped = _without_listed(_NOT_FOR_SERVERS, received, lowered)
    via = VIA
    fields: Pairs = []
    for line, lower in zip(received, lowered, strict=True):
        if lower == "via":
            via = f"{line[1]}, {VIA}"
        elif lower not in dropped and not (lower[:1] == "x" and is_identity_field(lower)):
            fields.append(line)
    fields.append(("Via", via))
    fields += forwarded_fields(forwarding, received)
    if identity is not None:
        fields += identity_fields(identity)
    if overrides:
        wanted = {name.lower() for name in overrides}
        fields = [field for field in fields if field[0].lower() in _FRAMING or field[0].lower() not in wanted]
        fields += [(name, value) for name, value in overrides.items() if name.lower() not in _FRAMING]
    if chunked:
        fields.append(("Transfer-Encoding", "chunked"))
    if upgrade is not None:
        fields += [("Connection", "Upgrade"), ("Upgrade", upgrade)]
    return fields


class RequestFields(NamedTuple):
    """The field lines of a request to the origin server.

    Args:
        lines: all but X-Request-ID, which is another one for each request; unless the configuration says otherwise.
        serialized: the same as bytes, a line break behind each.
        host: the value of Host, in lower case.
        identified: X-Request-ID is among them: ``request_headers_override`` has it.
    """

    lines: tuple[tuple[str, str], ...]
    serialized: bytes
    host: str
    identified: bool


@lru_cache(maxsize=128)
def request_fields(
    received: tuple[tuple[str, str], ...],
    credentials: Credentials | None,
    forwarding: Forwarding,
    upgrade: str | None,
    chunked: bool,
    overrides: tuple[tuple[str, str], ...],
    identity: Identity | None,
) -> RequestFields:
    """``build_request_fields`` for a request without its X-Request-ID, remembered.

    The requests of a page, and those of a program, differ in their targets and hardly in their fields.

    Args:
        received: the client's field lines.
        credentials: what is withheld; None if nothing is.
        forwarding: becomes the forwarded fields.
        upgrade: the protocol that the request asks for.
        chunked: whether a body of unknown length follows.
        overrides: pairs of names and values, which win.
        identity: becomes the identity fields.

    Raises:
        ValueError: a field cannot be sent.
    """
    lines = [line for line in received if line[0].lower() != "x-request-id"]
    if credentials is not None:
        lines = withhold_fields(lines, credentials)
    fields = build_request_fields(
        lines,
        forwarding=forwarding,
        upgrade=upgrade,
        chunked=chunked,
        overrides=dict(overrides),
        identity=identity,
    )
    host = next((value for name, value in fields if name.lower() == "host"), "")
    identified = any(name.lower() == "x-request-id" for name, _ in fields)
    serialized = _serialize([*(f"{name}: {value}" for name, value in fields), ""])
    return RequestFields(tuple(fields), serialized, host.lower(), identified)


def build_response_fields(
    received: Iterable[tuple[str, str]],
    *,
    rewrite_location: Callable[[str], str] | None = None,
    screen_cookie: Callable[[str], str | None] | None = None,
    upgrade: bool = False,
) -> Pairs:
    """The field lines to send to the client.

    Args:
        received: the origin server's field lines; not changed.
        rewrite_location: applied to the URLs in Location, Content-Location and Refresh.
        screen_cookie: applied to each Set-Cookie; None drops it.
        upgrade: whether this is the 101 that switches protocols; its Upgrade field then passes.
    """
    received = list(received)
    lowered = [name.lower() for name, _ in received]
    if _NOT_AS_THEY_ARE.isdisjoint(lowered):
        return received
    dropped = _without_listed(_NOT_FOR_CLIENTS, received, lowered)
    fields: Pairs = []
    for (name, value), lower in zip(received, lowered, strict=True):
        if lower in dropped:
            if upgrade and lower == "upgrade":
                fields += [("Connection", "Upgrade"), (name, value)]
            continue
        if rewrite_location is not None:
            if lower in ("location", "content-location"):
                value = rewrite_location(value)
            elif lower == "refresh":
                value = _rewrite_refresh(value, rewrite_location)
        if lower == "set-cookie" and screen_cookie is not None:
            screened = screen_cookie(value)
            if screened is None:
                continue
            value = screened
        fields.append((name, value))
    return fields


def _without_listed(dropped: frozenset[str], received: Pairs, lowered: list[str]) -> frozenset[str]:
    """``dropped``, and the fields that a Connection field lists (RFC 9110 7.6.1)."""
    if "connection" not in lowered:
        return dropped
    listed = [value for (_, value), lower in zip(received, lowered, strict=True) if lower == "connection"]
    return dropped.union(word for value in listed for word in tokens(value) if word not in _NEVER_LISTED)


def _rewrite_refresh(value: str, rewrite_location: Callable[[str], str]) -> str:
    """The URL in ``5; url=/path`` (WHATWG HTML, shared declarative refresh steps)."""
    delay, separator, rest = value.partition(";")
    key, equals, url = rest.partition("=")
    if not equals or key.strip().lower() != "url":
        return value
    bare = url.strip()
    quote = bare[:1] if bare[:1] in "'\"" and bare[-1:] == bare[:1] and len(bare) > 1 else ""
    inner = bare[1:-1] if quote else bare
    return f"{delay}{separator}{key}{equals}{quote}{rewrite_location(inner)}{quote}"


def is_navigation(method: str, get: Callable[[str], str | None]) -> bool:
    """Whether a person at a browser waits for a page: they get pages and redirects, all other clients plain answers.

    Fetch metadata tells (W3C Fetch Metadata, Sec-Fetch-Mode); without it, a GET that prefers HTML is taken for one.
    """
    if method not in ("GET", "HEAD"):
        return False
    mode = get("Sec-Fetch-Mode")
    if mode is not None:
        return mode == "navigate"
    return "text/html" in (get("Accept") or "")


def is_background(method: str, get: Callable[[str], str | None]) -> bool:
    """Whether a page that is open in a browser has caused a request, and not a person or a program.

    Fetch metadata tells; without it (browsers send it to https: and localhost only), an Origin or a Referer does.
    """
    if is_navigation(method, get):
        return False
    if get("Sec-Fetch-Mode") is not None:
        return True
    return get("Origin") is not None or get("Referer") is not None


def serialize_head(start_line: str, fields: Iterable[tuple[str, str]]) -> bytes:
    """A message head as bytes (RFC 9112 2.1).

    Raises:
        ValueError: a field or the start line holds CR, LF or NUL, or characters outside latin-1.
    """
    lines = [start_line]
    lines += [f"{name}: {value}" for name, value in fields]
    lines += ("", "")
    return _serialize(lines)


def serialize_request(start_line: str, fields: RequestFields, request_id: str) -> bytes:
    """The head of a request.

    Args:
        start_line: method, target, version.
        fields: as ``request_fields`` makes them.
        request_id: visible ASCII characters.

    Raises:
        ValueError: the start line holds what ``serialize_head`` does not take.
    """
    # Whoever asks knows that an id is harmless; a target may be what ``mappath`` has made of it.
    if "\n" in start_line or "\r" in start_line or "\0" in start_line:
        raise ValueError("a request line holds a line break or a NUL character")
    end = b"\r\n" if fields.identified else f"X-Request-ID: {request_id}\r\n\r\n".encode("latin-1")
    return f"{start_line}\r\n".encode("latin-1") + fields.serialized + end


def _serialize(lines: list[str]) -> bytes:
    """Lines with a line break between two, and none inside."""
    text, breaks = "\r\n".join(lines), len(lines) - 1
    if text.count("\n") != breaks or text.count("\r") != breaks or "\0" in text:
        raise ValueError("a header field holds a line break or a NUL character")
    return text.encode("latin-1")
