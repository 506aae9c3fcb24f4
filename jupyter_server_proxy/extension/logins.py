"""Login checks that need not be repeated for each of the hundred requests that a page makes.

The check of a signed cookie costs a third of all that is done for a small request. Its positive outcome is kept for a
few seconds where that is provably safe: for Jupyter's own identity providers, whose answer depends on nothing but what
is in the key. All others are asked every time. Host, Origin and the authorizer are checked every time in any case.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

from jupyter_server.auth.identity import IdentityProvider, PasswordIdentityProvider
from jupyter_server.base.handlers import JupyterHandler

from ..web.door import Pass

#: Seconds for which a login is believed, and logins that are kept.
LIFETIME = 5.0
MAX_LOGINS = 512

#: Exactly these types: a subclass may look at anything.
_KNOWN = (IdentityProvider, PasswordIdentityProvider)


class Login(NamedTuple):
    """Somebody who was let in. All of it follows from what a ``LoginCache.key`` holds.

    Args:
        by_token: a token was what counted, not a cookie.
        verdict: what requests with this login get, if nothing else is against it.
    """

    by_token: bool
    verdict: Pass

    @property
    def user(self) -> Any:
        """As the identity provider gave it."""
        return self.verdict.user


class LoginCache:
    """Remembers who was let in, and by what.

    Args:
        clock: seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._logins: dict[Hashable, tuple[float, Login]] = {}
        self._provider: IdentityProvider | None = None
        self._traits: tuple[Hashable, ...] = ()

    def key(self, handler: JupyterHandler) -> Hashable | None:
        """All that a stock identity provider looks at; None for a provider that is asked every time."""
        provider = handler.identity_provider
        if type(provider) not in _KNOWN:
            return None
        request = handler.request
        cookie, authorization = request.headers.get("Cookie"), request.headers.get("Authorization")
        tokens = tuple(request.arguments.get("token", ()))
        if cookie is None and authorization is None and not tokens:
            return None
        secret = handler.settings.get("cookie_secret")
        if not isinstance(secret, (str, bytes)):
            return None  # tornado takes a dictionary of secrets, too, whose content may change
        if provider is not self._provider:
            self._watch(provider)
        # The Host is part of the cookie's name, the protocol of the attributes of the one that is set.
        return (cookie, authorization, tokens, request.host, request.protocol, secret, self._traits)

    def _watch(self, provider: IdentityProvider) -> None:
        """Know what counts of a provider, from now on: to ask its traits for each request is slow."""
        if self._provider is not None:
            self._provider.unobserve(self._look)
        self._provider = provider
        provider.observe(self._look)
        self._look()

    def _look(self, change: object = None) -> None:
        """Called by traitlets when any of the provider's traits has changed."""
        provider = self._provider
        assert provider is not None
        # Without token and password everybody passes, for as long as neither is set.
        self._traits = (provider.token, provider.auth_enabled, provider.cookie_name)

    def find(self, key: Hashable | None) -> Login | None:
        """Who is known under this key."""
        found = self._logins.get(key) if key is not None else None
        if found is None:
            return None
        expires, login = found
        if expires <= self._clock():
            del self._logins[key]
            return None
        return login

    def remember(self, key: Hashable | None, login: Login) -> None:
        """Keep the outcome of a check that has let somebody in."""
        if key is None:
            return
        if len(self._logins) >= MAX_LOGINS:
            del self._logins[next(iter(self._logins))]  # the one that was added first expires first
        self._logins[key] = (self._clock() + LIFETIME, login)
