"""Routes as 4.6 makes them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from jupyter_server.utils import url_path_join
from tornado import web

from ..config import ServerProcess
from .proxy import AddSlashHandler, LocalProxyHandler, RemoteProxyHandler


def make_handlers(base_url: str, server_processes: Iterable[ServerProcess]) -> list[tuple[Any, ...]]:
    """The routes of servers.

    Args:
        base_url: of Jupyter.
        server_processes: their ``make_proxy_handler`` says which handlers they get.
    """
    routes: list[tuple[Any, ...]] = []
    for process in server_processes:
        handler, kwargs = process.make_proxy_handler()
        if handler is None:
            continue
        name = re.escape(process.name)
        routes.append((url_path_join(base_url, name, r"(.*)"), handler, kwargs))
        routes.append((url_path_join(base_url, name), AddSlashHandler))
    return routes


def setup_handlers(web_app: web.Application, serverproxy_config: Any) -> None:
    """Add the routes ``/proxy/...`` to an application.

    Args:
        web_app: whose settings have ``base_url``.
        serverproxy_config: a ``ServerProxy``.
    """
    base_url = web_app.settings["base_url"]
    allowed = serverproxy_config.host_allowlist
    rewrite = serverproxy_config.non_service_rewrite_response
    remote = {"host_allowlist": allowed, "rewrite_response": rewrite}
    host, port, path = r"([^/:@]+)", r"(\d+)", r"(/.*|)"
    web_app.add_handlers(
        ".*",
        [
            (url_path_join(base_url, "proxy", f"{host}:{port}{path}"), RemoteProxyHandler, remote),
            (url_path_join(base_url, "proxy/absolute", f"{host}:{port}{path}"), RemoteProxyHandler,
             {**remote, "absolute_url": True}),
            (url_path_join(base_url, "proxy", f"{port}{path}"), LocalProxyHandler, {"rewrite_response": rewrite}),
            (url_path_join(base_url, "proxy/absolute", f"{port}{path}"), LocalProxyHandler,
             {"rewrite_response": rewrite, "absolute_url": True}),
        ],
    )  # fmt: skip
