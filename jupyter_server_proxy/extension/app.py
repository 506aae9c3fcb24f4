"""Wires configuration -> servers -> routes into Jupyter Server, and stops every process when Jupyter stops."""

from __future__ import annotations

import atexit
import os
import re
from collections.abc import Mapping
from typing import Any

from jupyter_server.extension.application import ExtensionApp
from jupyter_server.utils import url_path_join
from tornado.routing import AnyMatches, Rule
from tornado.web import Application, RequestHandler
from traitlets import TraitError

from ..config import ServerProxy, has_own_handler, make_handlers
from ..discovery import read_servers
from ..rules.paths import JUPYTER_PATHS
from ..rules.place import public_origin
from ..web.api import icon_key
from ..web.assembly import default_handling, make_runtime, make_server, start_times
from ..web.destinations import Destination, ServerDestination
from ..web.events import EventReporter
from ..web.metrics import MetricsCollector, register, unregister
from ..web.persistent import PersistentConnections
from ..web.processview import watched_state
from ..web.rest import Api
from ..web.routes import RouteTable
from ..web.runtime import RUNTIME_KEY, Runtime
from ..web.traffic import Traffic
from .accesslog import quick_log
from .door import JupyterDoor
from .handlers import REST_ROUTES, IconHandler, ServersInfoHandler


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
    application = serverapp.web_app
    runtime = make_runtime(
        config,
        application,
        application.settings["base_url"],
        JupyterDoor(application),
        serverapp.log,
        lambda: public_origin(serverapp.public_url, os.environ),
    )
    runtime.log_quickly = quick_log(application, serverapp.log)
    application.settings[RUNTIME_KEY] = runtime
    destinations: dict[str, tuple[Destination, bool]] = {}
    traffic = runtime.traffic
    traffic[""] = Traffic()
    handling = default_handling(config)
    history = start_times(serverapp.log)
    own = [process for process in processes if has_own_handler(process)]
    for process in processes:
        if process.name.partition("/")[0] in JUPYTER_PATHS:
            serverapp.log.warning(
                "server %r: its URLs are also Jupyter's own, which it takes away; give it another name", process.name
            )
        if process in own:
            continue
        server = make_server(process, runtime, config, history)
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
    table = RouteTable(runtime, destinations, handling, traffic[""])
    api = Api(runtime, traffic)
    application.add_handlers(
        ".*",
        [
            # First: it looks a name up, while each rule after it is a regular expression to try.
            Rule(AnyMatches(), table),
            *make_handlers(base_url, own),
            (url_path_join(base_url, "server-proxy/servers-info"), ServersInfoHandler, {"server_processes": processes}),
            (url_path_join(base_url, "server-proxy/icon/(.*)"), IconHandler, {"icons": icons}),
            *(
                (url_path_join(base_url, "server-proxy/api", path), handler, {"api": api})
                for path, handler in REST_ROUTES
            ),
            *_process_views(runtime),
        ],
    )
    _come_first(application, table)
    # There is no HTTP server yet.
    connections = PersistentConnections(
        application, table, lambda: getattr(serverapp, "http_server", None), serverapp.log
    )
    runtime.reader = connections
    runtime.on_close.append(connections.close)
    _make_observable(serverapp, runtime, traffic)
    serverapp.io_loop.add_callback(runtime.supervisor.autostart)
    atexit.register(runtime.supervisor.kill_all_now)
    serverapp.log.debug("jupyter-server-proxy knows these servers: %s", ", ".join(destinations) or "none")
    return runtime


def _come_first(application: Application, table: RouteTable) -> None:
    """Have our rules, of which the table is the first, asked before those of extensions that were loaded before.

    A server's requests would else pass all of their regular expressions; and a server is reached at its URL whatever
    else is installed.
    """
    rules = application.default_router.rules
    ours = [rule for rule in rules if getattr(rule.target, "rules", None) and rule.target.rules[0].target is table]
    rules[:] = ours + [rule for rule in rules if rule not in ours]


def _process_views(runtime: Runtime) -> list[tuple[Any, ...]]:
    """Routes that are never reached: some packages look through all routes for the process of a server of 4.6."""
    return [
        (url_path_join(runtime.base_url, re.escape(server.spec.name), "(.*)"), RequestHandler, {"state": state})
        for server in runtime.supervisor
        if server.is_managed
        for state in [watched_state(server)]
    ]


def _make_observable(serverapp: Any, runtime: Runtime, traffic: Mapping[str, Traffic]) -> None:
    """Prometheus metrics and Jupyter events."""
    collector = MetricsCollector(runtime.supervisor, traffic)
    register(collector)
    runtime.on_close.append(lambda: unregister(collector))
    runtime.supervisor.watch(collector.observe)
    runtime.supervisor.watch(EventReporter(getattr(serverapp, "event_logger", None), serverapp.log).report)
