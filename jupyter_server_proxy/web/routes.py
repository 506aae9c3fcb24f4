"""The URL table: from a request target to a route.

One rule in the application's router leads here. Looking a server up is one dictionary access, so that a hundred
configured servers cost a request no more than one.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from tornado.httputil import HTTPMessageDelegate, HTTPServerRequest
from tornado.routing import Router

from ..errors import RequestRefused
from ..rules.paths import parse_proxy_prefix, split_proxy_path, split_target
from .destinations import AddressDestination, Destination, Handling, Nowhere, Route
from .gateway import Gateway
from .runtime import Runtime
from .traffic import Traffic


class RouteTable(Router):
    """Finds the route of a request, or leaves the request to other rules.

    Args:
        runtime: shared by all requests.
        servers: by name: destination and ``absolute_url``.
        proxied: how ``/proxy/...`` requests are passed on.
        traffic: counts those.
    """

    #: Jupyter Server looks through the methods of every target for missing authentication. There are none here: the
    #: gateway authorizes every request itself, before anything else.
    SUPPORTED_METHODS = ()

    def __init__(
        self,
        runtime: Runtime,
        servers: Mapping[str, tuple[Destination, bool]],
        proxied: Handling,
        traffic: Traffic,
    ) -> None:
        self._runtime = runtime
        self._base_url = runtime.base_url
        self._servers = dict(servers)
        self._nested = sorted((name for name in servers if "/" in name), key=len, reverse=True)
        self._proxied = proxied
        self._traffic = traffic
        # Of the configuration as a whole, so that the same one serves every request to an address.
        self._address = lru_cache(maxsize=256)(self._make_address)
        self._named = lru_cache(maxsize=256)(self._find_named)

    def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> HTTPMessageDelegate | None:
        """Called by tornado when the head of a request has arrived; None passes it to the next rule."""
        route = self.match(request.uri or "")
        return None if route is None else Gateway(self._runtime, request, route)

    def match(self, target: str) -> Route | None:
        """The route of a request target, or None when it is not ours."""
        if not target.startswith(self._base_url):
            return None
        path, query = split_target(target)
        rest = path[len(self._base_url) :]
        name, slash, tail = rest.partition("/")
        found = self._servers.get(name)
        if found is not None:
            destination, absolute = found
            return Route(destination, self._base_url + name, slash + tail, query, absolute)
        for nested in self._nested:
            if rest == nested or rest.startswith(nested + "/"):
                destination, absolute = self._servers[nested]
                return Route(destination, self._base_url + nested, rest[len(nested) :], query, absolute)
        if name == "proxy" and slash:
            return self._match_address(rest, query)
        return None

    def _make_address(self, host: str | None, port: int) -> AddressDestination:
        return AddressDestination(host, port, self._proxied, self._traffic)

    def _match_address(self, rest: str, query: str | None) -> Route | None:
        parts = split_proxy_path(rest)
        if parts is None:
            return None
        try:
            named = self._named(parts[0])
        except RequestRefused as error:
            return Route(Nowhere(error, self._proxied, self._traffic), self._base_url + "proxy", "/", query, False)
        if named is None:
            return None
        destination, prefix, absolute = named
        return Route(destination, prefix, parts[1], query, absolute)

    def _find_named(self, prefix: str) -> tuple[AddressDestination, str, bool] | None:
        """What of a route follows from ``proxy/...`` without the path behind it."""
        address = parse_proxy_prefix(prefix)
        if address is None:
            return None
        return self._address(address.host, address.port), self._base_url + prefix, address.absolute
