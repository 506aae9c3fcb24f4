"""Which credentials stay with Jupyter: whoever holds its login cookie or its token owns the whole server.

The cookies and tokens of applications pass as they are. Nothing here decides who may pass; see ``web.door``.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Iterable
from typing import NamedTuple
from urllib.parse import unquote_plus

from .fields import Pairs
from .paths import join_target, split_target

#: Cookies of Jupyter and JupyterHub whose names do not depend on the server: the token against cross-site requests,
#: and the Hub's sessions and OAuth state (see ``is_reserved``).
_XSRF = "_xsrf"
_HUB_PREFIX = "jupyterhub-"

#: What a name may begin with to promise how the cookie was set (RFC 6265bis 4.1.3).
_PROMISES = ("__Host-", "__Secure-")

_NOT_ALPHANUMERIC = re.compile(r"[^A-Za-z0-9]")

#: Schemes of the Authorization field that carry Jupyter's token.
_TOKEN_SCHEMES = ("token", "bearer")

#: Variables that hold secrets of Jupyter and JupyterHub. A child process has no use for them unless it is told to.
SECRET_VARIABLES = frozenset(
    {
        "CONFIGPROXY_AUTH_TOKEN",
        "JPY_API_TOKEN",
        "JPY_COOKIE_SECRET",
        "JUPYTERHUB_API_TOKEN",
        "JUPYTERHUB_COOKIE_SECRET",
        "JUPYTERHUB_CRYPT_KEY",
        "JUPYTER_COOKIE_SECRET",
        "JUPYTER_PASSWORD",
        "JUPYTER_TOKEN",
    }
)


class Credentials(NamedTuple):
    """What logs people in to one Jupyter server, as seen in one request.

    Args:
        login_cookies: names of the cookies that Jupyter's identity provider sets for this request's Host.
        host: the Host field. Other Jupyter servers of the same host set cookies that the browser sends here, too:
            cookies do not know ports (RFC 6265 8.5).
        tokens: what logged this request in, and the server's own token; never an application's.
    """

    login_cookies: tuple[str, ...] = ()
    host: str = ""
    tokens: tuple[str, ...] = ()

    def is_reserved(self, cookie: str) -> bool:
        """Whether a cookie of that name belongs to Jupyter or JupyterHub, and to no application."""
        if any(cookie == own or cookie.startswith(f"{own}-oauth-state") for own in self.login_cookies):
            return True
        for prefix in _PROMISES:
            cookie = cookie.removeprefix(prefix)
        if cookie == _XSRF or cookie.startswith(_HUB_PREFIX):
            return True
        if not cookie.startswith("username-"):
            return False
        name = _NOT_ALPHANUMERIC.sub("-", f"username-{_without_port(self.host)}")
        return re.fullmatch(re.escape(name) + r"(-\d+)?", cookie) is not None

    def is_token(self, value: str) -> bool:
        """Whether this is one of the tokens; how long the answer takes does not tell how much of it is right."""
        given = value.strip().encode("utf-8", "surrogateescape")
        return any(hmac.compare_digest(given, token.encode()) for token in self.tokens)


def withhold_fields(fields: Iterable[tuple[str, str]], credentials: Credentials) -> Pairs:
    """The request's fields without Jupyter's cookies, its token, and a Referer's copy of the token.

    Args:
        fields: the client's; not changed.
        credentials: what to withhold.
    """
    kept: Pairs = []
    for name, value in fields:
        lower = name.lower()
        if lower == "cookie":
            value = _without_cookies(value, credentials.is_reserved)
            if not value:
                continue
        elif lower == "authorization":
            scheme, _, token = value.strip().partition(" ")
            if scheme.lower() in _TOKEN_SCHEMES and credentials.is_token(token):
                continue
        elif lower == "referer":
            path, query = split_target(value)
            value = join_target(path, withhold_query(query, credentials))
        kept.append((name, value))
    return kept


def withhold_query(query: str | None, credentials: Credentials) -> str | None:
    """The query without ``token=`` parameters that hold a token of Jupyter's; the rest stays byte for byte.

    Args:
        query: as it stood in the request target; None without "?".
        credentials: what to withhold.
    """
    if not query or "token" not in unquote_plus(query) or not credentials.tokens:
        return query
    parts = query.split("&")
    kept = [part for part in parts if not _is_token_parameter(part, credentials)]
    if len(kept) == len(parts):
        return query
    return "&".join(kept) if kept else None


def screen_set_cookie(value: str, is_reserved: Callable[[str], bool], scope: str | None = None) -> str | None:
    """A Set-Cookie of an application as the client may get it (RFC 6265 5.2).

    Args:
        value: the field's value.
        is_reserved: whether no application sets a cookie of that name.
        scope: public path of the application, to which its cookies are to be limited; None leaves them alone.

    Returns:
        None when the cookie is Jupyter's. A Domain would send the cookie to other hosts and is taken away.
    """
    pair, *attributes = value.split(";")
    # "=_xsrf=1" is a cookie without a name, which browsers send back as "_xsrf=1" (RFC 6265bis 5.7).
    name = pair.lstrip("= \t").partition("=")[0].strip()
    if is_reserved(name):
        return None
    kept = [attribute for attribute in attributes if _attribute_name(attribute) != "domain"]
    # "__Host-" promises the path "/" (RFC 6265bis 4.1.3.2): with another one browsers drop the cookie.
    if scope is not None and not name.lower().startswith("__host-"):
        paths = [a.partition("=")[2].strip() for a in kept if _attribute_name(a) == "path"]
        if not paths or not _is_below(paths[-1], scope):
            kept = [a for a in kept if _attribute_name(a) != "path"] + [f" Path={scope}/"]
    return ";".join([pair, *kept]) if kept != attributes else value


def _without_cookies(value: str, is_reserved: Callable[[str], bool]) -> str:
    """The pairs of a Cookie field (RFC 6265 4.2.1) less the reserved ones."""
    pairs = value.split(";")
    kept = [pair for pair in pairs if not is_reserved(pair.partition("=")[0].strip())]
    return value if len(kept) == len(pairs) else ";".join(kept).strip()


def _is_token_parameter(part: str, credentials: Credentials) -> bool:
    name, _, value = part.partition("=")
    return unquote_plus(name) == "token" and credentials.is_token(unquote_plus(value))


def _attribute_name(attribute: str) -> str:
    return attribute.partition("=")[0].strip().lower()


def _is_below(path: str, scope: str) -> bool:
    return path == scope or path.startswith(scope + "/")


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() else host
