"""Header fields: an ordered multimap; names in any case."""

from __future__ import annotations

import copy
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tornado.httputil import HTTPHeaders

from jupyter_server_proxy.rules.fields import Fields

LINES = [("Set-Cookie", "a=1"), ("X-One", "1"), ("set-cookie", "b=2"), ("Content-Type", "text/html")]

names = st.sampled_from(["A", "a", "Set-Cookie", "SET-COOKIE", "set-cookie", "X-y"])
values = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=5)
lines_of_fields = st.lists(st.tuples(names, values), max_size=8)
operations = st.one_of(
    st.tuples(st.just("add"), names, values),
    st.tuples(st.just("set"), names, values),
    st.tuples(st.just("delete"), names, values),
    st.tuples(st.just("remove_all"), names, values),
)


def change_model(model: list[tuple[str, str]], operation: str, name: str, value: str) -> list[tuple[str, str]]:
    """What one operation does to a plain list of lines."""
    same = [index for index, line in enumerate(model) if line[0].lower() == name.lower()]
    if operation == "add" or (operation == "set" and not same):
        return [*model, (name, value)]
    others = [line for index, line in enumerate(model) if index not in same]
    if operation == "set":
        others.insert(same[0], (name, value))
    return others


@given(lines_of_fields, st.lists(operations, max_size=8))
def test_it_behaves_as_a_list_of_lines(start: list[tuple[str, str]], steps: list[tuple[str, str, str]]) -> None:
    fields, model = Fields(start), list(start)
    for operation, name, value in steps:
        if operation == "add":
            fields.add(name, value)
        elif operation == "set":
            fields[name] = value
        elif operation == "remove_all":
            fields.remove_all({name.lower()})
        elif name in fields:
            del fields[name]
        model = change_model(model, operation, name, value)

        assert list(fields.get_all()) == model
        keys = list(dict.fromkeys(line[0].lower() for line in model))
        assert [key.lower() for key in fields] == keys
        assert len(fields) == len(keys)
        for key in keys:
            expected = [line[1] for line in model if line[0].lower() == key]
            assert fields.get_list(key.upper()) == expected
            assert fields[key] == ",".join(expected)
        assert fields == Fields.of_parsed(list(model))


def test_order_and_spelling_are_kept_and_repeated_fields_stay_apart_h7() -> None:
    fields = Fields(LINES)
    assert list(fields.get_all()) == LINES
    assert fields.get_list("SET-COOKIE") == ["a=1", "b=2"]
    assert list(fields.items()) == [("Set-Cookie", "a=1,b=2"), ("X-One", "1"), ("Content-Type", "text/html")]


def test_missing_names() -> None:
    fields = Fields(LINES)
    assert "x-two" not in fields
    assert cast(Any, 3) not in fields
    assert fields.get("x-two") is None
    assert fields.get("x-two", "y") == "y"
    assert fields.get_list("x-two") == []
    with pytest.raises(KeyError):
        fields["x-two"]
    with pytest.raises(KeyError):
        del fields["x-two"]
    assert fields.pop("x-one") == "1"
    assert "X-One" not in fields


def test_update_replaces_and_keeps_repeated_lines() -> None:
    fields = Fields(LINES)
    fields.update(Fields([("SET-COOKIE", "c=3"), ("set-cookie", "d=4")]), x="y")
    assert fields.get_list("set-cookie") == ["c=3", "d=4"]
    assert fields["x-one"] == "1"
    assert fields["x"] == "y"


@pytest.mark.parametrize("value", ["a\rb", "a\nb", "a\0b", "\u20ac", b"a\nb"])
def test_values_that_break_the_framing_are_refused_h4(value: Any) -> None:
    fields = Fields()
    with pytest.raises(ValueError, match="X-Name"):
        fields.add("X-Name", value)
    with pytest.raises(ValueError, match="X-Name"):
        fields["X-Name"] = value
    assert len(fields) == 0


@pytest.mark.parametrize("name", ["", "a b", "a:", "a\n", "é", "a\0", "(x)"])
def test_names_must_be_tokens_h4(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be the name"):
        Fields([(name, "x")])


def test_integers_and_bytes_become_text_and_others_are_refused() -> None:
    assert list(Fields({"A": 3, "B": b"\xe9"}).get_all()) == [("A", "3"), ("B", "é")]
    with pytest.raises(TypeError, match="must be a string, got list"):
        Fields({"A": ["x"]})


def test_copies_are_independent() -> None:
    fields = Fields(LINES)
    for other in (fields.copy(), copy.copy(fields), Fields(fields)):
        assert other == fields
        assert fields["X-One"] == other["X-One"] == "1"  # what was asked for is kept
        other["X-One"] = "2"
        other.add("X-Two", "2")
        assert (other["X-One"], other["X-Two"]) == ("2", "2")
        assert list(fields.get_all()) == LINES
        assert (fields["X-One"], fields.get("X-Two")) == ("1", None)


def test_the_copied_may_change_as_well() -> None:
    fields = Fields(LINES)
    other = fields.copy()
    del fields["X-One"]
    fields["Set-Cookie"] = "c=3"
    assert list(other.get_all()) == LINES
    assert other["set-cookie"] == "a=1,b=2"


def test_tornados_headers_keep_repeated_lines() -> None:
    headers = HTTPHeaders()
    headers.add("Set-Cookie", "a=1")
    headers.add("Set-Cookie", "b=2")
    assert Fields(headers).get_list("set-cookie") == ["a=1", "b=2"]
    assert Fields(headers) == headers


def test_equality_ignores_the_case_of_names() -> None:
    assert Fields([("A", "1")]) == Fields([("a", "1")])
    assert Fields([("A", "1")]) == {"a": "1"}
    assert Fields([("A", "1")]) != Fields([("A", "2")])
    assert Fields() != cast(Any, 3)


def test_values_do_not_get_into_the_repr_c5() -> None:
    assert repr(Fields(LINES)) == "<Fields Set-Cookie, X-One, set-cookie, Content-Type>"


def test_it_has_what_tornado_needs_to_write_headers() -> None:
    """The operations of HTTP1Connection.write_headers."""
    fields = Fields.of_parsed([("Content-Length", "3")])
    assert "Content-Length" in fields
    fields["Connection"] = "close"
    assert [f"{name}: {value}" for name, value in fields.get_all()] == ["Content-Length: 3", "Connection: close"]
