"""Which addresses URLs may name, and which proxies in front are believed: what administrators have configured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from ..rules.policy import HostList, has_port


@dataclass(frozen=True)
class AddressPolicy:
    """Where ``/proxy/...`` may lead, and who in front of Jupyter is believed.

    Args:
        hosts_allowed: a list, or a function of the handler and the host.
        hosts_denied: wins over ``hosts_allowed``.
        ports_allowed, ports_denied: the same for ports, of this machine and of others.
        trusted_proxies: IP addresses of front proxies; "unix" when they connect by a unix socket.
    """

    hosts_allowed: HostList | Callable[..., Any] = field(default_factory=HostList)
    hosts_denied: HostList = field(default_factory=HostList)
    ports_allowed: Sequence[range] = (range(1, 65536),)
    ports_denied: Sequence[range] = ()
    trusted_proxies: HostList = field(default_factory=HostList)

    def allows_host(self, handler: Any, host: str) -> bool:
        """Whether ``/proxy/<host>:<port>`` may lead there; ``handler`` is for the function of the configuration."""
        if host in self.hosts_denied:
            return False
        allowed = self.hosts_allowed
        return bool(allowed(handler, host)) if callable(allowed) else host in allowed

    def allows_port(self, port: int) -> bool:
        """Whether ``/proxy/<port>`` and ``/proxy/<host>:<port>`` may lead there."""
        return _allows_port(self.ports_allowed, self.ports_denied, port)


@lru_cache(maxsize=256)
def _allows_port(allowed: Sequence[range], denied: Sequence[range], port: int) -> bool:
    return has_port(allowed, port) and not has_port(denied, port)
