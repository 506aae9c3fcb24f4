"""Why a request was not served: a page for people, with what they can do; JSON or a line of text for programs."""

from __future__ import annotations

from tornado.httputil import HTTPServerRequest

from ..errors import ProxyError
from ..rules.fields import Pairs
from .destinations import Route
from .pages import render_error
from .runtime import Runtime


async def explain(error: ProxyError, request: HTTPServerRequest, route: Route, runtime: Runtime) -> tuple[Pairs, bytes]:
    """The fields and the body of the answer to a request that has failed.

    Args:
        error: why.
        request: the client's.
        route: where it was to go.
        runtime: knows the servers.
    """
    return render_error(error, request.method or "", request.headers.get)
