"""Who sent a request, as an application may be told; the fields below are never taken from a client."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import quote

from .fields import Pairs

#: Names of the fields, as WSGI and CGI see them: there "_" and "-" are the same.
IDENTITY_FIELDS = frozenset({"x-jupyter-user", "x-jupyter-groups", "x-jupyter-scopes"})

#: What stands unescaped, besides letters and digits: what names, groups and scopes of JupyterHub are made of.
_PLAIN = "!#$&'*+-./:=@^_`|~"


class Identity(NamedTuple):
    """Somebody who was let in.

    Args:
        user: name.
        groups: of JupyterHub.
        scopes: that JupyterHub grants.
    """

    user: str
    groups: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()


def is_identity_field(name: str) -> bool:
    """Whether a client has no say about this field."""
    return name.lower().replace("_", "-") in IDENTITY_FIELDS


def identity_fields(identity: Identity) -> Pairs:
    """The fields that tell an application who sent the request.

    Groups and scopes are lists (RFC 9110 5.6.1). What is no visible ASCII character, commas among them, is
    percent-encoded as UTF-8.
    """
    return [
        ("X-Jupyter-User", _escape(identity.user)),
        ("X-Jupyter-Groups", ", ".join(map(_escape, identity.groups))),
        ("X-Jupyter-Scopes", ", ".join(map(_escape, identity.scopes))),
    ]


def _escape(text: str) -> str:
    return quote(text, safe=_PLAIN)
