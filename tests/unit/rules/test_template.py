"""Templates, and callables that ask for arguments by name."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_server_proxy.rules.template import call_with_asked_args, realize, render

ARGUMENTS = {"port": 8123, "unix_socket": "", "base_url": "/user/me/"}


class Commands:
    def method(self, port: int) -> int:
        return port

    @classmethod
    def of_class(cls, port: int) -> int:
        return port

    def __call__(self, port: int) -> int:
        return port


class Made:
    def __init__(self, port: int) -> None:
        self.port = port


def asks(port: int, base_url: str = "/", *, extra: int = 1) -> tuple[int, str, int]:
    return port, base_url, extra


def test_only_declared_arguments_are_passed_also_those_with_defaults() -> None:
    assert call_with_asked_args(asks, ARGUMENTS) == (8123, "/user/me/", 1)
    assert call_with_asked_args(lambda: "none", ARGUMENTS) == "none"


@pytest.mark.parametrize("function", [Commands().method, Commands.of_class, Commands(), lambda port, /: port])
def test_every_kind_of_callable(function: Any) -> None:
    assert call_with_asked_args(function, ARGUMENTS) == 8123


def test_classes_and_decorated_functions() -> None:
    @functools.wraps(asks)
    def decorated(*args: Any, **kwargs: Any) -> Any:
        return asks(*args, **kwargs)

    assert call_with_asked_args(Made, ARGUMENTS).port == 8123
    assert call_with_asked_args(decorated, ARGUMENTS) == (8123, "/user/me/", 1)


def test_keyword_only_arguments() -> None:
    def function(*, unix_socket: str, port: int = 0) -> tuple[str, int]:
        return unix_socket, port

    assert call_with_asked_args(function, ARGUMENTS) == ("", 8123)


def test_arbitrary_keywords_get_everything() -> None:
    def function(port: int, /, base_url: str, *args: Any, **rest: Any) -> Any:
        return port, base_url, args, rest

    assert call_with_asked_args(function, ARGUMENTS) == (8123, "/user/me/", (), {"unix_socket": ""})


def test_a_positional_argument_that_we_lack_keeps_its_place() -> None:
    def function(other: str = "default", port: int = 0, /) -> tuple[str, int]:
        return other, port

    assert call_with_asked_args(function, ARGUMENTS) == ("default", 8123)


def test_partials_keep_what_they_bound() -> None:
    assert call_with_asked_args(functools.partial(asks, 7), ARGUMENTS) == (7, "/user/me/", 1)
    assert call_with_asked_args(functools.partial(asks, port=7), ARGUMENTS) == (7, "/user/me/", 1)
    assert call_with_asked_args(functools.partial(asks, extra=2), ARGUMENTS) == (8123, "/user/me/", 2)


def test_builtins_without_a_signature_get_nothing() -> None:
    assert call_with_asked_args(dict, ARGUMENTS) == {}


def test_a_missing_argument_is_named_with_those_on_offer() -> None:
    def wants(prot: int, other: int, port: int) -> None: ...

    with pytest.raises(TypeError, match=r"wants asks for prot, other; .* on offer are base_url, port, unix_socket"):
        call_with_asked_args(wants, ARGUMENTS)


def test_what_is_bound_is_not_in_the_message() -> None:
    def wants(token: str, prot: int) -> None: ...

    with pytest.raises(TypeError) as caught:
        call_with_asked_args(functools.partial(wants, "s3cret"), ARGUMENTS)
    assert "s3cret" not in str(caught.value)
    assert "wants" in str(caught.value)


def test_something_that_cannot_be_called() -> None:
    with pytest.raises(TypeError, match="expected a callable, got list"):
        call_with_asked_args(["a"], ARGUMENTS)  # type: ignore[arg-type]


def test_render_goes_into_lists_tuples_and_mappings_and_leaves_them_unchanged() -> None:
    value = {"{port}": ["{base_url}x", ("{unix_socket}", None)], "plain": Path("/p/{port}")}
    assert render(value, ARGUMENTS) == {"8123": ["/user/me/x", ("", None)], "plain": "/p/8123"}
    assert value == {"{port}": ["{base_url}x", ("{unix_socket}", None)], "plain": Path("/p/{port}")}


def test_format_specifications_and_conversions_work() -> None:
    assert render("{port:06d} {base_url!r} {port:{port}}", {"port": 6, "base_url": "/"}) == "000006 '/'      6"


@given(st.text())
def test_escaped_text_comes_out_as_it_was(text: str) -> None:
    assert render(text.replace("{", "{{").replace("}", "}}"), ARGUMENTS) == text


@pytest.mark.parametrize("template", ["{foo}", "{}", "{0}", "{", "}", "{port", "{port:q}", '{"a": 1}', "{port!x}"])
def test_a_bad_template_is_named_with_the_names_that_work(template: str) -> None:
    with pytest.raises(ValueError, match=r"known names are \{base_url\}, \{port\}, \{unix_socket\}") as caught:
        render(["fine", template], ARGUMENTS)
    assert repr(template) in str(caught.value)


@pytest.mark.parametrize("template", ["{port.__class__}", "{base_url[0]}", "{port:{port.real}}"])
def test_attributes_and_items_are_refused(template: str) -> None:
    with pytest.raises(ValueError, match="attributes and items are not available"):
        render(template, ARGUMENTS)


def test_values_of_mappings_are_not_in_messages_c5() -> None:
    with pytest.raises(ValueError, match="the value of 'KEY'") as caught:
        render({"KEY": "s3cret{"}, ARGUMENTS)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("value", [3, b"x", {"a"}, ["a", 3], {"a": 3.5}])
def test_other_types_are_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="use a string, None, or a list"):
        render(value, ARGUMENTS)


def test_realize_renders_what_a_callable_returns() -> None:
    assert realize(lambda port: ["x", "{base_url}", str(port), "{{"], ARGUMENTS) == ["x", "/user/me/", "8123", "{"]
    assert realize(["{port}"], ARGUMENTS) == ["8123"]
    assert realize(lambda: None, ARGUMENTS) is None
