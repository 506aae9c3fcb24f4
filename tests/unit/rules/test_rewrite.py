"""The chain of rewrite_response functions."""

from __future__ import annotations

from typing import Any

import pytest
from tornado.httpclient import HTTPRequest, HTTPResponse

from jupyter_server_proxy.errors import ServerMisconfigured
from jupyter_server_proxy.rules.fields import Fields
from jupyter_server_proxy.rules.rewrite import OriginalResponse, RewritableResponse, rewrite


def original(code: int = 200, reason: str = "OK", body: bytes = b"a cat") -> OriginalResponse:
    lines = [("Content-Length", "5"), ("transfer-encoding", "chunked"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]
    return OriginalResponse(code, reason, Fields(lines), body)


def run(*functions: Any, response: OriginalResponse | None = None) -> RewritableResponse:
    return rewrite(functions, response or original(), request="the request", host="h", port=8, path="/p")


def test_each_function_works_on_the_result_of_the_one_before() -> None:
    def to_dog(response: Any) -> None:
        response.body = response.body.replace(b"cat", b"dog")
        response.headers["X-Dog"] = "1"

    def to_horse(response: Any) -> None:
        assert response.headers["x-dog"] == "1"
        response.body = response.body.replace(b"dog", b"horse")

    assert run(to_dog, to_horse).body == b"a horse"
    assert run(to_dog).body == b"a dog"


def test_functions_get_what_they_ask_for_by_name() -> None:
    seen: list[Any] = []

    def everything(path: str, port: int, host: str, orig_response: Any, request: Any, response: Any) -> None:
        seen.extend([path, port, host, orig_response.code, orig_response.body, request])

    run(everything, lambda: seen.append("nothing"))
    assert seen == ["/p", 8, "h", 200, b"a cat", "the request", "nothing"]


def test_the_original_stays_as_it_was_and_return_values_are_ignored() -> None:
    response = original()

    def change(response: Any) -> Any:
        response.headers["X"] = "1"
        del response.headers["Set-Cookie"]
        return "something else"

    result = run(change, response=response)
    assert "Set-Cookie" not in result.headers
    assert response.headers.get_list("Set-Cookie") == ["a=1", "b=2"]
    assert "X" not in response.headers


def test_framing_is_left_to_the_relay_h3_and_repeated_fields_survive_h7() -> None:
    def add_length(response: Any) -> None:
        response.headers["Content-Length"] = len(response.body)

    for result in (run(), run(add_length)):
        assert list(result.headers.get_all()) == [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]


@pytest.mark.parametrize(
    ("reason", "code", "expected"),
    [("OK", 403, "Forbidden"), ("Fine", 403, "Fine"), ("OK", 799, "Unknown"), ("", 403, "")],
)
def test_a_standard_reason_follows_the_code(reason: str, code: int, expected: str) -> None:
    def change(response: Any) -> None:
        response.code = code

    result = run(change, response=original(reason=reason))
    assert (result.code, result.reason) == (code, expected)


def test_headers_may_be_replaced_by_a_dictionary() -> None:
    def change(response: Any) -> None:
        response.headers = {"X": "1"}
        response.reason = None
        response.body = bytearray(b"x")

    result = run(change)
    assert isinstance(result.headers, Fields)
    assert (list(result.headers.get_all()), result.reason, result.body) == ([("X", "1")], "OK", b"x")


@pytest.mark.parametrize(
    ("attribute", "value", "message"),
    [
        ("body", "text", r"must be bytes, got str; use \.encode\(\)"),
        ("body", 3, "must be bytes, got int"),
        ("code", "200", "must be an integer, got str"),
        ("code", True, "must be an integer, got bool"),
        ("code", 101, "between 200 and 999, got 101"),
        ("reason", "a\r\nX: y", "control character"),
        ("reason", 3, "must be a string, got int"),
        ("headers", {"X": "a\nb"}, "line break"),
    ],
)
def test_wrong_values_are_a_clear_error_h4(attribute: str, value: Any, message: str) -> None:
    def change(response: Any) -> None:
        setattr(response, attribute, value)

    with pytest.raises(ServerMisconfigured) as caught:
        run(change)
    assert caught.value.__cause__ is not None
    with pytest.raises((TypeError, ValueError), match=message):
        raise caught.value.__cause__


def test_an_exception_names_the_function_and_only_the_log_gets_the_traceback() -> None:
    def broken_rewrite(response: Any) -> None:
        raise LookupError("s3cret")

    with pytest.raises(ServerMisconfigured) as caught:
        run(broken_rewrite)
    assert caught.value.status == 500
    assert "broken_rewrite failed with LookupError" in caught.value.message
    assert "s3cret" not in caught.value.message
    assert "s3cret" in caught.value.detail
    assert "Traceback" in caught.value.detail


def test_an_asynchronous_function_is_refused() -> None:
    async def later(response: Any) -> None: ...

    with pytest.raises(ServerMisconfigured, match="later failed with TypeError"):
        run(later)


def test_apply_to_copy_leaves_the_response_alone() -> None:
    response = RewritableResponse(orig_response=original())

    def change(response: RewritableResponse) -> None:
        response.code = 404
        response.headers["X"] = "1"

    changed = response._apply_to_copy(change)
    assert (response.code, "X" in response.headers) == (200, False)
    assert (changed.code, changed.reason, changed.headers["X"]) == (404, "Not Found", "1")
    assert changed.orig_response is response.orig_response


def test_tornados_response_can_be_rewritten_as_in_4_6() -> None:
    response = RewritableResponse(orig_response=HTTPResponse(HTTPRequest("http://h/"), 204))
    assert (response.code, response.reason, response.body) == (204, "No Content", b"")
