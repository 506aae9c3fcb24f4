"""Which logins are believed for a few seconds, and which are checked every time."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from jupyter_server.auth.identity import IdentityProvider, PasswordIdentityProvider
from tornado.httputil import HTTPHeaders

from jupyter_server_proxy.extension.logins import LIFETIME, MAX_LOGINS, Login, LoginCache
from jupyter_server_proxy.rules.credentials import Credentials
from jupyter_server_proxy.web.door import Pass

ANN = Login(by_token=False, verdict=Pass("ann", (), Credentials()))


class OwnProvider(PasswordIdentityProvider):
    """Might look at anything."""


def bearer(provider: Any = None, **changes: Any) -> Any:
    values = {"cookie": "a=1", "authorization": None, "tokens": (), "host": "h:1", "protocol": "http", "secret": b"s"}
    values.update(changes)
    headers = HTTPHeaders()
    for name in ("cookie", "authorization"):
        if values[name] is not None:
            headers.add(name, values[name])
    arguments = {"token": list(values["tokens"])} if values["tokens"] else {}
    request = SimpleNamespace(headers=headers, arguments=arguments, host=values["host"], protocol=values["protocol"])
    provider = provider or IdentityProvider(token="t")
    return SimpleNamespace(identity_provider=provider, request=request, settings={"cookie_secret": values["secret"]})


@pytest.fixture
def now() -> list[float]:
    return [100.0]


@pytest.fixture
def cache(now: list[float]) -> LoginCache:
    return LoginCache(lambda: now[0])


@pytest.mark.parametrize("provider", [IdentityProvider, PasswordIdentityProvider])
def test_a_login_is_believed_for_some_seconds(cache: LoginCache, now: list[float], provider: Any) -> None:
    provider = provider(token="t")
    key = cache.key(bearer(provider))
    assert cache.find(key) is None
    cache.remember(key, ANN)
    now[0] += LIFETIME - 0.1
    assert cache.find(cache.key(bearer(provider))) is ANN
    now[0] += 0.2
    assert cache.find(key) is None


@pytest.mark.parametrize(
    "change",
    [
        {"cookie": "a=2"},
        {"cookie": None},
        {"authorization": "token t"},
        {"tokens": (b"t",)},
        {"tokens": (b"t", b"u")},
        {"host": "h:2"},
        {"protocol": "https"},
        {"secret": b"other"},
        {"provider": IdentityProvider(token="other")},
        {"provider": IdentityProvider(token="t", cookie_name="other")},
    ],
    ids=str,
)
def test_anything_that_counts_makes_another_login(cache: LoginCache, change: dict[str, Any]) -> None:
    cache.remember(cache.key(bearer()), ANN)
    assert cache.find(cache.key(bearer())) is ANN
    assert cache.find(cache.key(bearer(**change))) is None


def test_a_provider_of_another_kind_is_asked_every_time(cache: LoginCache) -> None:
    key = cache.key(bearer(OwnProvider(token="t")))
    assert key is None
    cache.remember(key, ANN)
    assert cache.find(key) is None


def test_a_password_that_is_set_makes_another_login(cache: LoginCache) -> None:
    provider = PasswordIdentityProvider(token="")
    cache.remember(cache.key(bearer(provider)), ANN)
    assert cache.find(cache.key(bearer(provider))) is ANN
    provider.hashed_password = "sha1:1:2"
    assert cache.find(cache.key(bearer(provider))) is None


@pytest.mark.parametrize("secret", [{1: "a", 2: "b"}, None], ids=str)
def test_secrets_that_may_change_unnoticed_are_asked_every_time(cache: LoginCache, secret: Any) -> None:
    assert cache.key(bearer(secret=secret)) is None


def test_without_credentials_nothing_is_remembered(cache: LoginCache) -> None:
    assert cache.key(bearer(cookie=None)) is None


def test_no_more_are_kept_than_a_browser_full(cache: LoginCache) -> None:
    keys = [cache.key(bearer(cookie=f"a={number}")) for number in range(MAX_LOGINS + 1)]
    for key in keys:
        cache.remember(key, ANN)
    assert cache.find(keys[0]) is None
    assert cache.find(keys[1]) is ANN
    assert cache.find(keys[-1]) is ANN
