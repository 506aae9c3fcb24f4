"""A server extension by which a test changes what a running Jupyter server goes by, and sees how often that was asked.

::

    PUT  /levers   {"token": "new", "closed": true}   changes it, at once
    GET  /levers                                      {"provider": 3, "authorizer": 7}: calls so far

Whoever pulls a lever has to know the value of the environment variable ``LEVERS``.
"""

from __future__ import annotations

import asyncio
import json
import os
from typing import Any

from jupyter_server.auth import Authorizer, IdentityProvider, PasswordIdentityProvider, User
from jupyter_server.utils import url_path_join
from tornado.web import HTTPError, RequestHandler

ASKED = {"provider": 0, "authorizer": 0}
CLOSED = {"provider": False, "authorizer": False}

#: Whether a request with this ``X-Turn`` is let in by the custom identity providers: every second one is.
TURNS: dict[str, bool] = {}


def ask(whom: str) -> bool:
    """Count a question, and tell whether the answer may be yes."""
    ASKED[whom] += 1
    return not CLOSED[whom]


def takes_part(handler: Any) -> bool:
    """What the custom identity providers look at, and no cache can know of."""
    turn = handler.request.headers.get("X-Turn")
    return ask("provider") and (turn is None or TURNS.setdefault(turn, len(TURNS) % 2 == 0))


class Subclass(PasswordIdentityProvider):
    """A stock provider, nearly."""

    def get_user(self, handler: Any) -> Any:
        return super().get_user(handler) if takes_part(handler) else None


class AsyncSubclass(IdentityProvider):
    """The same, which takes its time."""

    async def get_user(self, handler: Any) -> User | None:
        await asyncio.sleep(0)
        return await self._get_user(handler) if takes_part(handler) else None


class Gate(Authorizer):
    """Lets everybody in who is logged in, until it does not."""

    def is_authorized(self, handler: Any, user: User, action: str, resource: str) -> bool:
        return ask("authorizer")


class AsyncGate(Authorizer):
    """The same, which takes its time."""

    async def is_authorized(self, handler: Any, user: User, action: str, resource: str) -> bool:  # type: ignore[override]
        await asyncio.sleep(0)
        return ask("authorizer")


class Levers(RequestHandler):
    """Not of Jupyter's: it is to work whoever may pass."""

    def prepare(self) -> None:
        if self.request.headers.get("X-Levers") != os.environ["LEVERS"]:
            raise HTTPError(403)

    def check_xsrf_cookie(self) -> None:
        """Nobody comes with a browser."""

    def get(self) -> None:
        self.finish(ASKED)

    def put(self) -> None:
        provider = self.settings["identity_provider"]
        for name, value in json.loads(self.request.body).items():
            if name in CLOSED:
                CLOSED[name] = value == "closed"
            elif name in ("token", "hashed_password"):
                setattr(provider, name, value)
            elif name == "cookie_secret":
                by_version = isinstance(value, dict)
                self.settings[name] = {int(one): value[one] for one in value} if by_version else value.encode()
            elif name == "forget_secret":
                del self.settings["cookie_secret"][value]
            else:
                self.settings[name] = value
        self.set_status(204)


def _load_jupyter_server_extension(serverapp: Any) -> None:
    serverapp.web_app.add_handlers(".*$", [(url_path_join(serverapp.base_url, "levers"), Levers)])
