"""``rewrite_response``: functions of the configuration that change a whole response before it goes to the client."""

from __future__ import annotations

import copy
import http
import inspect
import traceback
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, Protocol

from ..errors import ServerMisconfigured
from .fields import Fields, FieldSource
from .template import call_with_asked_args, describe_callable

_FRAMING = frozenset({"content-length", "transfer-encoding"})


class Response(Protocol):
    """What a response to be rewritten has: ``OriginalResponse``, or tornado's ``HTTPResponse``."""

    @property
    def code(self) -> int: ...
    @property
    def reason(self) -> str | None: ...
    @property
    def headers(self) -> Any: ...
    @property
    def body(self) -> bytes | None: ...


class OriginalResponse(NamedTuple):
    """The response as the origin server sent it; functions know it as ``orig_response`` and leave it alone."""

    code: int
    reason: str
    headers: Fields
    body: bytes


class RewritableResponse:
    """A response that a function of ``rewrite_response`` may change, by assigning to its attributes.

    Values are checked as they are assigned, so that the traceback points at the line that is wrong.

    Args:
        orig_response: where the attributes start from; it is not changed.

    Attributes:
        code: status, 200 to 999. A reason that was the standard one of the old status follows it.
        reason: text behind the status; None means the standard one.
        headers: ``Fields``; what is assigned is converted to one.
        body: bytes.
        orig_response: what came from the origin server.
    """

    def __init__(self, orig_response: Response) -> None:
        self.orig_response = orig_response
        self._code = orig_response.code
        self._reason = _standard_reason(self._code) if orig_response.reason is None else orig_response.reason
        self._headers = Fields(orig_response.headers)
        self._body = orig_response.body or b""

    @property
    def code(self) -> int:
        return self._code

    @code.setter
    def code(self, code: int) -> None:
        if not isinstance(code, int) or isinstance(code, bool):
            raise TypeError(f"response.code must be an integer, got {type(code).__name__}")
        if not 200 <= code <= 999:
            raise ValueError(f"response.code must be between 200 and 999, got {code}")
        if self._reason == _standard_reason(self._code):
            self._reason = _standard_reason(code)
        self._code = int(code)

    @property
    def reason(self) -> str:
        return self._reason

    @reason.setter
    def reason(self, reason: str | None) -> None:
        if reason is None:
            reason = _standard_reason(self._code)
        if not isinstance(reason, str):
            raise TypeError(f"response.reason must be a string, got {type(reason).__name__}")
        # RFC 9112, 4: a tab, visible characters, spaces, and obs-text.
        if any(char != "\t" and (char < " " or char == "\x7f" or char > "\xff") for char in reason):
            raise ValueError("response.reason has a control character or one outside latin-1")
        self._reason = reason

    @property
    def headers(self) -> Fields:
        return self._headers

    @headers.setter
    def headers(self, headers: FieldSource) -> None:
        self._headers = Fields(headers)

    @property
    def body(self) -> bytes:
        return self._body

    @body.setter
    def body(self, body: bytes | bytearray | memoryview) -> None:
        if isinstance(body, str):
            raise TypeError("response.body must be bytes, got str; use .encode()")
        if not isinstance(body, (bytes, bytearray, memoryview)):
            raise TypeError(f"response.body must be bytes, got {type(body).__name__}")
        self._body = bytes(body)

    def __copy__(self) -> RewritableResponse:
        other = type(self).__new__(type(self))
        other.__dict__.update(self.__dict__)
        other._headers = self._headers.copy()
        return other

    def _apply_to_copy(self, func: Callable[[RewritableResponse], Any]) -> RewritableResponse:
        """A copy that ``func`` was applied to; what ``func`` returns is ignored, as in 4.6."""
        other = copy.copy(self)
        func(other)
        return other


def rewrite(
    functions: Iterable[Callable[..., Any]],
    original: OriginalResponse,
    *,
    request: Any,
    host: str,
    port: int,
    path: str,
) -> RewritableResponse:
    """Let each function change the response, one after the other, each on a copy of what the one before it made.

    Args:
        functions: each gets those of response, request, orig_response, host, port and path that it asks for, by name.
            What it returns is ignored.
        original: what the origin server sent, with its whole body.
        request: the client's request.
        host: where the origin server is; with ``port`` and ``path`` the parts of ``/proxy/<host>:<port><path>``.
        port: its port; 0 for a unix socket.
        path: the path that was requested there.

    Returns:
        The response to send. Its headers say nothing about framing (Content-Length, Transfer-Encoding): the body may
        have changed, and the relay frames it anew.

    Raises:
        ServerMisconfigured: a function raised; the message names it and the type of the exception, ``detail`` has the
            traceback.
    """
    response = RewritableResponse(original)
    offered = {"request": request, "orig_response": original, "host": host, "port": port, "path": path}
    for function in functions:
        response = _apply(function, response, offered)
    response.headers.remove_all(_FRAMING)
    return response


def _apply(function: Callable[..., Any], response: RewritableResponse, offered: dict[str, Any]) -> RewritableResponse:
    def call(copied: RewritableResponse) -> None:
        result = call_with_asked_args(function, {"response": copied, **offered})
        if inspect.iscoroutine(result):
            result.close()
            raise TypeError("functions of rewrite_response cannot be asynchronous")

    try:
        return response._apply_to_copy(call)
    except Exception as error:
        raise ServerMisconfigured(
            f"The rewrite_response function {describe_callable(function)} failed with {type(error).__name__}. "
            "The log of the Jupyter server has the details.",
            detail=traceback.format_exc(),
        ) from error


def _standard_reason(code: int) -> str:
    try:
        return http.HTTPStatus(code).phrase
    except ValueError:
        return "Unknown"
