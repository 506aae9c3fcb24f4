"""Which addresses ``/proxy/<port>`` and ``/proxy/<host>:<port>`` may reach, and which requests came across sites."""

from __future__ import annotations

import fnmatch
import ipaddress
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

#: Methods that change nothing (RFC 9110 9.2.1, and WebDAV's reading ones), so that nobody gains by forging them.
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "PROPFIND", "REPORT", "SEARCH", "TRACE"})


@dataclass(frozen=True)
class HostList:
    """Hosts by name, by glob, and by network.

    Args:
        globs: lower-case patterns of names and of IP addresses; ``*`` stands for any characters, dots included.
        networks: match IP literals alone. Names are not looked up: what they resolve to may change between two looks.
    """

    globs: tuple[str, ...] = ()
    networks: tuple[Network, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.globs or self.networks)

    def __contains__(self, host: object) -> bool:
        text = str(host).lower().rstrip(".")
        if any(fnmatch.fnmatchcase(text, glob) for glob in self.globs):
            return True
        if not self.networks:
            return False
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return False
        # ::ffff:10.0.0.1 is a way to write 10.0.0.1.
        mapped = getattr(address, "ipv4_mapped", None)
        return any(address in network or (mapped is not None and mapped in network) for network in self.networks)


def parse_hosts(entries: Iterable[Any]) -> HostList:
    """Read names, globs (``*.example.org``) and networks (``10.0.0.0/8``).

    Raises:
        ValueError: an entry is none of them; the rest of a sentence that begins with the option.
    """
    globs: list[str] = []
    networks: list[Network] = []
    for entry in entries:
        if not isinstance(entry, str) or not entry:
            raise ValueError(f"must hold names, globs and networks as strings, got {entry!r}")
        if "/" in entry:
            try:
                networks.append(ipaddress.ip_network(entry, strict=False))
            except ValueError:
                raise ValueError(
                    f"holds {entry!r}, which is no network; write it as an address and a prefix length: '10.0.0.0/8'"
                ) from None
        else:
            globs.append(_normal(entry))
    return HostList(tuple(globs), tuple(networks))


def _normal(entry: str) -> str:
    bare = entry[1:-1] if entry.startswith("[") and entry.endswith("]") else entry
    try:
        return str(ipaddress.ip_address(bare))
    except ValueError:
        return entry.lower().rstrip(".")


def parse_ports(entries: Iterable[Any]) -> tuple[range, ...]:
    """Read ports (``8080``) and ranges of ports (``"8000-8999"``, both ends included).

    Raises:
        ValueError: an entry is none of them; the rest of a sentence that begins with the option.
    """
    ranges = []
    for entry in entries:
        first, dash, last = str(entry).partition("-")
        try:
            low, high = int(first), int(last if dash else first)
        except ValueError:
            low = high = 0
        if isinstance(entry, bool) or not 1 <= low <= high <= 65535:
            raise ValueError(f"must hold ports (8080) and ranges of ports ('8000-8999') from 1 to 65535, got {entry!r}")
        ranges.append(range(low, high + 1))
    return tuple(ranges)


def has_port(ranges: Sequence[range], port: int) -> bool:
    """Whether a port is in any of the ranges."""
    return any(port in ports for ports in ranges)


def is_cross_site(method: str, get: Callable[[str], str | None], host: str) -> bool:
    """Whether a browser sent an unsafe request on behalf of a page of another origin.

    Browsers say so in Sec-Fetch-Site (W3C Fetch Metadata), older ones in Origin (RFC 6454 7), the oldest in Referer.
    A request without any of them does not come from a page in a browser of the last ten years.

    Args:
        method: of the request.
        get: gives a field of the request, or None.
        host: the Host field, which the origin must match.
    """
    if method in SAFE_METHODS:
        return False
    site = get("Sec-Fetch-Site")
    if site is not None:
        return site not in ("same-origin", "none")
    source = get("Origin") or get("Referer")
    if source is None:
        return False
    try:
        return urlsplit(source).netloc.lower() != host.lower()
    except ValueError:
        return True
