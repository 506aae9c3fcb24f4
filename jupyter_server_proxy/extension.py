"""Wires configuration -> servers -> routes into Jupyter Server, and stops every process when Jupyter stops."""

from __future__ import annotations

import atexit
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from jupyter_core.paths import jupyter_data_dir
from jupyter_server.extension.application import ExtensionApp
from jupyter_server.utils import url_path_join
from traitlets import TraitError

from .config import ServerProcess, ServerProxy
from .discovery import read_servers
from .rules.policy import parse_hosts, parse_ports
from .supervise.history import StartTimes
from .supervise.reaper import Reaper
from .supervise.server import ManagedServer
from .supervise.supervisor import Supervisor
from .upstream.admission import Admission
from .upstream.dial import open_connection
from .upstream.pool import Pool
from .upstream.probe import ask_http
from .web.api import IconHandler, ServersInfoHandler, icon_key
from .web.destinations import Destination, Handling, ServerDestination
from .web.events import EventReporter
from .web.metrics import MetricsCollector, register, unregister
from .web.rest import ROUTES, Api
from .web.routes import RouteTable
from .web.runtime import AddressPolicy, Limits, Runtime
from .web.traffic import Traffic


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
    traffic = {"": Traffic()}
    handling = Handling(
        rewrite_response=_as_functions(config.non_service_rewrite_response),
        forward_credentials=config.forward_credentials,
        refuse_cross_site=config.refuse_cross_site,
        response_timeout=config.response_timeout,
    )
    history = StartTimes(Path(jupyter_data_dir()) / "jupyter-server-proxy" / "start-times.json", serverapp.log)
    for process in processes:
        server = _make_server(process, runtime, config, history)
        runtime.supervisor.add(server)
        destination = ServerDestination(server, handling)
        destinations[process.name] = destination, server.spec.absolute_url
        traffic[process.name] = destination.traffic
    icons = {
        icon_key(process.name, number): entry.icon_path
        for process in processes
        for number, entry in enumerate(process.launcher_entries)
        if entry.icon_path
    }
    base_url = runtime.base_url
    api = Api(runtime, traffic)
    serverapp.web_app.add_handlers(
        ".*",
        [
            (url_path_join(base_url, "server-proxy/servers-info"), ServersInfoHandler, {"server_processes": processes}),
            (url_path_join(base_url, "server-proxy/icon/(.*)"), IconHandler, {"icons": icons}),
            *((url_path_join(base_url, "server-proxy/api", path), handler, {"api": api}) for path, handler in ROUTES),
            (".*", RouteTable(runtime, destinations, handling, traffic[""])),
        ],
    )
    _make_observable(serverapp, runtime, traffic)
    serverapp.io_loop.add_callback(runtime.supervisor.autostart)
    atexit.register(runtime.supervisor.kill_all_now)
    serverapp.log.debug("jupyter-server-proxy knows these servers: %s", ", ".join(destinations) or "none")
    return runtime


def _make_observable(serverapp: Any, runtime: Runtime, traffic: Mapping[str, Traffic]) -> None:
    """Prometheus metrics and Jupyter events."""
    collector = MetricsCollector(runtime.supervisor, traffic)
    register(collector)
    runtime.on_close.append(lambda: unregister(collector))
    runtime.supervisor.watch(collector.observe)
    runtime.supervisor.watch(EventReporter(getattr(serverapp, "event_logger", None), serverapp.log).report)


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


def _make_server(process: ServerProcess, runtime: Runtime, config: ServerProxy, history: StartTimes) -> ManagedServer:
    return ManagedServer(
        process.spec(),
        base_url=runtime.base_url,
        http_probe=ask_http,
        reaper=runtime.supervisor.reaper,
        log=runtime.log,
        history=history,
        on_down=runtime.pool.drop,
        withheld=frozenset(config.withheld_environment),
        start_timeout=config.start_timeout,
        idle_timeout=config.idle_timeout,
    )


def _as_functions(value: Any) -> tuple[Any, ...]:
    return (value,) if callable(value) else tuple(value)
