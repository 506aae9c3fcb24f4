"""Where a server is reached from outside."""

from __future__ import annotations

import pytest

from jupyter_server_proxy.rules.place import place_arguments, place_variables, public_origin


def test_arguments_and_variables() -> None:
    hub = {"JUPYTERHUB_USER": "ann", "JUPYTERHUB_SERVER_NAME": "gpu"}
    arguments = place_arguments("/user/ann/", "/user/ann/app", "https://hub.example", hub)
    assert arguments == {
        "base_url": "/user/ann/",
        "prefix": "/user/ann/app",
        "url": "https://hub.example/user/ann/app/",
        "user": "ann",
        "server_name": "gpu",
    }
    assert place_variables(arguments) == {
        "JUPYTER_SERVER_PROXY_PREFIX": "/user/ann/app",
        "JUPYTER_SERVER_PROXY_URL": "https://hub.example/user/ann/app/",
    }


def test_without_a_prefix_or_a_known_origin() -> None:
    assert place_arguments("/", "", "", {}) == {
        "base_url": "/", "prefix": "", "url": "/", "user": "", "server_name": "",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("own_url", "environ", "origin"),
    [
        ("http://localhost:8888/base/?token=secret", {}, "http://localhost:8888"),
        ("https://[::1]:1/", {}, "https://[::1]:1"),
        ("http://0.0.0.0:8888/", {}, ""),
        ("http://[::]:8888/", {}, ""),
        ("http+unix://%2Frun%2Fjupyter.sock/", {}, ""),
        # Behind a Hub, our own address is that of its proxy.
        ("http://10.1.2.3:8888/user/ann/", {"JUPYTERHUB_SERVICE_PREFIX": "/user/ann/"}, ""),
        (
            "http://10.1.2.3:8888/user/ann/",
            {"JUPYTERHUB_SERVICE_PREFIX": "/user/ann/", "JUPYTERHUB_PUBLIC_URL": "https://ann.hub.example/user/ann/"},
            "https://ann.hub.example",
        ),
        ("http://10.1.2.3/", {"JUPYTERHUB_SERVICE_PREFIX": "/user/ann/", "JUPYTERHUB_PUBLIC_URL": ""}, ""),
    ],
)
def test_origin(own_url: str, environ: dict[str, str], origin: str) -> None:
    assert public_origin(own_url, environ) == origin
