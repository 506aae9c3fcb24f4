"""The answers to requests that may not pass, given by ordinary handlers: their base classes know about logins."""

from __future__ import annotations

import asyncio
import logging
import sys
from typing import Any, cast

from tornado import web
from tornado.http1connection import HTTP1Connection
from tornado.httputil import HTTPHeaders, HTTPMessageDelegate, HTTPServerRequest, RequestStartLine, ResponseStartLine
from tornado.iostream import StreamClosedError

from ..errors import ProxyError
from ..rules.headers import is_navigation
from .accesslog import log_access
from .door import Refusal
from .pages import reason_phrase, render_error
from .response import TornadoResponse
from .runtime import Runtime

LOG = logging.getLogger(__name__)


class _AnyMethod(tuple[str, ...]):
    """Contains every method, so that the refusal of a PROPFIND is a 403, too."""

    def __contains__(self, method: object) -> bool:
        return True


class PlainErrors(web.RequestHandler):
    """Answers errors as the gateway does; comes before the base class of a handler.

    Jupyter's own error page holds the token of those who are logged in.
    """

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """A page for people, JSON or one line for everything else.

        Args:
            status_code: of the answer.
            kwargs: ``exc_info`` of the exception, whose message is shown if it is an HTTPError.
        """
        exception = (kwargs.get("exc_info") or (None, None))[1]
        message = exception.log_message if isinstance(exception, web.HTTPError) else None
        # tornado doubles the "%" of messages without arguments, for its own log.
        self.write_message(status_code, (message or f"{reason_phrase(status_code)}.").replace("%%", "%"))

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        """Called by tornado, whose line for an HTTPError would hold the query, and with it a token.

        The access log, which hides those, tells all but the reason.
        """
        if isinstance(value, web.HTTPError):
            LOG.debug("%s %s: %s", value.status_code, self.request.path, value.log_message)
        else:
            super().log_exception(typ, value, tb)

    def write_message(self, status_code: int, message: str) -> None:
        """Finish with an error.

        Args:
            status_code: of the answer.
            message: plain text, not escaped.
        """
        error = ProxyError(message)
        error.status = status_code
        fields, body = render_error(error, self.request.method or "", self.request.headers.get)
        for name, value in fields:
            self.set_header(name, value)
        self.finish(body)


class RefusalHandler(PlainErrors):
    """Navigations of people who are not logged in go to the login page; everything else gets a 403."""

    SUPPORTED_METHODS = _AnyMethod()

    def initialize(self, refusal: Refusal) -> None:
        """Called by tornado."""
        self._refusal = refusal
        self._navigating = is_navigation(self.request.method or "", self.request.headers.get)

    async def prepare(self) -> None:
        """Called by tornado; nothing comes after it."""
        if self._navigating and "upgrade" not in self.request.headers:
            waiting = super().prepare()
            if waiting is not None:
                await waiting
            # Depending on its configuration, Jupyter leaves this to the methods: redirect those who are not logged in.
            if not self._finished:
                web.authenticated(lambda handler: None)(self)
            if self._finished:
                return
        else:
            self.current_user = None
        raise web.HTTPError(self._refusal.status, self._refusal.reason)

    def check_xsrf_cookie(self) -> None:
        """Nothing is done here that would need it."""

    @web.authenticated
    def get(self) -> None:
        """Never reached; ``prepare`` looks whether it is there."""

    head = get

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """The reason of the refusal."""
        self.write_message(
            status_code, self._refusal.reason if status_code == self._refusal.status else reason_phrase(status_code)
        )


class UploadRefusal(HTTPMessageDelegate):
    """Refuses a request with a body at once, and drops the body.

    Closing the connection while the client still sends would reset it, and the client might never see the answer (RFC
    9112 9.6); so it gets some time to finish.

    Args:
        runtime: shared by all requests.
        request: that is refused.
        refusal: why.
    """

    def __init__(self, runtime: Runtime, request: HTTPServerRequest, refusal: Refusal) -> None:
        self._runtime = runtime
        self._request = request
        self._refusal = refusal
        self._client = TornadoResponse(cast(HTTP1Connection, request.connection), linger=runtime.limits.linger)
        self._answering: asyncio.Task[None] | None = None

    async def headers_received(self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders) -> None:
        """Called when the head is here; the body is read when this returns."""
        self._client.connection.set_max_body_size(sys.maxsize)
        self._client.expects_continue = headers.get("Expect", "").lower() == "100-continue"
        self._answering = asyncio.get_running_loop().create_task(self._answer(), name="refuse an upload")
        self._runtime.own(self._answering)
        if self._client.expects_continue:
            await asyncio.wait([self._answering])  # nobody is to tell the client that it may go on

    def data_received(self, chunk: bytes) -> None:
        """The body is dropped."""

    def finish(self) -> None:
        """The request is complete."""
        self._client.request_read.set()

    def on_connection_close(self) -> None:
        """The client has gone."""
        self._client.gone = True
        if self._answering is not None:
            self._answering.cancel()

    async def _answer(self) -> None:
        error = ProxyError(self._refusal.reason)
        error.status = self._refusal.status
        fields, body = render_error(error, self._request.method or "", self._request.headers.get)
        try:
            await self._client.send(error.status, "", fields, body)
        except StreamClosedError:
            self._client.gone = True
        finally:
            log_access(self._request, self._client.status, self._refusal, self._runtime)


def refuse(
    runtime: Runtime,
    request: HTTPServerRequest,
    refusal: Refusal,
    handler: type[RefusalHandler],
    *,
    has_body: bool,
) -> HTTPMessageDelegate:
    """What takes over a request that may not pass.

    Args:
        runtime: shared by all requests.
        request: that is refused.
        refusal: why.
        handler: answers navigations, and whatever has no body.
        has_body: a body follows. The handler must then be able to drop it.
    """
    if has_body and not is_navigation(request.method or "", request.headers.get):
        return UploadRefusal(runtime, request, refusal)
    return runtime.application.get_handler_delegate(request, handler, {"refusal": refusal})
