"""The answers to requests that may not pass: exactly Jupyter's own, given by an ordinary handler."""

from __future__ import annotations

from typing import Any

from jupyter_server.base.handlers import JupyterHandler
from tornado import web
from tornado.httputil import HTTPMessageDelegate, HTTPServerRequest

from ..rules.headers import is_navigation
from .authorize import Refusal
from .runtime import Runtime


class _AnyMethod(tuple[str, ...]):
    """Contains every method, so that the refusal of a PROPFIND is a 403, too."""

    def __contains__(self, method: object) -> bool:
        return True


class RefusalHandler(JupyterHandler):
    """Navigations go to the login page, or get Jupyter's error page; everything else gets a 403."""

    SUPPORTED_METHODS = _AnyMethod()

    def initialize(self, refusal: Refusal) -> None:
        """Called by tornado."""
        self._refusal = refusal
        self._navigating = is_navigation(self.request.method or "", self.request.headers.get)

    async def prepare(self) -> None:  # type: ignore[override]
        """Called by tornado; nothing comes after it."""
        if self._navigating and "upgrade" not in self.request.headers:
            await super().prepare()
            # Depending on its configuration, Jupyter leaves this to the methods: redirect those who are not logged in.
            if not self._finished:
                web.authenticated(lambda handler: None)(self)
            if self._finished:
                return
        else:
            self.current_user = None
        raise web.HTTPError(403, self._refusal.reason)

    def check_xsrf_cookie(self) -> None:
        """Nothing is done here that would need it."""

    @web.authenticated
    def get(self) -> None:
        """Never reached; ``prepare`` looks whether it is there."""

    head = get

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """A page for people, one line for everything else."""
        if self._navigating:
            super().write_error(status_code, **kwargs)
            return
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(f"{self._refusal.reason}\n" if status_code == 403 else f"{status_code}\n")


@web.stream_request_body
class UploadRefusalHandler(RefusalHandler):
    """The same for requests with a body, which is not waited for."""

    def data_received(self, chunk: bytes) -> None:
        """Called by tornado; the body is dropped."""


def refuse(runtime: Runtime, request: HTTPServerRequest, refusal: Refusal, *, has_body: bool) -> HTTPMessageDelegate:
    """What takes over a request that may not pass."""
    handler = UploadRefusalHandler if has_body else RefusalHandler
    return runtime.application.get_handler_delegate(request, handler, {"refusal": refusal})
