"""What launchers ask for: which servers there are, and their icons. Whole by a base class that knows about logins."""

from __future__ import annotations

import logging
import mimetypes
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tornado import web

from ..rules.headers import is_navigation
from .refusal import PlainErrors

#: What an icon may do when it is opened as a page of its own: an SVG can hold scripts.
ICON_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"


class LauncherHandler(PlainErrors):
    """Sends people at a browser to the login page, and tells programs that they are not logged in."""

    #: Base URL of Jupyter; begins and ends with "/".
    launcher_base_url = "/"

    if TYPE_CHECKING:  # what the base class has

        @property
        def log(self) -> logging.Logger:
            """For warnings."""

    def get_login_url(self) -> str:
        """Called by tornado when nobody is logged in."""
        if not is_navigation(self.request.method or "", self.request.headers.get):
            raise web.HTTPError(403, "Not logged in.")
        return super().get_login_url()


class ServersInfo(LauncherHandler):
    """``GET <base_url>server-proxy/servers-info``: the configured servers, as launchers show them."""

    def initialize(self, server_processes: Sequence[Any]) -> None:
        """Called by tornado.

        Args:
            server_processes: ``ServerProcess`` objects.
        """
        self.server_processes = server_processes

    @web.authenticated
    async def get(self) -> None:
        """Only what is named here is told: never a callable, a command, or an environment."""
        self.write({"server_processes": [self._describe(server) for server in self.server_processes]})

    head = get

    def _describe(self, server: Any) -> dict[str, Any]:
        first, *others = server.launcher_entries
        described = {
            "name": server.name,
            "launcher_entry": self._describe_entry(server.name, first),
            "new_browser_tab": server.new_browser_tab,
        }
        if others:
            described["launcher_entries"] = [
                self._describe_entry(server.name, entry, number) for number, entry in enumerate(server.launcher_entries)
            ]
        return described

    def _describe_entry(self, name: str, entry: Any, number: int = 0) -> dict[str, Any]:
        launcher = {
            "enabled": entry.enabled,
            "title": entry.title,
            "path_info": entry.path_info,
            "category": entry.category,
        }
        if entry.icon_path:
            launcher["icon_url"] = self.launcher_base_url + "server-proxy/icon/" + icon_key(name, number)
        return launcher


def icon_key(name: str, number: int) -> str:
    """Path and query of the icon of one of a server's launcher entries; "?" cannot be in a name."""
    return f"{name}?entry={number}" if number else name


class Icons(LauncherHandler):
    """``GET <base_url>server-proxy/icon/<name>``: the icon file of a server."""

    def initialize(self, icons: Mapping[str, Any]) -> None:
        """Called by tornado.

        Args:
            icons: paths of image files, by server name; for further entries of a server, by ``icon_key``.
        """
        self.icons = icons

    @web.authenticated
    async def get(self, name: str) -> None:
        """404 for a server without an icon, or whose file is not there."""
        entry = self.get_query_argument("entry", "")
        path = self.icons.get(f"{name}?entry={entry}" if entry else name)
        if path is None:
            raise web.HTTPError(404, f"Server {name!r} has no icon.")
        try:
            content = Path(path).read_bytes()  # noqa: ASYNC240 - a few kilobytes, once in an hour and browser
        except OSError as error:
            self.log.warning("The icon of server '%s' cannot be read: %s", name, error)
            raise web.HTTPError(404, f"The icon of server {name!r} cannot be read.") from None
        kind, encoding = mimetypes.guess_type(str(path))
        self.set_header("Content-Type", kind if kind and not encoding else "application/octet-stream")
        self.set_header("Content-Security-Policy", ICON_POLICY)
        self.set_header("Cache-Control", "private, max-age=3600")
        self.finish(content)

    head = get
