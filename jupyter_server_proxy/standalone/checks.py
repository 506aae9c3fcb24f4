"""Which Host and Origin fields are good, with a login and without one."""

from __future__ import annotations

from dataclasses import dataclass

from tornado.httputil import HTTPServerRequest

from ..rules.origin import is_allowed_origin, is_local_host
from ..rules.policy import is_cross_site
from ..web.destinations import Destination
from ..web.door import Refusal


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
