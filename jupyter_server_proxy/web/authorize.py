"""Who may pass: one function for every path, called before a process is started or a socket is opened."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

from jupyter_server.base.handlers import JupyterHandler
from tornado.httputil import HTTPServerRequest

from ..rules.credentials import Credentials
from ..rules.policy import SAFE_METHODS, is_cross_site
from .destinations import Destination
from .runtime import Runtime

#: What Jupyter's Authorizer is asked about.
RESOURCE = "server-proxy"


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
        credentials: what no application gets to see.
    """

    user: Any
    bearer: Bearer
    credentials: Credentials


@dataclass(frozen=True)
class Refusal:
    """The request may not go on; ``reason`` is for the person who sent it, once they are known."""

    reason: str


async def authorize(
    runtime: Runtime, request: HTTPServerRequest, destination: Destination, *, upgrade: bool
) -> Pass | Refusal:
    """Decide about a request: Host, identity, origin, Jupyter's Authorizer, allowed addresses; in that order.

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
    provider = bearer.identity_provider
    guarded = destination.handling.refuse_cross_site and not provider.is_token_authenticated(bearer)
    if guarded and is_cross_site(request.method or "", request.headers.get, request.host):
        return Refusal("Cross-site requests are not allowed.")
    action = "execute" if upgrade else "read" if request.method in SAFE_METHODS else "write"
    allowed = bearer.authorizer.is_authorized(bearer, user, action, RESOURCE)
    if inspect.isawaitable(allowed):
        allowed = await allowed
    if not allowed:
        return Refusal(f"You are not allowed to {action} {RESOURCE}.")
    if destination.named_by_url:
        refusal = _refuse_address(runtime, bearer, destination)
        if refusal is not None:
            return refusal
    return Pass(user, bearer, credentials_of(bearer))


def credentials_of(bearer: Bearer) -> Credentials:
    """What logs people in here, as far as it concerns a request that was let in: no application gets to see it."""
    provider = bearer.identity_provider
    hub = getattr(provider, "hub_auth", None)  # in a server that JupyterHub has started
    tokens = [getattr(provider, "token", None) or bearer.settings.get("token")]
    if provider.is_token_authenticated(bearer):
        tokens.append(provider.get_token(bearer))
    cookies = (provider.get_cookie_name(bearer), getattr(hub, "cookie_name", None))
    return Credentials(
        login_cookies=tuple(cookie for cookie in cookies if cookie),
        host=bearer.request.host,
        tokens=tuple({token for token in tokens if token}),
    )


def _refuse_address(runtime: Runtime, bearer: Bearer, destination: Destination) -> Refusal | None:
    """The policy for addresses that a URL names; configured servers are where the configuration says."""
    policy = runtime.policy
    if destination.host is not None and not policy.allows_host(bearer, destination.host):
        return Refusal(
            f"Host '{destination.host}' is not allowed. An administrator can add it to ServerProxy.host_allowlist."
        )
    if not policy.allows_port(destination.port):
        return Refusal(
            f"Port {destination.port} is not allowed. An administrator can add it to ServerProxy.port_allowlist."
        )
    return None
