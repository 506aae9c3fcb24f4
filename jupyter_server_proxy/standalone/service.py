"""The life of the service: start the application, listen, serve, end in order.

It ends with SIGTERM or SIGINT, and when the first start of the application fails: JupyterHub then reports a failed
spawn, and the log has the reason. The order of the end: accept nothing new, let requests finish for a while, tell the
application to end, wait for it, kill what is left of its process group.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import secrets
import signal
import socket
import ssl
import time
from dataclasses import dataclass, field
from typing import Any

import psutil
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPMessageDelegate, HTTPServerRequest
from tornado.netutil import bind_sockets
from tornado.routing import AnyMatches, Router, Rule
from tornado.web import Application, RequestHandler

from ..config import ServerProcess, ServerProxy
from ..errors import ProxyError, StartFailed
from ..rules.masking import mask_words
from ..rules.paths import join_target, split_target
from ..rules.place import public_origin
from ..supervise.facts import State
from ..supervise.server import ManagedServer
from ..web.accesslog import is_heard
from ..web.assembly import default_handling, make_runtime, make_server, start_times
from ..web.destinations import Destination, Route, ServerDestination
from ..web.gateway import Gateway
from ..web.metrics import MetricsCollector
from ..web.persistent import PersistentConnections
from ..web.rest import Api
from ..web.runtime import Door, Runtime
from ..web.traffic import Traffic
from .activity import ActivityReporter
from .checks import Checks
from .door import OpenDoor
from .handlers import NotFoundHandler, OpenHandler, own_routes

#: Lines of the application's output that are logged when it could not be started.
_LAST_LINES = 20

#: Below the base URL, what may be ours and not the application's.
_OWN_PATHS = ("/server-proxy/", "/oauth_callback")

#: Seconds between looks at requests that are to finish, and at children of ours that nobody else waits for.
_LOOK_PAUSE = 0.05


@dataclass(frozen=True)
class HubAccess:
    """How to reach JupyterHub, and who we are there; from the environment that it gives to servers.

    Args:
        activity_url: where activity is reported; "" for nowhere.
        activity_interval: seconds between two reports; 0 for never.
        api_token: of this server.
        server_name: "" for the user's default server.
    """

    activity_url: str = ""
    activity_interval: float = 0.0
    api_token: str = ""
    server_name: str = ""


@dataclass(frozen=True)
class TlsFiles:
    """Certificates for connections inside the Hub's network (JupyterHub's internal_ssl).

    Args:
        key, certificate: files of ours (PEM).
        client_ca: file of the CAs whose clients may connect; "" for no such check.
    """

    key: str = ""
    certificate: str = ""
    client_ca: str = ""

    def server_context(self) -> ssl.SSLContext | None:
        """For the connections that we accept; None for plain HTTP."""
        if not self.certificate:
            return None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=self.client_ca or None)
        context.load_cert_chain(self.certificate, self.key or None)
        if self.client_ca:
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def client_context(self) -> ssl.SSLContext | None:
        """For connections to the Hub; None for plain HTTP, and for what the system trusts."""
        if not self.certificate:
            return None
        context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=self.client_ca or None)
        context.load_cert_chain(self.certificate, self.key or None)
        return context


@dataclass(frozen=True)
class ServiceSpec:
    """What the command line and the configuration file say.

    Args:
        address, port: where to listen.
        base_url: begins and ends with "/".
        authenticate: by JupyterHub.
        authenticate_metrics: whether Prometheus has to show a token, too.
        checks: of Host and Origin.
        finish_timeout: seconds that open requests get to finish when we are told to end.
        trust_xheaders: what X-Forwarded-For and X-Forwarded-Proto say is believed: a proxy of ours is in front.
        tls: inside the Hub's network.
        hub: where it is.
    """

    address: str
    port: int
    base_url: str
    authenticate: bool
    authenticate_metrics: bool = True
    checks: Checks = field(default_factory=Checks)
    finish_timeout: float = 3.0
    trust_xheaders: bool = False
    tls: TlsFiles = field(default_factory=TlsFiles)
    hub: HubAccess = field(default_factory=HubAccess)


class OneRoute(Router):
    """Everything below the base URL is the application's.

    Args:
        runtime: shared by all requests.
        destination: the application.
        absolute: it sees whole paths.
        left: what is left to other rules begins with one of these, after the base URL.
    """

    def __init__(self, runtime: Runtime, destination: Destination, absolute: bool, left: tuple[str, ...] = ()) -> None:
        self._left = left
        self._runtime = runtime
        self._destination = destination
        self._absolute = absolute
        self._prefix = runtime.base_url.rstrip("/")

    def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> HTTPMessageDelegate | None:
        """Called by tornado when the head of a request has arrived; None passes it to the next rule."""
        route = self.match(request.uri or "")
        return None if route is None else Gateway(self._runtime, request, route)

    def match(self, target: str) -> Route | None:
        """The route of a request target, or None when it is not ours."""
        path, query = split_target(target)
        rest = path[len(self._prefix) :]
        if not path.startswith(self._prefix) or not (rest.startswith("/") or (rest == "" and self._prefix)):
            return None
        if rest.startswith(self._left):
            return None
        return Route(self._destination, self._prefix, rest, query, self._absolute)


class Service:
    """One application and the server in front of it.

    Args:
        spec: where and for whom.
        process: the application.
        config: limits and policies.
        log: for everything.
    """

    def __init__(self, spec: ServiceSpec, process: ServerProcess, config: ServerProxy, log: logging.Logger) -> None:
        self._spec = spec
        self._log = log
        self._times: dict[str, Any] = {}
        self._application = Application(
            default_handler_class=NotFoundHandler,
            base_url=spec.base_url,
            checks=spec.checks,
            cookie_secret=secrets.token_bytes(32),
            last_activity_times=self._times,
            log=log,
            log_function=self._log_request,
            authenticate_prometheus=spec.authenticate_metrics,
            xsrf_cookie_kwargs={"path": spec.base_url},
        )
        # Only OpenDoor for now: the Hub's takes a while to load.
        door: Door = OpenDoor(self._application, spec.checks)
        self._runtime = make_runtime(
            config, self._application, spec.base_url, door, log, lambda: public_origin(self._address, os.environ)
        )
        self._server = make_server(process, self._runtime, config, start_times(log), spec.base_url.rstrip("/"))
        self._runtime.supervisor.add(self._server)
        self._destination = ServerDestination(self._server, default_handling(config))
        self._traffic = {process.name: self._destination.traffic, "": Traffic()}
        self._icons = {process.name: process.launcher_entry.icon_path} if process.launcher_entry.icon_path else {}
        self._collector = MetricsCollector(self._runtime.supervisor, self._traffic)
        self._runtime.supervisor.watch(self._collector.observe)
        self._absolute = self._server.spec.absolute_url
        self._autostart = self._server.spec.lifecycle.autostart
        self._opening = self._autostart
        self._ending = asyncio.Event()
        self._hurry = asyncio.Event()
        self._exit_code = 0
        self._address = ""
        self._http_server: HTTPServer | None = None

    # ---- the whole life

    async def run(self) -> int:
        """Serve until a signal comes, or the application cannot be started.

        Returns:
            The exit code.

        Raises:
            OSError: the address cannot be listened on.
        """
        self._catch_signals()
        sockets = bind_sockets(self._spec.port, self._spec.address or None)
        self._address = self._url(sockets[0])
        tasks = [asyncio.create_task(self._begin(), name="first start")]
        if os.getpid() == 1:
            tasks.append(asyncio.create_task(self._reap_orphans(), name="reap orphans"))
        try:
            await self._open_door()
            self._http_server = http_server = HTTPServer(
                self._application, xheaders=self._spec.trust_xheaders, ssl_options=self._spec.tls.server_context()
            )
            if not self._ending.is_set():
                http_server.add_sockets(sockets)
                self._log.info("Serving at %s", self._address)
            if self._spec.hub.activity_url and self._spec.hub.activity_interval:
                tasks.append(asyncio.create_task(self._report_activity().run(), name="report activity"))
            await self._ending.wait()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if self._http_server is not None:
                self._http_server.stop()
            else:
                for one in sockets:
                    one.close()
            await self._finish()
            await self._runtime.close()
        return self._exit_code

    async def _begin(self) -> None:
        """The first start, unless the first request is to cause it. If it fails, the service has failed."""
        if not self._autostart:
            return
        try:
            await self._server.start()
            await self._server.ensure_ready()
        except ProxyError as error:
            self._log.error("The application could not be started: %s", error.message)
            if isinstance(error, StartFailed):
                for line in error.output[-_LAST_LINES:]:
                    self._log.error("    %s", line)
            self._exit_code = 1
            self._ending.set()
        else:
            self._opening = False

    async def _open_door(self) -> None:
        """Load what decides who may pass, while the application starts already."""
        base: type[Any] = OpenHandler
        routes: list[Any] = []
        pattern = re.escape(self._spec.base_url)
        if self._spec.authenticate:
            hub = await asyncio.to_thread(_import_hub)
            self._application.settings["hub_auth"] = hub.HubOAuth()
            self._runtime.door = hub.HubDoor(self._application, self._spec.checks, lambda: self._opening)
            base, routes = hub.HubHandler, hub.hub_routes(pattern)
        arguments = {
            "api": Api(self._runtime, self._traffic),
            "icons": self._icons,
            "collector": self._collector,
            "runtime": self._runtime,
        }
        route = OneRoute(self._runtime, self._destination, self._absolute)
        # First: it compares a prefix, while each rule after it is a regular expression to try.
        first = OneRoute(self._runtime, self._destination, self._absolute, left=_OWN_PATHS)
        rules = [Rule(AnyMatches(), first), *routes, *own_routes(base, pattern, arguments), Rule(AnyMatches(), route)]
        self._application.add_handlers(".*", rules)
        connections = PersistentConnections(self._application, first, lambda: self._http_server, self._log)
        self._runtime.reader = connections
        self._runtime.on_close.append(connections.close)

    # ---- the end

    def _catch_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal, number)

    def _on_signal(self, number: signal.Signals) -> None:
        if self._ending.is_set():
            self._hurry.set()  # open requests need not finish; the application still gets its time
            return
        self._log.info("Ending: %s", number.name)
        self._ending.set()

    async def _finish(self) -> None:
        """Let requests that are under way finish; websockets never do."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._spec.finish_timeout
        traffic = self._destination.traffic
        while traffic.open and self._server.state is State.READY and loop.time() < deadline:
            if self._hurry.is_set():
                break
            await asyncio.sleep(_LOOK_PAUSE)

    async def _reap_orphans(self) -> None:
        """As process 1 of a container we inherit whatever the application leaves behind."""
        me = psutil.Process()
        while True:
            await asyncio.sleep(1.0)
            known = {self._server.pid, self._runtime.supervisor.reaper.pid}
            for child in me.children():
                try:
                    if child.pid not in known and child.status() == psutil.STATUS_ZOMBIE:
                        os.waitpid(child.pid, os.WNOHANG)  # noqa: ASYNC222 - does not wait
                except (psutil.Error, ChildProcessError):
                    pass

    # ---- private

    def _report_activity(self) -> ActivityReporter:
        hub = self._spec.hub
        return ActivityReporter(
            hub.activity_url,
            hub.api_token,
            hub.server_name,
            self._times,
            interval=hub.activity_interval,
            log=self._log,
            tls=self._spec.tls.client_context(),
        )

    def _url(self, bound: socket.socket) -> str:
        host, port = bound.getsockname()[:2]
        scheme = "https" if self._spec.tls.certificate else "http"
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}{self._spec.base_url}"

    def _log_request(self, handler: RequestHandler) -> None:
        """One line for each request; values of parameters that may be secret are hidden."""
        status, request = handler.get_status(), handler.request
        # As in Jupyter: what went well is for those who look for it.
        level = logging.DEBUG if status < 400 else logging.WARNING if status < 500 else logging.ERROR
        if not is_heard(self._log, level):
            return
        path, query = split_target(request.uri or "")
        shown = join_target(path, mask_words([f"?{query}"])[0][1:]) if query else path
        user = handler.current_user
        name = user.get("name", "") if isinstance(user, dict) else ""
        milliseconds = 1000 * (time.time() - request._start_time)
        self._log.log(
            level, "%d %s %r (%s@%s) %.2f ms", status, request.method, shown, name, request.remote_ip, milliseconds
        )


def _import_hub() -> Any:
    """JupyterHub's client.

    Raises:
        ImportError: the extra ``standalone`` is not installed.
    """
    from . import hub

    return hub


__all__ = ["HubAccess", "ManagedServer", "Service", "ServiceSpec", "TlsFiles"]
