"""Wires configuration -> servers -> routes into Jupyter Server, and stops every process when Jupyter stops."""

from __future__ import annotations

import atexit
from typing import Any

from jupyter_server.extension.application import ExtensionApp
from jupyter_server.utils import url_path_join

from .config import ServerProcess, ServerProxy, read_servers
from .supervise.reaper import Reaper
from .supervise.server import ManagedServer, Supervisor
from .upstream.pool import Pool
from .upstream.probe import answers_http
from .web.api import IconHandler, ServersInfoHandler
from .web.destinations import Destination, Handling, ServerDestination
from .web.routes import RouteTable
from .web.runtime import Runtime


class ServerProxyExtension(ExtensionApp):
    """The Jupyter Server extension."""

    name = "jupyter_server_proxy"
    extension_url = "/"
    load_other_extensions = True

    runtime: Runtime | None = None

    def initialize_handlers(self) -> None:
        """Called by Jupyter Server when it loads the extension."""
        self.runtime = load(self.serverapp)

    async def stop_extension(self) -> None:
        """Called by Jupyter Server when it stops: no process of ours outlives it."""
        if self.runtime is not None:
            await self.runtime.close()


def load(serverapp: Any) -> Runtime:
    """Read the configuration and add the routes.

    Args:
        serverapp: the running ``jupyter_server.serverapp.ServerApp``.
    """
    config = ServerProxy(parent=serverapp)
    processes = read_servers(config, serverapp.log)
    runtime = _make_runtime(serverapp, config)
    destinations: dict[str, tuple[Destination, bool]] = {}
    for process in processes:
        destinations[process.name] = _make_destination(process, runtime)
    handling = Handling(rewrite_response=_as_functions(config.non_service_rewrite_response))
    icons = {p.name: p.launcher_entry.icon_path for p in processes if p.launcher_entry.icon_path}
    base_url = runtime.base_url
    serverapp.web_app.add_handlers(
        ".*",
        [
            (url_path_join(base_url, "server-proxy/servers-info"), ServersInfoHandler, {"server_processes": processes}),
            (url_path_join(base_url, "server-proxy/icon/(.*)"), IconHandler, {"icons": icons}),
            (".*", RouteTable(runtime, destinations, handling)),
        ],
    )
    atexit.register(runtime.supervisor.kill_all_now)
    serverapp.log.debug("jupyter-server-proxy knows these servers: %s", ", ".join(destinations) or "none")
    return runtime


def _make_runtime(serverapp: Any, config: ServerProxy) -> Runtime:
    reaper = Reaper()
    return Runtime(
        application=serverapp.web_app,
        base_url=serverapp.web_app.settings["base_url"],
        supervisor=Supervisor(reaper),
        pool=Pool(),
        host_allowlist=config.host_allowlist,
        log=serverapp.log,
    )


def _make_destination(process: ServerProcess, runtime: Runtime) -> tuple[Destination, bool]:
    spec = process.spec()
    server = ManagedServer(
        spec,
        base_url=runtime.base_url,
        http_probe=answers_http,
        reaper=runtime.supervisor.reaper,
        log=runtime.log,
        on_down=runtime.pool.drop,
    )
    runtime.supervisor.add(server)
    return ServerDestination(server), spec.absolute_url


def _as_functions(value: Any) -> tuple[Any, ...]:
    return (value,) if callable(value) else tuple(value)
