"""Which Host and which Origin fields are good: the same questions that Jupyter Server asks."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection
from urllib.parse import urlsplit

#: Hosts that no name service can make mean another machine: a loopback address as people write it, and perhaps a port.
_LOOPBACK = re.compile(r"(?:127\.0\.0\.1|\[::1\])(?::[0-9]{1,5})?")


def is_loopback_literal(host: str) -> bool:
    """Whether a Host field is one of the usual loopback addresses: a short answer to what Jupyter finds out at length.

    False says nothing.
    """
    return _LOOPBACK.fullmatch(host) is not None


def is_local_host(host: str, local_hostnames: Collection[str]) -> bool:
    """Whether a Host field names this machine. A page of another site that has its own name point here is found out.

    Args:
        host: the Host field; may hold a port.
        local_hostnames: names that mean this machine.
    """
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name in local_hostnames


def is_allowed_origin(origin: str | None, host: str, allow_origin: str = "", pattern: str = "") -> bool:
    """Whether a page of that origin may connect.

    Args:
        origin: the Origin field; None where there is none, which browsers always send with websockets (RFC 6455 10.2).
        host: the Host field.
        allow_origin: one origin, or "*" for all.
        pattern: regular expression of origins.
    """
    if origin is None:
        return True
    try:
        if urlsplit(origin).netloc.lower() == host.lower():
            return True
    except ValueError:
        return False
    if allow_origin == "*" or (allow_origin and origin == allow_origin):
        return True
    return bool(pattern) and re.fullmatch(pattern, origin) is not None
