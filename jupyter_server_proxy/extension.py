"""Wires configuration -> servers -> routes into Jupyter Server, and stops every process when Jupyter stops."""

from __future__ import annotations

import atexit
from functools import partial
from typing import Any

from jupyter_server.extension.application import ExtensionApp
from jupyter_server.utils import url_path_join
from traitlets import TraitError

from .config import ServerProcess, ServerProxy
from .discovery import read_servers
from .rules.policy import parse_hosts, parse_ports
from .supervise.reaper import Reaper
from .supervise.server import ManagedServer
from .supervise.supervisor import Supervisor
from .upstream.admission import Admission
from .upstream.dial import open_connection
from .upstream.pool import Pool
from .upstream.probe import ask_http
from .web.api import IconHandler, ServersInfoHandler
from .web.destinations import Destination, Handling, ServerDestination
from .web.routes import RouteTable
from .web.runtime import AddressPolicy, Limits, Runtime


class ServerProxyExtension(ExtensionApp):
    """The Jupyter Server extension."""

    name = "jupyter_server_proxy"
    extension_url = "/"
    load_other_extensions = True

    runtime: Runtime | None = None

    def initialize_handlers(self) -> None:
        """Called by Jupyter Server when it loads the extension."""
        try:
            self.runtime = load(self.serverapp)
        except TraitError as error:
            # An option that guards must not be passed over, so nothing is proxied. Jupyter itself goes on.
            self.log.error("jupyter-server-proxy is switched off, because its configuration is wrong: %s", error)

    async def stop_extension(self) -> None:
        """Called by Jupyter Server when it stops: no process of ours outlives it."""
        if self.runtime is not None:
            await self.runtime.close()


def load(serverapp: Any) -> Runtime:
    """Read the configuration and add the routes.

    Args:
        serverapp: the running ``jupyter_server.serverapp.ServerApp``.

    Raises:
        TraitError: a trait of ``ServerProxy`` has a wrong value. (A wrong server is skipped.)
    """
    config = ServerProxy(parent=serverapp)
    processes = read_servers(config, serverapp.log)
    runtime = _make_runtime(serverapp, config)
    destinations: dict[str, tuple[Destination, bool]] = {}
    handling = Handling(
        rewrite_response=_as_functions(config.non_service_rewrite_response),
        forward_credentials=config.forward_credentials,
        refuse_cross_site=config.refuse_cross_site,
        response_timeout=config.response_timeout,
    )
    withheld = frozenset(config.withheld_environment)
    for process in processes:
        destinations[process.name] = _make_destination(process, runtime, handling, withheld)
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
    reaper = Reaper(serverapp.log)
    connect = partial(open_connection, timeout=config.connect_timeout, max_head=config.max_response_head_size)
    return Runtime(
        application=serverapp.web_app,
        base_url=serverapp.web_app.settings["base_url"],
        supervisor=Supervisor(reaper, serverapp.log),
        pool=Pool(connect, idle_timeout=config.keepalive_timeout),
        admission=Admission(config.max_requests_per_server, config.queue_timeout),
        policy=_make_policy(config),
        log=serverapp.log,
        limits=Limits(rewrite_bytes=config.max_rewrite_size),
    )


def _make_policy(config: ServerProxy) -> AddressPolicy:
    allowed = config.host_allowlist
    return AddressPolicy(
        hosts_allowed=allowed if callable(allowed) else parse_hosts(allowed),
        hosts_denied=parse_hosts(config.host_denylist),
        ports_allowed=parse_ports(config.port_allowlist),
        ports_denied=parse_ports(config.port_denylist),
        trusted_proxies=parse_hosts(config.trusted_proxies),
    )


def _make_destination(
    process: ServerProcess, runtime: Runtime, defaults: Handling, withheld: frozenset[str]
) -> tuple[Destination, bool]:
    spec = process.spec()
    server = ManagedServer(
        spec,
        base_url=runtime.base_url,
        http_probe=ask_http,
        reaper=runtime.supervisor.reaper,
        log=runtime.log,
        on_down=runtime.pool.drop,
        withheld=withheld,
    )
    runtime.supervisor.add(server)
    return ServerDestination(server, defaults), spec.absolute_url


def _as_functions(value: Any) -> tuple[Any, ...]:
    return (value,) if callable(value) else tuple(value)
