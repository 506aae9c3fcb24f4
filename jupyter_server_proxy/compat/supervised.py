"""Handlers of one named server, for subclasses that say how it is started."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..config import ServerProcess, ServerProxy
from ..rules.spec import LifecycleSpec, ServerSpec
from ..rules.template import realize
from ..supervise.server import ManagedServer
from ..web.assembly import make_server_of_spec, start_times
from ..web.destinations import Destination, Handling, ServerDestination
from ..web.processview import watched_state
from ..web.traffic import Traffic
from .proxy import LocalProxyHandler, runtime_of


class NamedLocalProxyHandler(LocalProxyHandler):
    """A server of this machine that has a name, and that somebody else starts.

    Attributes:
        name: of the server; its URL is ``<base URL><name>/``.
        port, unix_socket: where it listens.
        mappath, request_headers_override: see ``ServerProcess``.
    """

    name = ""
    port: Any = 0
    mappath: Any = {}  # noqa: RUF012 - never changed here; subclasses set it
    request_headers_override: Any = {}  # noqa: RUF012

    @property
    def process_args(self) -> dict[str, Any]:
        """The arguments that templates and callables may ask for."""
        socket = self.unix_socket
        return {
            "port": self.port,
            "unix_socket": socket if isinstance(socket, str) else "",
            "base_url": str(self.settings.get("base_url", "/")),
        }

    def _realize_rendered_template(self, attribute: Any) -> Any:
        return realize(attribute, self.process_args)

    def get_request_headers_override(self) -> dict[str, str]:
        """See ``ProxyHandler``."""
        return dict(self._realize_rendered_template(self.request_headers_override) or {})

    def handling(self) -> Handling:
        """See ``ProxyHandler``."""
        general = super().handling()
        return general._replace(mappath=self.mappath)

    def _get_context_path(self, host: str, port: int | str) -> str:
        if not self.proxy_base:
            self.proxy_base = self.name
        return super()._get_context_path(host, port)

    # ---- requests: the route has the path alone

    def http_get(self, path: str) -> Any:
        """GET"""
        return self.proxy(self.port, path)

    def open(self, path: str) -> Any:  # type: ignore[override]
        """An upgrade."""
        return self.proxy_open("localhost", self.port, path)

    def post(self, path: str) -> Any:
        """POST"""
        return self.proxy(self.port, path)

    def put(self, path: str) -> Any:
        """PUT"""
        return self.proxy(self.port, path)

    def delete(self, path: str) -> Any:
        """DELETE"""
        return self.proxy(self.port, path)

    def head(self, path: str) -> Any:
        """HEAD"""
        return self.proxy(self.port, path)

    def patch(self, path: str) -> Any:
        """PATCH"""
        return self.proxy(self.port, path)

    def options(self, path: str) -> Any:
        """OPTIONS"""
        return self.proxy(self.port, path)


class SupervisedDestination(ServerDestination):
    """A supervised server, with what its handler says about requests.

    Args:
        server: the supervised one.
        handling: how requests are passed on.
        override: fields that win over all others.
        traffic: shared by all requests.
    """

    def __init__(
        self, server: ManagedServer, handling: Handling, override: Mapping[str, str], traffic: Traffic
    ) -> None:
        super().__init__(server, handling)
        self.handling = handling
        self.traffic = traffic
        self._override = override

    def headers_override(self) -> Mapping[str, str]:
        """See ``Destination``."""
        return self._override


class SuperviseAndProxyHandler(NamedLocalProxyHandler):
    """A server that is started by the first request, and supervised.

    Attributes:
        state: of the route, shared by its handlers.
        command, environment, timeout: see ``ServerProcess``; ``get_cmd``, ``get_env`` and ``get_timeout`` win.
        requested_port, requested_unix_socket: where it is to listen; a free port without them.
    """

    command: Any = ()
    environment: Any = {}  # noqa: RUF012
    timeout: Any = 5
    requested_port: Any = 0
    requested_unix_socket: Any = None

    def initialize(self, state: dict[str, Any], **kwargs: Any) -> None:
        """Called by Tornado.

        Args:
            state: the same dictionary for each request.
            kwargs: of subclasses.
        """
        self.state = state

    @property
    def port(self) -> int:
        """The port that it was given; 0 with a unix socket."""
        return self.server.port

    @property
    def unix_socket(self) -> str | None:
        """The path that it was given."""
        return str(self.server.arguments["unix_socket"]) or None

    # ---- what subclasses override

    def get_cmd(self) -> list[str]:
        """The command, with everything filled in."""
        return [str(word) for word in self._realize_rendered_template(self.command)]

    def get_env(self) -> dict[str, str]:
        """More environment variables."""
        return dict(self._realize_rendered_template(self.environment) or {})

    def get_timeout(self) -> float:
        """Seconds until it must answer."""
        return float(self.timeout)

    def get_cwd(self) -> str:
        """Its working directory; that of Jupyter, by default."""
        return str(self.settings.get("server_root_dir", ""))

    async def ensure_process(self) -> None:
        """Start it, if need be, and wait until it is ready."""
        await self.server.ensure_ready()

    # ---- the engine

    @property
    def server(self) -> ManagedServer:
        """The supervised one; made by the first handler of the route."""
        self.state["handler"] = self
        server: ManagedServer | None = self.state.get("server")
        if server is None:
            server = self._make_server()
            self.state["server"] = server
            watched_state(server, self.state)
        return server

    def _make_server(self) -> ManagedServer:
        runtime = runtime_of(self.application)
        state = self.state

        def words() -> list[str]:
            return [_escape(word) for word in state["handler"].get_cmd()]

        def variables() -> dict[str, Any]:
            return {
                _escape(name): value if value is None else _escape(str(value))
                for name, value in state["handler"].get_env().items()
            }

        own_port = type(self).port is not SuperviseAndProxyHandler.port
        own_socket = type(self).unix_socket is not SuperviseAndProxyHandler.unix_socket
        spec = ServerSpec(
            name=self.name,
            command=words,
            environment=variables,
            timeout=self.get_timeout(),
            port=int((self.port if own_port else self.requested_port) or 0),
            unix_socket=(self.unix_socket if own_socket else self.requested_unix_socket) or None,
            lifecycle=LifecycleSpec(cwd=self.get_cwd()),
        )
        server = make_server_of_spec(spec, runtime, ServerProxy(), start_times(runtime.log))
        if runtime.supervisor.get(self.name) is None:
            runtime.supervisor.add(server)
            runtime.traffic[self.name] = Traffic()
        return server

    def destination(self, host: str, port: int) -> Destination:
        """See ``ProxyHandler``: the engine starts the server, and shows people how that proceeds."""
        traffic = runtime_of(self.application).traffic.setdefault(self.name, Traffic())
        return SupervisedDestination(self.server, self.handling(), self.get_request_headers_override(), traffic)

    async def proxy(self, port: int | str, path: str) -> None:  # type: ignore[override]
        """See ``ProxyHandler.proxy``."""
        if type(self).ensure_process is not SuperviseAndProxyHandler.ensure_process:
            await self.ensure_process()
        await super().proxy(port, path)

    async def open(self, path: str) -> None:  # type: ignore[override]
        """An upgrade."""
        if type(self).ensure_process is not SuperviseAndProxyHandler.ensure_process:
            await self.ensure_process()
        await self.proxy_open("localhost", self.port, path)


def _escape(text: str) -> str:
    """What is filled in already stays as it is."""
    return text.replace("{", "{{").replace("}", "}}")


def proxy_handler_of(process: ServerProcess) -> tuple[type[NamedLocalProxyHandler], dict[str, Any]]:
    """A handler class for a server of the configuration, and its route kwargs."""
    common = {
        "name": process.name,
        "mappath": process.mappath,
        "request_headers_override": process.request_headers_override,
    }

    def initialize_attributes(handler: NamedLocalProxyHandler) -> None:
        handler.proxy_base = process.name
        handler.absolute_url = process.absolute_url
        handler.rewrite_response = process.rewrite_response
        handler.update_last_activity = process.update_last_activity
        handler.exclude_last_activity_patterns = process.exclude_last_activity_patterns

    base: type[NamedLocalProxyHandler]
    kwargs: dict[str, Any]
    if process.command:
        base, kwargs = SuperviseAndProxyHandler, {"state": {}}
        common |= {
            "command": staticmethod(process.command) if callable(process.command) else process.command,
            "environment": staticmethod(process.environment) if callable(process.environment) else process.environment,
            "timeout": process.timeout,
            "requested_port": process.port,
            "requested_unix_socket": process.unix_socket,
        }
    else:
        base, kwargs = NamedLocalProxyHandler, {}
        common |= {"port": process.port, "unix_socket": process.unix_socket}
    for option in ("mappath", "request_headers_override"):
        if callable(common[option]):
            common[option] = staticmethod(common[option])

    def __init__(self: Any, *args: Any, **options: Any) -> None:
        base.__init__(self, *args, **options)
        initialize_attributes(self)

    return type("ConfiguredProxyHandler", (base,), {**common, "__init__": __init__}), kwargs
