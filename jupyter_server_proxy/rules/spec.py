"""What is configured, as frozen data: read once at start-up, passed to everything that runs.

``config.py`` owns the traitlets, their help and their validation; nothing past start-up reads a traitlet.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

#: A callable of a configuration; it asks for arguments by name (see ``template.call_with_asked_args``).
AskingCallable = Callable[..., Any]

#: An empty dictionary that nobody can fill.
NOTHING: Mapping[str, Any] = MappingProxyType({})


class LauncherSpec(NamedTuple):
    """How a server appears in launchers. ``path_info`` is relative to the Jupyter base URL and may hold a query."""

    enabled: bool = True
    icon_path: str = ""
    title: str = ""
    path_info: str = ""
    category: str = "Notebook"


class TlsSpec(NamedTuple):
    """How to speak HTTPS with a server.

    Args:
        verify: whether its certificate must be valid for ``server_name`` and signed by a CA that is trusted.
        ca: file or directory of the trusted CAs (PEM); "" for those of the system.
        certificate: file of the client certificate (PEM) that we show; "" for none.
        key: file of its private key; "" where the certificate's file holds it.
        server_name: what its certificate must name; "" for the host that is connected to, or localhost for one of ours.
    """

    verify: bool = True
    ca: str = ""
    certificate: str = ""
    key: str = ""
    server_name: str = ""


class ReadinessSpec(NamedTuple):
    """When a server counts as ready.

    Args:
        path: that it is asked for; {base_url} and the like are filled in.
        statuses: that mean that it is ready; empty: any.
        function: decides instead; may be asynchronous. It asks for arguments as ``command`` does.
    """

    path: str = "/"
    statuses: tuple[range, ...] = ()
    function: AskingCallable | None = None


@dataclass(frozen=True)
class LogFileSpec:
    """Where a server's output is kept.

    Args:
        path: of the file; "" for none.
        max_bytes: beyond which it is renamed to ``path.1`` and begun anew.
        count: old files that are kept.
    """

    path: str = ""
    max_bytes: int = 10 * 1024 * 1024
    count: int = 3


class LifecycleSpec(NamedTuple):
    """How a server is started, kept running, and stopped; all times in seconds.

    Args:
        cwd: working directory; "" for that of Jupyter.
        autostart: it is started with Jupyter.
        restart_policy: "on-request", "always", "on-failure" or "never".
        restart_delay: pause after a failure; doubled with each further one.
        restart_delay_max: pause that is never exceeded.
        stable_after: a server that was ready for so long has not crashed, it has ended.
        stop_signal: asks its process group to end.
        stop_timeout: between that signal and SIGKILL.
        idle_timeout: it is stopped when it was not used for so long; 0 for never, None for what holds for all.
        readiness: when it counts as ready.
        find_port: where it listens on another port than it was told, that one is used.
        log_file: where its output is kept.
    """

    cwd: str = ""
    autostart: bool = False
    restart_policy: str = "on-request"
    restart_delay: float = 1.0
    restart_delay_max: float = 60.0
    stable_after: float = 10.0
    stop_signal: int = signal.SIGTERM
    stop_timeout: float = 5.0
    idle_timeout: float | None = None
    readiness: ReadinessSpec = ReadinessSpec()
    find_port: bool = False
    log_file: LogFileSpec = LogFileSpec()


class ServerSpec(NamedTuple):
    """One configured server; each field has the meaning of the ``ServerProcess`` option of that name.

    ``command``: the words, or a callable that returns them; empty: the server is not managed by us.
    ``timeout``: seconds until the process must be ready. ``port``: 0 means that a free one is chosen.
    ``unix_socket``: True means a path in a private directory; a string is the path itself; None means TCP.
    ``sandbox``: the flags of the CSP directive; "" for no sandbox. None elsewhere: as ``ServerProxy`` says.
    """

    name: str
    command: tuple[str, ...] | AskingCallable = ()
    environment: Mapping[str, str | None] | AskingCallable = NOTHING
    timeout: float = 5.0
    absolute_url: bool = False
    port: int = 0
    unix_socket: str | Literal[True] | None = None
    mappath: Mapping[str, str] | AskingCallable = NOTHING
    launcher: LauncherSpec = LauncherSpec()
    new_browser_tab: bool = True
    request_headers_override: Mapping[str, str] | AskingCallable = NOTHING
    rewrite_response: tuple[AskingCallable, ...] = ()
    update_last_activity: bool | AskingCallable = True
    exclude_last_activity_patterns: tuple[re.Pattern[str], ...] = ()
    raw_socket_proxy: bool = False
    tls: TlsSpec | None = None
    forward_credentials: bool | None = None
    identity_headers: bool = False
    scope_cookies: bool = False
    sandbox: str = ""
    refuse_cross_site: bool | None = None
    response_timeout: float | None = None
    lifecycle: LifecycleSpec = LifecycleSpec()
