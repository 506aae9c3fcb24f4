"""`jupyter standaloneproxy -- <command>`: one web application behind JupyterHub's login, without Jupyter Server.

::

    app.py       options and configuration file -> a service
    service.py   starts the application, listens, serves, ends in order: on SIGTERM, and when the start has failed
    checks.py    which Host and Origin fields are good
    door.py      who may pass without a login
    hub.py       who may pass with JupyterHub's login: OAuth on every path
    handlers.py  our own endpoints: REST, probes, metrics, icon
    activity.py  tells JupyterHub when the application was last used

The journey of a request is that of ``web/``; nothing here imports jupyter_server.
"""

from __future__ import annotations

from typing import Any

__all__ = ["StandaloneProxyServer", "main"]


def main(argv: list[str] | None = None) -> None:
    """The console script ``jupyter-standaloneproxy``."""
    from .app import StandaloneProxyServer

    StandaloneProxyServer.launch_instance(argv)


def __getattr__(name: str) -> Any:
    if name == "StandaloneProxyServer":
        from .app import StandaloneProxyServer

        return StandaloneProxyServer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
