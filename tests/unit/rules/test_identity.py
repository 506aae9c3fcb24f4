"""Who sent a request, as applications are told."""

from __future__ import annotations

import pytest

from jupyter_server_proxy.rules.forwarding import Forwarding
from jupyter_server_proxy.rules.headers import build_request_fields
from jupyter_server_proxy.rules.identity import Identity, identity_fields, is_identity_field

FORWARDING = Forwarding(client="127.0.0.1", protocol="http", host="h", prefix=None)


def test_the_fields() -> None:
    identity = Identity("ann", ("staff", "data"), ("access:servers!server=ann/", "read:users"))
    assert identity_fields(identity) == [
        ("X-Jupyter-User", "ann"),
        ("X-Jupyter-Groups", "staff, data"),
        ("X-Jupyter-Scopes", "access:servers!server=ann/, read:users"),
    ]


@pytest.mark.parametrize(
    ("name", "escaped"),
    [
        ("ann@example.org", "ann@example.org"),
        ("Änn", "%C3%84nn"),
        ("a, b", "a%2C%20b"),
        ("x\r\nEvil: 1", "x%0D%0AEvil:%201"),
        ("50%", "50%25"),
        ("", ""),
    ],
)
def test_names_cannot_leave_their_place(name: str, escaped: str) -> None:
    fields = dict(identity_fields(Identity(name, (name, "b"))))
    assert fields["X-Jupyter-User"] == escaped
    assert fields["X-Jupyter-Groups"] == f"{escaped}, b"


@pytest.mark.parametrize("name", ["X-Jupyter-User", "x_jupyter_user", "X-JUPYTER_Groups", "x-jupyter-scopes"])
@pytest.mark.parametrize("identity", [None, Identity("ann")])
def test_a_clients_fields_never_pass(name: str, identity: Identity | None) -> None:
    assert is_identity_field(name)
    fields = build_request_fields([(name, "root"), ("X-Other", "1")], forwarding=FORWARDING, identity=identity)
    assert ("X-Other", "1") in fields
    assert "root" not in [value for _, value in fields]
    told = [value for field, value in fields if field == "X-Jupyter-User"]
    assert told == (["ann"] if identity else [])


@pytest.mark.parametrize("name", ["X-Jupyter-Username", "Jupyter-User", "X-Jupyter"])
def test_other_fields_are_none(name: str) -> None:
    assert not is_identity_field(name)
