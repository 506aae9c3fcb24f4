"""Paths: what a request target names, what the origin server is asked for, and what its redirects mean outside.

Targets are latin-1 text exactly as they stood in the request line; nothing here decodes what will be passed on.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Mapping
from typing import NamedTuple
from urllib.parse import quote, unquote, urlsplit

from ..errors import RequestRefused, ServerMisconfigured
from .spec import AskingCallable
from .template import call_with_asked_args

#: Everything that may stand in a request target (RFC 3986 reserved and unreserved, and "%"), save "#" and "?".
_TARGET_SAFE = "/:[]@!$&'()*+,;=-._~%"

_HOST_NAME = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9_-]{1,63}(?<!-))*\.?")

#: Resolvers take names that end in a number for IPv4 addresses: 127.1, 0x7f000001, 2130706433, 127.0.0.1. (WHATWG URL,
#: "ends in a number checker"). Lists of networks would not know them.
_NUMERIC_END = re.compile(r"(.*\.)?([0-9]+|0[xX][0-9a-fA-F]*)\.?")


#: Characters of the longest host and port, each of them percent-encoded.
_MAX_SEGMENT = 1024

_PROXY = "proxy/"
_ABSOLUTE = "proxy/absolute/"

#: First parts of URLs of Jupyter Server itself, and of JupyterLab and Notebook.
JUPYTER_PATHS = frozenset(
    {
        *("api", "custom", "files", "kernelspecs", "login", "logout", "metrics", "nbconvert", "nbextensions"),
        *("oauth_callback", "static", "terminals", "view"),
        *("consoles", "doc", "edit", "lab", "lsp", "notebooks", "tree"),
    }
)


class ProxyAddress(NamedTuple):
    """What ``proxy/...`` names.

    Args:
        host: validated name or IP literal without brackets; None for a port of this machine.
        port: 1-65535.
        absolute: whether the origin server is to see the whole public path.
    """

    host: str | None
    port: int
    absolute: bool


def split_target(target: str) -> tuple[str, str | None]:
    """Path and query of a request target; the query is None when there is no "?", and may be empty."""
    path, question, query = target.partition("?")
    return path, query if question else None


def join_target(path: str, query: str | None) -> str:
    """The inverse of ``split_target``."""
    return path if query is None else f"{path}?{query}"


def split_proxy_path(rest: str) -> tuple[str, str] | None:
    """Part ``proxy/[absolute/][<host>:]<port>[/path]`` where the path begins, if it does.

    Args:
        rest: a path without the base URL, beginning with ``proxy/``, as sent by the client.

    Returns:
        What names the address, as it was written, for example ``proxy/absolute/8000``; and what follows, which is "" or
        begins with "/". None when what names it is too long for that.
    """
    named_from = len(_ABSOLUTE if rest.startswith(_ABSOLUTE) else _PROXY)
    named_to = rest.find("/", named_from)
    if named_to < 0:
        named_to = len(rest)
    return (rest[:named_to], rest[named_to:]) if named_to - named_from <= _MAX_SEGMENT else None


def parse_proxy_prefix(prefix: str) -> ProxyAddress | None:
    """Read ``proxy/[absolute/][<host>:]<port>``, the first part of ``split_proxy_path``.

    Returns:
        None when it has another form (the route is then not ours).

    Raises:
        RequestRefused: the form is ours, but the port or the host cannot be one.
    """
    absolute = prefix.startswith(_ABSOLUTE)
    segment = prefix[len(_ABSOLUTE if absolute else _PROXY) :]
    host, _, port = segment.rpartition(":")
    if not (port.isascii() and port.isdigit()) or (not host and segment != port):
        return None
    if len(port) > 5 or not 1 <= int(port) <= 65535:
        raise RequestRefused(f"Port {port[:20]} does not exist: ports are 1 to 65535.")
    return ProxyAddress(validate_host(host) if host else None, int(port), absolute)


def validate_host(text: str) -> str:
    """Decode a host once and accept it only as a DNS name or an IP literal; what is returned is what gets connected to.

    Raises:
        RequestRefused: anything else, such as user information, separators, or a second percent-encoding.
    """
    host = unquote(text, encoding="latin-1")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        if bare == host and len(host) <= 253 and _HOST_NAME.fullmatch(host) and not _NUMERIC_END.fullmatch(host):
            return host.lower()
        raise RequestRefused("The host of this URL is neither a name nor an IP address.") from None
    if (address.version == 6) != (bare != host) or "%" in bare:
        raise RequestRefused("IPv6 addresses are written in brackets, without a zone: /proxy/[::1]:8000/.")
    return str(address)


def map_path(
    mappath: Mapping[str, str] | AskingCallable, path: str, query: str | None, *, server: str
) -> tuple[str, str | None]:
    """Apply ``mappath`` to the path after the prefix.

    Args:
        mappath: from paths to paths, or a callable that asks for ``path``; the result may hold a query.
        path: begins with "/"; percent-encoded as the client sent it. A dictionary is asked for the decoded path, too.
        query: of the request; joined by "&" to one that ``mappath`` gives.
        server: name for messages.

    Raises:
        ServerMisconfigured: the callable failed or returned something that is no path.
    """
    if not mappath:
        return path, query
    if isinstance(mappath, Mapping):
        mapped = mappath.get(path)
        if mapped is None:
            mapped = mappath.get(unquote(path), path)
    else:
        try:
            mapped = call_with_asked_args(mappath, {"path": path})
        except Exception as error:
            raise ServerMisconfigured(
                f"The mappath function of server '{server}' failed: {type(error).__name__}.", detail=repr(error)
            ) from error
    if not isinstance(mapped, str):
        raise ServerMisconfigured(f"mappath of server '{server}' must give a string, not {type(mapped).__name__}.")
    if mapped == path:
        return path, query
    mapped, own_query = split_target(mapped)
    mapped = quote(mapped, safe=_TARGET_SAFE)
    if not mapped.startswith("/"):
        mapped = "/" + mapped
    if own_query is None:
        return mapped, query
    own_query = quote(own_query, safe=_TARGET_SAFE + "?")
    return mapped, f"{own_query}&{query}" if query else own_query


def rewrite_location(location: str, *, prefix: str, authorities: Collection[str], absolute: bool) -> str:
    """Turn a URL of the origin server into what it means outside; everything else stays as it is.

    Root-absolute paths get the prefix unless they have it; absolute URLs that name the origin server itself become such
    paths. Relative references, and URLs of other hosts (``//host/`` included), stay.

    Args:
        location: the value of a Location field.
        prefix: public path of the application, without trailing slash.
        authorities: the ``host:port`` forms, lower case, by which the origin server knows itself.
        absolute: the origin server sees and writes full public paths.
    """
    if location.startswith("/") and not location.startswith(("//", "/\\")):
        return location if absolute else _add_prefix(location, prefix)
    try:
        parts = urlsplit(location)
    except ValueError:
        return location
    if not parts.netloc or parts.scheme not in ("http", "https", "") or parts.netloc.lower() not in authorities:
        return location
    rest = location[location.index("//") + 2 + len(parts.netloc) :]
    if not rest.startswith("/"):
        rest = "/" + rest
    if rest.startswith(("//", "/\\")):
        return location  # as a path it would name another host
    return rest if absolute else _add_prefix(rest, prefix)


def _add_prefix(path: str, prefix: str) -> str:
    end = path[len(prefix) : len(prefix) + 1]
    if path.startswith(prefix) and end in ("", "/", "?", "#"):
        return path
    return prefix + path
