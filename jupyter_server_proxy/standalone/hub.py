"""JupyterHub's login on every path: OAuth for browsers, tokens for programs (JupyterHub's docs, "Services").

Importing JupyterHub takes a while, so this module is imported once the application is starting already.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from jupyterhub import __version__ as HUB_VERSION
from jupyterhub.services.auth import HubOAuth, HubOAuthCallbackHandler, HubOAuthenticated, UserNotAllowed
from jupyterhub.utils import url_path_join
from tornado import web
from tornado.httputil import HTTPHeaders, HTTPMessageDelegate, HTTPServerRequest

from ..rules.credentials import Credentials
from ..rules.identity import Identity
from ..web.destinations import Destination
from ..web.door import Pass, Refusal
from ..web.pages import reason_phrase
from ..web.refusal import PlainErrors, RefusalHandler, refuse
from ..web.runtime import Runtime
from .checks import Checks
from .handlers import OwnHandler, new_xsrf_cookies


class HubMember(HubOAuthenticated, web.RequestHandler):
    """What decides whom of JupyterHub's users is let in."""

    @property
    def hub_auth(self) -> HubOAuth:
        """See ``HubAuthenticated``."""
        return self.settings["hub_auth"]

    def check_hub_user(self, model: dict[str, Any]) -> dict[str, Any]:
        """Let in whom the Hub has given access to this server, and nobody else.

        Raises:
            UserNotAllowed: the Hub knows them, but that is not enough.
        """
        required = self.hub_auth.access_scopes
        if required:
            allowed = bool(self.hub_auth.check_scopes(required, model))
        else:  # a Hub without scopes: the owner alone. HubAuthenticated would let everybody in.
            owner = os.environ.get("JUPYTERHUB_USER", "")
            allowed = bool(owner) and model.get("kind", "user") == "user" and model.get("name") == owner
        if not allowed:
            raise UserNotAllowed(model)
        return model

    async def find_user(self) -> dict[str, Any] | None:
        """Whom the Hub says the request comes from, without blocking; also kept as ``current_user``.

        Raises:
            UserNotAllowed: see ``check_hub_user``.
            HTTPError: the Hub cannot be asked.
        """
        self._hub_auth_user_cache = None
        model: dict[str, Any] | None = await self.hub_auth.get_user(self, sync=False)
        if not model:
            return None
        self._hub_auth_user_cache = self.check_hub_user(model)
        self.hub_auth._persist_url_token_if_set(self)
        return model

    @property
    def is_token_authenticated(self) -> bool:
        """A token was what counted, not a cookie."""
        return bool(getattr(self, "_token_authenticated", False))


class Bearer(HubMember):
    """Carries a request to JupyterHub's client, which takes a handler. Never executed."""

    def clear(self) -> None:
        """Called by tornado: there will be no response, so its default fields are not computed."""
        self._headers = HTTPHeaders()
        self._write_buffer = []
        self._status_code = 200
        self._reason = "OK"

    def check_xsrf_cookie(self) -> None:
        """Applications defend themselves against cross-site requests."""

    def new_cookies(self) -> tuple[str, ...]:
        """Set-Cookie values for the client."""
        return tuple(morsel.OutputString(None) for morsel in getattr(self, "_new_cookie", {}).values())


class HubHandler(HubMember, OwnHandler):
    """The base of our own endpoints."""

    def set_default_headers(self) -> None:
        """Called by tornado; the Hub compares the version with its own."""
        super().set_default_headers()
        self.set_header("X-JupyterHub-Version", HUB_VERSION)

    async def identify(self) -> None:
        """See ``OwnHandler``."""
        try:
            self.current_user = await self.find_user()
        except UserNotAllowed as error:
            raise web.HTTPError(403, f"{error.model['name']} is not allowed to use this server.") from None

    def get_login_url(self) -> str:
        """Our own endpoints do not redirect anybody."""
        raise web.HTTPError(403, "Not logged in.")

    @property
    def _is_token_authenticated(self) -> bool:
        return self.is_token_authenticated


class HubRefusalHandler(RefusalHandler, HubMember):
    """Sends people at a browser to the Hub's login, and tells programs that they are not logged in."""

    def initialize(self, refusal: Refusal) -> None:
        """Called by tornado."""
        super().initialize(refusal)
        # Asking the Hub again would tell the same.
        self._hub_auth_user_cache = None if refusal.logging_in_helps else {"name": "unknown"}
        self.current_user = self._hub_auth_user_cache

    def set_default_headers(self) -> None:
        """Called by tornado; the Hub compares the version with its own."""
        self.set_header("X-JupyterHub-Version", HUB_VERSION)

    async def prepare(self) -> None:
        """Called by tornado; nothing comes after it."""
        if self._refusal.status == 503:
            self.set_header("Retry-After", "1")
        await super().prepare()


@web.stream_request_body
class HubUploadRefusalHandler(HubRefusalHandler):
    """The same for a navigation with a body, which is not waited for."""

    def data_received(self, chunk: bytes) -> None:
        """Called by tornado; the body is dropped."""


class CallbackHandler(PlainErrors, HubMember, HubOAuthCallbackHandler):
    """``oauth_callback``: the Hub sends browsers back here."""

    async def prepare(self) -> None:
        """Called by tornado."""
        if not self.settings["checks"].accept_host(self.request):
            raise web.HTTPError(403, "This Host is not allowed.")
        try:
            self.current_user = await self.find_user()
        except UserNotAllowed:
            self.current_user = None


class LogoutHandler(PlainErrors, HubMember):
    """``server-proxy/logout``: forget the login here, and go on to the Hub's logout."""

    def get(self) -> None:
        """Always redirects."""
        self.hub_auth.clear_cookie(self)
        self.redirect(self.hub_auth.hub_host + url_path_join(self.hub_auth.hub_prefix, "logout"))


class HubDoor:
    """Lets in whom JupyterHub lets in.

    Args:
        application: has the Hub's client in its settings.
        checks: what is asked of every request.
        is_opening: the application has not been ready yet. JupyterHub waits for a spawned server until it answers with
            less than 500; nobody else is sent here before.
    """

    def __init__(self, application: web.Application, checks: Checks, is_opening: Callable[[], bool]) -> None:
        self._application = application
        self._checks = checks
        self._is_opening = is_opening
        self._hub_auth: HubOAuth = application.settings["hub_auth"]

    async def authorize(
        self, runtime: Runtime, request: HTTPServerRequest, destination: Destination, *, upgrade: bool
    ) -> Pass | Refusal:
        """See ``Door``."""
        if not self._checks.accept_host(request):
            return Refusal("This Host is not allowed.")
        bearer = Bearer(self._application, request)
        try:
            model = await bearer.find_user()
        except UserNotAllowed as error:
            return Refusal(f"{error.model['name']} is not allowed to use this server.")
        except web.HTTPError as error:
            return Refusal(error.log_message or reason_phrase(error.status_code), status=error.status_code)
        if model is None:
            if self._is_opening():
                return Refusal("The application is starting.", status=503)
            return Refusal("Not logged in.", logging_in_helps=True)
        by_token = bearer.is_token_authenticated
        if not by_token:
            refusal = self._checks.refuse_page(request, destination, upgrade=upgrade)
            if refusal is not None:
                return refusal
        return Pass(model, bearer.new_cookies(), self._credentials(bearer, by_token), _identity_of(model))

    def refuse(
        self, runtime: Runtime, request: HTTPServerRequest, refusal: Refusal, *, has_body: bool
    ) -> HTTPMessageDelegate:
        """See ``Door``."""
        handler = HubUploadRefusalHandler if has_body else HubRefusalHandler
        return refuse(runtime, request, refusal, handler, has_body=has_body)

    def page_cookies(self, request: HTTPServerRequest) -> tuple[str, ...]:
        """See ``Door``."""
        bearer = Bearer(self._application, request)
        bearer.current_user = None  # asked for when the token is made, and no matter here
        return new_xsrf_cookies(bearer)

    def _credentials(self, bearer: Bearer, by_token: bool) -> Credentials:
        tokens = [self._hub_auth.api_token]
        if by_token:
            tokens.append(self._hub_auth.get_token(bearer, in_cookie=False))
        return Credentials(
            login_cookies=(self._hub_auth.cookie_name,),
            host=bearer.request.host,
            tokens=tuple({token for token in tokens if token}),
        )


def _identity_of(model: dict[str, Any]) -> Identity:
    return Identity(
        user=str(model.get("name", "")),
        groups=tuple(map(str, model.get("groups") or ())),
        scopes=tuple(map(str, model.get("scopes") or ())),
    )


def hub_routes(base_url: str) -> list[Any]:
    """The rules that logging in and out needs.

    Args:
        base_url: of the service, as a regular expression.
    """
    return [(f"{base_url}oauth_callback", CallbackHandler), (f"{base_url}server-proxy/logout", LogoutHandler)]
