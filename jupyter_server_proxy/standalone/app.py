"""Options of `jupyter standaloneproxy`, and what they become: the same names as in 4.6, and some more."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any
from urllib.parse import urlsplit

import traitlets
from jupyter_core.application import JupyterApp
from traitlets import TraitError, default, validate

from .._version import __version__
from ..config import ServerProcess, ServerProxy
from ..errors import ConfigurationError
from ..option import option_names
from .checks import Checks
from .service import HubAccess, Service, ServiceSpec, TlsFiles

#: Seconds that the application gets to start where nothing else is said: whoever waits is JupyterHub, and gives up
#: by itself (``Spawner.http_timeout``, 30).
START_TIMEOUT = 60.0

#: Options of servers that mean something else here, or nothing.
_NOT_OFFERED = frozenset({"name", "command", "port", "new_browser_tab"})


def _help(text: str) -> str:
    return dedent(text).strip()


class StandaloneProxyServer(JupyterApp, ServerProcess):
    """Run one web application behind JupyterHub's login.

    The options of ``ServerProcess`` are options here, too, and those of ``ServerProxy`` hold.
    """

    name = "jupyter-standalone-proxy"
    version = __version__
    description = """
    Run a web application behind JupyterHub's login, in place of jupyterhub-singleuser.

    Usage: jupyter standaloneproxy [options] -- <command>

    In the command {port}, {unix_socket}, {base_url}, {user} and {server_name} are filled in. Without a command, the
    application listens on --server-port or --unix-socket already.
    """
    examples = """
    jupyter standaloneproxy -- voila --no-browser --port={port} --server_url=/ notebook.ipynb
    jupyter standaloneproxy --no-authentication --port 8000 -- python -m http.server {port}
    """
    classes = [ServerProxy]  # noqa: RUF012

    # ---- the service

    base_url = traitlets.Unicode(
        help=_help(
            """
            Base URL at which the application is reached; everything outside is answered with 404. Default:
            JUPYTERHUB_SERVICE_PREFIX, or /.
            """
        )
    ).tag(config=True)
    address = traitlets.Unicode(
        help="Address to listen on. Default: that of JUPYTERHUB_SERVICE_URL, or 127.0.0.1."
    ).tag(config=True)
    port = traitlets.Int(
        min=0,
        max=65535,
        help="Port to listen on. Default: that of JUPYTERHUB_SERVICE_URL, or 8888; 0 takes a free one.",
    ).tag(config=True)
    server_port = traitlets.Int(
        0, min=0, max=65535, help="Port on which the application listens. Default: 0, which picks a free one."
    ).tag(config=True)
    app_name = traitlets.Unicode(
        help="Name of the application in pages, metrics and the REST API. Default: the name of the program."
    ).tag(config=True)
    no_authentication = traitlets.Bool(
        False,
        help=_help(
            """
            Let everybody in who reaches the address. Whoever can use the application can often do all that you can, so
            this is for addresses that only you reach, and for applications with a login of their own.
            """
        ),
    ).tag(config=True)
    finish_timeout = traitlets.Float(
        3.0,
        min=0.0,
        help=_help(
            """
            Seconds that requests get to finish after SIGTERM, before the application is told to end; it then has
            stop_timeout, and is killed. Whoever sends the signal has to wait for as long as both. Default: 3.
            """
        ),
    ).tag(config=True)
    authenticate_prometheus = traitlets.Bool(
        True, help="Whether <base_url>server-proxy/metrics needs a login. Default: True."
    ).tag(config=True)

    # ---- JupyterHub

    activity_interval = traitlets.Int(
        min=0,
        help=_help(
            """
            Seconds between two reports of activity to JupyterHub, which are left out while there is none. 0 for no
            reports. Default: JUPYTERHUB_ACTIVITY_INTERVAL, or 300.
            """
        ),
    ).tag(config=True)

    # ---- who may connect; names and meanings are those of ServerApp

    allow_remote_access = traitlets.Bool(
        help=_help(
            """
            Accept any Host field. Otherwise it must be a loopback address or one of local_hostnames, so that pages of
            other sites cannot reach an address that only this machine should. Default: True with a login, or when
            listening on another address than a loopback one.
            """
        )
    ).tag(config=True)
    local_hostnames = traitlets.List(
        traitlets.Unicode(), ["localhost"], help="Names that mean this machine. Default: ['localhost']."
    ).tag(config=True)
    allow_origin = traitlets.Unicode(
        "", help="Another origin whose pages may open websockets, or '*' for all. Default: none."
    ).tag(config=True)
    allow_origin_pat = traitlets.Unicode(
        "", help="Regular expression of further origins whose pages may open websockets. Default: none."
    ).tag(config=True)
    trust_xheaders = traitlets.Bool(
        help=_help(
            """
            Believe X-Forwarded-For and X-Forwarded-Proto: a proxy such as JupyterHub's is in front, and clients cannot
            go around it. Default: True where JupyterHub starts this.
            """
        )
    ).tag(config=True)

    #: The command, as it stands on the command line.
    _words: tuple[str, ...] | list[str] = ()

    websocket_max_message_size = traitlets.Int(
        None, allow_none=True, help="Without effect: messages of websockets are not held in memory. Kept from 4.6."
    ).tag(config=True)

    @default("base_url")
    def _default_base_url(self) -> str:
        return os.environ.get("JUPYTERHUB_SERVICE_PREFIX") or "/"

    @validate("base_url")
    def _validate_base_url(self, proposal: Any) -> str:
        value = str(proposal["value"])
        if re.search(r"[\s?#]", value) or "//" in value:
            raise TraitError(f"base_url must be a path such as /apps/demo/, got {value!r}")
        return "/" + "/".join(part for part in value.split("/") if part) + "/" if value.strip("/") else "/"

    @default("address")
    def _default_address(self) -> str:
        return _service_url().hostname or "127.0.0.1"

    @default("port")
    def _default_port(self) -> int:
        return _service_url().port or 8888

    @default("activity_interval")
    def _default_activity_interval(self) -> int:
        value = os.environ.get("JUPYTERHUB_ACTIVITY_INTERVAL") or "300"
        if not value.isdigit():
            raise TraitError(f"JUPYTERHUB_ACTIVITY_INTERVAL must be a number of seconds, got {value!r}")
        return int(value)

    @default("allow_remote_access")
    def _default_allow_remote_access(self) -> bool:
        return not self.no_authentication or self.address not in ("127.0.0.1", "::1", "localhost")

    @default("trust_xheaders")
    def _default_trust_xheaders(self) -> bool:
        return bool(os.environ.get("JUPYTERHUB_SERVICE_URL"))

    @default("timeout")
    def _default_timeout(self) -> float:
        return START_TIMEOUT

    @default("autostart")
    def _default_autostart(self) -> bool:
        return True

    # ---- command line

    flags = {  # noqa: RUF012
        **JupyterApp.flags,
        "absolute-url": (
            {"StandaloneProxyServer": {"absolute_url": True}},
            _help(ServerProcess.absolute_url.help),
        ),
        "raw-socket-proxy": (
            {"StandaloneProxyServer": {"raw_socket_proxy": True}},
            _help(ServerProcess.raw_socket_proxy.help),
        ),
        "no-authentication": (
            {"StandaloneProxyServer": {"no_authentication": True}},
            _help(no_authentication.help),
        ),
        "no-autostart": (
            {"StandaloneProxyServer": {"autostart": False}},
            "Start the application by the first request, and not together with this.",
        ),
    }
    flags.pop("y", None)

    aliases = {  # noqa: RUF012
        **JupyterApp.aliases,
        **{
            name.replace("_", "-"): f"StandaloneProxyServer.{name}"
            for name in option_names(ServerProcess)
            if name not in _NOT_OFFERED
        },
        **{
            name.replace("_", "-"): f"StandaloneProxyServer.{name}"
            for name in (
                "base_url", "address", "port", "server_port", "app_name", "activity_interval", "finish_timeout",
                "allow_origin", "allow_origin_pat", "allow_remote_access", "websocket_max_message_size",
            )
        },
    }  # fmt: skip

    def parse_command_line(self, argv: list[str] | None = None) -> None:
        """Called by traitlets; what follows ``--`` is the command."""
        words = list(sys.argv[1:] if argv is None else argv)
        if "--" in words:
            at = words.index("--")
            words, self._words = words[:at], words[at + 1 :]
        super().parse_command_line(words)
        self._words = self._words or list(self.extra_args)

    def initialize(self, argv: list[str] | None = None) -> None:
        """Called by ``launch_instance``."""
        super().initialize(argv)
        if self._words:
            self.command = self._words

    def start(self) -> None:
        """Called by ``launch_instance``: serve until a signal comes."""
        super().start()
        try:
            process, spec = self.server_process(), self.service_spec()
        except (TraitError, ConfigurationError) as error:
            self.log.error("%s", error)
            self.exit(2)
            return
        if self.websocket_max_message_size is not None:
            self.log.warning("websocket_max_message_size has no effect: messages are not held in memory")
        if self.no_authentication:
            self.log.warning("Nobody has to log in: whoever reaches %s can use the application", self.address)
        try:
            code = asyncio.run(Service(spec, process, ServerProxy(parent=self), self.log).run())
        except (OSError, ImportError, TraitError) as error:
            self.log.error("%s", _explain(error, spec))
            code = 1
        self.exit(code)

    # ---- what the options say

    def server_process(self) -> ServerProcess:
        """The application.

        Raises:
            ConfigurationError: what is configured does not suffice to reach it.
        """
        offered = [name for name in option_names(ServerProcess) if name not in _NOT_OFFERED]
        # What nobody gave is left open, because a preset may fill it in; but for what has another default here.
        own = {"autostart"} if self.preset else {"autostart", "timeout"}
        given = {name: getattr(self, name) for name in offered if self.trait_has_value(name) or name in own}
        process = ServerProcess(
            name=_url_name(self.app_name or self._program()), command=self.command, port=self.server_port, **given
        )
        process.spec()
        return process

    def service_spec(self) -> ServiceSpec:
        """Where and for whom to serve.

        Raises:
            ConfigurationError: JupyterHub is to log people in, but did not start this.
        """
        environment = os.environ
        if not self.no_authentication:
            missing = [
                name
                for name in ("JUPYTERHUB_API_TOKEN", "JUPYTERHUB_CLIENT_ID", "JUPYTERHUB_API_URL")
                if not environment.get(name)
            ]
            if missing:
                raise ConfigurationError(
                    f"people log in through JupyterHub, but {', '.join(missing)} is not set: JupyterHub sets it "
                    "for the servers and services that it starts. Use --no-authentication to run without a login"
                )
        return ServiceSpec(
            address=self.address,
            port=self.port,
            base_url=self.base_url,
            authenticate=not self.no_authentication,
            authenticate_metrics=self.authenticate_prometheus,
            checks=Checks(
                self.allow_remote_access, tuple(self.local_hostnames), self.allow_origin, self.allow_origin_pat
            ),
            finish_timeout=self.finish_timeout,
            trust_xheaders=self.trust_xheaders,
            tls=TlsFiles(
                key=environment.get("JUPYTERHUB_SSL_KEYFILE", ""),
                certificate=environment.get("JUPYTERHUB_SSL_CERTFILE", ""),
                client_ca=environment.get("JUPYTERHUB_SSL_CLIENT_CA", ""),
            ),
            hub=HubAccess(
                activity_url=environment.get("JUPYTERHUB_ACTIVITY_URL", ""),
                activity_interval=self.activity_interval,
                api_token=environment.get("JUPYTERHUB_API_TOKEN", ""),
                server_name=environment.get("JUPYTERHUB_SERVER_NAME", ""),
            ),
        )

    def _program(self) -> str:
        return "app" if callable(self.command) or not self.command else Path(str(self.command[0])).name


def _service_url() -> Any:
    return urlsplit(os.environ.get("JUPYTERHUB_SERVICE_URL", ""))


def _url_name(text: str) -> str:
    """The name as a part of URLs."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.") or "app"


def _explain(error: Exception, spec: ServiceSpec) -> str:
    if isinstance(error, ImportError):
        return f"{error}. JupyterHub's login needs it: pip install 'jupyter-server-proxy[standalone]'"
    if isinstance(error, OSError):
        return f"Cannot listen on {spec.address}:{spec.port}: {error.strerror or error}"
    return str(error)
