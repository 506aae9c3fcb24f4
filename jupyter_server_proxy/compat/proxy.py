"""Handlers that proxy, for subclasses: under Jupyter, and in any Tornado application (as dask's scheduler does)."""

from __future__ import annotations

import copy
import inspect
import logging
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote

from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.utils import url_path_join
from tornado import web
from tornado.httpclient import HTTPRequest
from tornado.httputil import HTTPHeaders, HTTPMessageDelegate, HTTPServerRequest
from tornado.log import app_log

from ..config import ServerProxy
from ..extension.door import credentials_of, identity_of
from ..rules.credentials import Credentials
from ..rules.headers import is_navigation
from ..rules.policy import SAFE_METHODS, parse_hosts
from ..upstream.address import Address, UnixAddress
from ..web.assembly import make_runtime
from ..web.destinations import RESPONSE_TIMEOUT, AddressDestination, Destination, Handling, Route
from ..web.door import RESOURCE, Pass, Refusal
from ..web.gateway import Gateway
from ..web.runtime import RUNTIME_KEY, Runtime
from ..web.traffic import Traffic

#: Hosts that are this machine, and are reached by its loopback addresses.
_LOCAL = frozenset({"localhost", "127.0.0.1"})

#: What may stand in a path as it is (RFC 3986 3.3), and the "?" with which subclasses add a query.
_PLAIN = "/:@!$&'()*+,;=-._~?"


class NoDoor:
    """Of a Tornado application that knows neither Jupyter's login nor ours: its handlers decide themselves."""

    async def authorize(
        self, runtime: Runtime, request: HTTPServerRequest, destination: Destination, *, upgrade: bool
    ) -> Pass | Refusal:
        """See ``Door``; never asked."""
        return Refusal("Only handlers lead here.")

    def refuse(
        self, runtime: Runtime, request: HTTPServerRequest, refusal: Refusal, *, has_body: bool
    ) -> HTTPMessageDelegate:
        """See ``Door``; never asked."""
        raise NotImplementedError

    def page_cookies(self, request: HTTPServerRequest) -> tuple[str, ...]:
        """See ``Door``."""
        return ()


def runtime_of(application: web.Application) -> Runtime:
    """The runtime of an application; one of its own where our extension was not loaded."""
    runtime: Runtime | None = application.settings.get(RUNTIME_KEY)
    if runtime is None:
        log = app_log if isinstance(app_log, logging.Logger) else logging.getLogger(__name__)
        base_url = str(application.settings.get("base_url", "/"))
        runtime = make_runtime(ServerProxy(), application, base_url, NoDoor(), log)
        application.settings[RUNTIME_KEY] = runtime
    return runtime


class HandlerDestination(AddressDestination):
    """Where a handler wants to go.

    Args:
        host: validated name or IP literal, or None for this machine.
        port: 1-65535; not looked at with ``unix_socket``.
        handling: how.
        override: fields that win over all others.
        unix_socket: path to connect to instead.
    """

    def __init__(
        self, host: str | None, port: int, handling: Handling, override: Mapping[str, str], unix_socket: str
    ) -> None:
        super().__init__(host, port, handling, Traffic())
        self._override = override
        self._unix = UnixAddress(unix_socket) if unix_socket else None
        if self._unix is not None:
            self.name = str(self._unix)

    @property
    def address(self) -> Address:
        """See ``Destination``."""
        return self._unix or super().address

    async def locate(self, *, background: bool = False) -> Address:
        """See ``Destination``."""
        return self.address

    def headers_override(self) -> Mapping[str, str]:
        """See ``Destination``."""
        return self._override


class ProxyHandler(JupyterHandler):
    """The base of all: ``proxy(host, port, path)`` relays a request, ``proxy_open(host, port, path)`` an upgrade.

    Subclasses may be given as route kwargs, set, or override:

    Attributes:
        host_allowlist: hosts that may be reached, or a function of handler and host. Each handler has its own list.
        absolute_url: whether whole paths are sent.
        rewrite_response: a function or several; see ``ServerProcess.rewrite_response``.
        update_last_activity, exclude_last_activity_patterns: what counts as activity; see ``ServerProcess``.
        unix_socket: path of a socket to connect to, instead of host and port.
        proxy_base: the part of the URL below the base URL, where it is not ``proxy/<port>``.
    """

    unix_socket: Any = None
    progressive: Any = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.proxy_base = ""
        self.absolute_url = kwargs.pop("absolute_url", False)
        allowed = kwargs.pop("host_allowlist", ("localhost", "127.0.0.1"))
        self.host_allowlist: Any = allowed if callable(allowed) else list(allowed)
        self.rewrite_response: Any = kwargs.pop("rewrite_response", ())
        self.update_last_activity: Any = True
        self.exclude_last_activity_patterns: Any = ()
        self.subprotocols: Any = None
        super().__init__(*args, **kwargs)

    # ---- who may pass

    async def prepare(self, *args: Any, **kwargs: Any) -> None:
        """Called by Tornado. Subclasses outside of Jupyter replace it; nothing else depends on it."""
        await super().prepare()
        if self._finished:
            return
        if not self.current_user:
            if is_navigation(self.request.method or "", self.request.headers.get):
                web.authenticated(lambda handler: None)(self)
            if not self._finished:
                raise web.HTTPError(403, "Not logged in.")
            return
        action = "execute" if self._wants_upgrade else "read" if self.request.method in SAFE_METHODS else "write"
        allowed = self.authorizer.is_authorized(self, self.current_user, action, RESOURCE)
        if not (await allowed if inspect.isawaitable(allowed) else allowed):
            raise web.HTTPError(403, f"You are not allowed to {action} {RESOURCE}.")

    def check_origin(self, origin: str | None = None) -> bool:
        """Asked before an upgrade: as for Jupyter's own websockets."""
        return bool(JupyterHandler.check_origin(self, origin or ""))

    def check_xsrf_cookie(self) -> None:
        """Applications defend themselves against cross-site requests."""

    def _check_host_allowlist(self, host: str) -> bool:
        allowed = self.host_allowlist
        return bool(allowed(self, host)) if callable(allowed) else host in parse_hosts(allowed)

    # ---- requests: what Tornado calls

    async def get(self, *args: Any, **kwargs: Any) -> None:
        """An upgrade goes to ``open``, everything else to ``http_get``."""
        if self._wants_upgrade:
            if not self.check_origin():
                raise web.HTTPError(403, "Cross-origin connections are not allowed.")
            await _awaited(self.open(*args, **kwargs))
        else:
            await _awaited(self.http_get(*args, **kwargs))

    def open(self, *args: Any, **kwargs: Any) -> Any:
        """A websocket, or another upgrade, is asked for."""
        return self.proxy_open(*args, **kwargs)

    def http_get(self, *args: Any, **kwargs: Any) -> Any:
        """GET, unless it is an upgrade."""
        return self.proxy(*args, **kwargs)

    def post(self, *args: Any, **kwargs: Any) -> Any:
        """POST"""
        return self.proxy(*args, **kwargs)

    def put(self, *args: Any, **kwargs: Any) -> Any:
        """PUT"""
        return self.proxy(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> Any:
        """DELETE"""
        return self.proxy(*args, **kwargs)

    def head(self, *args: Any, **kwargs: Any) -> Any:
        """HEAD"""
        return self.proxy(*args, **kwargs)

    def patch(self, *args: Any, **kwargs: Any) -> Any:
        """PATCH"""
        return self.proxy(*args, **kwargs)

    def options(self, *args: Any, **kwargs: Any) -> Any:
        """OPTIONS"""
        return self.proxy(*args, **kwargs)

    # ---- what subclasses call and override

    async def proxy(self, host: str, port: int | str, proxied_path: str) -> None:
        """Relay the request.

        Args:
            host: name or address; "localhost" is this machine's loopback address.
            port: there.
            proxied_path: decoded, as Tornado passes it; a query in it is joined with the request's.
        """
        if not self._check_host_allowlist(host):
            self.set_status(403)
            self.finish(f"Host '{host}' is not allowed. See ServerProxy.host_allowlist.\n")
            return
        relay = self._proxy_buffered if self.rewrite_response else self._proxy_progressive
        await relay(host, port, proxied_path, self.request.body, None)

    async def proxy_open(self, host: str, port: int | str, proxied_path: str = "") -> None:
        """Relay an upgrade; see ``proxy``. Returns when the connection has ended."""
        if not self._check_host_allowlist(host):
            raise web.HTTPError(403, f"Host '{host}' is not allowed. See ServerProxy.host_allowlist.")
        await self._relay(self.destination(host, int(port)), host, port, proxied_path, b"")

    async def _proxy_progressive(self, host: str, port: int | str, proxied_path: str, body: bytes, client: Any) -> None:
        await self._relay(self.destination(host, int(port)), host, port, proxied_path, body)

    async def _proxy_buffered(self, host: str, port: int | str, proxied_path: str, body: bytes, client: Any) -> None:
        await self._relay(self.destination(host, int(port)), host, port, proxied_path, body)

    def proxy_request_headers(self) -> HTTPHeaders:
        """The header fields to send on; the forwarded ones, and what must not pass, are seen to afterwards."""
        return self.request.headers.copy()

    def get_request_headers_override(self) -> dict[str, str]:
        """Fields that win over all others."""
        return {}

    def proxy_request_options(self) -> dict[str, Any]:
        """Options of the request; of those of Tornado's client ``request_timeout`` (seconds) has a meaning here."""
        return {}

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        """Never asked: the application selects it."""
        return None

    def _get_context_path(self, host: str, port: int | str) -> str:
        """The public path of what is proxied, without trailing slash."""
        base_url = str(self.settings.get("base_url", "/"))
        if self.proxy_base:
            return str(url_path_join(base_url, self.proxy_base))
        target = str(port) if host in _LOCAL else f"{host}:{port}"
        return str(url_path_join(base_url, "proxy", *(["absolute"] if self.absolute_url else []), target))

    def get_client_uri(self, protocol: str, host: str, port: int | str, proxied_path: str) -> str:
        """The URL to request."""
        path = proxied_path if proxied_path.startswith("/") else f"/{proxied_path}"
        if self.absolute_url:
            path = str(url_path_join(self._get_context_path(host, port), path))
        query = f"?{self.request.query}" if self.request.query else ""
        return f"{protocol}://{host}:{port}{quote(path, safe=_PLAIN)}{query}"

    def _build_proxy_request(
        self, host: str, port: int | str, proxied_path: str, body: bytes | None, **extra_opts: Any
    ) -> HTTPRequest:
        """What subclasses change before it is sent: method and header fields of the result are used."""
        return HTTPRequest(
            self.get_client_uri("http", host, port, proxied_path),
            method=self.request.method or "GET",
            headers=self.proxy_request_headers(),
            body=body or None,
            follow_redirects=False,
            allow_nonstandard_methods=True,
            **{**self.proxy_request_options(), **extra_opts},
        )

    def _rewrite_location_header(self, location: str, host: str, port: int | str, proxied_path: str) -> str:
        """Kept for those who call it: the engine rewrites by itself."""
        from ..rules.paths import rewrite_location

        return rewrite_location(
            location,
            prefix=self._get_context_path(host, port),
            authorities={f"{host}:{port}"},
            absolute=self.absolute_url,
        )

    def _record_activity(self) -> None:
        """Kept for those who call it: the engine records by itself."""

    # ---- the journey

    def destination(self, host: str, port: int) -> Destination:
        """Where the engine goes."""
        override = self.get_request_headers_override()
        socket = self.unix_socket if isinstance(self.unix_socket, str) else ""
        name = None if host in _LOCAL else host
        return HandlerDestination(name, port, self.handling(), override, socket)

    def handling(self) -> Handling:
        """How the engine passes the request on, by the attributes of this handler."""
        rewrite = self.rewrite_response
        timeout = self.proxy_request_options().get("request_timeout")
        return Handling(
            rewrite_response=(rewrite,) if callable(rewrite) else tuple(rewrite or ()),
            update_last_activity=self.update_last_activity,
            exclude_last_activity_patterns=tuple(self.exclude_last_activity_patterns or ()),
            response_timeout=float(timeout) if timeout else RESPONSE_TIMEOUT,
        )

    async def _relay(
        self, destination: Destination, host: str, port: int | str, proxied_path: str, body: bytes
    ) -> None:
        """Send the request on its journey; the response is written when this returns."""
        if not self.current_user:  # whatever a subclass has made of ``prepare``
            raise web.HTTPError(403, "Not logged in.")
        path, _, query = self._as_sent(proxied_path).partition("?")
        joined = "&".join(part for part in (query, self.request.query) if part)
        has_query = bool(joined) or "?" in (self.request.uri or "")
        prefix = self._get_context_path(host, port).rstrip("/")
        route = Route(destination, prefix, path, joined if has_query else None, bool(self.absolute_url))
        request = copy.copy(self.request)
        request.headers = self.proxy_request_headers()
        if type(self)._build_proxy_request is not ProxyHandler._build_proxy_request:
            built = self._build_proxy_request(host, port, proxied_path, body)
            request.method, request.headers = built.method, HTTPHeaders(built.headers)
        gateway = Gateway(runtime_of(self.application), request, route)
        self._gateway = gateway
        await gateway.serve(
            Pass(self.current_user, self._new_cookies(), self._credentials(), identity_of(self.current_user)), body
        )
        self._status_code = gateway.status
        self._finished = True
        self._auto_finish = False
        self.on_finish()

    _gateway: Gateway | None = None

    def on_connection_close(self) -> None:
        """Called by Tornado: the client has gone."""
        if self._gateway is not None:
            self._gateway.on_connection_close()
        else:
            super().on_connection_close()

    @property
    def _wants_upgrade(self) -> bool:
        return self.request.method == "GET" and "upgrade" in self.request.headers

    def _as_sent(self, decoded: str) -> str:
        """The path as the client sent it, if this handler's argument is the end of it; else encoded anew.

        Tornado decodes the arguments of handlers, and some subclasses change ``request.uri``.
        """
        path = decoded if decoded.startswith("/") else f"/{decoded}"
        sent = self.request.path
        at = len(sent)
        while (at := sent.rfind("/", 0, at)) >= 0:
            if unquote(sent[at:]) == path and "?" not in path:
                return sent[at:]
        return quote(path, safe=_PLAIN)

    def _new_cookies(self) -> tuple[str, ...]:
        return tuple(morsel.OutputString(None) for morsel in getattr(self, "_new_cookie", {}).values())

    def _credentials(self) -> Credentials:
        if "identity_provider" not in self.settings:
            return Credentials(host=self.request.host)
        return credentials_of(self, bool(self.identity_provider.is_token_authenticated(self)))


async def _awaited(result: Any) -> None:
    if inspect.isawaitable(result):
        await result


class LocalProxyHandler(ProxyHandler):
    """``proxy(port, path)``: a port of this machine."""

    def proxy(self, port: int | str, proxied_path: str) -> Any:  # type: ignore[override]
        """See ``ProxyHandler.proxy``."""
        return super().proxy("localhost", port, proxied_path)

    def open(self, port: int | str, proxied_path: str) -> Any:
        """See ``ProxyHandler.open``."""
        return self.proxy_open("localhost", port, proxied_path)


class RemoteProxyHandler(ProxyHandler):
    """``proxy(host, port, path)``: a port of another machine."""


class AddSlashHandler(JupyterHandler):
    """Redirects to the same URL with a slash at the end of its path."""

    @web.authenticated
    def get(self, *args: Any) -> None:
        """Called by Tornado."""
        path, query = self.request.path, self.request.query
        self.redirect(f"/{path.strip('/')}/" + (f"?{query}" if query else ""))
