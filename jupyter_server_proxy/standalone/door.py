"""Who may pass where nobody has to log in (``--no-authentication``)."""

from __future__ import annotations

from tornado.httputil import HTTPMessageDelegate, HTTPServerRequest
from tornado.web import Application

from ..rules.credentials import Credentials
from ..web.destinations import Destination
from ..web.door import Pass, Refusal
from ..web.refusal import refuse
from ..web.runtime import Runtime
from .checks import Checks
from .handlers import OpenRefusalHandler, OpenUploadRefusalHandler, new_xsrf_cookies


class OpenDoor:
    """Lets everybody in whose request is no trick.

    Args:
        application: serves our own endpoints.
        checks: what is asked of every request.
    """

    def __init__(self, application: Application, checks: Checks) -> None:
        self._application = application
        self._checks = checks

    async def authorize(
        self, runtime: Runtime, request: HTTPServerRequest, destination: Destination, *, upgrade: bool
    ) -> Pass | Refusal:
        """See ``Door``."""
        if not self._checks.accept_host(request):
            return Refusal("This Host is not allowed.")
        refusal = self._checks.refuse_page(request, destination, upgrade=upgrade)
        return refusal or Pass(None, (), Credentials(host=request.host))

    def refuse(
        self, runtime: Runtime, request: HTTPServerRequest, refusal: Refusal, *, has_body: bool
    ) -> HTTPMessageDelegate:
        """See ``Door``."""
        handler = OpenUploadRefusalHandler if has_body else OpenRefusalHandler
        return refuse(runtime, request, refusal, handler, has_body=has_body)

    def page_cookies(self, request: HTTPServerRequest) -> tuple[str, ...]:
        """See ``Door``."""
        return new_xsrf_cookies(OpenRefusalHandler(self._application, request, refusal=Refusal("")))
