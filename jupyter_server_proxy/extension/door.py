"""Who may pass: whom Jupyter's identity provider knows, and Jupyter's authorizer lets in; the same for every path."""

from __future__ import annotations

import inspect
import time
from collections.abc import Hashable
from typing import Any

from jupyter_server.auth.authorizer import Authorizer
from jupyter_server.auth.identity import IdentityProvider
from jupyter_server.base.handlers import JupyterHandler
from tornado.httputil import HTTPHeaders, HTTPMessageDelegate, HTTPServerRequest
from tornado.web import Application, HTTPError

from ..rules.credentials import Credentials
from ..rules.headers import is_navigation
from ..rules.identity import Identity
from ..rules.origin import is_loopback_literal
from ..rules.policy import SAFE_METHODS, is_cross_site
from ..web.accesslog import Heard
from ..web.destinations import Destination
from ..web.door import RESOURCE, Pass, Refusal, refuse_address
from ..web.pages import reason_phrase
from ..web.refusal import refuse
from ..web.runtime import Runtime
from .handlers import RefusalHandler, UploadRefusalHandler
from .logins import Login, LoginCache


class Bearer(JupyterHandler):
    """Carries a request to the identity provider and the authorizer, which take a handler. Never executed."""

    #: Jupyter's identity providers note here that a token was what let the request in.
    _token_authenticated: bool

    def __init__(self, application: Application, request: HTTPServerRequest) -> None:
        # Not tornado's: that takes over the connection's close callback, and prepares for templates and a response.
        self.application, self.request = application, request
        self.path_args, self.path_kwargs = [], {}
        self._headers_written = self._finished = False
        self.clear()

    def clear(self) -> None:
        """Called by tornado: there will be no response, so its default fields are not computed."""
        self._response_fields: HTTPHeaders | None = None
        self._write_buffer = []
        self._status_code = 200
        self._reason = "OK"

    @property
    def _headers(self) -> HTTPHeaders:  # type: ignore[override]
        """Of the response that there will not be; an identity provider may set some."""
        if self._response_fields is None:
            self._response_fields = HTTPHeaders()
        return self._response_fields

    @property
    def identity_provider(self) -> IdentityProvider:
        """Jupyter's; it looks twice for what is asked for with each request."""
        return self.application.settings.get("identity_provider") or super().identity_provider

    @property
    def authorizer(self) -> Authorizer:
        """Jupyter's, likewise."""
        return self.application.settings.get("authorizer") or super().authorizer

    @property
    def log(self) -> Any:
        """Jupyter's; identity providers tell it much that hardly anybody wants to read."""
        return Heard(super().log)

    def check_xsrf_cookie(self) -> None:
        """Applications defend themselves against cross-site requests."""

    def set_cookies(self) -> tuple[str, ...]:
        """Set-Cookie values that the identity provider wants the client to get: logging in by ``?token=`` sets one."""
        morsels = getattr(self, "_new_cookie", {}).values()
        return (*(morsel.OutputString(None) for morsel in morsels), *self._headers.get_list("Set-Cookie"))


class JupyterDoor:
    """Asks what Jupyter asks of its own handlers.

    Args:
        application: of the server; its settings have the identity provider and the authorizer.
    """

    def __init__(self, application: Application) -> None:
        self._application = application
        self._logins = LoginCache(time.monotonic)

    async def authorize(
        self, runtime: Runtime, request: HTTPServerRequest, destination: Destination, *, upgrade: bool
    ) -> Pass | Refusal:
        """See ``Door``. Identity providers, authorizers and functions of the configuration are code of others."""
        try:
            return await self._decide(runtime, request, destination, upgrade)
        except HTTPError as error:
            return Refusal(error.log_message or reason_phrase(error.status_code), status=error.status_code)
        except Exception:
            runtime.log.exception("Whether a request may pass could not be found out; it may not")
            return Refusal("Whether you may do this could not be found out.", status=500)

    async def _decide(
        self, runtime: Runtime, request: HTTPServerRequest, destination: Destination, upgrade: bool
    ) -> Pass | Refusal:
        """Host, identity, origin, Jupyter's Authorizer, allowed addresses; in that order.

        The Origin of upgrades is checked as for Jupyter's own websockets.
        """
        bearer = Bearer(self._application, request)
        if not (is_loopback_literal(request.host) or bearer.check_host()):
            return Refusal("This Host is not allowed.")
        key = self._logins.key(bearer)
        login = self._logins.find(key)
        if login is None or _is_new_person(login, request):
            login = await self._log_in(bearer, key)
        if login is None:
            return Refusal("Not logged in.", logging_in_helps=True)
        # What the provider has noted, or would have, for ``check_origin`` and others.
        bearer._token_authenticated = login.by_token
        user = login.verdict.user
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
        if allowed is not True and inspect.isawaitable(allowed):
            allowed = await allowed
        if not allowed:
            return Refusal(f"You are not allowed to {action} {RESOURCE}.")
        return refuse_address(runtime.policy, bearer, destination) or login.verdict

    def refuse(
        self, runtime: Runtime, request: HTTPServerRequest, refusal: Refusal, *, has_body: bool
    ) -> HTTPMessageDelegate:
        """See ``Door``."""
        return refuse(
            runtime, request, refusal, UploadRefusalHandler if has_body else RefusalHandler, has_body=has_body
        )

    def page_cookies(self, request: HTTPServerRequest) -> tuple[str, ...]:
        """See ``Door``."""
        bearer = Bearer(self._application, request)
        bearer.current_user = None  # asked for by JupyterHub's way to make the token, and no matter here
        bearer.xsrf_token  # noqa: B018 - sets the cookie, where the browser has none that is good
        return bearer.set_cookies()

    async def _log_in(self, bearer: Bearer, key: Hashable | None) -> Login | None:
        """Ask the identity provider who it is, and remember under a key whom it has let in."""
        provider = bearer.identity_provider
        user = provider.get_user(bearer)
        if inspect.isawaitable(user):
            user = await user
        if user is None:
            return None
        bearer.current_user = bearer._jupyter_current_user = user
        by_token = bool(provider.is_token_authenticated(bearer))
        credentials = credentials_of(bearer, by_token)
        login = Login(by_token, Pass(user, bearer.set_cookies(), credentials, identity_of(user)))
        if not _is_new_person(login, bearer.request):
            self._logins.remember(key, login)
        return login


def _is_new_person(login: Login, request: HTTPServerRequest) -> bool:
    """Who comes to a page by a token alone is somebody new each time; the browser keeps the cookie that says who."""
    return bool(login.verdict.cookies) and is_navigation(request.method or "", request.headers.get)


def credentials_of(bearer: JupyterHandler, by_token: bool) -> Credentials:
    """What logs people in here, as far as it concerns a request that was let in: no application gets to see it."""
    provider = bearer.identity_provider
    hub = getattr(provider, "hub_auth", None)  # in a server that JupyterHub has started
    tokens = [getattr(provider, "token", None) or bearer.settings.get("token")]
    if by_token:
        tokens.append(provider.get_token(bearer))
    cookies = (provider.get_cookie_name(bearer), getattr(hub, "cookie_name", None))
    return Credentials(
        login_cookies=tuple(cookie for cookie in cookies if cookie),
        host=bearer.request.host,
        tokens=tuple({token for token in tokens if token}),
    )


def identity_of(user: Any) -> Identity:
    """What applications may be told about a user of Jupyter; JupyterHub's identity provider knows more than a name."""
    hub_user = getattr(user, "hub_user", None) or {}
    return Identity(
        user=str(getattr(user, "username", "") or hub_user.get("name", "")),
        groups=tuple(map(str, hub_user.get("groups", ()))),
        scopes=tuple(map(str, hub_user.get("scopes", ()))),
    )
