"""What the origin server is told about the client and about the public URL of the request (RFC 7239 and its elders)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from .fields import Pairs

#: What a client says about itself in these fields does not pass, unless it is a trusted proxy.
FORWARDED = frozenset(
    {
        "forwarded",
        "x-forwarded-for",
        "x-forwarded-proto",
        "x-forwarded-host",
        "x-forwarded-port",
        "x-forwarded-prefix",
        "x-forwarded-context",
        "x-proxycontextpath",
    }
)

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


class Forwarding(NamedTuple):
    """The request as Jupyter received it.

    Args:
        client: IP address of the client, as far as Jupyter knows it.
        protocol: "http" or "https", as the client sees it.
        host: the Host field as received.
        prefix: public path of the application without trailing slash; None when the application sees full paths
            (``absolute_url``), which need no prefix.
        trusted_peer: IP address of the front proxy that sent the request, if it is one whose own forwarded fields are
            kept and continued; None otherwise.
    """

    client: str
    protocol: str
    host: str
    prefix: str | None
    trusted_peer: str | None = None


def forwarded_fields(forwarding: Forwarding, received: Sequence[tuple[str, str]]) -> Pairs:
    """The forwarded fields of the request to the origin server.

    Args:
        forwarding: what Jupyter knows itself.
        received: the field lines of the request; looked at only when a trusted proxy sent it.
    """
    if forwarding.trusted_peer is None:
        return list(_own_fields(forwarding.client, forwarding.protocol, forwarding.host, forwarding.prefix))
    return _fields(forwarding, _said(received))


@lru_cache(maxsize=256)
def _own_fields(client: str, protocol: str, host: str, prefix: str | None) -> Pairs:
    """The same for all requests of a page, and most of them come with others."""
    return _fields(Forwarding(client, protocol, host, prefix), {})


def _fields(forwarding: Forwarding, said: Mapping[str, str]) -> Pairs:
    node = forwarding.trusted_peer or forwarding.client
    element = f"for={_node(node)};host={_quoted(forwarding.host)};proto={forwarding.protocol}"
    protocol = said.get("x-forwarded-proto", forwarding.protocol)
    host = said.get("x-forwarded-host", forwarding.host)
    fields = [
        ("X-Forwarded-For", _continued(said.get("x-forwarded-for"), node)),
        ("X-Forwarded-Proto", protocol),
        ("X-Forwarded-Host", host),
        ("X-Forwarded-Port", said.get("x-forwarded-port") or _port(host, protocol)),
        ("Forwarded", _continued(said.get("forwarded"), element)),
    ]
    if forwarding.prefix is not None:
        prefix = said.get("x-forwarded-prefix", "").rstrip("/") + forwarding.prefix
        fields += [("X-Forwarded-Prefix", prefix), ("X-Forwarded-Context", prefix), ("X-ProxyContextPath", prefix)]
    return fields


def _said(received: Sequence[tuple[str, str]]) -> dict[str, str]:
    """The forwarded fields of a trusted proxy; repeated ones are one list (RFC 9110 5.2)."""
    said: dict[str, str] = {}
    for name, value in received:
        lower = name.lower()
        if lower in FORWARDED:
            said[lower] = f"{said[lower]}, {value}" if lower in said else value
    return said


def _continued(so_far: str | None, more: str) -> str:
    return f"{so_far}, {more}" if so_far else more


def _node(address: str) -> str:
    """An address as RFC 7239 6 wants it: IPv6 in brackets and quotes."""
    return f'"[{address}]"' if ":" in address else _quoted(address or "unknown")


def _quoted(value: str) -> str:
    """A token, or a quoted string (RFC 9110 5.6.4)."""
    if _TOKEN.fullmatch(value):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _port(host: str, protocol: str) -> str:
    _, colon, port = host.rpartition(":")
    if colon and port.isdigit():
        return port
    return "443" if protocol == "https" else "80"
