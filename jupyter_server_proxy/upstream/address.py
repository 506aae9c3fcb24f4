"""Where an origin server listens."""

from __future__ import annotations

from dataclasses import dataclass

from ..rules.spec import TlsSpec

#: The loopback addresses, in the order in which they are tried for a server that is known by its port alone.
LOOPBACK = ("127.0.0.1", "::1")


@dataclass(frozen=True)
class TcpAddress:
    """A TCP endpoint.

    Args:
        hosts: names or IP literals (without brackets), tried in this order until one accepts the connection. A server
            that we started is pinned to exactly one.
        port: 1-65535.
        tls: how to speak TLS; None for plain TCP.
    """

    hosts: tuple[str, ...]
    port: int
    tls: TlsSpec | None = None

    def __post_init__(self) -> None:
        # Looked up in several dictionaries for each request.
        object.__setattr__(self, "_hash", hash((self.hosts, self.port, self.tls)))

    def __hash__(self) -> int:
        return self._hash  # type: ignore[attr-defined, no-any-return]

    def __str__(self) -> str:
        host = "localhost" if self.hosts == LOOPBACK else self.hosts[0]
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """Its origin."""
        return f"{'https' if self.tls else 'http'}://{self}"


@dataclass(frozen=True)
class UnixAddress:
    """A unix socket; ``path`` is absolute."""

    path: str

    def __str__(self) -> str:
        return f"unix:{self.path}"

    @property
    def url(self) -> str:
        """As for TCP."""
        return str(self)


Address = TcpAddress | UnixAddress


def loopback(port: int, tls: TlsSpec | None = None) -> TcpAddress:
    """The address of a server of which only the port is known: 127.0.0.1, then ::1."""
    return TcpAddress(LOOPBACK, port, tls)
