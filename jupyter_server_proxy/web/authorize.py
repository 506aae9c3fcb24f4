"""Who may pass: one function for every path, called before a process is started or a socket is opened."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

from jupyter_server.base.handlers import JupyterHandler
from tornado.httputil import HTTPServerRequest

from .destinations import Destination
from .runtime import Runtime

#: What Jupyter's Authorizer is asked about.
RESOURCE = "server-proxy"

_READING = frozenset({"GET", "HEAD", "OPTIONS", "PROPFIND", "REPORT", "SEARCH", "TRACE"})


class Bearer(JupyterHandler):
    """Carries a request to the identity provider and the authorizer, which take a handler. Never executed."""

    def check_xsrf_cookie(self) -> None:
        """Applications defend themselves against cross-site requests."""

    @property
    def login_cookies(self) -> list[str]:
        """Set-Cookie values that the identity provider wants the client to get: logging in by ``?token=`` sets one."""
        morsels = getattr(self, "_new_cookie", {}).values()
        return [morsel.OutputString(None) for morsel in morsels] + self._headers.get_list("Set-Cookie")


@dataclass(frozen=True)
class Pass:
    """The request may go on.

    Args:
        user: as the identity provider gave it.
        bearer: the handler that was shown to the identity provider.
    """

    user: Any
    bearer: Bearer


@dataclass(frozen=True)
class Refusal:
    """The request may not go on; ``reason`` is for the person who sent it, once they are known."""

    reason: str


async def authorize(
    runtime: Runtime, request: HTTPServerRequest, destination: Destination, *, upgrade: bool
) -> Pass | Refusal:
    """Decide about a request: Host, identity, Origin of an upgrade, Jupyter's Authorizer, allowed hosts; in that order.

    Args:
        runtime: whose application has the identity provider and the authorizer in its settings.
        request: not changed.
        destination: where it is to go.
        upgrade: it asks for another protocol. Browsers send those across origins without asking first, so the Origin is
            checked as for Jupyter's own websockets.
    """
    bearer = Bearer(runtime.application, request)
    if not bearer.check_host():
        return Refusal("This Host is not allowed.")
    user = bearer.identity_provider.get_user(bearer)
    if inspect.isawaitable(user):
        user = await user
    if user is None:
        return Refusal("Not logged in.")
    bearer.current_user = bearer._jupyter_current_user = user
    if upgrade and not bearer.check_origin():
        return Refusal("Cross-origin connections are not allowed.")
    action = "execute" if upgrade else "read" if request.method in _READING else "write"
    allowed = bearer.authorizer.is_authorized(bearer, user, action, RESOURCE)
    if inspect.isawaitable(allowed):
        allowed = await allowed
    if not allowed:
        return Refusal(f"You are not allowed to {action} {RESOURCE}.")
    if destination.host is not None and not _host_allowed(runtime, bearer, destination.host):
        return Refusal(
            f"Host '{destination.host}' is not allowed. An administrator can add it to ServerProxy.host_allowlist."
        )
    return Pass(user, bearer)


def _host_allowed(runtime: Runtime, bearer: Bearer, host: str) -> bool:
    allowlist = runtime.host_allowlist
    return bool(allowlist(bearer, host)) if callable(allowlist) else host in allowlist
