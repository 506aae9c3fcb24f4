"""Who may pass: one function for every path, called before a process is started or a socket is opened."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

from jupyter_server.base.handlers import JupyterHandler
from tornado.httputil import HTTPHeaders, HTTPServerRequest

from ..rules.credentials import Credentials
from ..rules.policy import SAFE_METHODS, is_cross_site
from .destinations import Destination
from .logins import Login
from .runtime import Runtime

#: What Jupyter's Authorizer is asked about.
RESOURCE = "server-proxy"


class Bearer(JupyterHandler):
    """Carries a request to the identity provider and the authorizer, which take a handler. Never executed."""

    #: Jupyter's identity providers note here that a token was what let the request in.
    _token_authenticated: bool

    def clear(self) -> None:
        """Called by tornado: there will be no response, so its default fields are not computed."""
        self._headers = HTTPHeaders()
        self._write_buffer = []
        self._status_code = 200
        self._reason = "OK"

    def check_xsrf_cookie(self) -> None:
        """Applications defend themselves against cross-site requests."""

    def set_cookies(self) -> tuple[str, ...]:
        """Set-Cookie values that the identity provider wants the client to get: logging in by ``?token=`` sets one."""
        morsels = getattr(self, "_new_cookie", {}).values()
        return (*(morsel.OutputString(None) for morsel in morsels), *self._headers.get_list("Set-Cookie"))


@dataclass(frozen=True)
class Pass:
    """The request may go on.

    Args:
        user: as the identity provider gave it.
        cookies: Set-Cookie values that logging in asks for.
        credentials: what no application gets to see.
    """

    user: Any
    cookies: tuple[str, ...]
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
    login = await _log_in(runtime, bearer)
    if login is None:
        return Refusal("Not logged in.")
    user = login.user
    bearer.current_user = bearer._jupyter_current_user = user
    if upgrade and not bearer.check_origin():
        return Refusal("Cross-origin connections are not allowed.")
    if (
        destination.handling.refuse_cross_site
        and not login.by_token
        and is_cross_site(request.method or "", request.headers.get, request.host)
    ):
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
    return Pass(user, login.cookies, credentials_of(bearer, login))


async def _log_in(runtime: Runtime, bearer: Bearer) -> Login | None:
    """Ask the identity provider who it is, unless that is known."""
    key = runtime.logins.key(bearer)
    login = runtime.logins.find(key)
    if login is not None:
        bearer._token_authenticated = login.by_token  # as the provider would have noted for ``check_origin`` and others
        return login
    provider = bearer.identity_provider
    user = provider.get_user(bearer)
    if inspect.isawaitable(user):
        user = await user
    if user is None:
        return None
    bearer.current_user = bearer._jupyter_current_user = user
    login = Login(user, bool(provider.is_token_authenticated(bearer)), bearer.set_cookies())
    runtime.logins.remember(key, login)
    return login


def credentials_of(bearer: Bearer, login: Login) -> Credentials:
    """What logs people in here, as far as it concerns a request that was let in: no application gets to see it."""
    provider = bearer.identity_provider
    hub = getattr(provider, "hub_auth", None)  # in a server that JupyterHub has started
    tokens = [getattr(provider, "token", None) or bearer.settings.get("token")]
    if login.by_token:
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
