"""What stays with Jupyter, and what passes byte for byte."""

from __future__ import annotations

import pytest

from jupyter_server_proxy.rules.credentials import (
    Credentials,
    screen_set_cookie,
    withhold_fields,
    withhold_query,
)

OURS = Credentials(login_cookies=("username-localhost-8888",), host="localhost:8888", tokens=("s3cret",))

pytestmark = pytest.mark.behaviour("C1", "C2", "C3")


def cookies(value: str, credentials: Credentials = OURS) -> str | None:
    fields = withhold_fields([("Cookie", value)], credentials)
    return fields[0][1] if fields else None


@pytest.mark.parametrize(
    "name",
    [
        "username-localhost-8888",
        "username-localhost-8889",  # another server of this host
        "username-localhost",
        "_xsrf",
        "jupyterhub-user-ann",
        "__Host-jupyterhub-user-ann",
        "__Host-_xsrf",
        "jupyterhub-user-ann-oauth-state-ab12",
        "jupyterhub-session-id",
        "jupyterhub-hub-login",
    ],
)
def test_c1_cookies_of_jupyter_are_withheld(name: str) -> None:
    assert cookies(f"{name}=1") is None
    assert cookies(f"a=1; {name}=x; b=2") == "a=1; b=2"
    assert cookies(f"{name}=x; b=2") == "b=2"
    assert cookies(f"b=2;{name}=x") == "b=2"


@pytest.mark.parametrize(
    "value",
    [
        "a=1; b=2",
        "xsrf=1",
        "username=ann",
        "username-other-8888=1",
        "my_xsrf=1",
        'q="a;b"; session=_xsrf',
        "a=1;;b",
        "=",
    ],
)
def test_c1_cookies_of_applications_pass_byte_for_byte(value: str) -> None:
    assert cookies(value) == value


def test_c1_a_login_cookie_of_another_name_is_withheld() -> None:
    assert cookies("mine=1; a=2", Credentials(login_cookies=("mine",))) == "a=2"


@pytest.mark.parametrize("value", ["token s3cret", "Token s3cret", "Bearer s3cret", "bearer  s3cret "])
def test_c2_the_authorization_that_logged_in_is_withheld(value: str) -> None:
    assert withhold_fields([("Authorization", value)], OURS) == []


@pytest.mark.parametrize("value", ["Bearer other", "Basic s3cret", "token s3cret2", "token", "", "Bearer s3crété"])
def test_c2_an_authorization_of_the_application_passes(value: str) -> None:
    assert withhold_fields([("Authorization", value)], OURS) == [("Authorization", value)]


@pytest.mark.parametrize(
    ("query", "left"),
    [
        ("token=s3cret", None),
        ("a=%20b&token=s3cret&c", "a=%20b&c"),
        ("%74oken=s3%63ret&&x", "&x"),
        ("token=+s3cret", None),
        ("token=other&a", "token=other&a"),
        ("token=s3cret&token=other", "token=other"),
        ("a=token&b=s3cret", "a=token&b=s3cret"),
        ("", ""),
        (None, None),
    ],
)
def test_c2_the_token_that_logged_in_is_taken_from_the_query(query: str | None, left: str | None) -> None:
    assert withhold_query(query, OURS) == left


def test_c2_a_referer_does_not_tell_the_token() -> None:
    (field,) = withhold_fields([("Referer", "http://localhost:8888/lab?token=s3cret&a=1")], OURS)
    assert field == ("Referer", "http://localhost:8888/lab?a=1")


def test_without_a_token_no_token_is_withheld() -> None:
    fields = [("Authorization", "token x"), ("Cookie", "a=1"), ("Referer", "http://h/?token=x")]
    assert withhold_fields(fields, Credentials()) == fields


@pytest.mark.parametrize(
    "value",
    [
        "_xsrf=1; Path=/",
        "=_xsrf=1",
        " = =_xsrf=1",
        "_xsrf",
        "jupyterhub-session-id=",
        "username-localhost-1=x",
        " _xsrf =1",
    ],
)
def test_c3_reserved_cookies_are_not_set(value: str) -> None:
    assert screen_set_cookie(value, OURS.is_reserved) is None


@pytest.mark.parametrize(
    ("value", "screened"),
    [
        ("a=1; Path=/; HttpOnly", "a=1; Path=/; HttpOnly"),
        ("a=1; Domain=example.org; Secure", "a=1; Secure"),
        ("a=1;domain=.example.org", "a=1"),
        ("domain=x; Path=/a", "domain=x; Path=/a"),
    ],
)
def test_c3_a_domain_is_taken_away(value: str, screened: str) -> None:
    assert screen_set_cookie(value, OURS.is_reserved) == screened


@pytest.mark.parametrize(
    ("value", "screened"),
    [
        ("a=1", "a=1; Path=/base/app/"),
        ("a=1; Path=/", "a=1; Path=/base/app/"),
        ("a=1; Path=/base/apple", "a=1; Path=/base/app/"),
        ("a=1; Path=/base/app/deep; Secure", "a=1; Path=/base/app/deep; Secure"),
        ("a=1; Path=/base/app", "a=1; Path=/base/app"),
        ("__Host-a=1; Path=/; Secure", "__Host-a=1; Path=/; Secure"),
    ],
)
def test_c3_cookies_can_be_limited_to_the_application(value: str, screened: str) -> None:
    assert screen_set_cookie(value, OURS.is_reserved, scope="/base/app") == screened
