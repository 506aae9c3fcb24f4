"""Where a request is to go: a configured server, or an address that the URL names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from ..errors import ProxyError, ServerMisconfigured
from ..rules.spec import NOTHING, AskingCallable, ServerSpec
from ..rules.template import realize
from ..supervise.facts import FailedRequest
from ..supervise.usage import Usage
from ..upstream.address import Address, TcpAddress, loopback
from .traffic import Traffic

if TYPE_CHECKING:
    from ..supervise.server import ManagedServer

T = TypeVar("T")

#: Seconds in which a process that was killed, and has closed a connection, is gone.
_DYING = 0.5

#: Seconds in which a response has to begin, where nobody says otherwise.
RESPONSE_TIMEOUT = 300.0


class Handling(NamedTuple):
    """How requests to a destination are passed on; each field has the meaning of the option of that name.

    ``response_timeout`` is in seconds; ``sandbox`` holds the flags of the CSP directive, "" for none.
    """

    mappath: Mapping[str, str] | AskingCallable = NOTHING
    rewrite_response: tuple[AskingCallable, ...] = ()
    update_last_activity: bool | AskingCallable = True
    exclude_last_activity_patterns: tuple[Any, ...] = ()
    raw_socket_proxy: bool = False
    forward_credentials: bool = False
    identity_headers: bool = False
    scope_cookies: bool = False
    sandbox: str = ""
    refuse_cross_site: bool = False
    response_timeout: float = RESPONSE_TIMEOUT


class Destination(Protocol):
    """What a journey asks of a destination.

    Attributes:
        name: for messages and logs.
        handling: how to pass requests on.
        named_by_url: the URL says where it is, and not the configuration; the policy for addresses applies.
        host: the host that the URL names, if it names one.
        port: as ``rewrite_response`` functions may ask for it; 0 with a unix socket.
        traffic: counts what goes there.
        usage: is told of what keeps it from being idle; None where nobody stops it.
    """

    name: str
    handling: Handling
    named_by_url: bool
    host: str | None
    traffic: Traffic
    usage: Usage | None

    @property
    def port(self) -> int: ...

    @property
    def address(self) -> Address | None:
        """Where it listens, if that is known without waiting."""

    async def locate(self, *, background: bool = False) -> Address:
        """Make sure that it runs, and tell where.

        Args:
            background: a page that is open asks, not a person; see ``ManagedServer.ensure_ready``.

        Raises:
            ProxyError: it does not.
        """

    def headers_override(self) -> Mapping[str, str]:
        """Fields that win over the client's and our own."""

    def report_connect_failure(self, address: Address) -> None:
        """Nobody listened at an address that was given before."""

    async def has_ended(self) -> bool:
        """Whether it has ended, or is about to: asked when it closed a connection without an answer."""

    def log_position(self) -> int:
        """The number of the next line of its output."""

    def report_failed_request(self, failed: FailedRequest) -> None:
        """It has answered with a status of 500 or more."""


class ServerDestination:
    """A server of the configuration.

    Args:
        server: the configured one.
        defaults: for what its configuration leaves open.
    """

    named_by_url = False
    host: str | None = None

    def __init__(self, server: ManagedServer, defaults: Handling) -> None:
        self.name = server.spec.name
        self.handling = handling_of(server.spec, defaults)
        self.traffic = Traffic()
        self.usage: Usage | None = server.usage
        self._server = server

    @property
    def port(self) -> int:
        """See ``Destination``."""
        return self._server.port

    @property
    def address(self) -> Address | None:
        """See ``Destination``."""
        return self._server.address

    async def locate(self, *, background: bool = False) -> Address:
        """See ``Destination``."""
        return await self._server.ensure_ready(background=background)

    def headers_override(self) -> Mapping[str, str]:
        """See ``Destination``.

        Raises:
            ServerMisconfigured: the option's callable failed, or gave something else than strings.
        """
        override = self._server.spec.request_headers_override
        if not override:
            return {}
        try:
            fields = realize(override, self._server.arguments)
            return {str(name): str(value) for name, value in (fields or {}).items()}
        except Exception as error:
            raise ServerMisconfigured(
                f"The request_headers_override of server '{self.name}' cannot be used: {type(error).__name__}.",
                detail=repr(error),
            ) from error

    def report_connect_failure(self, address: Address) -> None:
        """See ``Destination``."""
        self._server.report_connect_failure(address)

    async def has_ended(self) -> bool:
        """See ``Destination``."""
        return await self._server.has_ended(_DYING)

    def log_position(self) -> int:
        """See ``Destination``."""
        return self._server.logs.next_number

    def report_failed_request(self, failed: FailedRequest) -> None:
        """See ``Destination``."""
        self._server.failed_requests.append(failed)


class AddressDestination:
    """``/proxy/<port>`` or ``/proxy/<host>:<port>``: somebody else started what listens there.

    Args:
        host: validated name or IP literal, or None for this machine.
        port: 1-65535.
        handling: the same for all such routes.
        traffic: counts for all such routes.
    """

    named_by_url = True
    usage: Usage | None = None

    def __init__(self, host: str | None, port: int, handling: Handling, traffic: Traffic) -> None:
        self.host = host
        self.handling = handling
        self.traffic = traffic
        self._address = loopback(port) if host is None else TcpAddress((host,), port)
        self.name = str(self._address)

    @property
    def port(self) -> int:
        """See ``Destination``."""
        return self._address.port

    @property
    def address(self) -> Address:
        """See ``Destination``."""
        return self._address

    async def locate(self, *, background: bool = False) -> Address:
        """See ``Destination``."""
        return self._address

    def headers_override(self) -> Mapping[str, str]:
        """See ``Destination``."""
        return {}

    def report_connect_failure(self, address: Address) -> None:
        """See ``Destination``."""

    async def has_ended(self) -> bool:
        """Not that we could know."""
        return False

    def log_position(self) -> int:
        """We do not have its output."""
        return 0

    def report_failed_request(self, failed: FailedRequest) -> None:
        """See ``Destination``."""


class Nowhere(AddressDestination):
    """The URL has the form of a route of ours, but names something that cannot exist."""

    def __init__(self, error: ProxyError, handling: Handling, traffic: Traffic) -> None:
        super().__init__(None, 1, handling, traffic)
        self.named_by_url = False  # there is nothing to allow
        self.name = "nowhere"
        self._error = error

    @property
    def address(self) -> None:  # type: ignore[override]
        """There is none."""

    async def locate(self, *, background: bool = False) -> Address:
        """Always raises."""
        raise self._error


class Route(NamedTuple):
    """A request target, taken apart; all parts are as the client sent them.

    Args:
        destination: who answers.
        prefix: public path of the destination, without trailing slash.
        path: what follows the prefix; "" or begins with "/".
        query: None without "?".
        absolute: the destination sees ``prefix + path`` instead of ``path``.
    """

    destination: Destination
    prefix: str
    path: str
    query: str | None
    absolute: bool

    @property
    def lacks_slash(self) -> bool:
        """Whether relative links of the application's first page would go astray."""
        return self.path == ""


def handling_of(spec: ServerSpec, defaults: Handling) -> Handling:
    """The part of a server's configuration that concerns single requests; ``defaults`` for what it leaves open."""
    return Handling(
        mappath=spec.mappath,
        rewrite_response=spec.rewrite_response,
        update_last_activity=spec.update_last_activity,
        exclude_last_activity_patterns=spec.exclude_last_activity_patterns,
        raw_socket_proxy=spec.raw_socket_proxy,
        forward_credentials=_given(spec.forward_credentials, defaults.forward_credentials),
        identity_headers=spec.identity_headers,
        scope_cookies=spec.scope_cookies,
        sandbox=spec.sandbox,
        refuse_cross_site=_given(spec.refuse_cross_site, defaults.refuse_cross_site),
        response_timeout=_given(spec.response_timeout, defaults.response_timeout),
    )


def _given(value: T | None, default: T) -> T:
    return default if value is None else value
