"""Run web applications next to Jupyter, behind Jupyter's own login.

A request's journey, and where each step lives::

    request -> route -> authorize -> ensure running -> connect  -> relay  -> response
               web/     web/         supervise/        upstream/   relay/    web/

    extension/     inside Jupyter: configuration -> servers -> routes, Jupyter's login; ends every process with Jupyter
    standalone/    `jupyter standaloneproxy`: one application behind JupyterHub's login, without Jupyter Server
    compat/        classes of 4.6 for packages that subclass them
    config.py      the documented options: ServerProxy, ServerProcess, LauncherEntry
    discovery.py   servers that packages announce by entry points
    errors.py      the error tree; each error knows its status and what a client may be told
    rules/         decisions without input or output: headers, paths, framing, templates, rewriting, activity
    supervise/     one configured server: started once, watched, stopped with all its processes
    upstream/      connections to origin servers, and the pool that keeps them
    relay/         bytes both ways: HTTP bodies, upgraded connections, raw sockets
    web/           the journey itself, the only place below those two that knows tornado.web

Begin to read at ``web/journey.py``.
"""

from __future__ import annotations

from typing import Any

from ._version import __version__

__all__ = ["__version__"]


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    """Asked by Jupyter Server for what to load."""
    from .extension import ServerProxyExtension

    return [{"module": "jupyter_server_proxy", "app": ServerProxyExtension}]


def _load_jupyter_server_extension(serverapp: Any) -> None:
    """Load the extension into a server that knows extensions as functions only; it is stopped when Python exits."""
    from .extension import load

    load(serverapp)


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    """Asked by `jupyter labextension develop` for what to link."""
    return [{"src": "labextension", "dest": "@jupyterhub/jupyter-server-proxy"}]


def _jupyter_nbextension_paths() -> list[dict[str, str]]:
    """Asked by `jupyter nbclassic-extension` for what to install in the classic Notebook."""
    return [
        {
            "section": "tree",
            "src": "static",
            "dest": "jupyter_server_proxy",
            "require": "jupyter_server_proxy/tree",
        }
    ]


load_jupyter_server_extension = _load_jupyter_server_extension
_jupyter_server_extension_paths = _jupyter_server_extension_points
