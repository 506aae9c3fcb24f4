"""The request as the origin server gets it, and the fields of its response as the client gets them."""

from __future__ import annotations

from collections.abc import Iterable

from tornado.httputil import HTTPHeaders, HTTPServerRequest

from ..errors import RequestRefused, ServerMisconfigured, VersionRequired
from ..rules.credentials import Credentials, screen_set_cookie, withhold_query
from ..rules.fields import Fields, Pairs
from ..rules.forwarding import Forwarding
from ..rules.headers import build_response_fields, request_fields, serialize_request
from ..rules.identity import Identity
from ..rules.paths import join_target, map_path, rewrite_location
from ..rules.rewrite import RewritableResponse
from ..rules.websocket import accept_key
from ..upstream.connection import ResponseHead, UpstreamConnection
from .destinations import Route
from .runtime import Runtime


class OutgoingRequest:
    """A new request, made from the client's; that one is never changed.

    Args:
        request: the client's.
        route: where it leads.
        runtime: knows which proxies in front of Jupyter are trusted.
        credentials: what the origin server does not get, unless it is configured to.
        request_id: tells the origin server how the request is called in our log.
        upgrade: the protocol it asks for.
        chunked: its body comes in chunks.
        identity: of the user, for servers that are to know it.

    Attributes:
        path: after the prefix and after ``mappath``.

    Raises:
        ServerMisconfigured: an option of the server gave something that cannot be sent.
    """

    def __init__(
        self,
        request: HTTPServerRequest,
        route: Route,
        runtime: Runtime,
        credentials: Credentials,
        *,
        request_id: str,
        upgrade: str | None,
        chunked: bool,
        identity: Identity | None = None,
    ) -> None:
        destination = route.destination
        self._route = route
        self._method = request.method or ""
        self._id = request_id
        query = route.query
        handling = destination.handling
        self._withheld = withheld = None if handling.forward_credentials else credentials
        if query and withheld is not None:
            query = withhold_query(query, withheld)
        self.path = route.path or "/"
        if handling.mappath:
            self.path, query = map_path(handling.mappath, self.path, query, server=destination.name)
        self._target = join_target(route.prefix + self.path if route.absolute else self.path, query)
        if route.absolute and not route.path and not handling.mappath:
            self._target = join_target(route.prefix, query)  # as it was written
        forwarding = Forwarding(
            request.remote_ip or "",
            request.protocol,
            request.host,
            None if route.absolute else route.prefix,
            runtime.trusted_peer(request),
        )
        overrides = destination.headers_override()
        try:
            self._fields = request_fields(
                tuple(request.headers.get_all()),
                withheld,
                forwarding,
                upgrade,
                chunked,
                tuple(overrides.items()) if overrides else (),
                identity if handling.identity_headers else None,
            )
        except ValueError as error:
            raise ServerMisconfigured(
                f"The request_headers_override of server '{destination.name}' cannot be sent: {error}."
            ) from error

    def head(self) -> bytes:
        """Request line and fields, serialized."""
        return serialize_request(f"{self._method} {self._target} HTTP/1.1", self._fields, self._id)

    def response_fields(self, head: ResponseHead, upstream: UpstreamConnection) -> Pairs:
        """What the client gets of the response's fields."""
        return self._screened(head.fields, upstream, upgrade=head.status == 101)

    def original_fields(self, head: ResponseHead) -> Fields:
        """The response's fields as ``rewrite_response`` functions see them: URLs are still the origin server's."""
        return Fields.of_parsed(build_response_fields(head.fields))

    def rewritten_fields(self, response: RewritableResponse, upstream: UpstreamConnection) -> Pairs:
        """The fields that ``rewrite_response`` left, with URLs as they are outside and the length of the new body."""
        fields = self._screened(response.headers.get_all(), upstream)
        if response.code not in (204, 304) and self._method != "HEAD":
            fields.append(("Content-Length", str(len(response.body))))
        return fields

    def _screened(
        self, received: Iterable[tuple[str, str]], upstream: UpstreamConnection, upgrade: bool = False
    ) -> Pairs:
        handling = self._route.destination.handling
        fields = build_response_fields(
            received,
            rewrite_location=lambda url: self._outside(url, upstream),
            screen_cookie=self._screen_cookie,
            upgrade=upgrade,
        )
        if handling.sandbox:
            fields.append(("Content-Security-Policy", f"sandbox {handling.sandbox}"))
        return fields

    def _screen_cookie(self, value: str) -> str | None:
        is_reserved = _is_never if self._withheld is None else self._withheld.is_reserved
        scope = self._route.prefix if self._route.destination.handling.scope_cookies else None
        return screen_set_cookie(value, is_reserved, scope)

    def _outside(self, url: str, upstream: UpstreamConnection) -> str:
        authorities = {self._fields.host, upstream.peer, str(upstream.address).lower()}
        if self._route.destination.host is None and upstream.peer:
            authorities.add("localhost:" + upstream.peer.rpartition(":")[2])
        return rewrite_location(url, prefix=self._route.prefix, authorities=authorities, absolute=self._route.absolute)


def _is_never(name: str) -> bool:
    return False


def websocket_answer(headers: HTTPHeaders) -> Pairs:
    """Accept a websocket ourselves (RFC 6455 4.2.2), for a server that does not speak HTTP.

    Of the subprotocols that the client offers, "binary" is agreed to, or else the first: VNC clients offer "base64",
    too, and would then encode what they send.

    Raises:
        VersionRequired: the client speaks another version of the protocol.
        RequestRefused: the handshake is malformed.
    """
    if headers.get("Sec-WebSocket-Version") != "13":
        raise VersionRequired("Only version 13 of the websocket protocol is spoken here.")
    try:
        accept = accept_key(headers.get("Sec-WebSocket-Key") or "")
    except ValueError as error:
        raise RequestRefused(f"The websocket handshake is malformed: {error}.") from None
    answer = [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", accept)]
    offered = [word.strip() for word in headers.get("Sec-WebSocket-Protocol", "").split(",") if word.strip()]
    if offered:
        answer.append(("Sec-WebSocket-Protocol", "binary" if "binary" in offered else offered[0]))
    return answer
