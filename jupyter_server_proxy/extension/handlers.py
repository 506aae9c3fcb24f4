"""The handlers of ``web/`` on Jupyter's base classes, which know about logins, hosts, origins and XSRF tokens."""

from __future__ import annotations

import inspect
from typing import Any

from jupyter_server.base.handlers import APIHandler, JupyterHandler
from tornado import web

from ..web.api import Icons, LauncherHandler, ServersInfo
from ..web.door import RESOURCE
from ..web.refusal import RefusalHandler as AnyRefusalHandler
from ..web.rest import routes_on


class JupyterRestHandler(APIHandler):
    """What the REST handlers need to be whole."""

    async def is_permitted(self, action: str) -> bool:
        """Ask Jupyter's Authorizer; see ``RestHandler``."""
        allowed = self.authorizer.is_authorized(self, self.current_user, action, RESOURCE)
        return bool(await allowed if inspect.isawaitable(allowed) else allowed)


#: Paths below ``server-proxy/api/``, as regular expressions, and their handlers.
REST_ROUTES = routes_on(JupyterRestHandler)


class _JupyterLauncherHandler(LauncherHandler, JupyterHandler):
    @property
    def launcher_base_url(self) -> str:  # type: ignore[override]
        """See ``LauncherHandler``."""
        return str(self.base_url)


class ServersInfoHandler(ServersInfo, _JupyterLauncherHandler):
    """``GET <base_url>server-proxy/servers-info``"""


class IconHandler(Icons, _JupyterLauncherHandler):
    """``GET <base_url>server-proxy/icon/<name>``"""


class RefusalHandler(AnyRefusalHandler, JupyterHandler):  # type: ignore[misc]
    """Shows people the way to Jupyter's login."""


@web.stream_request_body
class UploadRefusalHandler(RefusalHandler):
    """The same for a navigation with a body, which is not waited for."""

    def data_received(self, chunk: bytes) -> Any:
        """Called by tornado; the body is dropped."""
