"""Who may pass: the answers to what a journey asks before a process is started or a socket is opened.

``runtime.Door`` is who is asked. Inside Jupyter the answer is Jupyter's (``extension/door.py``), without it
JupyterHub's (``standalone/hub.py``), or that of nobody (``standalone/door.py``).
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ..rules.credentials import Credentials
from ..rules.identity import Identity
from .destinations import Destination
from .policy import AddressPolicy

#: What authorizers are asked about.
RESOURCE = "server-proxy"


class Pass(NamedTuple):
    """The request may go on.

    Args:
        user: as the identity provider gave it.
        cookies: Set-Cookie values that logging in asks for.
        credentials: what no application gets to see.
        identity: what applications may be told about the user.
    """

    user: Any
    cookies: tuple[str, ...]
    credentials: Credentials
    identity: Identity | None = None


class Refusal(NamedTuple):
    """The request may not go on.

    Args:
        reason: for the person who sent it, once they are known.
        logging_in_helps: they are not known yet.
        status: of the answer.
    """

    reason: str
    logging_in_helps: bool = False
    status: int = 403


def refuse_address(policy: AddressPolicy, handler: Any, destination: Destination) -> Refusal | None:
    """The policy for addresses that a URL names; configured servers are where the configuration says.

    Args:
        policy: of the configuration.
        handler: of the request, for a function of the configuration.
        destination: where the request is to go.
    """
    if not destination.named_by_url:
        return None
    if destination.host is not None and not policy.allows_host(handler, destination.host):
        return Refusal(
            f"Host '{destination.host}' is not allowed. An administrator can add it to ServerProxy.host_allowlist."
        )
    if not policy.allows_port(destination.port):
        return Refusal(
            f"Port {destination.port} is not allowed. An administrator can add it to ServerProxy.port_allowlist."
        )
    return None
