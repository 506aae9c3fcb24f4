"""Which Host and Origin fields are good, and who may pass where nobody has to log in (``--no-authentication``)."""

from __future__ import annotations

from dataclasses import dataclass

from tornado.httputil import HTTPMessageDelegate, HTTPServerRequest
from tornado.web import Application

from ..rules.credentials import Credentials
from ..rules.origin import is_allowed_origin, is_local_host
from ..rules.policy import is_cross_site
from ..web.destinations import Destination
from ..web.door import Pass, Refusal
from ..web.refusal import refuse
from ..web.runtime import Runtime
from .handlers import OpenRefusalHandler, OpenUploadRefusalHandler, new_xsrf_cookies


@dataclass(frozen=True)
class Checks:
    """What is asked of every request; the meaning is that of the traits of the same names.

    ``allow_remote_access``: any Host will do; else it must be one of ``local_hostnames`` or a loopback address.
    """

    allow_remote_access: bool = True
    local_hostnames: tuple[str, ...] = ("localhost",)
    allow_origin: str = ""
    allow_origin_pat: str = ""

    def accept_host(self, request: HTTPServerRequest) -> bool:
        """Whether the Host field is good."""
        return self.allow_remote_access or is_local_host(request.host, self.local_hostnames)

    def accept_origin(self, request: HTTPServerRequest) -> bool:
        """Whether the page that sent it may."""
        origin = request.headers.get("Origin")
        return is_allowed_origin(origin, request.host, self.allow_origin, self.allow_origin_pat)

    def refuse_page(self, request: HTTPServerRequest, destination: Destination, *, upgrade: bool) -> Refusal | None:
        """Why a page of another origin may not send what it sends, with the cookies of this one."""
        if upgrade and not self.accept_origin(request):
            return Refusal("Cross-origin connections are not allowed.")
        if destination.handling.refuse_cross_site and is_cross_site(
            request.method or "", request.headers.get, request.host
        ):
            return Refusal("Cross-site requests are not allowed.")
        return None


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
