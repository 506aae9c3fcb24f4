"""What is configured, as frozen data: read once at start-up, passed to everything that runs.

``config.py`` owns the traitlets, their help and their validation; nothing past start-up reads a traitlet.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

#: A callable of a configuration; it asks for arguments by name (see ``template.call_with_asked_args``).
AskingCallable = Callable[..., Any]


@dataclass(frozen=True)
class LauncherSpec:
    """How a server appears in launchers. ``path_info`` is relative to the Jupyter base URL and may hold a query."""

    enabled: bool = True
    icon_path: str = ""
    title: str = ""
    path_info: str = ""
    category: str = "Notebook"


@dataclass(frozen=True)
class TlsSpec:
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


@dataclass(frozen=True)
class ServerSpec:
    """One configured server; each field has the meaning of the ``ServerProcess`` option of that name.

    ``command``: the words, or a callable that returns them; empty: the server is not managed by us.
    ``timeout``: seconds until the process must be ready. ``port``: 0 means that a free one is chosen.
    ``unix_socket``: True means a path in a private directory; a string is the path itself; None means TCP.
    ``sandbox``: the flags of the CSP directive; "" for no sandbox. None elsewhere: as ``ServerProxy`` says.
    """

    name: str
    command: tuple[str, ...] | AskingCallable = ()
    environment: Mapping[str, str | None] | AskingCallable = field(default_factory=dict)
    timeout: float = 5.0
    absolute_url: bool = False
    port: int = 0
    unix_socket: str | Literal[True] | None = None
    mappath: Mapping[str, str] | AskingCallable = field(default_factory=dict)
    launcher: LauncherSpec = field(default_factory=LauncherSpec)
    new_browser_tab: bool = True
    request_headers_override: Mapping[str, str] | AskingCallable = field(default_factory=dict)
    rewrite_response: tuple[AskingCallable, ...] = ()
    update_last_activity: bool | AskingCallable = True
    exclude_last_activity_patterns: tuple[re.Pattern[str], ...] = ()
    raw_socket_proxy: bool = False
    tls: TlsSpec | None = None
    forward_credentials: bool | None = None
    scope_cookies: bool = False
    sandbox: str = ""
    refuse_cross_site: bool | None = None
    response_timeout: float | None = None
