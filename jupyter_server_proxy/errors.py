"""The errors of this package, as a tree::

    ProxyError                     what a client may be told, and with which status
     ├── RequestRefused            400  the request cannot be passed on as it is
     │    ├── HostNotAllowed       403  the host is not in host_allowlist
     │    ├── RequestTimeout       408  the client does not send the rest of its request
     │    ├── UpgradeRequired      405  a raw socket server was asked for plain HTTP
     │    └── VersionRequired      426  a websocket of another version than 13 was asked for
     ├── UpstreamError             502  the origin server cannot be talked to
     │    ├── ConnectFailed        502  nobody listens, or the listener is not reachable
     │    ├── TlsFailed            502  its certificate is not trusted, or it does not speak TLS
     │    ├── UpstreamClosed       502  the connection ended before a complete response
     │    ├── UpstreamProtocolError 502 the response breaks HTTP
     │    └── UpstreamTimeout      504  no answer in time
     ├── ServerUnavailable         503  a configured server does not run
     │    ├── StillStarting        503  it was started, and is not ready yet: for people, who get a page meanwhile
     │    └── StartFailed          503  it was started, and failed: reason, exit code, output
     └── ServerMisconfigured       500  its configuration cannot be used for this request
    ConfigurationError             one server's configuration is wrong (a ValueError)

Each ``ProxyError`` carries a status and a message that is safe to show to the person at the browser: it names the thing
that failed and the remedy, and holds no secret. What only the log should see goes into ``detail``.
"""

from __future__ import annotations


class ProxyError(Exception):
    """A request cannot be served; the base of what the gateway turns into a response.

    Args:
        message: what happened and what to do, for the person who sent the request. Plain text, not escaped.
        detail: more for the log alone; never sent to a client.
        retry_after: seconds after which the same request may succeed (``Retry-After``, RFC 9110 10.2.3), or None.
    """

    status = 500

    def __init__(self, message: str, *, detail: str = "", retry_after: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail
        self.retry_after = retry_after


class RequestRefused(ProxyError):
    """The request is malformed, or is one that must not be passed on."""

    status = 400


class HostNotAllowed(RequestRefused):
    """``/proxy/<host>:<port>`` names a host that ``ServerProxy.host_allowlist`` does not contain."""

    status = 403


class RequestTimeout(RequestRefused):
    """The client has stopped sending the body that it announced (RFC 9110 15.5.9)."""

    status = 408


class UpgradeRequired(RequestRefused):
    """A server with ``raw_socket_proxy`` takes websockets only."""

    status = 405


class VersionRequired(RequestRefused):
    """A server with ``raw_socket_proxy`` takes websockets of version 13 only (RFC 6455 4.2.2)."""

    status = 426


class UpstreamError(ProxyError):
    """The origin server cannot be reached, or does not speak HTTP as it should."""

    status = 502


class ConnectFailed(UpstreamError):
    """No connection to the origin server could be made."""


class TlsFailed(UpstreamError):
    """The origin server should speak TLS, and does not, or not with a certificate that is trusted."""


class UpstreamClosed(UpstreamError):
    """The origin server ended the connection before its response was complete."""


class UpstreamProtocolError(UpstreamError):
    """The origin server's bytes are not an HTTP/1.1 response (RFC 9112)."""


class UpstreamTimeout(UpstreamError):
    """The origin server took too long to accept the connection or to begin its response."""

    status = 504


class ServerUnavailable(ProxyError):
    """A configured server is not running and cannot be started now."""

    status = 503


class StillStarting(ServerUnavailable):
    """A configured server is starting, and somebody at a browser shall not wait for it without seeing anything."""


class StartFailed(ServerUnavailable):
    """A configured server was started and did not become ready.

    Args:
        message: as for ``ProxyError``; names the server and the reason.
        exit_code: exit status of the process; negative for the number of the signal that ended it; None while it runs.
        output: its last lines of output, oldest first. For the owner of the Jupyter server, who may see them.
    """

    def __init__(
        self,
        message: str,
        *,
        exit_code: int | None = None,
        output: tuple[str, ...] = (),
        detail: str = "",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, detail=detail, retry_after=retry_after)
        self.exit_code = exit_code
        self.output = output


class ServerMisconfigured(ProxyError):
    """A callable of a server's configuration failed, or returned what cannot be used."""


class ConfigurationError(ValueError):
    """One server's configuration is wrong. The message names the server, the option, and the remedy."""
